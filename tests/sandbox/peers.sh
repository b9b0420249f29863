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
mongo-tools)
    "$muster" sandbox stop >/dev/null
    uri=$("$muster" sandbox start --daemon --fast --rate 200 | head -1)
    sleep 3
    "$MUSTER_MONGO_TOOLS/mongodump" --quiet --uri "$uri" --oplog --archive="$dir/dump.archive"
    "$MUSTER_MONGO_TOOLS/mongodump" --quiet --uri "$uri" --db shop --out "$dir/dump"
    "$MUSTER_MONGO_TOOLS/mongorestore" --quiet --uri "$uri" --archive="$dir/dump.archive" --nsFrom 'shop.*' --nsTo 'copied.*' --nsInclude 'shop.*'
    "$MUSTER_MONGO_TOOLS/mongorestore" --quiet --uri "$uri" --nsFrom 'shop.*' --nsTo 'again.*' "$dir/dump"
    "$MUSTER_MONGO_TOOLS/bsondump" --quiet "$dir"/dump/shop/*.bson >/dev/null
    ;;
esac
