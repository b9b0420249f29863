#!/bin/sh
# soak.sh [RUNS [SECONDS [LEAST]]]: random schedules of a switch of the primary with faults, in the release build.
# RUNS at most (500), as many as fit into SECONDS (3600), at least LEAST (RUNS). New seeds each time; a run is made
# again with build/release/tests/switch/switch_soak --runs 1 --workers 1 --seed N.
set -u
runs=${1:-500}
limit=${2:-3600}
least=${3:-$runs}
mkdir -p out
sh scripts/build.sh release switch_soak || exit 1
build/release/tests/switch/switch_soak --runs "$runs" --limit "$limit" --least "$least" --workers 8 >out/soak.log 2>&1
bad=$?
grep ' BROKEN ' out/soak.log
sed -n '/^soak:/,$p' out/soak.log
[ "$bad" = 0 ] || echo "soak.sh: failed, see out/soak.log" >&2
exit "$bad"
