/* db.h: the local state of one set in SQLite: WAL, synchronous=FULL, one connection for a process.
 *
 * What is committed is durable. Any thread may call; a transaction holds the others off. Several
 * processes may have the same file open. Everything in it can be lost without losing a backup.
 */
#ifndef MST_DB_DB_H
#define MST_DB_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct mst_db;
struct mst_row; /* one row of a query, inside the callback only */

/* Open or make path (0600), in a directory that is private already, and bring its schema up to
 * date. MST_E_CONFIG when it was written by a newer program, MST_E_INTEGRITY when it is no
 * database. */
enum mst_rc mst_db_open(const char *path, struct mst_db **out, struct mst_err *err) MST_MUST_CHECK;
void mst_db_close(struct mst_db *db);

/* One statement. fmt has a letter for each '?': i (int64_t), t (const char *, NULL allowed), b
 * (const void *, then size_t). */
enum mst_rc mst_db_run(struct mst_db *db, struct mst_err *err, const char *sql, const char *fmt,
                       ...) MST_MUST_CHECK;
/* Call fn for each row until it returns false. fn may not call the db. */
typedef bool mst_row_fn(void *arg, const struct mst_row *row);
enum mst_rc mst_db_query(struct mst_db *db, mst_row_fn *fn, void *arg, struct mst_err *err,
                         const char *sql, const char *fmt, ...) MST_MUST_CHECK;
int64_t mst_row_int(const struct mst_row *row, int column);
const char *mst_row_text(const struct mst_row *row, int column); /* never NULL */
const void *mst_row_blob(const struct mst_row *row, int column, size_t *n);
/* First column of the first row; otherwise when there is none. */
enum mst_rc mst_db_int(struct mst_db *db, int64_t otherwise, int64_t *out, struct mst_err *err,
                       const char *sql, const char *fmt, ...) MST_MUST_CHECK;
int64_t mst_db_last_id(const struct mst_db *db); /* inside a transaction */
int64_t mst_db_changes(const struct mst_db *db); /* inside a transaction */

/* fn's statements as one: all of them when it returns MST_OK, else none. fn calls with the same db
 * on the same thread only. Not nested. */
typedef enum mst_rc mst_db_tx_fn(struct mst_db *db, void *arg, struct mst_err *err);
enum mst_rc mst_db_tx(struct mst_db *db, mst_db_tx_fn *fn, void *arg,
                      struct mst_err *err) MST_MUST_CHECK;

/* The steps that lead from an empty file to the present schema; a row is never changed, only added.
 * The user_version of the file counts them. */
extern const char *const mst_db_steps[];
extern const int mst_db_n_steps;

#endif
