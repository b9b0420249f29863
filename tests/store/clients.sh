#!/bin/sh
# clients.sh: other people's S3 clients against the scripted server: they put, list, read and delete, whole
# and in parts, and the server must have nothing to complain about. Usage: clients.sh S3D CLIENT
# CLIENT is s3cmd or aws. Exit 77 with one line when it is missing.
set -eu
s3d=$1
client=$2
command -v "$client" >/dev/null || { echo "SKIP peer $client: not installed (scripts/deps.sh test)"; exit 77; }
dir=$(mktemp -d)
pid=
cleanup() {
    exec 9>&- || true
    [ -z "$pid" ] || wait "$pid" || true
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
mkfifo "$dir/in"
"$s3d" --page 7 <"$dir/in" >"$dir/out" 2>"$dir/wrong" &
pid=$!
exec 9>"$dir/in"
while [ ! -s "$dir/out" ]; do sleep 0.05; done
endpoint=$(head -1 "$dir/out")
key=AKIDTESTS3D
secret='s3d/secret+key=for/tests'
head -c 1000 /dev/urandom >"$dir/small"
head -c 13000000 /dev/urandom >"$dir/large"

with_s3cmd() {
    cat >"$dir/cfg" <<EOF
[default]
access_key = $key
secret_key = $secret
host_base = ${endpoint#http://}
host_bucket = ${endpoint#http://}
bucket_location = eu-test-1
use_https = False
multipart_chunk_size_mb = 5
EOF
    set -- s3cmd -q -c "$dir/cfg" --no-progress
    for n in 1 2 3 4 5 6 7 8 9 10; do "$@" put "$dir/small" "s3://vault/many/$n"; done
    "$@" put "$dir/small" "s3://vault/with space/a+b&c=ü.txt"
    "$@" put "$dir/large" s3://vault/large
    "$@" get s3://vault/large "$dir/back"
    "$@" get "s3://vault/with space/a+b&c=ü.txt" "$dir/back2"
    s3cmd -c "$dir/cfg" ls -r s3://vault/ | sed 's|.*s3://vault/||' | sort >"$dir/listed"
    s3cmd -c "$dir/cfg" multipart s3://vault/ >"$dir/uploads"
    "$@" del s3://vault/many/1
    "$@" del -r -f s3://vault/many/
}

with_aws() {
    export AWS_ACCESS_KEY_ID=$key AWS_SECRET_ACCESS_KEY="$secret" AWS_DEFAULT_REGION=eu-test-1 AWS_EC2_METADATA_DISABLED=true
    export AWS_CONFIG_FILE="$dir/cfg" AWS_SHARED_CREDENTIALS_FILE="$dir/none" AWS_PAGER=
    printf '[default]\ns3 =\n  multipart_chunksize = 5MB\n  multipart_threshold = 6MB\n  addressing_style = path\n' >"$dir/cfg"
    set -- aws --endpoint-url "$endpoint" s3 --only-show-errors
    mkdir "$dir/many"
    for n in 1 2 3 4 5 6 7 8 9 10; do cp "$dir/small" "$dir/many/$n"; done
    aws --endpoint-url "$endpoint" s3 cp --only-show-errors --recursive "$dir/many" s3://vault/many
    aws --endpoint-url "$endpoint" s3 cp --only-show-errors "$dir/small" "s3://vault/with space/a+b&c=ü.txt"
    aws --endpoint-url "$endpoint" s3 cp --only-show-errors "$dir/large" s3://vault/large
    aws --endpoint-url "$endpoint" s3 cp --only-show-errors s3://vault/large "$dir/back"
    aws --endpoint-url "$endpoint" s3 cp --only-show-errors "s3://vault/with space/a+b&c=ü.txt" "$dir/back2"
    aws --endpoint-url "$endpoint" s3 ls --recursive s3://vault/ | sed -E 's/^[^ ]+ +[^ ]+ +[0-9]+ //' | sort >"$dir/listed"
    aws --endpoint-url "$endpoint" s3api list-multipart-uploads --bucket vault >/dev/null
    url=$(aws --endpoint-url "$endpoint" s3 presign s3://vault/many/3)
    python3 -c 'import sys, urllib.request; sys.stdout.buffer.write(urllib.request.urlopen(sys.argv[1]).read())' "$url" >"$dir/signed"
    cmp "$dir/small" "$dir/signed"
    aws --endpoint-url "$endpoint" s3 rm --only-show-errors --recursive s3://vault/many
}

"with_$client"
cmp "$dir/large" "$dir/back"
cmp "$dir/small" "$dir/back2"
printf '%s\n' large many/1 many/10 many/2 many/3 many/4 many/5 many/6 many/7 many/8 many/9 'with space/a+b&c=ü.txt' | sort >"$dir/wanted"
cmp "$dir/wanted" "$dir/listed"
exec 9>&-
if ! wait "$pid"; then
    pid=
    echo "the server says of $client:"
    cat "$dir/wrong" "$dir/out"
    exit 1
fi
pid=
grep -q 'objects 2, unfinished uploads 0' "$dir/out" || { cat "$dir/out"; exit 1; }
echo "$client: $(tail -1 "$dir/out")"
