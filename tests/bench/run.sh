#!/bin/sh
# run.sh BUILD [RUNS [PARTS]]: the figures of docs/benchmarks.md, each with its goal. Nothing here is a test: a
# figure depends on the machine and on what else it does. PARTS are of: console switch backup seal store. Leaves nothing behind.
set -eu
build=$(cd "$1" && pwd)
runs=${2:-3}
parts=${3:-console switch backup seal store}
here=$(cd "$(dirname "$0")" && pwd)
muster=$build/muster
console=$build/tests/bench/bench_console
page=$build/tests/bench/bench_page
listing=$build/tests/bench/bench_listing
bytes=1073741824
top=$(mktemp -d "${TMPDIR:-/tmp}/muster-bench.XXXXXX")
export MUSTER_DIR="$top/m"
unset MUSTER_CONFIG MUSTER_URI MUSTER_NO_AGENT
conf=$MUSTER_DIR/muster.conf
pin=""
[ "$(nproc)" -le 2 ] || pin="taskset -c 0,1"

down() {
    [ ! -f "$conf" ] || "$muster" --config "$conf" agent stop >/dev/null 2>&1 || true
    "$muster" sandbox stop --dir "$MUSTER_DIR" >/dev/null 2>&1 || true
    rm -rf "$MUSTER_DIR"
}
cleanup() {
    trap '' INT TERM HUP
    down
    rm -rf "$top"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

up() { # options of the sandbox
    mkdir -p "$MUSTER_DIR"
    uri=$($pin "$muster" sandbox start --dir "$MUSTER_DIR" --daemon "$@" | head -n 1)
    # A command that uses an agent starts it; it is asked until every member has answered.
    i=0
    until $pin "$muster" --config "$conf" status >/dev/null 2>&1; do
        i=$((i + 1))
        [ $i -lt 100 ] || { echo "run.sh: the sandbox is not healthy" >&2; exit 1; }
        sleep 0.2
    done
    # shellcheck disable=SC2086
    $pin "$muster" --config "$conf" console --print overview >/dev/null
    agent=$("$muster" --config "$conf" agent status | sed -nE 's/.*pid ([0-9]+).*/\1/p')
    [ -n "$agent" ] || { echo "run.sh: no agent runs" >&2; exit 1; }
}

met=0
goals=0
row() { # WHAT FIGURE UNIT le|ge GOAL
    goals=$((goals + 1))
    if awk -v a="$2" -v b="$5" -v op="$4" 'BEGIN { exit !(op == "le" ? a <= b : a >= b) }'; then
        met=$((met + 1))
        verdict=pass
    else
        verdict=MISS
    fi
    printf '%-50s %9s %-7s %s %-5s %s\n' "$1" "$2" "$3" "$([ "$4" = le ] && echo '<=' || echo '>=')" "$5" "$verdict"
}
also() { # WHAT FIGURE UNIT: no goal
    printf '  %-48s %9s %s\n' "$1" "$2" "$3"
}
value() { # NAME: of the lines "NAME VALUE" in $lines
    echo "$lines" | sed -n "s/^$1 //p"
}
median() { # of the words
    printf '%s\n' "$@" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}
calc() { # FORMAT EXPRESSION
    awk "BEGIN { printf \"$1\", $2 }"
}
ticks() { # PID: user and system time so far, in seconds
    awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); printf "%.2f", ($12 + $13) / hz }' "/proc/$1/stat"
}

printf 'on %s: %s x %s\n' "$(uname -sm)" "$(nproc)" "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
printf 'load average at the start: %s\n\n' "$(cut -d' ' -f1-3 /proc/loadavg)"

# --- the console, and an agent with nothing to do ---
console_part() {
    up
    if [ -x "$console" ]; then
        lines=$("$console" "$muster" "$conf" first 21)
        row "first frame after exec, median of 21" "$(value first_frame_ms)" ms le 50
        also "the slowest" "$(value first_frame_worst_ms)" ms
        lines=$("$console" "$muster" "$conf" live 20)
        row "to the terminal, live, 80x24, over 20 s" "$(calc %.2f "$(value live_bytes_s) / 1000")" kB/s le 0.6
        row "console RssAnon, every screen seen" "$(calc %.2f "$(value console_rss_anon_kib) / 1024")" MiB le 6
    else
        echo "bench_console was not built (libvterm-dev is missing): no figures of the console"
    fi
    a=$(ticks "$agent")
    sleep 30
    row "agent idle, three members, over 30 s" "$(calc %.2f "($(ticks "$agent") - $a) * 100 / 30")" "% core" le 1
    if [ -x "$console" ]; then
        for m in 0 1 2; do
            "$muster" sandbox ctl --dir "$MUSTER_DIR" stop $m >/dev/null
        done
        lines=$("$console" "$muster" "$conf" keys 300)
        row "key to screen, all members hang, p99 of 300" "$(value key_p99_ms)" ms le 10
        also "median" "$(value key_ms)" ms
        also "the slowest" "$(value key_worst_ms)" ms
    fi
    down
    if [ -x "$listing" ]; then
        lines=$("$listing" "$muster" 300)
        row "key to screen, 100,000 objects listed, p99 of 300" "$(value listing_key_p99_ms)" ms le 10
        also "median" "$(value listing_key_ms)" ms
        row "processor time of the console for one, p99" "$(value listing_key_cpu_p99_ms)" ms le 5
        also "first backups on the screen ($(value list_ms) ms: all of them)" "$(value first_page_ms)" ms
    fi
}

# --- the primary dies, and is moved ---
switch_part() {
    echo
    if [ -x "$page" ]; then
        lines=$("$page" "$muster" dead 20)
        row "death of the primary to the screen, worst of 20" "$(value dead_worst_ms)" ms le 2000
        also "median" "$(value dead_ms)" ms
        lines=$("$page" "$muster" page 10)
        row "page of a switch, two of five members hang" "$(value page_frames_s)" frames/s ge 4
    else
        echo "bench_page was not built (libvterm-dev is missing): no figures of the screen"
    fi
    lines=$("$build/tests/bench/bench_switch" 20)
    ratio=$(calc %.2f "$(value ours_ms) / $(value bare_ms)")
    if [ "$(value set)" = real ]; then
        row "write gap, certified to bare, medians of 20 each" "$ratio" times le 1.5
    else
        also "write gap, certified to bare (goal 1.5: needs MUSTER_MONGOD)" "$ratio" times
    fi
    also "certified switchover, median ($(value ours_certified) of 20 certified)" "$(value ours_ms)" ms
    also "the longest" "$(value ours_worst_ms)" ms
    also "bare replSetStepDown with its hand-off, median" "$(value bare_ms)" ms
    also "the longest" "$(value bare_worst_ms)" ms
}

# --- backup ---
cache=${MUSTER_PEER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/muster-peers}
python=$cache/venv/bin/python
peer=""
if command -v zstd >/dev/null; then
    "$python" -c 'import pymongo' 2>/dev/null || {
        mkdir -p "$cache"
        python3 -m venv "$cache/venv" && timeout 120 "$cache/venv/bin/pip" install -q \
            --disable-pip-version-check pymongo==4.17.0
    } >/dev/null 2>&1 || true
    "$python" -c 'import pymongo' 2>/dev/null && peer=yes
fi

backup_runs() { # COLLECTIONS: sets speeds, cpus, others, peaks, peers, ratios, zstds, shas
    speeds="" cpus="" others="" peaks="" peers="" zstds="" shas="" ratios=""
    n=0
    while [ $n -lt "$runs" ]; do
        n=$((n + 1))
        up --rate 0 --fill "$bytes,$1"
        a=$(ticks "$agent")
        simulator=$(cat "$MUSTER_DIR/sandbox.pid")
        b=$(ticks "$simulator")
        t=$(date +%s%N)
        # shellcheck disable=SC2086
        $pin "$muster" --config "$conf" --json backup --scans 4 >"$top/log"
        ns=$(($(date +%s%N) - t))
        read_bytes=$(sed -nE 's/.*"state":"done".*"done_bytes":([0-9]+).*/\1/p' "$top/log" | tail -n 1)
        [ -n "$read_bytes" ] || { cat "$top/log" >&2; exit 1; }
        speed=$(calc %.0f "$read_bytes * 1000 / $ns")
        speeds="$speeds $speed"
        others="$others $(calc %.2f "$(ticks "$simulator") - $b")"
        cpus="$cpus $(calc %.2f "$(ticks "$agent") - $a")"
        peaks="$peaks $(awk '/^VmHWM/ { printf "%.0f", $2 / 1024 }' "/proc/$agent/status")"
        if [ -n "$peer" ]; then
            mkdir "$top/peer"
            # shellcheck disable=SC2086
            if $pin "$python" "$here/peer_dump.py" "$uri" fill "$top/peer" >"$top/log"; then
                p=$(awk '{ printf "%.0f", $1 / $2 / 1e6 }' "$top/log")
                peers="$peers $p"
                ratios="$ratios $(calc %.2f "$speed / $p")"
            fi
            rm -rf "$top/peer"
        fi
        if command -v zstd >/dev/null; then
            # The same documents, out of the objects of the backup: what their bytes cost at least.
            find "$MUSTER_DIR/store" -type f -path '*/d/*' | sort | xargs cat | zstd -dqc >"$top/raw" 2>/dev/null || true
            size=$(stat -c %s "$top/raw")
            if [ "$size" -ge "$bytes" ]; then
                t=$(date +%s%N)
                zstd -1 -q -c "$top/raw" >/dev/null
                zstds="$zstds $(calc %.0f "$size * 1000 / ($(date +%s%N) - $t)")"
                t=$(date +%s%N)
                sha256sum "$top/raw" >/dev/null
                shas="$shas $(calc %.0f "$size * 1000 / ($(date +%s%N) - $t)")"
            fi
            rm -f "$top/raw"
        fi
        down
    done
}
backup_part() { # COLLECTIONS
    collections=$1
    echo
    backup_runs $collections
    # shellcheck disable=SC2086  # lists of words
    {
        row "backup, 1 GiB, $collections collections, median of $runs" "$(median $speeds)" MB/s ge 150
        row "agent, peak RSS" "$(median $peaks)" MiB le 160
        also "every run" "$(echo $speeds | tr ' ' ',')" MB/s
        also "agent, processor time" "$(median $cpus)" s
        also "simulator, processor time" "$(median $others)" s
        [ -z "$peers" ] || also "pymongo raw batches into zstd -1" "$(median $peers)" MB/s
        [ -z "$ratios" ] || also "muster to pymongo" "$(median $ratios)" times
        [ -z "$peers" ] && also "no peer: pymongo or zstd cannot be had" - ""
        [ -z "$zstds" ] || also "zstd -1 alone, one core, the same bytes" "$(median $zstds)" MB/s
        [ -z "$shas" ] || also "sha256sum alone, one core, the same bytes" "$(median $shas)" MB/s
    }
}

quotient() { # NAME OTHER: median of the quotients, round by round
    # shellcheck disable=SC2046
    median $(value "$1" | {
        value "$2" >"$top/other"
        paste -d' ' - "$top/other"
    } | awk '{ printf "%.3f\n", $1 / $2 }')
}

# --- sealing: processor time, of a backup with and without it, and beside the usual pipeline ---
backup_cpu() { # [sealed]
    rm -rf "$top/sealed"
    mkdir -m 700 "$top/sealed"
    # shellcheck disable=SC2086
    $pin "$build/tests/bench/bench_backup" "$bytes" 16 4 "$top/sealed" "$@" | sed -nE 's/.* ([0-9.]+) s of CPU.*/\1/p'
    rm -rf "$top/sealed"
}
seal_part() {
    echo
    lines=""
    n=0
    while [ $n -lt $((runs + 2)) ]; do
        n=$((n + 1))
        lines="$lines
plain_s $(backup_cpu)
sealed_s $(backup_cpu sealed)"
    done
    row "backup, 1 GiB, processor time sealed to plain" "$(quotient sealed_s plain_s)" times le 1.05
    for kind in "" random; do
        mkdir -m 700 "$top/seal"
        # shellcheck disable=SC2086
        lines=$("$build/tests/bench/bench_seal" 268435456 "$runs" "$top/seal" $kind)
        rm -rf "$top/seal"
        row "zstd, openssl, sha256sum to ours${kind:+, random bytes}" "$(quotient pipe_cpu_s sealed_cpu_s)" times ge 1.7
        also "sealed to plain, the writer of segments alone" "$(quotient sealed_cpu_s plain_cpu_s)" times
    done
}

# --- stores: on versitygw beside rclone, interleaved; a listing beside s3cmd and aws ---
store_part() {
    store=$build/tests/bench/bench_store
    size=${MUSTER_BENCH_STORE_BYTES:-1073741824}
    gib=$(calc %.2g "$size / 1073741824")
    echo
    if lines=$(TMPDIR="$top" "$store" large "$size" "$runs"); then
        row "upload, $gib GiB, wall to rclone's" "$(quotient up_s rclone_up_s)" times le 1
        row "upload, processor time to rclone's" "$(quotient up_cpu_s rclone_up_cpu_s)" times le 0.4
        row "download, wall to rclone's" "$(quotient down_s rclone_down_s)" times le 1
        row "download, processor time to rclone's" "$(quotient down_cpu_s rclone_down_cpu_s)" times le 1
        row "peak RSS, 8 parts at a time" "$(calc %.0f "$(value rss_kib) / 1024")" MiB le 96
        # shellcheck disable=SC2046
        also "upload" "$(calc %.0f "$size / 1e6 / $(median $(value up_s))")" MB/s
        # shellcheck disable=SC2046
        also "download" "$(calc %.0f "$size / 1e6 / $(median $(value down_s))")" MB/s
    else
        echo "$lines"
    fi
    if lines=$("$store" small 10000 "$runs"); then
        row "10,000 objects of 10 kB, rate to rclone's" "$(quotient rclone_small_s small_s)" times ge 1.2
    fi
    if lines=$("$store" list 100000); then
        row "listing of 100,000 keys, s3cmd's time to ours" "$(quotient s3cmd_list_s list_s)" times ge 2
        row "listing of 100,000 keys, aws s3 ls to ours" "$(quotient aws_list_s list_s)" times ge 2
    fi
}

case $parts in *console*) console_part ;; esac
case $parts in *switch*) switch_part ;; esac
case $parts in *backup*)
    backup_part 16
    backup_part 20000
    ;;
esac
case $parts in *seal*) seal_part ;; esac
case $parts in *store*) store_part ;; esac
printf '\n%d of %d goals met; load average at the end: %s\n' "$met" "$goals" "$(cut -d' ' -f1-3 /proc/loadavg)"
