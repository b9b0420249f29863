#!/bin/sh
# lint.sh: format, clang-tidy, cppcheck and the layer check over the whole tree. Needs build/dev.
set -u
bad=0
note() { echo "lint: $1"; bad=1; }
files=$(git ls-files 'core/*.[ch]' 'ui/*.[ch]' 'src/*.[ch]' 'tests/*.[ch]')
sources=$(git ls-files 'core/*.c' 'ui/*.c' 'src/*.c')
[ -n "$sources" ] || note "no sources found"
# shellcheck disable=SC2086
clang-format --dry-run -Werror $files >out/format.log 2>&1 || { head -n 20 out/format.log; note "clang-format: run it on the files above"; }
sh tests/lint/layers.sh || note "layers"
sh tests/lint/plurals.sh || note "plurals"
[ -f build/dev/compile_commands.json ] || cmake --preset dev >/dev/null || note "cannot configure"
# shellcheck disable=SC2086
cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
    --suppressions-list=tests/lint/cppcheck.txt -j"$(nproc)" -D_GNU_SOURCE -Icore -I. -Isrc/sandbox $sources ||
    note "cppcheck"
# The analyzer gives a function up after so many states: beyond them it doubles the time and found nothing more here.
# LINT_STATES=225000 is clang's own bound.
states="--extra-arg=-Xclang --extra-arg=-analyzer-config --extra-arg=-Xclang --extra-arg=max-nodes=${LINT_STATES:-60000}"
# shellcheck disable=SC2086
printf '%s\n' $sources | xargs -P "$(nproc)" -n 6 clang-tidy --quiet -p build/dev \
    --extra-arg=-Wno-unknown-warning-option $states >out/tidy.log 2>out/tidy.err || true
if grep -E '(warning|error):' out/tidy.log | sort -u | head -n 40 | grep .; then
    note "clang-tidy"
fi
[ $bad = 0 ] && echo "lints are clean ($(echo "$sources" | wc -w) sources)"
exit $bad
