#include "db/db.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "conc/thread.h"

#define BUSY_MS 5000

struct mst_db {
    sqlite3 *h;
    struct mst_mutex mtx;
    char path[512];
};

/* The database whose transaction this thread is in: its statements take no lock again. */
static _Thread_local const struct mst_db *in_tx;

static void lock(struct mst_db *db)
{
    if (in_tx != db) {
        mst_mutex_lock(&db->mtx);
    }
}

static void unlock(struct mst_db *db)
{
    if (in_tx != db) {
        mst_mutex_unlock(&db->mtx);
    }
}

static enum mst_rc fail(struct mst_db *db, struct mst_err *err)
{
    const int code = sqlite3_extended_errcode(db->h), base = code & 0xff;
    const char *text = sqlite3_errmsg(db->h);

    switch (base) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return mst_err_set_detail(err, MST_E_INTEGRITY, code,
                                  "the state file %s is damaged (%s): move it away; backups do not "
                                  "depend on it",
                                  db->path, text);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return mst_err_set_detail(err, MST_E_BUSY, code,
                                  "the state file %s is locked by another "
                                  "process",
                                  db->path);
    case SQLITE_FULL:
        return mst_err_set_detail(
            err, MST_E_IO, code,
            "no room to write the state file %s: its file system is full; make "
            "room there",
            db->path);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return mst_err_set_detail(err, MST_E_IO, code, "cannot use the state file %s: %s", db->path,
                                  text);
    default:
        return mst_err_set_detail(err, MST_E_BUG, code, "state file %s: %s", db->path, text);
    }
}

static enum mst_rc exec(struct mst_db *db, const char *sql, struct mst_err *err)
{
    return sqlite3_exec(db->h, sql, NULL, NULL, NULL) == SQLITE_OK ? MST_OK : fail(db, err);
}

static bool first_int(void *arg, const struct mst_row *row)
{
    *(int64_t *)arg = mst_row_int(row, 0);
    return false;
}

static enum mst_rc migrate(struct mst_db *db, void *arg, struct mst_err *err)
{
    int64_t have = 0;
    char sql[64];
    enum mst_rc rc;

    (void)arg;
    rc = mst_db_query(db, first_int, &have, err, "PRAGMA user_version", "");
    if (rc == MST_OK && have > mst_db_n_steps) {
        return mst_err_set(err, MST_E_CONFIG,
                           "the state file %s was written by a newer muster (schema %lld, this one "
                           "knows %d): use that one, or move the file away",
                           db->path, (long long)have, mst_db_n_steps);
    }
    for (int64_t i = have; rc == MST_OK && i < mst_db_n_steps; i++) {
        rc = exec(db, mst_db_steps[i], err);
    }
    if (rc == MST_OK && have < mst_db_n_steps) {
        (void)snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", mst_db_n_steps);
        rc = exec(db, sql, err);
    }
    return rc;
}

/* Made with our mode; SQLite gives its helpers the same one. A file that is there is not opened:
 * closing it again would drop the locks of every other handle that this process has on it, and the
 * next process that ends would take the log away under them. */
static enum mst_rc make_file(const char *path, struct mst_err *err)
{
    const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat st;
    char why[128];
    int e = fd < 0 ? errno : 0;

    if (fd >= 0) {
        (void)close(fd);
    } else if (e == EEXIST) {
        e = lstat(path, &st) != 0 ? errno : S_ISLNK(st.st_mode) ? ELOOP : 0;
    }
    return e ? mst_err_set_detail(err, MST_E_IO, e, "cannot open the state file %s: %s", path,
                                  mst_errno_text(e, why, sizeof(why)))
             : MST_OK;
}

enum mst_rc mst_db_open(const char *path, struct mst_db **out, struct mst_err *err)
{
    struct mst_db *db = mst_xcalloc(1, sizeof(*db));
    enum mst_rc rc;

    *out = NULL;
    mst_mutex_init(&db->mtx);
    (void)mst_copy(db->path, sizeof(db->path), path);
    rc = make_file(path, err);
    if (rc != MST_OK) {
        goto out;
    }
    if (sqlite3_open_v2(path, &db->h, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, NULL) !=
        SQLITE_OK) {
        rc = fail(db, err);
        goto out;
    }
    (void)sqlite3_extended_result_codes(db->h, 1);
    (void)sqlite3_busy_timeout(db->h, BUSY_MS);
    (void)sqlite3_db_config(db->h, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    rc = exec(db,
              "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
              "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF",
              err);
    if (rc == MST_OK) {
        rc = mst_db_tx(db, migrate, NULL, err);
    }
out:
    if (rc != MST_OK) {
        mst_db_close(db);
        db = NULL;
    }
    *out = db;
    return rc;
}

void mst_db_close(struct mst_db *db)
{
    if (!db) {
        return;
    }
    (void)sqlite3_close(db->h);
    mst_mutex_release(&db->mtx);
    free(db);
}

static enum mst_rc prepare(struct mst_db *db, const char *sql, const char *fmt, va_list ap,
                           sqlite3_stmt **out, struct mst_err *err)
{
    if (sqlite3_prepare_v2(db->h, sql, -1, out, NULL) != SQLITE_OK) {
        return fail(db, err);
    }
    for (int i = 0; fmt[i]; i++) {
        int rc;

        if (fmt[i] == 'i') {
            rc = sqlite3_bind_int64(*out, i + 1, va_arg(ap, int64_t));
        } else if (fmt[i] == 'b') {
            const void *blob = va_arg(ap, const void *);

            rc = sqlite3_bind_blob64(*out, i + 1, blob, va_arg(ap, size_t), SQLITE_TRANSIENT);
        } else {
            const char *text = va_arg(ap, const char *);

            rc = text ? sqlite3_bind_text(*out, i + 1, text, -1, SQLITE_TRANSIENT)
                      : sqlite3_bind_null(*out, i + 1);
        }
        if (rc != SQLITE_OK) {
            return fail(db, err);
        }
    }
    return MST_OK;
}

/* A statement ended by SQLITE_DONE; rows go to fn when there is one. */
static enum mst_rc run(struct mst_db *db, mst_row_fn *fn, void *arg, struct mst_err *err,
                       const char *sql, const char *fmt, va_list ap)
{
    sqlite3_stmt *st = NULL;
    enum mst_rc rc = MST_OK;
    int got = SQLITE_DONE;

    lock(db);
    rc = prepare(db, sql, fmt, ap, &st, err);
    if (rc == MST_OK) {
        while ((got = sqlite3_step(st)) == SQLITE_ROW) {
            if (fn && !fn(arg, (const struct mst_row *)(void *)st)) {
                got = SQLITE_DONE;
                break;
            }
        }
        if (got != SQLITE_DONE) {
            rc = fail(db, err);
        }
    }
    (void)sqlite3_finalize(st);
    unlock(db);
    return rc;
}

enum mst_rc mst_db_run(struct mst_db *db, struct mst_err *err, const char *sql, const char *fmt,
                       ...)
{
    va_list ap;
    enum mst_rc rc;

    va_start(ap, fmt);
    rc = run(db, NULL, NULL, err, sql, fmt, ap);
    va_end(ap);
    return rc;
}

enum mst_rc mst_db_query(struct mst_db *db, mst_row_fn *fn, void *arg, struct mst_err *err,
                         const char *sql, const char *fmt, ...)
{
    va_list ap;
    enum mst_rc rc;

    va_start(ap, fmt);
    rc = run(db, fn, arg, err, sql, fmt, ap);
    va_end(ap);
    return rc;
}

enum mst_rc mst_db_int(struct mst_db *db, int64_t otherwise, int64_t *out, struct mst_err *err,
                       const char *sql, const char *fmt, ...)
{
    va_list ap;
    enum mst_rc rc;

    *out = otherwise;
    va_start(ap, fmt);
    rc = run(db, first_int, out, err, sql, fmt, ap);
    va_end(ap);
    return rc;
}

/* struct mst_row is a sqlite3_stmt under another name, so that the header stays free of it. */
static sqlite3_stmt *stmt_of(const struct mst_row *row)
{
    union {
        const struct mst_row *row;
        sqlite3_stmt *st;
    } u = {row};

    return u.st;
}

int64_t mst_row_int(const struct mst_row *row, int column)
{
    return sqlite3_column_int64(stmt_of(row), column);
}

const char *mst_row_text(const struct mst_row *row, int column)
{
    const unsigned char *p = sqlite3_column_text(stmt_of(row), column);

    return p ? (const char *)p : "";
}

const void *mst_row_blob(const struct mst_row *row, int column, size_t *n)
{
    const void *p = sqlite3_column_blob(stmt_of(row), column);

    *n = (size_t)sqlite3_column_bytes(stmt_of(row), column);
    return p;
}

int64_t mst_db_last_id(const struct mst_db *db)
{
    return sqlite3_last_insert_rowid(db->h);
}

int64_t mst_db_changes(const struct mst_db *db)
{
    return sqlite3_changes(db->h);
}

enum mst_rc mst_db_tx(struct mst_db *db, mst_db_tx_fn *fn, void *arg, struct mst_err *err)
{
    struct mst_err ignore = {0};
    enum mst_rc rc;

    MST_ASSERT(in_tx == NULL);
    mst_mutex_lock(&db->mtx);
    in_tx = db;
    rc = exec(db, "BEGIN IMMEDIATE", err);
    if (rc == MST_OK) {
        rc = fn(db, arg, err);
        if (rc == MST_OK) {
            rc = exec(db, "COMMIT", err);
        }
        if (rc != MST_OK) {
            (void)exec(db, "ROLLBACK", &ignore);
        }
    }
    in_tx = NULL;
    mst_mutex_unlock(&db->mtx);
    return rc;
}
