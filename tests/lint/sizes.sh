#!/bin/sh
# sizes.sh: at most 600 lines a .c file and 60 lines a function in core, ui and src. Usage: sizes.sh [ROOT]
set -eu
cd "${1:-.}"
find core ui src -name "*.c" | sort | xargs awk '
    FNR == 1 { if (n > 600) bad(file ": " n " lines, 600 are the most"); file = FILENAME; start = 0; files++ }
    { n = FNR }
    /^\{$/ { start = FNR }
    /^\}$/ { if (start && FNR - start - 1 > 60) bad(FILENAME ":" start ": a function of " FNR - start - 1 " lines, 60 are the most"); start = 0 }
    function bad(what) { print what; breaches++ }
    END { if (n > 600) bad(file ": " n " lines, 600 are the most"); if (!files) bad("no file was read"); exit breaches > 0 }'
