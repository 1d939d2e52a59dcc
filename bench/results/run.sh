#!/usr/bin/env bash
# Measures every scenario. The runs go to bin/results/DATE; each scenario's figures take the place
# of its older ones in bench/results/results.json, of which pictures and tables are made at the end.
# `make results` builds what this needs and calls it. Nothing else should run on the machine
# meanwhile: each run notes what its neighbours used.
#
#   ROUNDS=9 PEER_ROUNDS=5 IDLE_ROUNDS=3 DURATION=5s SETTLE=60s ONLY='regexp of names' bench/results/run.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${ROUNDS:-9} peer_rounds=${PEER_ROUNDS:-5} duration=${DURATION:-5s} settle=${SETTLE:-60s}
out=bin/results/$(date +%F)
mkdir -p "$out"
commit=$(git describe --always --dirty --exclude '*') go=$(go version | cut -d' ' -f3-)

groupcast='groupcast=bin/groupcast start --log-level warn --listen 127.0.0.1:{port} --api none --control none --loops'
timed=(--warmup 1s --duration "$duration")

wanted() { [[ $1 =~ ${ONLY:-.} ]]; }

keep() { bin/plot gather -commit "$commit" -go "$go" bench/results "$out/$1.json"; }

# against NAME LIMIT-FLAGS LOOPS [compare flags] -- scenario...: groupcast and the C program.
against() {
	local name=$1 flags=$2 loops=$3; shift 3
	wanted "$name" || return 0
	local more=(); while [ "$1" != -- ]; do more+=("$1"); shift; done; shift
	echo "== $name"
	bin/load compare --rounds "$rounds" --reference c \
		--candidate "c=bin/limit -p {port} $flags" --candidate "$groupcast $loops" \
		--json "$out/$name.json" "${more[@]}" "$@" --quiet
	keep "$name"
}

# peers NAME LIMIT-MODE scenario...: the same beside other servers.
peers() {
	local name=$1 mode=$2; shift 2
	wanted "$name" || return 0
	echo "== $name"
	local skip=(); [[ $name = *many* ]] && skip=(--skip 'nchan=a connection is in one group there')
	bin/peers/peers --load bin/load "${skip[@]}" --ahead "c=bin/limit -p {port} -m $mode" --ahead "$groupcast 1" \
		-- --reference c --rounds "$peer_rounds" --json "$out/$name.json" "$@" --quiet
	keep "$name"
}

against big-room        '-m plain' 1    -- big-room "${timed[@]}"
against big-room-100    '-m plain' 1    -- big-room --members 100 --rate 1000 "${timed[@]}"
against big-room-1000   '-m plain' 1    -- big-room --members 1000 --rate 100 "${timed[@]}"
against big-room-18500  '-m plain' 1    -- big-room --members 18500 --rate 4 "${timed[@]}"
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
against idle-18500      '-m coalesce' 1 -- idle --members 18500 --settle "$settle"
rounds=$ROUNDS_WERE
peers   peers-big-room   plain    big-room --members 1000 --rate 40 "${timed[@]}"
peers   peers-hot-room   coalesce hot-room "${timed[@]}"
peers   peers-many-rooms coalesce many-rooms "${timed[@]}"

# http RATE: publishes over the HTTP API, that many a second, to 1,000 subscribers.
http() {
	local name=http-publish-$1
	wanted "$name" || return 0
	echo "== $name"
	bin/load compare --rounds "$peer_rounds" --json "$out/$name.json" \
		--candidate 'groupcast=bin/groupcast start --log-level warn --listen 127.0.0.1:{port} --api 127.0.0.1:{api} --control none --loops 1' \
		big-room --members 1000 --publishers 4 --rate "$1" --publish-api '127.0.0.1:{api}' "${timed[@]}" --quiet
	keep "$name"
}
for rate in 100 1000 3000 5000 7000; do http "$rate"; done

# CPU per delivery against the number of groups, 1,000 members and 60,000 deliveries a second in all.
against groups-1     '-m plain' 1    -- many-rooms --groups 1 --members 1000 --publishers 1 --rate 60 "${timed[@]}"
against groups-10    '-m plain' 1    -- many-rooms --groups 10 --members 100 --publishers 10 --rate 600 "${timed[@]}"
against groups-100   '-m plain' 1    -- many-rooms --groups 100 --members 10 --publishers 16 --rate 6000 "${timed[@]}"
against groups-500   '-m plain' 1    -- many-rooms --groups 500 --members 2 --publishers 16 --rate 30000 "${timed[@]}"

# over_tls NAME REFERENCE scenario... [-- further candidates]: groupcast with TLS and without, on one
# CPU. Tables for README.md are left beside the figures: it has them by hand, with what they say.
over_tls() {
	local name=tls-$1 reference=$2; shift 2
	wanted "$name" || return 0
	echo "== $name"
	local scenario=(); while [ $# -gt 0 ] && [ "$1" != -- ]; do scenario+=("$1"); shift; done
	local others=(); while [ $# -gt 1 ]; do others+=(--candidate "$2"); shift; done
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
		-keyout "$out/tls.pem" -out "$out/tls.crt" 2>/dev/null
	cat "$out/tls.crt" >>"$out/tls.pem"
	[[ $reference = net-http ]] || others+=(--candidate "$groupcast 1")
	bin/load compare --rounds "$peer_rounds" --reference "$reference" "${others[@]}" \
		--candidate "groupcast-tls=@tls ${groupcast#*=} 1 --tls-cert $out/tls.pem" \
		--json "$out/$name.json" --markdown "$out/$name.md" "${scenario[@]}" --quiet
}
over_tls hot-room   groupcast hot-room "${timed[@]}" -- 'limit-tls=@tls bin/tlslimit -p {port}' 'limit-plain=bin/tlslimit -plain -p {port}'
over_tls full       net-http storm --healthz --connections 4000 -- 'net-http=@tls bin/tlslimit -http -p {port}'
over_tls resumed    net-http storm --healthz --connections 4000 --tls-resume -- 'net-http=@tls bin/tlslimit -http -p {port}'
over_tls idle       groupcast idle --members 5000 --settle "$settle"
over_tls idle-first groupcast idle --members 5000 --settle "$settle" --first 16000

bin/plot draw bench/results README.md
