#!/usr/bin/env bash
# Writes FOLDER/README.md, the table of what run.sh has measured into FOLDER.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${1:?which folder}

# row FILE METRIC: scenario, unit, groupcast, C, and the ratio within the rounds.
row() {
	jq -r --arg metric "$2" --arg name "$(basename "$1" .json)" '
		def f: if . >= 100 then round elif . >= 10 then (. * 10 | round / 10) else (. * 1000 | round / 1000) end;
		. as $c
		| [.summary[] | select(.metric == $metric)] as $s
		| ($s[] | select(.candidate == "groupcast")) as $g
		| ($s[] | select(.candidate == $c.reference)) as $r
		| "| \($name) | \($c.description) | \($metric), \($g.unit) | \($g.value.median | f) | \($r.value.median | f) | **\($g.ratio.median * 100 | round / 100)** (\($g.ratio.min * 100 | round / 100) to \($g.ratio.max * 100 | round / 100)) | \($g.runs // $r.runs) |"' "$1"
}

{
	echo "# Measured $(basename "$out")"
	echo
	first=$(ls "$out"/*.json | head -1)
	jq -r '"Machine: \(.machine)."' "$first"
	echo "$(go version | sed 's/go version //'), commit $(git rev-parse --short HEAD)."
	echo
	echo "Command: \`make results\`. Medians over interleaved rounds, each with fresh processes; the ratio is taken within"
	echo "each round, its range stands in brackets. The server has one CPU, the generator the other, but in \`two-loops-half\`,"
	echo "where they share both. C is \`bench/peers/limit/limit.c\`. The JSON files hold every run."
	echo
	echo "| run | what | figure | groupcast | C | ratio | rounds |"
	echo "|---|---|---|---|---|---|---|"
	for f in "$out"/*.json; do
		case $f in */peers-*|*/http-*) continue ;; esac
		for metric in 'CPU per delivery' 'CPU per connection' 'memory per session'; do row "$f" "$metric"; done
		case $f in */two-loops*|*/many-rooms*|*/hot-room*) row "$f" 'latency p99' ;; esac
	done
	for f in $(ls -v "$out"/http-*.json "$out"/peers-*.json 2>/dev/null); do
		echo
		jq -r '"## \(.description)"' "$f"
		echo
		cat "${f%.json}.md"
	done
	echo
	for svg in "$out"/*.svg; do [ -f "$svg" ] && echo "![$(basename "$svg" .svg)]($(basename "$svg"))"; done
} > "$out/README.md"
