#!/bin/sh
# plurals.sh: no text says "1 documents": a count before a noun takes mst_text_noun(). Limits ("more than", "at
# most") are constants above one, "of the" names a group, and the sandbox speaks as the server does. Usage:
# plurals.sh [ROOT]
set -eu
cd "${1:-.}"
nouns='alerts|attempts|backups|collections|documents|entries|groups|indexes|jobs|lines|members|namespaces|objects|operations|seeds|steps|stores|updates|views'
count='%(\.[0-9]+)?(zu|llu|lld|u|d|lu|ld)'
hits=$(find core ui src -name '*.c' -not -path 'src/sandbox/*' | sort | xargs awk -v nouns="$nouns" -v count="$count" '
    { files++ }
    $0 ~ /[a-z]+ == 1 \? ("" : "e?s"|"s" : "")/ { print FILENAME ":" FNR ": " $0; next }
    $0 ~ count " ([a-z]+ )?(" nouns ")([^a-z]|$)" && $0 !~ "(than|most|of|of the|none of) " count && $0 !~ /noun\(/ {
        print FILENAME ":" FNR ": " $0
    }
    END { if (!files) print "no file was read" }')
[ -z "$hits" ] || { echo "$hits"; echo "plurals.sh: the lines above say a count and a noun without mst_text_noun()"; exit 1; }
