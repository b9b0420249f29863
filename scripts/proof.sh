#!/bin/sh
# proof.sh [SEEDS [FRESH]]: the proof at its full size, in the release build, by two processes: SEEDS fixed seeds (50)
# on 4.2, a fifth of them on 7.0, FRESH new ones (1) on each server by each process; then the planted mistakes. Fails
# on a zero count, on fewer than 500 entries in a window and on fewer than 2,000 writes a second (MUSTER_WRITES).
# One seed again: MUSTER_SEED=n [MUSTER_SERVER=4.2] build/release/tests/keep/keep_test_proof
set -u
seeds=${1:-50}
fresh=${2:-1}
dir=build/release/tests/keep
mkdir -p out
sh scripts/build.sh release keep_test_proof && sh scripts/build.sh release keep_test_planted || exit 1
export MUSTER_SEEDS="$seeds" MUSTER_FRESH="$fresh" MUSTER_WRITES="${MUSTER_WRITES:-2000}"
unset MUSTER_SEED MUSTER_SERVER
MUSTER_PROOF=0/2 timeout 600 "$dir/keep_test_proof" >out/proof-0.log 2>&1 &
first=$!
MUSTER_PROOF=1/2 timeout 600 "$dir/keep_test_proof" >out/proof-1.log 2>&1
bad=$?
wait "$first" || bad=$?
cat out/proof-0.log out/proof-1.log
timeout 300 "$dir/keep_test_planted" || bad=$?
echo "proof:"
awk -v seeds="$seeds" -v fresh="$fresh" '
    $1 == "proof" {
        k = $2 " " $3
        if (!(k in n)) order[++m] = k
        for (i = 4; i <= NF; i++) {
            split($i, f, "=")
            if (f[2] ~ /,/) {
                if (!(f[1] in act)) { act[f[1]] = 1; kinds[++a] = f[1] }
                split(f[2], c, ","); for (j = 1; j <= 3; j++) sum[f[1], j] += c[j]
            } else v[f[1]] = f[2] + 0
        }
        n[k] += v["seeds"]; e[k] += v["entries"]; d[k] += v["documents"]; r[k] += v["replayed"]; x[k] += v["doubles"]
        w[k] += v["writes_per_s"] * v["seeds"]
        if (!(k in le) || v["least_entries"] < le[k]) le[k] = v["least_entries"]
        if (!(k in lw) || v["least_writes_per_s"] < lw[k]) lw[k] = v["least_writes_per_s"]
    }
    END {
        for (i = 1; i <= m; i++) {
            k = order[i]
            printf "  %s: %d seeds, %d entries in the windows (least %d), %d writes/s (least %d), %d replayed, %d doubles, %d documents equal\n", k, n[k], e[k], le[k], w[k] / n[k], lw[k], r[k], x[k], d[k]
            if (le[k] < 500 || d[k] == 0 || r[k] == 0) zero++
        }
        printf "  %-16s %8s %8s %8s\n", "scan", "before", "during", "after"
        for (i = 1; i <= a; i++) {
            printf "  %-16s %8d %8d %8d\n", kinds[i], sum[kinds[i], 1], sum[kinds[i], 2], sum[kinds[i], 3]
            for (j = 1; j <= 3; j++) if (!sum[kinds[i], j]) zero++
        }
        if (a < 9) { print "  kinds of acts are missing"; zero++ }
        if (n["4.2 fixed"] != seeds || n["7.0 fixed"] != int((seeds + 4) / 5)) { print "  seeds are missing"; zero++ }
        exit zero > 0
    }' out/proof-0.log out/proof-1.log || bad=1
[ "$bad" = 0 ] || echo "proof.sh: failed" >&2
exit "$bad"
