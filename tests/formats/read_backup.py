#!/usr/bin/env python3
"""Read a backup by docs/formats.md alone.

Usage: read_backup.py FOLDER [KEYFILE|-] [SIGNER]

FOLDER is the folder <prefix>/<set>/backups/<id> where it stands in a bucket. KEYFILE opens a sealed backup; for - the
first line of standard input is a passphrase. SIGNER is the word mstsig-... that must have signed.

Checks every hash and count that the page names and prints one line of JSON per namespace: {"ns", "state", "documents",
"data_bytes", "indexes", "sum256"}, and a last one for the backup. Exit 1 and one sentence when anything does not fit.
It needs python3 and the program zstd, for a sealed or signed backup the package cryptography, and nothing of muster.
"""
import hashlib
import hmac
import json
import os
import struct
import subprocess
import sys

SKIPPABLE = 0x184D2A5D
DOC_MAX = 16793600
FRAME_MAX = 17842176
ROLES = {1: "data", 2: "oplog", 3: "manifest"}
CHUNK = 16384


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
    must(obj["format"] == 1 and set(obj["requires"]) <= {"sealed"}, path + " is NEWER than this reader")
    return obj, raw


# --- keys ----------------------------------------------------------------------------------------------------------


def expand(prk, info, n):
    """HKDF-Expand with SHA-512."""
    out, block, i = b"", b"", 0
    while len(out) < n:
        i += 1
        block = hmac.new(prk, block + info + bytes([i]), hashlib.sha512).digest()
        out += block
    return out[:n]


def aes_open(key, nonce, sealed, also):
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    try:
        return AESGCM(key).decrypt(nonce, sealed, also)
    except InvalidTag:
        raise Damaged("something sealed does not open") from None


def scrypt(phrase, salt, log2n):
    must(log2n <= 20, "a passphrase that costs more than 2^20")
    out = hashlib.scrypt(phrase, salt=salt, n=1 << log2n, r=8, p=1, maxmem=(1 << 31) - 1, dklen=48)
    return out[:32], out[32:]


def text(t):
    b = t.encode()
    return struct.pack("<I", len(b)) + b


def data_key_id(key):
    return expand(key, b"muster.data-key-id.v1", 16)


def public_word(word, prefix):
    """The 32 bytes of a word, and the id of the key."""
    must(word.startswith(prefix) and len(word) == 79, "not a word of " + prefix)
    word = prefix + word[len(prefix):].lower()
    must(hashlib.sha256(word[:71].encode()).hexdigest()[:8] == word[71:], "a slip in a word of " + prefix)
    pub = bytes.fromhex(word[len(prefix):71])
    return pub, hashlib.sha256(pub).hexdigest()[:32]


def key_file(path):
    """The secret of a recipient whose file has no passphrase, its public half and its id."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    with open(path, "rb") as f:
        raw = f.read(8193)
    must(len(raw) <= 8192, "a key file that is too large")
    cut = raw.rfind(b"sha256 ")
    must(raw[cut:] == b"sha256 " + hashlib.sha256(raw[:cut]).hexdigest().encode() + b"\n", "a damaged key file")
    lines = raw.decode().split("\n")
    must(lines[0] == "muster secret key 1 recipient", "not the key file of a recipient")
    fields = dict(line.split(" ", 1) for line in lines[1:] if " " in line)
    pub, id_ = public_word(fields["public"], "mstpub-")
    must(fields["secret"].startswith("mstsec-"), "this reader opens no key file with a passphrase")
    secret = X25519PrivateKey.from_private_bytes(bytes.fromhex(fields["secret"][7:]))
    own = secret.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    must(own == pub and fields["id"] == id_, "a key file whose secret belongs to another word")
    return secret, pub, id_


def by_x25519(slot, place, id_, means):
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
    secret, pub, _ = means
    ephemeral = bytes.fromhex(slot["ephemeral"])
    shared = secret.exchange(X25519PublicKey.from_public_bytes(ephemeral))
    prk = hmac.new(ephemeral + pub, shared, hashlib.sha512).digest()
    key = expand(prk, b"muster.wrap.v1 x25519", 32)
    wrapped = bytes.fromhex(slot["wrapped"])
    must(len(wrapped) == 64 and wrapped[:16] == id_, "a slot of another data key")
    return aes_open(key, bytes(12), wrapped[16:], text("muster.wrap.v1 x25519") + place)


def by_scrypt(slot, place, id_, phrase):
    key, check = scrypt(phrase, bytes.fromhex(slot["salt"]), slot["log2n"])
    wrapped = bytes.fromhex(slot["wrapped"])
    must(len(wrapped) == 80 and wrapped[:16] == id_, "a slot of another data key")
    must(wrapped[16:32] == check, "the passphrase is wrong")
    return aes_open(key, bytes(12), wrapped[32:], text("muster.wrap.v1 scrypt") + place)


def data_key(folder, header, means):
    """From the newest key object of this attempt that has a slot which opens."""
    keys = os.path.join(folder, "..", "..", "keys")
    prefix = "%s.%s." % (header["id"], header["attempt"])
    numbers = sorted((int(n[len(prefix):]) for n in os.listdir(keys) if n.startswith(prefix)), reverse=True)
    must(numbers, "the key object is missing")
    id_ = bytes.fromhex(header["keyId"])
    place = text(header["set"]) + text(header["id"]) + text(header["attempt"]) + id_
    for n in numbers:
        obj, _ = clear_text(os.path.join(keys, prefix + str(n)), "muster key")
        must((obj["id"], obj["attempt"], obj["set"], obj["keyId"]) ==
             (header["id"], header["attempt"], header["set"], header["keyId"]), "a key object of another backup")
        for slot in obj["slots"]:
            key = None
            if slot["kind"] == "x25519" and isinstance(means, tuple) and slot["recipient"] == means[2]:
                key = by_x25519(slot, place, id_, means)
            elif slot["kind"] == "scrypt" and isinstance(means, bytes):
                key = by_scrypt(slot, place, id_, means)
            if key:
                must(data_key_id(key) == id_, "a slot that holds another key")
                return key
    raise Damaged("no slot is for this key")


def check_signature(raw, commit, word):
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    pub, id_ = public_word(word, "mstsig-")
    must(commit["signer"] == id_, "COMMIT is UNSIGNED or FORGED: its signer is " + (commit["signer"] or "nobody"))
    try:
        Ed25519PublicKey.from_public_bytes(pub).verify(bytes.fromhex(commit["signature"]),
                                                       raw[:raw.index(b',"signature"')])
    except InvalidSignature:
        raise Damaged("COMMIT is FORGED") from None


# --- sealed objects ------------------------------------------------------------------------------------------------


def unseal(raw, key, header, role, number, part):
    must(raw[:8] == b"MUSTERE1" and len(raw) >= 80, "not a sealed object")
    body = len(raw) - 64
    last = body % (CHUNK + 16)
    must(last >= 16, "a size that no content gives")
    context = b"".join(map(text, (header["set"], header["id"], header["attempt"], ROLES[role])))
    context += struct.pack("<II", number, part)
    made = expand(key, b"muster.seal.v1" + b"AES-256-GCM" + b"\0" + raw[8:32] + context, 76)
    must(made[44:] == raw[32:64], "the commitment is another one: another key, or another object's place")
    out = []
    for i in range(body // (CHUNK + 16) + 1):
        at = 64 + (CHUNK + 16) * i
        nonce = made[32:36] + (int.from_bytes(made[36:44], "big") ^ i).to_bytes(8, "big")
        out.append(aes_open(made[:32], nonce, raw[at:at + CHUNK + 16], None))
    return b"".join(out)


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


def read_object(path, sha, size, role, number, part, header, key):
    with open(path, "rb") as f:
        raw = f.read()
    must(len(raw) == size, "%s has %d bytes, not %d" % (path, len(raw), size))
    must(hashlib.sha256(raw).hexdigest() == sha, path + ": its SHA-256 differs")
    if key:
        raw = unseal(raw, key, header, role, number, part)
    first_frame(raw, role, number, part, header["id"], header["attempt"])
    return raw


def check_sums(path, header, objects):
    with open(path, "rb") as f:
        raw = f.read()
    must(len(raw) == header["sumsBytes"] and hashlib.sha256(raw).hexdigest() == header["sumsSha256"],
         "sums is not the one that the header names")
    must(raw.decode() == "".join("%s  %s\n" % (o["sha256"].hex(), o["key"]) for o in objects),
         "sums and manifest say different things")


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


def read_backup(folder, means, signer):
    commit, raw = clear_text(os.path.join(folder, "COMMIT"), "muster commit")
    if signer:
        check_signature(raw, commit, signer)
    attempt = os.path.join(folder, commit["attempt"])
    header, raw = clear_text(os.path.join(attempt, "header"), "muster header")
    must(hashlib.sha256(raw).hexdigest() == commit["headerSha256"] and len(raw) == commit["headerBytes"],
         "the header is not the one that COMMIT names")
    must((header["id"], header["attempt"]) == (commit["id"], commit["attempt"]), "the header is of another backup")
    must(not header["sealed"] or means, "the backup is sealed: a key file or a passphrase opens it")
    key = data_key(folder, header, means) if header["sealed"] else None
    where = (header, key)
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
    if header["sealed"]:
        check_sums(os.path.join(attempt, "sums"), header, objects)
    check_objects(objects, stored)
    entries = read_oplog(objects, stored, header)
    for ns in names:
        total = read_namespace(ns, objects, stored)
        print(json.dumps({"ns": ns["db"] + "." + ns["coll"], "state": ns["state"], "documents": total.docs,
                          "data_bytes": total.data, "indexes": len(ns["indexes"]), "sum256": total.hex()}))
    print(json.dumps({"backup": header["id"], "set": header["set"], "namespaces": len(names), "objects": len(objects),
                      "oplog": entries, "at": header["last"]}))


def main():
    if not 2 <= len(sys.argv) <= 4:
        print(__doc__.strip().splitlines()[2], file=sys.stderr)
        return 2
    try:
        means = sys.argv[2] if len(sys.argv) > 2 else ""
        means = sys.stdin.buffer.readline().rstrip(b"\n") if means == "-" else key_file(means) if means else None
        read_backup(sys.argv[1], means, sys.argv[3] if len(sys.argv) > 3 else None)
    except (Damaged, OSError, KeyError, ValueError, IndexError, struct.error) as e:
        print("read_backup: %s" % (e or type(e).__name__), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
