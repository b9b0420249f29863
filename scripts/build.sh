#!/bin/sh
# build.sh PRESET [TARGET]: configure and build, quietly unless it fails. Target 'muster' alone leaves the tests
# out, and with them what only they need (scripts/deps.sh, group test).
set -eu
preset=$1
mkdir -p out
log=out/build-$preset.log
tests=ON
[ "${2:-all}" != muster ] || tests=OFF
if ! { cmake --preset "$preset" -DMUSTER_TESTS=$tests && cmake --build "build/$preset" --target "${2:-all}"; } >"$log" 2>&1; then
    tail -n 60 "$log" >&2
    echo "build.sh: the $preset build failed; all of it is in $log" >&2
    exit 1
fi
echo "built build/$preset"
