#!/usr/bin/env bash
# clang-tidy over the product's sources, by the rules of .clang-tidy. Results of unchanged files are kept in build/lint.
# Usage: scripts/lint.sh [FILE...]
set -euo pipefail
cd "$(dirname "$0")/.."

build=build/lint
# clang cannot read GCC's precompiled headers: a tree of its own, configured but never built.
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON > /dev/null
mkdir -p "$build/clean"

files=("$@")
[ ${#files[@]} -gt 0 ] || mapfile -t files < <(git ls-files 'src/*.cpp')

# A file is known to be clean for one content of itself, of all headers, and of the rules.
common=$(git ls-files 'include/*' 'src/*.hpp' .clang-tidy | sort | xargs cat | sha256sum | cut -c1-16)
todo=()
for file in "${files[@]}"; do
  key=$(cat "$file" <(echo "$common") | sha256sum | cut -c1-32)
  [ -e "$build/clean/$key" ] || todo+=("$file:$key")
done
echo "clang-tidy: ${#todo[@]} of ${#files[@]} files to check"
[ ${#todo[@]} -gt 0 ] || exit 0

check() {
  file=${1%:*} key=${1##*:}
  if output=$(clang-tidy --quiet --extra-arg=-fconstexpr-steps=100000000 -p build/lint "$file" 2> /dev/null); then
    touch "build/lint/clean/$key"
  else
    printf '%s\n' "$output"
    exit 1
  fi
}
export -f check
printf '%s\n' "${todo[@]}" | xargs -P "$(nproc)" -I{} bash -c 'check {}'
