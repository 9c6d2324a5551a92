#!/usr/bin/env bash
# Generates sound files with known truth and scores what `voxctl listen` decides over them; exit 1 if a bar is missed.
#
# Usage: scripts/voice-bench.sh [--seed N] [--keep DIR] [--verbose]
#   VOXCTL=path   the program to test (default: build/release/voxctl, built if it is not there)
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
for tool in flite espeak-ng sox python3; do
  command -v "$tool" >/dev/null || missing+=("$tool")
done
if ((${#missing[@]})); then
  echo "voice-bench: installing ${missing[*]}"
  sudo=""
  ((EUID == 0)) || sudo="sudo"
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

voxctl="${VOXCTL:-build/release/voxctl}"
if [[ ! -x "$voxctl" ]]; then
  cmake --preset release >/dev/null
  cmake --build --preset release --target voxctl
fi

exec python3 scripts/voice_bench.py "$voxctl" "$@"
