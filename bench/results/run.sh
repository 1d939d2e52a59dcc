#!/usr/bin/env bash
# All figures and pictures of bench/results, into a folder with today's date.
# `make results` builds what this needs and calls it. Nothing else should run on
# the machine meanwhile: each run notes what its neighbours used.
#
#   ROUNDS=9 PEER_ROUNDS=5 DURATION=5s SETTLE=60s ONLY='regexp of names' bench/results/run.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${ROUNDS:-9} peer_rounds=${PEER_ROUNDS:-5} duration=${DURATION:-5s} settle=${SETTLE:-60s}
out=${1:-bench/results/$(date +%F)}
mkdir -p "$out"

groupcast='groupcast=bin/groupcast start --log-level warn --listen 127.0.0.1:{port} --api none --control none --loops'
timed=(--warmup 1s --duration "$duration")

wanted() { [[ $1 =~ ${ONLY:-.} ]]; }

# against NAME LIMIT-FLAGS LOOPS [compare flags] -- scenario...: groupcast and the C program.
against() {
	local name=$1 flags=$2 loops=$3; shift 3
	wanted "$name" || return 0
	local more=(); while [ "$1" != -- ]; do more+=("$1"); shift; done; shift
	echo "== $name"
	bin/load compare --rounds "$rounds" --reference c \
		--candidate "c=bin/limit -p {port} $flags" --candidate "$groupcast $loops" \
		--json "$out/$name.json" --markdown "$out/$name.md" "${more[@]}" "$@" --quiet | tail -n +1
}

# peers NAME LIMIT-MODE scenario...: the same beside other servers.
peers() {
	local name=$1 mode=$2; shift 2
	wanted "$name" || return 0
	echo "== $name"
	local skip=(); [[ $name = *many* ]] && skip=(--skip 'nchan=a connection is in one group there')
	bin/peers/peers --load bin/load "${skip[@]}" --ahead "c=bin/limit -p {port} -m $mode" --ahead "$groupcast 1" \
		-- --reference c --rounds "$peer_rounds" --json "$out/$name.json" --markdown "$out/$name.md" "$@" --quiet
}

against big-room        '-m plain' 1    -- big-room "${timed[@]}"
against big-room-100    '-m plain' 1    -- big-room --members 100 --rate 1000 "${timed[@]}"
against big-room-1000   '-m plain' 1    -- big-room --members 1000 --rate 100 "${timed[@]}"
against big-room-19000  '-m plain' 1    -- big-room --members 19000 --rate 4 "${timed[@]}"
against hot-room        '-m coalesce' 1 -- hot-room "${timed[@]}"
against hot-room-w32    '-m coalesce' 1 -- hot-room --window 32 "${timed[@]}"
against hot-room-w1     '-m coalesce' 1 -- hot-room --window 1 "${timed[@]}"
against many-rooms      '-m coalesce' 1 -- many-rooms "${timed[@]}"
against many-groups     '-m coalesce' 1 -- many-groups "${timed[@]}"
against churn           '-m coalesce' 1 -- churn "${timed[@]}"
against storm           '-m coalesce' 1 -- storm
against two-loops-half  '-m coalesce -t 2' 2 --server-cpus 0,1 --load-cpus 0,1 -- many-rooms --rate 3000 "${timed[@]}"
ROUNDS_WERE=$rounds; rounds=${IDLE_ROUNDS:-3}
against idle-1000       '-m coalesce' 1 -- idle --members 1000 --settle "$settle"
against idle-5000       '-m coalesce' 1 -- idle --members 5000 --settle "$settle"
against idle-19000      '-m coalesce' 1 -- idle --members 19000 --settle "$settle"
rounds=$ROUNDS_WERE
peers   peers-big-room   plain    big-room --members 1000 --rate 40 "${timed[@]}"
peers   peers-hot-room   coalesce hot-room "${timed[@]}"
peers   peers-many-rooms coalesce many-rooms "${timed[@]}"

# http RATE: publishes over the HTTP API, that many a second, to 1,000 subscribers.
http() {
	local name=http-publish-$1
	wanted "$name" || return 0
	echo "== $name"
	bin/load compare --rounds "$peer_rounds" --json "$out/$name.json" --markdown "$out/$name.md" \
		--candidate 'groupcast=bin/groupcast start --log-level warn --listen 127.0.0.1:{port} --api 127.0.0.1:{api} --control none --loops 1' \
		big-room --members 1000 --publishers 4 --rate "$1" --publish-api '127.0.0.1:{api}' "${timed[@]}" --quiet
}
for rate in 100 1000 3000 5000 7000; do http "$rate"; done

# CPU per delivery against the number of groups, 1,000 members and 60,000 deliveries a second in all.
against groups-1     '-m plain' 1    -- many-rooms --groups 1 --members 1000 --publishers 1 --rate 60 "${timed[@]}"
against groups-10    '-m plain' 1    -- many-rooms --groups 10 --members 100 --publishers 10 --rate 600 "${timed[@]}"
against groups-100   '-m plain' 1    -- many-rooms --groups 100 --members 10 --publishers 16 --rate 6000 "${timed[@]}"
against groups-500   '-m plain' 1    -- many-rooms --groups 500 --members 2 --publishers 16 --rate 30000 "${timed[@]}"

# Pictures, of what is there.
have() { local list=(); for n in "$@"; do [ -f "$out/$n.json" ] && list+=("$out/$n.json"); done; echo "${list[@]}"; }
draw() { [ $# -gt 2 ] && bin/plot "$@"; }
draw ratios "$out/ratios.svg" $(have big-room hot-room hot-room-w32 hot-room-w1 many-rooms many-groups churn storm) || true
draw latency "$out/latency-big-room.svg" $(have big-room) || true
draw latency "$out/latency-two-loops.svg" $(have two-loops-half) || true
draw sizes 'CPU per delivery' "$out/cost-by-group-size.svg" $(have big-room-100 big-room-1000 big-room big-room-19000) || true
draw groups 'CPU per delivery' "$out/cost-by-groups.svg" $(have groups-1 groups-10 groups-100 groups-500) || true
draw sizes 'memory per session' "$out/memory-by-sessions.svg" $(have idle-1000 idle-5000 idle-19000) || true
for n in big-room hot-room many-rooms; do
	[ -f "$out/peers-$n.json" ] || continue
	bin/plot bars 'CPU per delivery' "$out/peers-$n-cpu.svg" "$out/peers-$n.json"
	bin/plot bars 'deliveries' "$out/peers-$n-deliveries.svg" "$out/peers-$n.json"
done

bench/results/summary.sh "$out"
