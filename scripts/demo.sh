#!/bin/sh
# demo.sh MUSTER: a live replica set on this machine and the console on it. Without a terminal it plays the
# story by itself, prints what it sees and exits 0. Either way it leaves nothing behind.
set -eu
muster=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
dir=$(mktemp -d "${TMPDIR:-/tmp}/muster-demo.XXXXXX")
export MUSTER_DIR="$dir"

cleanup() {
    trap '' INT TERM HUP
    "$muster" agent stop >/dev/null 2>&1 || true
    "$muster" sandbox stop --dir "$dir" >/dev/null 2>&1 || true
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

"$muster" sandbox start --dir "$dir" --daemon >"$dir/uri"

# Backups are sealed and signed, with keys of this demo that go with it. Elsewhere the key that opens them
# does not lie where they are made (docs/operations.md, Seal your backups).
key() {
    "$muster" key new "$1" "$dir/$2" --label demo --no-passphrase --json | sed -n 's/.*"word":"\([^"]*\)".*/\1/p'
}
reader=$(key --recipient reader.key)
signer=$(key --signer sign.key)
cat >>"$dir/muster.conf" <<EOF_
seal = { recipients = ["$reader demo"]; identity_file = "reader.key";
    signer_file = "sign.key"; trusted = ["$signer demo"]; };
EOF_

if [ -t 0 ] && [ -t 1 ]; then
    # The console starts its own agent, so that a job goes on when the console is gone.
    "$muster" console || status=$?
    if [ "${status:-0}" -gt 128 ]; then # killed: the terminal is as it left it
        stty sane || true
        printf '\033[?1049l\033[?25h\033[0m'
    fi
    exit "${status:-0}"
fi

step() {
    printf '\n=== %s\n' "$1"
}
run() {
    printf '$ muster'
    for word in "$@"; do # as a shell would take it
        case $word in
        *[!A-Za-z0-9_./:=-]*) printf " '%s'" "$word" ;;
        *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
    "$muster" "$@"
}
primary() {
    "$muster" sandbox ctl --dir "$dir" status | sed -nE 's/^([0-9]+) .* PRIMARY writable .*/\1/p'
}

step "a live replica set"
run status
step "its primary is killed"
old=$(primary)
run sandbox ctl --dir "$dir" kill "$old"
sleep 2
run status || true
i=0
while [ -z "$(primary)" ]; do
    i=$((i + 1))
    [ $i -lt 60 ] || { echo "no election within 60 s"; exit 1; }
    sleep 1
done
step "another one was elected"
run status || true
step "the old one returns"
run sandbox ctl --dir "$dir" start "$old"
i=0
until "$muster" status >/dev/null 2>&1; do
    i=$((i + 1))
    [ $i -lt 60 ] || { echo "not healthy within 60 s"; exit 1; }
    sleep 1
done
run status
step "a backup"
run backup
step "what is in the bucket"
run bucket ls
run bucket show
step "every byte read back"
run verify
step "the same from its objects and the key alone"
run open "$dir/store" --key "$dir/reader.key" --signer "$signer" --out "$dir/dump"
step "a collection is lost"
run sandbox ctl --dir "$dir" drop shop.customers
step "what a restore would do"
run restore --include shop.customers --dry-run
step "it comes back"
run restore --include shop.customers
step "the primary moves to a chosen member"
i=$(primary)
to=$("$muster" sandbox ctl --dir "$dir" status | sed -nE "s/^([0-9]+) ([^ ]+) .* SECONDARY .*/\\2/p" | head -n 1)
# The set was made a moment ago and has just elected: both would refuse, and are answered with a reason.
calm='P06=the election was ours, a minute ago'
young='P28=a sandbox that has just begun'
run switchover --to "$to" --override "$calm" --override "$young" --dry-run | tee "$dir/plan"
phrase=$(sed -n 's/^phrase: //p' "$dir/plan")
run switchover --to "$to" --override "$calm" --override "$young" --confirm "$phrase"
[ "$i" != "$(primary)" ] || { echo "the primary did not move"; exit 1; }
run status
step "the console's screens"
for s in overview topology jobs bucket; do
    run console --print "$s"
done
step "done"
