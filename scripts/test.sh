#!/bin/sh
# test.sh PRESET [ctest arguments]: run the tests of a build and close with 'N passed, N failed, N skipped'.
#
# A test that cannot run exits 77 after one line 'SKIP design NAME: reason' (what it needs is absent by
# design: MUSTER_MONGOD, MUSTER_MONGO_TOOLS) or 'SKIP peer NAME: reason' (a peer could not be had). The two
# are counted apart; with CI=true a missing peer is a failure. A skip that says neither is a failure.
set -u
preset=$1
shift
mkdir -p out
log=out/test-$preset.log
# One more than there are cores: most of these tests wait for time to pass.
ctest --test-dir "build/$preset" -j$(($(nproc) + 1)) --output-on-failure --no-tests=error \
    --output-log "$log.full" "$@" 2>&1 | tee "$log"
# Tests that talk over real time get a second try, alone on the machine; it is said by name.
if grep -qE '^ *[0-9]+/[0-9]+ Test +#.*(\*\*\*Failed|\*\*\*Timeout|\*\*\*Exception)' "$log"; then
    cp "build/$preset/Testing/Temporary/LastTest.log" "$log.first"
    ctest --test-dir "build/$preset" -j1 --rerun-failed --output-on-failure 2>&1 | tee "$log.again"
    cat "$log.first" >>"build/$preset/Testing/Temporary/LastTest.log"
    again=$(sed -nE 's/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: ([^ ]+) \.+ +Passed .*/\1/p' "$log.again")
    for t in $again; do
        echo "passed only at the second try, alone: $t"
        sed -i -E "s|(Test +#[0-9]+: $t \.+) *\*\*\*[A-Za-z]+|\1   Passed  |" "$log"
    done
fi
passed=$(grep -cE '^ *[0-9]+/[0-9]+ Test +#.* Passed ' "$log")
skipped=$(grep -cE '^ *[0-9]+/[0-9]+ Test +#.*\*\*\*Skipped' "$log")
total=$(sed -nE 's/^.*tests passed, .* tests failed out of ([0-9]+).*/\1/p;s/^100% tests passed.* out of ([0-9]+).*/\1/p' "$log" | tail -n 1)
[ -n "$total" ] || total=$((passed + skipped + 1))
failed=$((total - passed - skipped))
last=build/$preset/Testing/Temporary/LastTest.log
design=$(grep -hE '^SKIP design ' "$last" 2>/dev/null | sort -u)
peer=$(grep -hE '^SKIP peer ' "$last" 2>/dev/null | sort -u)
said=$(grep -cE '^SKIP (design|peer) ' "$last" 2>/dev/null)
if [ -n "$design" ]; then
    echo "skipped, absent by design:"
    echo "$design" | sed 's/^SKIP design /  /'
fi
if [ -n "$peer" ]; then
    echo "skipped, peer missing:"
    echo "$peer" | sed 's/^SKIP peer /  /'
fi
if [ "$skipped" -gt "$said" ]; then
    echo "$((skipped - said)) skipped without saying why: counted as failed"
    failed=$((failed + skipped - said))
    skipped=$said
fi
if [ -n "$peer" ] && [ "${CI:-}" = true ]; then
    n=$(echo "$peer" | wc -l)
    echo "with CI=true a missing peer is a failure: $n"
    failed=$((failed + n))
    skipped=$((skipped - n))
fi
echo "$passed passed, $failed failed, $skipped skipped" | tee "out/summary-$preset"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
