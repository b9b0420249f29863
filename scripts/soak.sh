#!/bin/sh
# soak.sh [RUNS [SECONDS [LEAST]]]: random schedules of a switch of the primary with faults, in the release build.
# RUNS at most (500), as many as fit into SECONDS (3600), at least LEAST (RUNS). New seeds each time; a run is made
# again with build/release/tests/switch/switch_soak --runs 1 --workers 1 --seed N. Before that, four mistakes are
# planted in the switch, one after the other: schedules that are known to catch them must do so.
set -u
runs=${1:-500}
limit=${2:-3600}
least=${3:-$runs}
mkdir -p out
sh scripts/build.sh release switch_soak || exit 1
soak=build/release/tests/switch/switch_soak
: >out/soak.log
bad=0
for plant in recheck:106,109,110,118,119,120 freeze:102,103,104,105,107 final:103,104,109,111,113,118 writable:102,105,107; do
    "$soak" --plant "${plant%%:*}" --seeds "${plant#*:}" --workers 8 >out/plant.log 2>&1 || bad=1
    cat out/plant.log >>out/soak.log
    grep '^planted' out/plant.log || echo "planted ${plant%%:*}: no result"
done
rm -f out/plant.log
"$soak" --runs "$runs" --limit "$limit" --least "$least" --workers 8 >out/runs.log 2>&1 || bad=1
cat out/runs.log >>out/soak.log
grep ' BROKEN ' out/runs.log
sed -n '/^soak:/,$p' out/runs.log
rm -f out/runs.log
[ "$bad" = 0 ] || echo "soak.sh: failed, see out/soak.log" >&2
exit "$bad"
