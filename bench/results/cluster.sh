#!/usr/bin/env bash
# Measures what it costs that several nodes are one, over NATS, and what becomes of a NATS server that crashes;
# writes it all to bin/cluster-figures/cluster.md. `make cluster` builds what this needs and calls it. Nothing
# else should run on the machine meanwhile.
#
#   ROUNDS=2 OLD=bin/groupcast-old bench/results/cluster.sh [cost] [latency] [interest] [memory] [joins] [nodes] [peers]
#
# With words, only these parts. OLD is a groupcast from before there was a bus, and is compared where it is there.
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${ROUNDS:-2} old=${OLD:-} parts=${*:-cost latency interest memory joins nodes peers}
out=bin/cluster-figures
mkdir -p "$out"

for part in $parts; do
	flags=()
	case $part in
	memory) [ -z "$old" ] || flags=(--old-server "$old") ;;
	peers)
		[ ! -e bin/peers/centrifuge-cluster ] || flags+=(--centrifuge bin/peers/centrifuge-cluster)
		if [ ! -e bench/peers/node/node_modules/@socket.io/redis-adapter ]; then echo "NO SOCKET.IO: npm ci in bench/peers/node"
		else flags+=(--socket-io bench/peers/node/socketio-cluster.js); fi
		;;
	esac
	rm -f "$out/$part.jsonl"
	echo "$part" >&2
	bin/cluster "$part" --rounds "$rounds" --points "$out/$part.jsonl" "${flags[@]}" >"$out/$part.md" || { cat "$out/$part.md"; exit 1; }
done
[ ! -e "$out/cost.jsonl" ] || bin/cluster model "$out/cost.jsonl" >"$out/model.md"
for part in cost latency interest memory joins nodes peers model; do
	[ ! -e "$out/$part.md" ] || cat "$out/$part.md"
done >"$out/cluster.md"
cat "$out/cluster.md"
