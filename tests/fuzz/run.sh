#!/bin/sh
# run.sh BUILD SECONDS: every libFuzzer program of a fuzz build for so many seconds, four at a time.
set -u
build=$1
seconds=$2
here=$(dirname "$0")
mkdir -p out/fuzz
n=0
list=""
for p in "$build"/tests/fuzz/fuzz_*; do
    [ -f "$p" ] && [ -x "$p" ] || continue
    n=$((n + 1))
    list="$list $(basename "$p")"
done
[ "$n" -gt 0 ] || { echo "no fuzz program in $build"; exit 1; }
one='
    name=$1
    corpus=out/fuzz/$name
    mkdir -p "$corpus"
    if "$2/tests/fuzz/$name" -max_total_time="$3" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="out/fuzz/$name-" "$corpus" "$4/corpus/${name#fuzz_}" >"out/fuzz/$name.log" 2>&1; then
        echo "$name: $(grep -E "stat::number_of_executed_units" "out/fuzz/$name.log" | tr -dc 0-9) inputs"
    else
        echo "$name FAILED:"; tail -n 40 "out/fuzz/$name.log"; exit 255
    fi'
# shellcheck disable=SC2086
printf '%s\n' $list | xargs -P 4 -I{} sh -c "$one" sh {} "$build" "$seconds" "$here"
