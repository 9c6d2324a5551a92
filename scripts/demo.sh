#!/usr/bin/env bash
# A telephone conversation with the demo agent, from nothing: installs what is missing, builds, starts the gateway on
# free ports, and calls it as Twilio would, with real synthesised speech. Needs no keys and no other service.
# Usage: scripts/demo.sh      The recording of both voices is left in out/. Exit 0 only if everything went as expected.
set -euo pipefail
cd "$(dirname "$0")/.."

gateway=""
run=$(mktemp -d)
stop_gateway() {  # returns the exit status of the gateway, which it ends
  local pid=$gateway status=0
  [ -n "$pid" ] || return 0
  gateway=""
  kill -TERM "$pid" 2> /dev/null || true
  wait "$pid" || status=$?
  return "$status"
}
# shellcheck disable=SC2317  # the trap calls it
clean_up() {
  stop_gateway || true
  rm -rf "$run"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

scripts/install-deps.sh build

# A compiler may need 1.5 GB for one of the files with coroutines.
memory_jobs=$(awk '/MemAvailable/ { print int($2 / 1500000) }' /proc/meminfo)
jobs=$(nproc)
[ "$memory_jobs" -ge "$jobs" ] || jobs=$((memory_jobs > 0 ? memory_jobs : 1))
echo "building (the first time takes some minutes) ..."
cmake --preset release > "$run/configure.log" || { cat "$run/configure.log"; exit 1; }
cmake --build --preset release --target voxgate voxctl -j "$jobs" > "$run/build.log" || { cat "$run/build.log"; exit 1; }

mkdir -p out
build/release/voxgate serve --config config/demo.json \
  --set listen.public=127.0.0.1:0 --set listen.admin=127.0.0.1:0 --set listen.metrics=127.0.0.1:0 \
  --set "listen.port_file=$run/ports" --set "records.path=$run/calls.db" 2> out/gateway.log &
gateway=$!
for _ in $(seq 100); do
  [ -s "$run/ports" ] && break
  kill -0 "$gateway" 2> /dev/null || { cat out/gateway.log; exit 1; }
  sleep 0.1
done
port() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" "$run/ports"; }
[ -n "$(port public)" ] || { echo "the gateway did not come up:"; cat out/gateway.log; exit 1; }
echo "gateway up on port $(port public); calling the demo agent"
echo

status=0
build/release/voxctl call --url "ws://127.0.0.1:$(port public)" --admin "http://127.0.0.1:$(port admin)" \
  --agent demo --out out/demo-call.wav --min-recognised 90 \
  --expect 'maple street dental.*how can I help you' \
  --say 'What are your opening hours' --expect 'we are open monday' \
  --say 'What is your address' --barge-at 3.2 --expect '21 maple street' \
  --say 'How much is a cleaning' --expect '95 dollars' \
  --say 'I would like to book an appointment' --expect 'checkup, a cleaning, or a filling' \
  --say 'A checkup please' --expect 'day' \
  --say 'On Wednesday' --expect 'time' \
  --say 'At ten in the morning' --expect 'checkup on wednesday.* at 10' \
  --say 'Yes' --expect 'appointment is booked' \
  --say 'Thank you, goodbye' --expect 'goodbye' || status=$?

stop_gateway || { echo "the gateway did not end well:"; tail -5 out/gateway.log; status=1; }
echo
if [ "$status" -eq 0 ]; then
  echo "all as expected; both voices: $PWD/out/demo-call.wav (caller left, agent right)"
else
  echo "NOT as expected (status $status); the gateway's log: $PWD/out/gateway.log"
fi
exit "$status"
