#!/usr/bin/env python3
"""What read_backup.py printed against `muster bucket show --json` and the files of `muster export --dir`.

Usage: compare.py READ SHOWN EXPORTED
"""
import hashlib
import json
import os
import sys
import urllib.parse


def lines(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def sum_of(path):
    """Number of documents and sum256 of a .bson file."""
    with open(path, "rb") as f:
        b = f.read()
    at = total = n = 0
    while at < len(b):
        size = int.from_bytes(b[at:at + 4], "little")
        total += int.from_bytes(hashlib.sha256(b[at:at + size]).digest(), "big")
        at += size
        n += 1
    return n, (total % (1 << 256)).to_bytes(32, "big").hex()


def main():
    read = {r["ns"]: r for r in lines(sys.argv[1]) if "ns" in r}
    shown = {r["ns"]: r for r in lines(sys.argv[2]) if r["type"] == "namespace"}
    bad = []
    sums = 0
    if not read or set(read) != set(shown):
        bad.append("namespaces: %s, the program shows %s" % (sorted(read), sorted(shown)))
    for ns in sorted(set(read) & set(shown)):
        for field in ("documents", "data_bytes", "indexes"):
            if read[ns][field] != shown[ns][field]:
                bad.append("%s: %s is %s, the program shows %s" % (ns, field, read[ns][field], shown[ns][field]))
        db, coll = ns.split(".", 1)
        path = os.path.join(sys.argv[3], db, urllib.parse.quote_plus(coll) + ".bson")
        # What was renamed or dropped in the window, or read twice, is not in an export as it was scanned.
        if os.path.exists(path) and sum_of(path)[0] == read[ns]["documents"]:
            sums += 1
            if sum_of(path)[1] != read[ns]["sum256"]:
                bad.append("%s: sum256 is %s, the exported documents have %s" % (ns, read[ns]["sum256"], sum_of(path)[1]))
    if sums < 3:
        bad.append("only %d sums could be compared" % sums)
    print("\n".join(bad) if bad else "%d namespaces agree, %d sums" % (len(read), sums))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
