"""Somebody else's driver works with the sandbox: what a user of a replica set does in an hour.

Usage: pymongo_script.py URI CTL   (CTL: a command line that is given "kill MEMBER", "start MEMBER")
"""
import shlex
import subprocess
import sys
import time

import pymongo
from pymongo import ReadPreference
from pymongo.errors import AutoReconnect, PyMongoError
from pymongo.write_concern import WriteConcern


def check(what, got, want):
    if got != want:
        sys.exit(f"{what}: got {got!r}, wanted {want!r}")
    print(f"ok: {what}")


def wait_for(what, fn, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            value = fn()
            if value:
                print(f"ok: {what}")
                return value
        except AutoReconnect:
            pass
        time.sleep(0.05)
    sys.exit(f"{what}: not within {seconds} s")


def transactions(client, db):
    def both(session):
        db.orders.insert_one({"_id": "in-txn"}, session=session)
        db.stock.update_one({"_id": 1}, {"$inc": {"n": -1}}, session=session)

    with client.start_session() as session:
        session.with_transaction(both)
    check("a committed transaction shows in both collections",
          (db.orders.count_documents({"_id": "in-txn"}), db.stock.find_one({"_id": 1})["n"]), (1, 9))
    with client.start_session() as session:
        session.start_transaction()
        db.orders.insert_one({"_id": "never"}, session=session)
        check("a transaction reads its own write",
              db.orders.count_documents({"_id": "never"}, session=session), 1)
        check("nobody else does", db.orders.find_one({"_id": "never"}), None)
        session.abort_transaction()
    check("an aborted transaction left nothing", db.orders.find_one({"_id": "never"}), None)


def election(client, db, ctl):
    old = client.primary
    member = str(old[1])
    subprocess.run(ctl + ["kill", member], check=True, stdout=subprocess.DEVNULL)
    new = wait_for("another primary is found after an election",
                   lambda: client.primary if client.primary not in (None, old) else None)
    check("it is another member", new != old, True)
    wait_for("it takes writes", lambda: db.orders.insert_one({"_id": "after"}).acknowledged)
    check("what was there is there", db.orders.count_documents({}), 1002)
    subprocess.run(ctl + ["start", member], check=True, stdout=subprocess.DEVNULL)
    wait_for("the old primary is back as a secondary", lambda: old in client.secondaries)


def main(uri, ctl):
    client = pymongo.MongoClient(uri, serverSelectionTimeoutMS=20000, retryWrites=True)
    wait_for("a primary is found", lambda: client.primary)
    check("the set's name", client.admin.command("hello" if "7.0" in sys.argv[3:] else "isMaster")
          ["setName"], "rs0")
    db = client.get_database("peers", write_concern=WriteConcern("majority", wtimeout=20000))
    result = db.orders.insert_many([{"_id": i, "total": i, "who": f"c{i % 7}"} for i in range(1000)])
    check("1000 documents inserted", len(result.inserted_ids), 1000)
    check("a range is found in order",
          [d["_id"] for d in db.orders.find({"total": {"$gte": 10, "$lt": 13}}).sort("_id", -1)],
          [12, 11, 10])
    check("all come in batches", sum(1 for _ in db.orders.find({}, batch_size=37)), 1000)
    updated = db.orders.update_many({"who": "c3"}, {"$set": {"flag": True}, "$inc": {"total": 1000}})
    check("many are updated", updated.modified_count, 143)
    counted = list(db.orders.aggregate([{"$match": {"flag": True}}, {"$count": "n"}]))
    check("aggregate counts them", counted, [{"n": 143}])
    db.stock.insert_one({"_id": 1, "n": 10})
    near = client.get_database("peers", read_preference=ReadPreference.SECONDARY_PREFERRED)
    wait_for("a secondary answers reads", lambda: near.orders.count_documents({}) == 1000)
    transactions(client, db)
    election(client, db, ctl)
    client.close()


if __name__ == "__main__":
    try:
        main(sys.argv[1], shlex.split(sys.argv[2]))
    except PyMongoError as e:
        sys.exit(f"{type(e).__name__}: {e}")
