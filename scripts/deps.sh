#!/bin/sh
# deps.sh: install the Debian packages that are missing. Usage: deps.sh build [test] [lint]
# With sudo when not root; without rights it prints the one line to run and fails.
set -eu
build="gcc libc6-dev cmake ninja-build pkg-config libmongoc-dev libbson-dev libncurses-dev libconfig-dev libssl-dev libsqlite3-dev libzstd-dev zlib1g-dev libcurl4-openssl-dev libexpat1-dev"
test="libcmocka-dev libvterm-dev openssl python3 python3-venv awscli s3cmd"
lint="clang-format clang-tidy clang libclang-rt-14-dev cppcheck"
want=""
for group in "$@"; do
    case $group in
    build) want="$want $build" ;;
    test) want="$want $test" ;;
    lint) want="$want $lint" ;;
    *) echo "deps.sh: unknown group $group" >&2; exit 2 ;;
    esac
done
if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "deps.sh: this is not a Debian system; install by hand:$want" >&2
    exit 0
fi
missing=""
for p in $want; do
    dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null | grep -q '^install ok installed' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
echo "installing:$missing"
if [ "$(id -u)" = 0 ]; then
    run=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    run="sudo"
elif command -v sudo >/dev/null 2>&1 && [ -t 0 ]; then
    run="sudo"
else
    echo "these packages are missing; as root run:" >&2
    echo "  apt-get update && apt-get install -y$missing" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
$run apt-get update -qq
# shellcheck disable=SC2086  # a list of names
$run apt-get install -y -qq --no-install-recommends $missing >/dev/null
