#!/usr/bin/env bash
# Measures what tokens cost a connection, and shows what becomes of rotated keys, of many tokens that are
# over at once and of a silent key server; writes it all to bin/token-load/tokens.md. `make token-load`
# builds what this needs and calls it. Nothing else should run on the machine meanwhile.
#
#   ROUNDS=3 CONNECTIONS=10000 bench/results/tokens.sh [storm] [incidents]
#
# With one of the words, only that part: they take a minute and five.
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${ROUNDS:-3} connections=${CONNECTIONS:-10000} parts=${*:-storm incidents}
out=bin/token-load
mkdir -p "$out"

groupcast='bin/groupcast start --log-level warn --listen 127.0.0.1:{port} --api none --control none --loops 1'
if [[ $parts = *storm* ]]; then
	for algorithm in HS256 ES256; do
		bin/tokenload sign $algorithm --key "$out/$algorithm.key" --tokens "$out/$algorithm.tokens"
	done
	bin/load compare --rounds "$rounds" --reference none --markdown "$out/storm.md" \
		--candidate "none=$groupcast" \
		--candidate "optional=$groupcast --token-key-file $out/HS256.key --token-optional" \
		--candidate "HS256=@tokens=$out/HS256.tokens $groupcast --token-key-file $out/HS256.key" \
		--candidate "ES256=@tokens=$out/ES256.tokens $groupcast --token-key-file $out/ES256.key" \
		storm --connections "$connections" --quiet
fi
if [[ $parts = *incidents* ]]; then
	: >"$out/incidents.jsonl"
	bin/tokenload run --rounds "$rounds" --results "$out/incidents.jsonl" >"$out/incidents.md" || { cat "$out/incidents.md"; exit 1; }
fi
for part in storm incidents; do
	[ ! -e "$out/$part.md" ] || { cat "$out/$part.md"; echo; }
done >"$out/tokens.md"
echo "$out/tokens.md"
