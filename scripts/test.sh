#!/usr/bin/env bash
# Runs every check there is on a bare Debian 12 machine: style, floors, all tests in release, unit and integration tests
# under ASan+UBSan, and the rooms with threads under TSan.
# Usage: scripts/test.sh [--quick]    (--quick: style and the release tests only)
set -euo pipefail
cd "$(dirname "$0")/.."

quick=0
[ "${1:-}" = --quick ] && quick=1
jobs=$(nproc)

step() { printf '\n== %s (%s)\n' "$1" "$(date -u +%H:%M:%S)"; }

step "packages"
scripts/install-deps.sh test

step "style"
mapfile -t sources < <(git ls-files '*.cpp' '*.hpp')
clang-format --dry-run -Werror "${sources[@]}"
mapfile -t shell_scripts < <(git ls-files 'scripts/*.sh' .ci/run)
shellcheck "${shell_scripts[@]}"
python3 scripts/check_layers.py .

run_preset() {  # run_preset PRESET CTEST_ARGUMENTS...
  local preset=$1
  shift
  step "build $preset"
  cmake --preset "$preset" > "/tmp/voxgate-configure-$preset.log" || { cat "/tmp/voxgate-configure-$preset.log"; exit 1; }
  cmake --build --preset "$preset" -j "$jobs" | grep -vE '^\[[0-9]+/[0-9]+\]' || [ "${PIPESTATUS[0]}" -eq 0 ]
  step "test $preset"
  ctest --preset "$preset" -j "$jobs" "$@"
}

run_preset release
if [ "$quick" -eq 0 ]; then
  run_preset asan -L 'unit|integration'
  run_preset tsan -R '^(unit\.(base|net|records|engines|gateway)\.|integration)'
  step "clang-tidy"
  scripts/lint.sh
fi
step "all checks passed"
