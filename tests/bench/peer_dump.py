"""What somebody else's driver needs for the same bytes: every collection of a database is read from a
secondary as raw batches by two threads and piped into zstd -1, one file a thread. No oplog, no digests,
no manifest: less than a backup does.

Usage: peer_dump.py URI DATABASE FOLDER   prints "BYTES SECONDS"
"""
import queue
import subprocess
import sys
import threading
import time

import pymongo
from pymongo import ReadPreference


def reader(uri, database, path, names, sizes):
    client = pymongo.MongoClient(uri)
    db = client.get_database(database, read_preference=ReadPreference.SECONDARY)
    total = 0
    with open(path, "wb") as out:
        zstd = subprocess.Popen(["zstd", "-1", "-q", "-c"], stdin=subprocess.PIPE, stdout=out)
        while True:
            try:
                name = names.get_nowait()
            except queue.Empty:
                break
            for batch in db[name].find_raw_batches():
                total += len(batch)
                zstd.stdin.write(batch)
        zstd.stdin.close()
        if zstd.wait() != 0:
            sys.exit("zstd failed")
    sizes.append(total)


def main():
    uri, database, folder = sys.argv[1:]
    begin = time.monotonic()
    names = queue.Queue()
    for name in sorted(pymongo.MongoClient(uri)[database].list_collection_names()):
        names.put(name)
    sizes = []
    threads = [threading.Thread(target=reader, args=(uri, database, f"{folder}/{i}.zst", names, sizes))
               for i in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if len(sizes) != len(threads):
        sys.exit("a reader failed")
    print(sum(sizes), f"{time.monotonic() - begin:.2f}")


main()
