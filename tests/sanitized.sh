#!/bin/sh
# Unit tests, replays of fuzzing's inputs and the walk of the commands, in a build with AddressSanitizer and
# UndefinedBehaviorSanitizer of its own, which is kept for the next time. What the latter finds is a trap whose place
# AddressSanitizer prints; `make ubsan` has the words. usage: sanitized.sh SOURCE_FOLDER BUILD_FOLDER
set -eu
root=$1
build=$2
jobs=${JOBS:-$(nproc 2>/dev/null || echo 2)}
cmake -S "$root" -B "$build" -DPRECIS_TESTS=ON -DPRECIS_SANITIZE=address,undefined -DPRECIS_SANITIZE_SHORT=ON \
    -DCMAKE_BUILD_TYPE=None "-DCMAKE_C_FLAGS=-O2 -g1" >"$build.log" 2>&1 || { cat "$build.log"; exit 1; }
cmake --build "$build" -j "$jobs" >"$build.log" 2>&1 ||
    { grep -B2 -A8 'error' "$build.log" || tail -40 "$build.log"; exit 1; }
rm -f "$build.log"
cd "$build"
export ASAN_OPTIONS=handle_sigill=2
ctest -j "$jobs" --output-on-failure -R '^(unit|replay)\.|^cli\.commands$' >"$build.log" 2>&1 ||
    { cat "$build.log"; exit 1; }
# Nothing that ran is not the same as nothing that failed.
sed -n 's/^100% tests passed.* out of \([0-9]*\)$/\1 tests passed under the sanitizers/p' "$build.log"
[ "$(grep -c ' Passed ' "$build.log")" -ge 100 ] || { cat "$build.log"; exit 1; }
