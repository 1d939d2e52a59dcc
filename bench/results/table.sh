#!/usr/bin/env bash
# Measures each row of the table that groupcast is held to beside a C program that only copies bytes,
# with one loop on one CPU and with two on two, and writes it to bin/table/table.md. `make table` builds what this needs
# and calls it. Nothing else should run on the machine meanwhile.
#
# BEFORE is an older groupcast, which then takes part in each round.
#
#   ROUNDS=5 DURATION=5s SETTLE=30s ONLY='regexp of names' BEFORE=program bench/results/table.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${ROUNDS:-5} timed=(--warmup 1s --duration "${DURATION:-5s}")
out=bin/table
mkdir -p "$out"

started='start --log-level warn --listen 127.0.0.1:{port} --api none --control none --loops'

# row NAME C-MODE "WORK" scenario...: in both set-ups.
row() {
	local name=$1 mode=$2 work=$3 loops cpus old; shift 3
	[[ $name =~ ${ONLY:-.} ]] || return 0
	for loops in 1 2; do
		cpus=(--server-cpus 0 --load-cpus 1)
		[ "$loops" = 1 ] || cpus=(--server-cpus 0,1 --load-cpus 0,1)
		old=()
		[ -z "${BEFORE:-}" ] || old=(--candidate "before=$BEFORE $started $loops")
		echo "== $name, $loops"
		bin/load compare --rounds "$rounds" --reference c "${cpus[@]}" \
			--candidate "c=bin/limit -p {port} -m $mode -t $loops" \
			"${old[@]}" --candidate "groupcast=bin/groupcast $started $loops" \
			--markdown "$out/$name-$loops.part" "$@" --quiet
		{ printf '## %s; %s\n\n' "$work" "$([ "$loops" = 1 ] && echo 'one loop on one CPU' || echo 'two loops on two')"
			cat "$out/$name-$loops.part"; echo; } >"$out/$name-$loops.md"
		rm "$out/$name-$loops.part"
	done
}

row connect-256   coalesce 'connect, upgrade, join, 10,000 of them, 256 at once' storm --connections 10000 --concurrency 256
row connect-128   coalesce 'the same, 128 at once' storm --connections 10000 --concurrency 128
row one-at-a-time plain 'one message at a time, group of 1,000' hot-room --window 1 --publishers 1 "${timed[@]}"
row room-5000     plain 'group of 5,000, 20 a second' big-room --members 5000 --rate 20 "${timed[@]}"
row room-1000     plain 'group of 1,000, 20 a second' big-room --members 1000 --rate 20 "${timed[@]}"
row rooms-256     coalesce '1,000 groups of 10, 256 under way' many-rooms --publishers 16 --window 16 "${timed[@]}"
row room-128      coalesce 'group of 1,000, 128 under way' hot-room --publishers 1 --window 128 "${timed[@]}"
row idle-18500    coalesce 'idle members of 18,500' idle --members 18500 --settle "${SETTLE:-30s}"
cat "$out"/*-[12].md >"$out/table.md"
echo "bin/table/table.md"
