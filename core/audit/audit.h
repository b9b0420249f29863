/* audit.h: the record of acts: an append-only file of JSON lines, each with the hash of the one
 * before it.
 *
 * A line is {"seq":N,"time":"...","who":"...","act":"...","target":"...","plan":"...",
 * "outcome":"...","text":"...","prev":"HEX","hash":"HEX"} and "hash" is the SHA-256 of all bytes
 * of the line before `,"hash"`. It is written and fsynced before an act begins (outcome "begins")
 * and after it ended. Number of lines and hash of the last one stand in the state file too, so
 * that a line missing at the end is noticed.
 *
 * Verification finds every changed, removed, inserted or reordered line. It cannot notice somebody
 * who rewrites the whole file and the state file consistently, nor both put back to an older copy
 * at the same time: an anchor outside this machine is needed for that. One process writes (who
 * holds the lock of the set); one struct is used by one thread at a time.
 */
#ifndef MST_AUDIT_AUDIT_H
#define MST_AUDIT_AUDIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "db/db.h"

struct mst_audit;

struct mst_audit_event { /* texts may be NULL */
    const char *who, *act, *target;
    const char *plan;    /* hash of the plan */
    const char *outcome; /* "begins", "done", "failed", "refused", "cancelled", "interrupted" */
    const char *text;
};

/* Open for appending; the file (0600) is made when it is absent and the state file knows of no
 * line. Its end is compared with the state file: MST_E_INTEGRITY when they do not fit, and nothing
 * is appended until somebody looked. A last line that is there but not in the state file (the
 * process died between the two) is accepted when it continues the chain. */
enum mst_rc mst_audit_open(const char *path, struct mst_db *db, const struct mst_clock *clock,
                           struct mst_audit **out, struct mst_err *err) MST_MUST_CHECK;
void mst_audit_close(struct mst_audit *a);
/* Durable when it returns MST_OK. */
enum mst_rc mst_audit_add(struct mst_audit *a, const struct mst_audit_event *ev,
                          struct mst_err *err) MST_MUST_CHECK;

struct mst_audit_check {
    uint64_t lines;           /* good ones from the start */
    uint64_t bad_line;        /* first bad one, counted from 1; 0 none */
    char first[40], last[40]; /* times */
    char hash[65];            /* of the last good line */
    bool anchored;            /* compared with the state file */
};
/* Read the whole file. MST_E_INTEGRITY says what is wrong with which line; db NULL: without the
 * comparison at the end. A file that is absent while the state file knows lines is bad. */
enum mst_rc mst_audit_verify(const char *path, struct mst_db *db, struct mst_audit_check *out,
                             struct mst_err *err) MST_MUST_CHECK;
/* What a good result does not prove: two sentences for the operator. */
const char *mst_audit_limits(void);

#endif
