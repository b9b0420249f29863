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

"$muster" sandbox start --daemon --fast --rate 300 >/dev/null
sleep 2
"$muster" backup --plain >"$dir/log" || { cat "$dir/log"; exit 1; }
"$muster" sandbox stop >/dev/null
export MUSTER_CONFIG="$MUSTER_DIR/muster.conf"
"$muster" --no-agent bucket show --json >"$dir/shown" || { cat "$dir/shown"; exit 1; }
"$muster" export --dir "$dir/out" >/dev/null
backup=$(ls -d "$MUSTER_DIR"/store/rs0/backups/*)
python3 "$here/read_backup.py" "$backup" >"$dir/read"
python3 "$here/compare.py" "$dir/read" "$dir/shown" "$dir/out"

# And it sees damage: one bit of every object that it reads.
find "$backup" -type f ! -path '*/marks/*' | sort >"$dir/objects"
[ "$(wc -l <"$dir/objects")" -ge 6 ] || fail "only $(wc -l <"$dir/objects") objects"
while read -r f; do
    cp "$f" "$dir/whole"
    python3 -c 'import sys; b = bytearray(open(sys.argv[1], "rb").read()); b[len(b) // 2] ^= 1; open(sys.argv[1], "wb").write(b)' "$f"
    if python3 "$here/read_backup.py" "$backup" >/dev/null 2>"$dir/said"; then
        fail "a flipped bit in $f was not seen"
    fi
    [ "$(wc -l <"$dir/said")" -eq 1 ] || { cat "$dir/said"; fail "not one sentence"; }
    cp "$dir/whole" "$f"
done <"$dir/objects"
python3 "$here/read_backup.py" "$backup" | cmp - "$dir/read"
echo "read_backup.py: $(wc -l <"$dir/objects") objects, each damaged once, each time seen"
