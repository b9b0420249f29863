#!/bin/sh
# export.sh: what `muster export` and `muster open` write, read by the stock tools. Usage: export.sh MUSTER [PROFILE]
# MUSTER_MONGO_TOOLS names the folder of mongodump, mongorestore and bsondump. Exit 77 with one line without it.
set -eu
muster=$1
tools=${MUSTER_MONGO_TOOLS:-}
[ -n "$tools" ] || { echo "SKIP design mongo-tools-export: MUSTER_MONGO_TOOLS names no folder with mongorestore"; exit 77; }
for t in mongodump mongorestore bsondump; do
    [ -x "$tools/$t" ] || { echo "MUSTER_MONGO_TOOLS: no $t in $tools"; exit 1; }
done

dir=$(mktemp -d)
export MUSTER_DIR="$dir/sandbox"
cleanup() {
    "$muster" sandbox stop >/dev/null 2>&1 || true
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

fail() {
    echo "$*"
    exit 1
}

# A line per document, "FILE JSON", and one per collection with options and indexes; sorted.
listed() { # DIRECTORY
    (cd "$1" && find . -name '*.bson' | sort | while read -r f; do
        "$tools/bsondump" --quiet "$f" | sed "s|^|$f |"
    done
    find . -name '*.metadata.json' | sort | while read -r f; do
        sed -E 's/"uuid":"[0-9a-f]*",?//; s/,?"ns":"[^"]*"//g' "$f" | sed "s|^|$f |"
        echo
    done) | sort
}

empty_set() { # the store stays
    "$muster" sandbox stop >/dev/null 2>&1 || true
    uri=$("$muster" sandbox start --daemon --fast --rate 0 --server "$profile" | head -1)
}

dumped() { # LISTING
    rm -rf "$dir/dump"
    "$tools/mongodump" --quiet --uri "$uri" --db shop --out "$dir/dump"
    listed "$dir/dump/shop" >"$1"
}

same() { # LISTING WHAT
    cmp "$dir/was" "$1" || { diff "$dir/was" "$1" | head -20; fail "$2: not what muster restores"; }
}

# A backup while the shop writes, makes and renames collections.
busy_backup() {
    uri=$("$muster" sandbox start --daemon --fast --rate 400 --server "$profile" | head -1)
    sleep 2
    "$muster" backup --plain --rate 12KiB --scans 1 >"$dir/backup.log" || { cat "$dir/backup.log"; exit 1; }
    "$muster" sandbox stop >/dev/null
    cp -r "$MUSTER_DIR/store" "$dir/store"
    cp "$MUSTER_DIR/muster.conf" "$dir/muster.conf"
}

write_all() {
    export MUSTER_CONFIG="$dir/muster.conf"
    "$muster" export --archive "$dir/a.archive" >"$dir/said"
    "$muster" export --archive "$dir/a.archive.gz" --gzip >/dev/null
    "$muster" export --archive - >"$dir/b.archive" 2>/dev/null
    "$muster" export --dir "$dir/plain" >/dev/null
    "$muster" export --dir "$dir/packed" --gzip >/dev/null
    unset MUSTER_CONFIG
    mkdir "$dir/home"
    env -i HOME="$dir/home" PATH="$PATH" "$muster" open "$dir/store" --out "$dir/opened" >/dev/null
    cmp "$dir/a.archive" "$dir/b.archive"
    diff -r "$dir/plain" "$dir/opened"
}

# What muster itself makes of the backup is what the others are held to.
reference() {
    empty_set
    cp -r "$dir/store/." "$MUSTER_DIR/store/"
    "$muster" restore >"$dir/restore.log" 2>&1 </dev/null || { cat "$dir/restore.log"; exit 1; }
    dumped "$dir/was"
    [ "$(wc -l <"$dir/was")" -gt 200 ] || fail "only $(wc -l <"$dir/was") lines restored"
}

check() { # WHAT OPTION...
    what=$1
    shift
    empty_set
    "$tools/mongorestore" --uri "$uri" --oplogReplay --stopOnError "$@" >"$dir/mongorestore.log" 2>&1 ||
        { cat "$dir/mongorestore.log"; fail "$what"; }
    grep -q ' 0 document(s) failed to restore' "$dir/mongorestore.log" || { cat "$dir/mongorestore.log"; fail "$what"; }
    dumped "$dir/is"
    same "$dir/is" "$what"
}

profile=${2:-4.2}
busy_backup
write_all
reference
check archive --archive="$dir/a.archive"
check 'archive from stdin' --archive <"$dir/a.archive"
check 'gzipped archive' --gzip --archive="$dir/a.archive.gz"
check directory "$dir/plain"
check 'gzipped directory' --gzip "$dir/packed"
check 'opened directory' "$dir/opened"
echo "mongorestore: $(wc -l <"$dir/was") lines of documents and metadata, equal after every way;$(grep 'with an oplog' "$dir/said")"
