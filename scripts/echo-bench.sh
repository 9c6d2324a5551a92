#!/bin/sh
# Compares what an echo call costs: voxgate's echo agent (once the binary has one), the net room alone, an idiomatic Beast
# server, the least Beast can cost, and raw epoll. All get the same frames at the same load, in interleaved rounds, the
# server on core 0 and the load on core 1. Only the ratios of one run mean anything.
#
# Usage: scripts/echo-bench.sh [--calls N] [--seconds S] [--rounds R] [--build DIR] [--peers "a b c"] [--out FILE]
# Needs: cmake --preset release && cmake --build --preset release
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
calls=500 seconds=10 rounds=5 build="$root/build/release" out="" peers=""
while [ $# -gt 0 ]; do
  case $1 in
    --calls) calls=$2 ;;
    --seconds) seconds=$2 ;;
    --rounds) rounds=$2 ;;
    --build) build=$2 ;;
    --peers) peers=$2 ;;
    --out) out=$2 ;;
    *) sed -n '2,8p' "$0" >&2; exit 2 ;;
  esac
  shift 2
done

load="$build/bench/echo_load"
[ -x "$load" ] || { echo "no $load: build the release preset first" >&2; exit 2; }
if [ -z "$peers" ]; then
  peers="echo_net echo_beast echo_beast_plain echo_epoll"
  [ -x "$build/voxgate" ] && peers="voxgate $peers"
fi

work=$(mktemp -d)
server=""
cleanup() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

pin() {  # pin CORE COMMAND...: without a second core everything shares the first
  core=$1
  shift
  if [ "$(nproc)" -gt 1 ]; then exec taskset -c "$core" "$@"; else exec "$@"; fi
}

start() {  # start PEER: sets server and url
  : > "$work/server.log"
  case $1 in
    voxgate)
      port=${VOXGATE_BENCH_PORT:-18080}
      (pin 0 "$build/voxgate" serve --config "${VOXGATE_BENCH_CONFIG:-$root/config/demo.json}" \
        --set "listen.public=127.0.0.1:$port" --set "listen.admin=127.0.0.1:$((port + 1))" \
        --set "listen.metrics=127.0.0.1:$((port + 2))" --set loops=1 --set "limits.max_calls=$((calls + 100))" \
        > "$work/server.log" 2>&1) &
      server=$!
      url="ws://127.0.0.1:$port/v1/realtime/{id}?agent=echo"
      tries=0
      until curl -fs "http://127.0.0.1:$port/healthz" > /dev/null 2>&1; do
        tries=$((tries + 1))
        if [ $tries -ge 200 ] || ! kill -0 "$server" 2>/dev/null; then
          cat "$work/server.log" >&2
          exit 1
        fi
        sleep 0.05
      done
      ;;
    *)
      case $1 in
        echo_beast_plain) (pin 0 "$build/bench/echo_beast" --plain > "$work/server.log") & ;;
        *) (pin 0 "$build/bench/$1" > "$work/server.log") & ;;
      esac
      server=$!
      tries=0
      until grep -q '^listening' "$work/server.log"; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || { echo "$1 did not start" >&2; exit 1; }
        sleep 0.05
      done
      url="ws://127.0.0.1:$(awk '/^listening/ { print $2 }' "$work/server.log")/{id}"
      ;;
  esac
}

stop() {
  kill "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  server=""
}

round=1
while [ "$round" -le "$rounds" ]; do
  for peer in $peers; do
    start "$peer"
    failed=0
    (pin 1 "$load" --url "$url" --calls "$calls" --seconds "$seconds" --server-pid "$server" --json) \
      > "$work/result" || failed=1
    if [ "$failed" -ne 0 ]; then echo "round $round: $peer lost calls" >&2; fi
    [ -s "$work/result" ] && printf '{"peer":"%s","round":%d,"result":%s}\n' "$peer" "$round" "$(cat "$work/result")" \
      >> "$work/results"
    stop
    if [ "$failed" -ne 0 ]; then tail -3 "$work/server.log" >&2; fi
  done
  echo "round $round of $rounds done" >&2
  round=$((round + 1))
done

[ -n "$out" ] && cp "$work/results" "$out"
python3 - "$work/results" <<'PYTHON'
import json
import statistics
import sys

runs = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
peers = list(dict.fromkeys(run["peer"] for run in runs))
cost = {}
print(f"{'peer':18}{'CPU-ms/call-s':>14}{'min':>8}{'max':>8}{'p50 ms':>9}{'p99 ms':>9}{'lost':>7}{'KiB/call':>10}"
      f"{'load late p99':>15}")
for peer in peers:
    results = [run["result"] for run in runs if run["peer"] == peer]
    middle = lambda key: statistics.median(r[key] for r in results)
    cpu = [r["cpu_ms_per_call_s"] for r in results]
    cost[peer] = statistics.median(cpu)
    print(f"{peer:18}{cost[peer]:14.4f}{min(cpu):8.4f}{max(cpu):8.4f}{middle('p50_ms'):9.3f}{middle('p99_ms'):9.3f}"
          f"{sum(r['lost'] for r in results):7d}{middle('anon_kib_per_call'):10.2f}{middle('own_p99_ms'):15.3f}")
print()
by_round = {}
for run in runs:
    by_round.setdefault(run["round"], {})[run["peer"]] = run["result"]["cpu_ms_per_call_s"]
for base in ("echo_beast", "echo_beast_plain", "echo_epoll"):
    for peer in peers:
        pairs = [r[peer] / r[base] for r in by_round.values() if peer in r and base in r]
        if peer != base and pairs and peer in ("voxgate", "echo_net"):
            print(f"{peer} / {base}: {statistics.median(pairs):.3f} (median over rounds; {min(pairs):.3f} to {max(pairs):.3f})")
PYTHON
