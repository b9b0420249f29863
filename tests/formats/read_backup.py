#!/usr/bin/env python3
"""Read a backup by docs/formats.md alone.

Usage: read_backup.py FOLDER        the folder <prefix>/<set>/backups/<id> of a backup that is not sealed

Checks every hash and count that the page names and prints one line of JSON per namespace: {"ns", "state", "documents",
"data_bytes", "indexes", "sum256"}, and a last one for the backup. Exit 1 and one sentence when anything does not fit.
It needs python3 and the program zstd, and nothing of muster.
"""
import hashlib
import json
import os
import struct
import subprocess
import sys

SKIPPABLE = 0x184D2A5D
DOC_MAX = 16793600
FRAME_MAX = 17842176
ROLES = {1: "data", 2: "oplog", 3: "manifest"}


class Damaged(Exception):
    pass


def must(condition, text):
    if not condition:
        raise Damaged(text)


# --- BSON ------------------------------------------------------------------------------------------------------


def cstring(b, at):
    end = b.index(0, at)
    return b[at:end].decode("utf-8", "replace"), end + 1


def value(b, kind, at):
    """The value at b[at:] and where the next element begins."""
    if kind == 0x01:
        return struct.unpack_from("<d", b, at)[0], at + 8
    if kind in (0x02, 0x0D, 0x0E):
        n = struct.unpack_from("<i", b, at)[0]
        return b[at + 4:at + 3 + n].decode("utf-8", "replace"), at + 4 + n
    if kind in (0x03, 0x04):
        n = struct.unpack_from("<i", b, at)[0]
        d = document(b[at:at + n])
        return (list(d.values()) if kind == 0x04 else d), at + n
    if kind == 0x05:
        n = struct.unpack_from("<i", b, at)[0]
        return b[at + 5:at + 5 + n], at + 5 + n
    if kind in (0x06, 0x0A, 0x7F, 0xFF):
        return None, at
    if kind == 0x07:
        return b[at:at + 12], at + 12
    if kind == 0x08:
        return b[at] != 0, at + 1
    if kind in (0x09, 0x12):
        return struct.unpack_from("<q", b, at)[0], at + 8
    if kind == 0x0B:
        pattern, at = cstring(b, at)
        options, at = cstring(b, at)
        return (pattern, options), at
    if kind == 0x0C:
        n = struct.unpack_from("<i", b, at)[0]
        return b[at:at + 4 + n + 12], at + 4 + n + 12
    if kind == 0x0F:
        n = struct.unpack_from("<i", b, at)[0]
        return b[at:at + n], at + n
    if kind == 0x10:
        return struct.unpack_from("<i", b, at)[0], at + 4
    if kind == 0x11:
        i, t = struct.unpack_from("<II", b, at)
        return (t, i), at + 8
    if kind == 0x13:
        return b[at:at + 16], at + 16
    raise Damaged("a BSON type %#x" % kind)


def document(b):
    must(len(b) >= 5 and struct.unpack_from("<i", b)[0] == len(b) and b[-1] == 0, "a damaged document")
    out, at = {}, 4
    while b[at] != 0:
        kind = b[at]
        name, at = cstring(b, at + 1)
        out[name], at = value(b, kind, at)
    must(at == len(b) - 1, "a damaged document")
    return out


def documents(content):
    """The documents that stand back to back."""
    at = 0
    while at < len(content):
        must(len(content) - at >= 5, "a cut document")
        n = struct.unpack_from("<I", content, at)[0]
        must(5 <= n <= DOC_MAX and at + n <= len(content), "an impossible length of a document")
        yield content[at:at + n]
        at += n


# --- header, COMMIT ------------------------------------------------------------------------------------------------


def clear_text(path, kind):
    """A JSON object that ends with the SHA-256 of all bytes before that field's comma."""
    with open(path, "rb") as f:
        raw = f.read(65537)
    must(len(raw) <= 65536 and raw.endswith(b"\n"), path + " is too large or has no end")
    cut = raw.rfind(b',"sha256":"')
    must(cut > 0, path + " has no sha256")
    obj = json.loads(raw)
    must(obj["sha256"] == hashlib.sha256(raw[:cut]).hexdigest(), path + ": its SHA-256 differs")
    must(obj["type"] == kind, path + " is a " + obj["type"])
    must(obj["format"] == 1 and obj["requires"] == [], path + " is NEWER than this reader")
    return obj, raw


# --- containers ------------------------------------------------------------------------------------------------------


def first_frame(raw, role, number, part, backup, attempt):
    """Check the frame that binds an object to its place; return its size."""
    magic, n = struct.unpack_from("<II", raw)
    must(magic == SKIPPABLE, "an object does not begin with its first frame")
    b = raw[8:8 + n]
    must(b[:8] == b"MUSTERS1", "not an object of muster")
    version, r, num, p = struct.unpack_from("<IIII", b, 8)
    must(version == 1, "a container version that this reader does not know")
    at = 24
    id_ = b[at + 1:at + 1 + b[at]].decode()
    at += 1 + b[at]
    att = b[at + 1:at + 1 + b[at]].decode()
    at += 1 + b[at]
    must(at == len(b), "something after the first frame's fields")
    must((r, num, p, id_, att) == (role, number, part, backup, attempt),
         "an object stands under the name of another: %s %d-%d of %s" % (ROLES.get(r, r), num, p, id_))
    return 8 + n


def unpack(stored):
    """zstd frames to their content, by the program."""
    run = subprocess.run(["zstd", "-dc", "--memory=16MB"], input=stored, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         check=False)
    must(run.returncode == 0, "zstd: " + run.stderr.decode("utf-8", "replace").strip())
    return run.stdout


def read_object(path, sha, size, role, number, part, backup, attempt):
    with open(path, "rb") as f:
        raw = f.read()
    must(len(raw) == size, "%s has %d bytes, not %d" % (path, len(raw), size))
    must(hashlib.sha256(raw).hexdigest() == sha, path + ": its SHA-256 differs")
    first_frame(raw, role, number, part, backup, attempt)
    return raw


# --- a backup --------------------------------------------------------------------------------------------------------


class Sum:
    """Of the SHA-256 of documents, modulo 2^256."""

    def __init__(self):
        self.n = self.docs = self.data = 0

    def add(self, doc):
        self.n = (self.n + int.from_bytes(hashlib.sha256(doc).digest(), "big")) % (1 << 256)
        self.docs += 1
        self.data += len(doc)

    def hex(self):
        return self.n.to_bytes(32, "big").hex()


def manifest(raw):
    """The records in their order, which is checked."""
    order = ["begin", "member", "object", "ns", "end"]
    at, begin, objects, names, members, end = 0, None, [], [], 0, None
    for doc in documents(unpack(raw)):
        rec = document(doc)
        kind = next(iter(rec.items()))
        must(kind[0] == "k" and kind[1] in order, "a record of a kind that this reader does not know")
        must(end is None and order.index(kind[1]) >= at, "the manifest's records are out of order")
        at = order.index(kind[1])
        if kind[1] == "begin":
            must(begin is None, "two begin records")
            begin = rec
        elif kind[1] == "member":
            members += 1
        elif kind[1] == "object":
            objects.append(rec)
        elif kind[1] == "ns":
            names.append(rec)
        else:
            end = rec
    must(begin and end, "the manifest has no begin or no end")
    must((end["members"], end["objects"], end["namespaces"]) == (members, len(objects), len(names)),
         "the manifest's end counts differently")
    must(end["docs"] == sum(n["docs"] for n in names) and end["data"] == sum(n["data"] for n in names),
         "the manifest's end sums differently")
    must(end["bytes"] == sum(o["bytes"] for o in objects), "the manifest's end sums the objects differently")
    return begin, objects, names, end


def extents(ns):
    b = ns["extents"]
    must(len(b) % 40 == 0, "extents of a wrong size")
    for at in range(0, len(b), 40):
        number, zero, offset, stored, data, docs = struct.unpack_from("<IIQQQQ", b, at)
        must(zero == 0, "an extent with a field that must be 0")
        yield number, offset, stored, data, docs


def optime(rec):
    return rec["ts"], rec["t"]


def read_oplog(objects, stored, header):
    last = None
    entries = 0
    for rec, raw in zip(objects, stored):
        if rec["role"] != 2:
            continue
        own = []
        for doc in documents(unpack(raw)):
            at = optime(document(doc))
            must(last is None or (at[0] > last[0] and at[1] >= last[1]), "the oplog is out of order")
            if last is None:
                must(at == ((header["first"]["s"], header["first"]["i"]), header["first"]["t"]),
                     "the oplog does not begin where the header says")
            last = at
            own.append(at)
        entries += len(own)
        must(len(own) == rec["docs"], "an oplog object has another number of entries")
        must(own and own[0] == optime(rec["first"]) and own[-1] == optime(rec["last"]),
             "an oplog object begins or ends elsewhere")
    must(entries == header["oplogEntries"], "the oplog has another number of entries than the header says")
    must(last == ((header["last"]["s"], header["last"]["i"]), header["last"]["t"]),
         "the oplog does not end where the header says")
    return entries


def read_namespace(ns, objects, stored):
    total = Sum()
    for number, offset, size, data, docs in extents(ns):
        must(number < len(objects) and objects[number]["role"] == 1, "an extent in no data object")
        raw = stored[number]
        must(offset + size <= len(raw), "an extent outside of its object")
        content = unpack(raw[offset:offset + size])
        before = total.docs
        must(len(content) == data, "an extent with other content")
        for doc in documents(content):
            document(doc)
            total.add(doc)
        must(total.docs - before == docs, "an extent with another number of documents")
    must((total.docs, total.data) == (ns["docs"], ns["data"]), "%s.%s counts differently" % (ns["db"], ns["coll"]))
    must(total.hex() == ns["sum256"].hex(), "%s.%s: the sum differs" % (ns["db"], ns["coll"]))
    return total


def check_objects(objects, stored):
    for rec, raw in zip(objects, stored):
        content = unpack(raw)
        must(len(content) == rec["data"], rec["key"] + " holds other content")
        must(sum(1 for _ in documents(content)) == rec["docs"], rec["key"] + " holds another number of documents")


def read_backup(folder):
    commit, _ = clear_text(os.path.join(folder, "COMMIT"), "muster commit")
    attempt = os.path.join(folder, commit["attempt"])
    header, raw = clear_text(os.path.join(attempt, "header"), "muster header")
    must(hashlib.sha256(raw).hexdigest() == commit["headerSha256"] and len(raw) == commit["headerBytes"],
         "the header is not the one that COMMIT names")
    must((header["id"], header["attempt"]) == (commit["id"], commit["attempt"]), "the header is of another backup")
    must(not header["sealed"], "the backup is sealed")
    where = (commit["id"], commit["attempt"])
    raw = read_object(os.path.join(attempt, "manifest"), commit["manifestSha256"], commit["manifestBytes"], 3, 0, 0,
                      *where)
    read_object(os.path.join(attempt, "manifest.copy"), commit["manifestSha256"], commit["manifestBytes"], 3, 0, 0,
                *where)
    begin, objects, names, end = manifest(raw)
    must((begin["id"], begin["attempt"], begin["set"]) == (header["id"], header["attempt"], header["set"]),
         "the manifest is of another backup")
    must((end["objects"], end["namespaces"], end["docs"], end["data"], end["bytes"]) ==
         (header["objects"], header["namespaces"], header["documents"], header["dataBytes"], header["storedBytes"]),
         "header and manifest count differently")
    stored = [read_object(os.path.join(attempt, *o["key"].split("/")), o["sha256"].hex(), o["bytes"], o["role"],
                          o["number"], o["part"], *where) for o in objects]
    check_objects(objects, stored)
    entries = read_oplog(objects, stored, header)
    for ns in names:
        total = read_namespace(ns, objects, stored)
        print(json.dumps({"ns": ns["db"] + "." + ns["coll"], "state": ns["state"], "documents": total.docs,
                          "data_bytes": total.data, "indexes": len(ns["indexes"]), "sum256": total.hex()}))
    print(json.dumps({"backup": header["id"], "set": header["set"], "namespaces": len(names), "objects": len(objects),
                      "oplog": entries, "at": header["last"]}))


def main():
    if len(sys.argv) != 2:
        print(__doc__.strip().splitlines()[2], file=sys.stderr)
        return 2
    try:
        read_backup(sys.argv[1])
    except (Damaged, OSError, KeyError, ValueError, IndexError, struct.error) as e:
        print("read_backup: %s" % (e or type(e).__name__), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
