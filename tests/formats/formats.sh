#!/bin/sh
# formats.sh: a reader that was written from docs/formats.md alone agrees with the program. Usage: formats.sh MUSTER
set -eu
muster=$1
here=$(cd "$(dirname "$0")" && pwd)
for p in python3 zstd; do
    command -v $p >/dev/null || { echo "SKIP peer formats: no $p"; exit 77; }
done

dir=$(mktemp -d)
export MUSTER_DIR="$dir/sandbox" PYTHONDONTWRITEBYTECODE=1
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

# FOLDER ARGUMENT...: one bit of every object that it reads, and it says so.
damaged() {
    backup=$1
    shift
    python3 "$here/read_backup.py" "$backup" "$@" <"$dir/phrase" >"$dir/read"
    find "$backup" -type f ! -path '*/marks/*' ! -name claim | sort >"$dir/objects"
    [ "$(wc -l <"$dir/objects")" -ge 6 ] || fail "only $(wc -l <"$dir/objects") objects"
    while read -r f; do
        cp "$f" "$dir/whole"
        python3 -c 'import sys; b = bytearray(open(sys.argv[1], "rb").read()); b[len(b) // 2] ^= 1; open(sys.argv[1], "wb").write(b)' "$f"
        if python3 "$here/read_backup.py" "$backup" "$@" <"$dir/phrase" >/dev/null 2>"$dir/said"; then
            fail "a flipped bit in $f was not seen"
        fi
        [ "$(wc -l <"$dir/said")" -eq 1 ] || { cat "$dir/said"; fail "not one sentence"; }
        cp "$dir/whole" "$f"
    done <"$dir/objects"
    python3 "$here/read_backup.py" "$backup" "$@" <"$dir/phrase" | cmp - "$dir/read"
    echo "read_backup.py: $(wc -l <"$dir/objects") objects, each damaged once, each time seen"
}

# Back up, and what the program shows and exports against what the reader reads.
round() { # CONFIGURATION ARGUMENT...
    export MUSTER_CONFIG="$1"
    shift
    rm -rf "$MUSTER_DIR/store/rs0" "$dir/out"
    "$muster" --no-agent backup --plain >"$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }
    "$muster" --no-agent bucket show --json >"$dir/shown" || { cat "$dir/shown"; exit 1; }
    "$muster" export --dir "$dir/out" >/dev/null
    backup=$(ls -d "$MUSTER_DIR"/store/rs0/backups/*)
    python3 "$here/read_backup.py" "$backup" "$@" <"$dir/phrase" >"$dir/read"
    python3 "$here/compare.py" "$dir/read" "$dir/shown" "$dir/out"
}

echo 'correct horse battery staple' >"$dir/phrase"
chmod 600 "$dir/phrase"
"$muster" sandbox start --daemon --fast --rate 300 >/dev/null
sleep 2
round "$MUSTER_DIR/muster.conf"
damaged "$backup"

if ! python3 -c 'import cryptography' 2>/dev/null; then
    echo "sealed backups were not read: python3 has no package cryptography"
    [ "${CI:-}" != true ] || exit 1
    exit 0
fi
"$muster" key new --recipient "$dir/reader.key" --no-passphrase --label test >"$dir/key.log"
"$muster" key new --signer "$dir/signer.key" --no-passphrase --label test >"$dir/sign.log"
word=$(grep -o 'mstpub-[0-9a-f]*' "$dir/key.log" | head -1)
signer=$(grep -o 'mstsig-[0-9a-f]*' "$dir/sign.log" | head -1)
{
    cat "$MUSTER_DIR/muster.conf"
    echo "seal = { recipients = [\"$word test\"]; passphrase_file = \"$dir/phrase\"; signer_file = \"$dir/signer.key\";"
    echo "    trusted = [\"$signer test\"]; identity_file = \"$dir/reader.key\"; };"
} >"$MUSTER_DIR/sealed.conf"
chmod 600 "$MUSTER_DIR/sealed.conf"
round "$MUSTER_DIR/sealed.conf" "$dir/reader.key" "$signer"
grep -q MUSTERE1 "$backup"/*/manifest || fail "the backup is not sealed"
"$muster" sandbox stop >/dev/null
cp "$dir/read" "$dir/by-key"
python3 "$here/read_backup.py" "$backup" - "$signer" <"$dir/phrase" | cmp - "$dir/by-key"
damaged "$backup" "$dir/reader.key" "$signer"
if echo wrong | python3 "$here/read_backup.py" "$backup" - 2>/dev/null; then
    fail "a wrong passphrase opened it"
fi
