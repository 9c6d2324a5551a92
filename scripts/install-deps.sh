#!/bin/sh
# Installs what building, testing and the demo need on Debian 12. Packages that are there already cost nothing.
# Usage: scripts/install-deps.sh [build|test]   (test: build, plus what only the tests use)
set -eu

build_packages="
  build-essential cmake ninja-build ccache pkg-config git ca-certificates
  libboost1.81-dev nlohmann-json3-dev libspdlog-dev libssl-dev libsqlite3-dev
  libspandsp-dev libspeexdsp-dev libwebrtc-audio-processing-dev
  flite1-dev libpocketsphinx-dev libsphinxbase-dev pocketsphinx-en-us
  libgtest-dev libgmock-dev curl procps"
test_packages="
  python3 jq sqlite3 sox flite espeak-ng prometheus clang-format clang-tidy shellcheck libbenchmark-dev"

packages=$build_packages
[ "${1:-build}" = test ] && packages="$packages $test_packages"

missing=""
for package in $packages; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

sudo=""
[ "$(id -u)" -eq 0 ] || sudo=sudo
echo "installing:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq >&2
# shellcheck disable=SC2086  # a list of package names
$sudo apt-get install -y -qq --no-install-recommends $missing > /dev/null
