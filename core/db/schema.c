#include "db/db.h"

const char *const mst_db_steps[] = {
    /* 1: jobs and the head of the audit file */
    "CREATE TABLE jobs ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " kind INTEGER NOT NULL,"
    " state INTEGER NOT NULL,"
    " backup TEXT NOT NULL DEFAULT '',"
    " target TEXT NOT NULL DEFAULT '',"
    " who TEXT NOT NULL DEFAULT '',"
    " plan TEXT NOT NULL DEFAULT '',"
    " command TEXT NOT NULL DEFAULT '',"
    " phase TEXT NOT NULL DEFAULT '',"
    " owner TEXT NOT NULL DEFAULT '',"
    " done_bytes INTEGER NOT NULL DEFAULT 0,"
    " total_bytes INTEGER NOT NULL DEFAULT 0,"
    " items_done INTEGER NOT NULL DEFAULT 0,"
    " items_total INTEGER NOT NULL DEFAULT 0,"
    " queued_ms INTEGER NOT NULL,"
    " started_ms INTEGER NOT NULL DEFAULT 0,"
    " ended_ms INTEGER NOT NULL DEFAULT 0,"
    " result TEXT NOT NULL DEFAULT '',"
    " exit_status INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX jobs_state ON jobs(state);"
    "CREATE TABLE job_log ("
    " job INTEGER NOT NULL REFERENCES jobs(id),"
    " seq INTEGER NOT NULL,"
    " wall_ms INTEGER NOT NULL,"
    " line TEXT NOT NULL,"
    " PRIMARY KEY(job, seq)) WITHOUT ROWID;"
    "CREATE TABLE audit_head ("
    " id INTEGER PRIMARY KEY CHECK (id = 1),"
    " count INTEGER NOT NULL,"
    " hash TEXT NOT NULL);",
    /* 2: what a restore is about to do */
    "CREATE TABLE restore_steps ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " run TEXT NOT NULL,"
    " step BLOB NOT NULL);"
    "CREATE INDEX restore_steps_run ON restore_steps(run, id);",
};
const int mst_db_n_steps = (int)(sizeof(mst_db_steps) / sizeof(mst_db_steps[0]));
