#!/bin/sh
# layers.sh: an include may only point to a lower rank of core/LAYERS (and, inside src/sandbox, of
# src/sandbox/LAYERS). Usage: tests/lint/layers.sh [ROOT]; exit 1 on a breach, each named file:line.
set -eu
cd "${1:-.}"
{
    sed 's/^/L /' core/LAYERS
    if [ -f src/sandbox/LAYERS ]; then sed 's/^/S /' src/sandbox/LAYERS; fi
    grep -rnE '^[[:space:]]*#[[:space:]]*include' core ui src --include='*.c' --include='*.h' 2>/dev/null |
        sed -nE 's/^([^:]+):([0-9]+):[^<"]*[<"]([^>"]+)[>"].*/I \1 \2 \3/p'
} | awk '
    $1 == "L" && $2 ~ /^[0-9]+$/ { rank[$3] = $2; for (i = 4; i <= NF; i++) if ($i != "-") owner[$i] = owner[$i] " " $3 " " }
    $1 == "S" && $2 ~ /^[0-9]+$/ { srank[$3] = $2; for (i = 4; i <= NF; i++) if ($i != "-") sowner[$i] = sowner[$i] " " $3 " " }
    $1 == "I" {
        seen++
        split($2, p, "/"); top = p[1]; mod = p[2]; split($4, q, "/"); dep = q[1]
        if (top == "src" && mod == "sandbox") { sandbox(p[3]); next }
        if (top == "core" && !(mod in rank)) bad($2 ":" $3, "module " mod " is not in core/LAYERS")
        for (h in owner) if (index($4, h) == 1 && index(owner[h], " " mod " ") == 0 && top == "core") bad($2 ":" $3, "only" owner[h] "may include " $4)
        if (top != "core") for (h in owner) if (h !~ /^bson/ && index($4, h) == 1) bad($2 ":" $3, "only core modules" owner[h] "may include " $4)
        if ($4 ~ /n?curses/ && $2 != "ui/term_own.h") bad($2 ":" $3, "only ui/term_own.h may include " $4)
        if (dep == "sandbox" && top == "core") bad($2 ":" $3, "core knows nothing of the sandbox")
        if (!(dep in rank)) next
        if (top == "core" && dep != mod && rank[dep] >= rank[mod]) bad($2 ":" $3, mod " (" rank[mod] ") includes " $4 " (" rank[dep] ")")
        if (top == "ui" && dep !~ /^(base|engine)$/) bad($2 ":" $3, "ui may not include " $4)
        if (top == "src" && dep !~ /^(base|conc|log|cfg|engine|ipc)$/) bad($2 ":" $3, "src may not include " $4)
    }
    function sandbox(m,   h) {
        if (split($2, pp, "/") < 4) m = "run"
        if (!(m in srank)) { bad($2 ":" $3, "module " m " is not in src/sandbox/LAYERS"); return }
        for (h in sowner) if (index($4, h) == 1 && index(sowner[h], " " m " ") == 0) bad($2 ":" $3, "only" sowner[h] "may include " $4)
        if ($4 ~ /n?curses|mongoc/) bad($2 ":" $3, "the sandbox may not include " $4)
        if (dep in srank) { if (dep != m && srank[dep] >= srank[m]) bad($2 ":" $3, m " (" srank[m] ") includes " $4 " (" srank[dep] ")") }
        else if (dep in rank && dep !~ /^(base|conc|log|hash)$/) bad($2 ":" $3, "the sandbox may not include " $4 " of core")
    }
    function bad(where, why) { print where ": " why; n++ }
    END { if (!seen) { print "no include was read: wrong folder?"; n++ } exit n > 0 }'
