#!/bin/sh
# peers.sh: installs one real object store, or a proxy to put before it, by the package registries that the
# machine is set up for, and prints where it is. Usage: peers.sh NAME
# NAME is versitygw, rclone, fake-gcs-server, toxiproxy or moto. Only what is missing is installed, into
# $MUSTER_PEER_CACHE, outside the tree. Exit 77 with one line when it cannot be had.
set -eu
name=$1
cache=${MUSTER_PEER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/muster-peers}

skip() {
    echo "SKIP peer $name: $*"
    exit 77
}

go_program() { # MODULE/PACKAGE VERSION GO-NAME
    program=$cache/bin/$name-$2
    if [ ! -x "$program" ]; then
        command -v go >/dev/null || skip "$2 needs Go 1.25 or newer, and there is no go"
        mkdir -p "$cache/bin" "$cache/go-$name"
        (cd "$cache" && CGO_ENABLED=0 GOBIN="$cache/go-$name" timeout 540 go install -ldflags '-s -w' "$1@$2") \
            >"$cache/$name.log" 2>&1 || skip "$2 (go install failed; see $cache/$name.log)"
        mv "$cache/go-$name/$3" "$program"
        rmdir "$cache/go-$name"
    fi
    echo "$program"
}

moto() {
    program=$cache/moto/bin/moto_server
    if ! "$cache/moto/bin/python" -c 'import moto, sys; sys.exit(moto.__version__ != "5.2.3")' 2>/dev/null; then
        command -v python3 >/dev/null || skip "no python3"
        mkdir -p "$cache"
        python3 -m venv "$cache/moto" >/dev/null 2>&1 || skip "no python3 venv module (python3-venv)"
        timeout 300 "$cache/moto/bin/pip" install -q --disable-pip-version-check 'moto[server,s3]==5.2.3' \
            >"$cache/moto.log" 2>&1 || skip "5.2.3 (pip cannot install it; see $cache/moto.log)"
    fi
    echo "$program"
}

# One at a time: tests that need the same store wait for each other here.
if [ "${PEERS_LOCKED:-}" != "$name" ] && command -v flock >/dev/null; then
    mkdir -p "$cache"
    export PEERS_LOCKED="$name"
    exec flock "$cache/$name.lock" sh "$0" "$name"
fi
case $name in
versitygw) go_program github.com/versity/versitygw/cmd/versitygw v1.7.0 versitygw ;;
rclone) go_program github.com/rclone/rclone v1.75.0 rclone ;;
fake-gcs-server) go_program github.com/fsouza/fake-gcs-server v1.55.1 fake-gcs-server ;;
toxiproxy) go_program github.com/Shopify/toxiproxy/v2/cmd/server v2.12.0 server ;;
moto) moto ;;
*)
    echo "unknown peer $name" >&2
    exit 2
    ;;
esac
