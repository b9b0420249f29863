#!/bin/sh
# peers.sh: other people's clients against the sandbox. Usage: peers.sh MUSTER CLIENT [PROFILE]
# CLIENT is pymongo, mongosh or mongo-tools. Exit 77 with one line when something is missing.
# What is installed goes to $MUSTER_PEER_CACHE, outside the tree.
set -eu
muster=$1
client=$2
profile=${3:-4.2}
here=$(cd "$(dirname "$0")" && pwd)
cache=${MUSTER_PEER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/muster-peers}

skip() { # KIND REASON; kinds: peer (could not be had), design (absent by design)
    kind=$1
    shift
    echo "SKIP $kind $client: $*"
    exit 77
}

pymongo() {
    command -v python3 >/dev/null || skip peer "no python3"
    if ! "$cache/venv/bin/python" -c 'import pymongo, sys; sys.exit(pymongo.version != "4.17.0")' 2>/dev/null; then
        mkdir -p "$cache"
        python3 -m venv "$cache/venv" >/dev/null 2>&1 || skip peer "no python3 venv module (python3-venv)"
        timeout 120 "$cache/venv/bin/pip" install -q --disable-pip-version-check pymongo==4.17.0 \
            >"$cache/pip.log" 2>&1 || skip peer "pymongo 4.17.0 (pip cannot install it; see $cache/pip.log)"
    fi
}

mongosh() {
    command -v npm >/dev/null || skip peer "no npm"
    if [ ! -x "$cache/mongosh/node_modules/.bin/mongosh" ]; then
        mkdir -p "$cache/mongosh" "$cache/home"
        (cd "$cache/mongosh" && HOME="$cache/home" timeout 240 npm install --no-audit --no-fund \
            --silent mongosh@2.5.0) >"$cache/npm.log" 2>&1 ||
            skip peer "mongosh 2.5.0 (npm cannot install it; see $cache/npm.log)"
    fi
}

case $client in
pymongo) pymongo ;;
mongosh) mongosh ;;
mongo-tools)
    [ -n "${MUSTER_MONGO_TOOLS:-}" ] || skip design "MUSTER_MONGO_TOOLS names no folder with mongodump"
    [ -x "$MUSTER_MONGO_TOOLS/mongodump" ] || { echo "MUSTER_MONGO_TOOLS: no mongodump in $MUSTER_MONGO_TOOLS"; exit 1; }
    ;;
*)
    echo "unknown client $client" >&2
    exit 2
    ;;
esac

# What a dump directory holds, sorted, a line per document: "NAMESPACE JSON".
listed() { # DIRECTORY
    (cd "$1" && find . -name '*.bson' | sort | while read -r f; do
        "$MUSTER_MONGO_TOOLS/bsondump" --quiet "$f" | sed "s|^|$f |"
    done) | sort
}

# mongodump while the shop writes. It refuses an oplog with a rename in it, which is its rule, not a fault.
dump_live() { # ARCHIVE
    for _ in 1 2 3 4 5; do
        "$MUSTER_MONGO_TOOLS/mongodump" --uri "$uri" --oplog --archive="$1" 2>"$dir/dump.log" && return
        grep -q 'if renames occur' "$dir/dump.log" || break
    done
    cat "$dir/dump.log"
    return 1
}

# Dump a live set; restore it under other names; carry the dump into an empty set with muster, and dump that:
# the same documents.
mongo_tools() {
    "$muster" sandbox stop >/dev/null
    uri=$("$muster" sandbox start --daemon --fast --rate 200 | head -1)
    sleep 2
    dump_live "$dir/live.archive"
    "$MUSTER_MONGO_TOOLS/mongodump" --quiet --uri "$uri" --db shop --out "$dir/dump"
    "$MUSTER_MONGO_TOOLS/mongorestore" --quiet --uri "$uri" --archive="$dir/live.archive" \
        --nsFrom 'shop.*' --nsTo 'copied.*' --nsInclude 'shop.*' --stopOnError
    "$MUSTER_MONGO_TOOLS/mongorestore" --quiet --uri "$uri" --nsFrom 'shop.*' --nsTo 'again.*' --stopOnError "$dir/dump"
    "$MUSTER_MONGO_TOOLS/mongodump" --quiet --uri "$uri" --db again --out "$dir/copy"
    listed "$dir/dump/shop" >"$dir/was"
    listed "$dir/copy/again" >"$dir/is"
    [ "$(wc -l <"$dir/was")" -gt 200 ] || { echo "only $(wc -l <"$dir/was") documents dumped"; exit 1; }
    cmp "$dir/was" "$dir/is"
    "$muster" sandbox stop >/dev/null
    for form in "--archive=$dir/shop.archive" "--gzip --archive=$dir/shop.archive.gz" "--gzip --out $dir/gz"; do
        "$muster" sandbox start --daemon --fast --rate 0 >"$dir/uri"
        uri=$(head -1 "$dir/uri")
        "$muster" import "$dir/dump" >"$dir/import.log" 2>&1 || { cat "$dir/import.log"; exit 1; }
        # shellcheck disable=SC2086  # options
        "$MUSTER_MONGO_TOOLS/mongodump" --quiet --uri "$uri" --db shop $form
        "$muster" sandbox stop >/dev/null
    done
    for from in "$dir/shop.archive" "$dir/shop.archive.gz" "$dir/gz"; do
        uri=$("$muster" sandbox start --daemon --fast --rate 0 | head -1)
        "$muster" import "$from" >"$dir/import.log" 2>&1 || { cat "$dir/import.log"; exit 1; }
        rm -rf "$dir/back"
        "$MUSTER_MONGO_TOOLS/mongodump" --quiet --uri "$uri" --db shop --out "$dir/back"
        "$muster" sandbox stop >/dev/null
        listed "$dir/back/shop" >"$dir/is"
        cmp "$dir/was" "$dir/is"
    done
    echo "mongo-tools: $(wc -l <"$dir/was") documents of $(find "$dir/dump" -name '*.bson' | wc -l) collections, equal after every way"
}

dir=$(mktemp -d)
export MUSTER_DIR="$dir/sandbox"
cleanup() {
    "$muster" sandbox stop >/dev/null 2>&1 || true
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
uri=$("$muster" sandbox start --daemon --fast --rate 0 --server "$profile" | head -1)
case $client in
pymongo)
    "$cache/venv/bin/python" "$here/pymongo_script.py" "$uri" "$muster sandbox ctl" "$profile"
    ;;
mongosh)
    HOME="$dir" "$cache/mongosh/node_modules/.bin/mongosh" --quiet "$uri" "$here/mongosh_script.js"
    ;;
mongo-tools) mongo_tools ;;
esac
