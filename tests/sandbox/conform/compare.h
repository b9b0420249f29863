/* compare.h: does the simulator's answer equal the recorded one?
 *
 * Field names, their order, types and values. What a run cannot have in common with the recording
 * is learnt at first sight and has to stay the same afterwards (UUIDs, ObjectIds, cursor ids) or to
 * keep its order (timestamps); addresses are translated; the rest stands in the exceptions file,
 * where a path gives up its value but neither its place nor its type.
 */
#ifndef CONFORM_COMPARE_H
#define CONFORM_COMPARE_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum conf_kind { CONF_ADDRESS, CONF_ID, CONF_TIME, CONF_SIZE, CONF_BUILD, CONF_KINDS };

struct conf_exception {
    char command[64], path[160];
    enum conf_kind kind;
    bool absent, used;
    char from[160]; /* the timestamp that this date tells the second of; "" none */
};

struct conf_pair {
    uint8_t type; /* BSON type byte */
    uint8_t n;
    uint8_t want[16], got[16];
};

struct conf_ts {
    uint64_t want, got;
};

struct conf_host {
    char want[64], got[64];
};

#define CONF_FILES 20
#define CONF_LINES 256
struct conf_seen { /* a bit for each command that was sent, by file number and line */
    uint8_t bits[CONF_FILES][CONF_LINES / 8];
};

struct conf {
    struct conf_exception *exceptions;
    size_t n_exceptions;
    struct conf_pair *pairs;
    size_t n_pairs, cap_pairs;
    struct conf_ts *ts;
    size_t n_ts, cap_ts;
    struct conf_host hosts[8];
    size_t n_hosts;
    unsigned replayed, excepted, compared, failed; /* commands, values, values, commands */
    unsigned by_kind[CONF_KINDS];
    struct mst_str diffs; /* of everything so far */
    struct conf_seen seen;
    /* of the reply being compared */
    const char *file, *command;
    int line;
    const bson_t *root; /* the run's document */
    int64_t begun_ms;   /* dates of the run are not older */
    bool unsorted, silent, wrong;
    bool subset; /* the run was asked for all that a recorded batch is a part of */
    bool whole;  /* send what a driver adds to a command as it was recorded: refusals print it */
    bool fast;   /* the run's intervals are the recorded ones divided by ten */
};

/* Read the exceptions; aborts the test on a malformed line. */
void conf_init(struct conf *c, const char *exceptions_path);
void conf_release(struct conf *c);
/* Forget what was learnt: another set comes. */
void conf_forget(struct conf *c);
void conf_host(struct conf *c, const char *want, const char *got);

/* The recorded command as it is sent to the run: addresses, learnt ids and timestamps translated,
 * $clusterTime and $db left out unless c->whole. out is initialised here. */
void conf_translate(struct conf *c, const bson_t *recorded, bson_t *out);
/* A recorded text with this run's addresses and cursor ids; caller frees. */
char *conf_text(struct conf *c, const char *text);
struct conf_pair *conf_find_pair(struct conf *c, uint8_t type, const void *p, size_t n, bool got);
/* Compare one reply; true when it is equal. Counts it as replayed then. */
bool conf_reply(struct conf *c, const char *file, int line, const char *command, const bson_t *sent,
                const bson_t *want, const bson_t *got);
/* Compare two documents of no reply (oplog entries). */
bool conf_document(struct conf *c, const char *file, int line, const char *command,
                   const bson_t *want, const bson_t *got);
/* ---- excuse.c ---- */

/* The exception of a path, or NULL. */
struct conf_exception *conf_excepted(struct conf *c, const char *path);
/* Nothing to sign with, nobody there: the same in every run. */
bool conf_is_zero(const bson_iter_t *it);
/* Is the run's date the second of the timestamp that the exception names? */
bool conf_same_second(struct conf *c, const struct conf_exception *e, const char *path,
                      const bson_iter_t *got);
/* What is given up must still be possible: a date lies within this run or is as empty as the
 * recorded one, a number is not negative where the recorded one is not. */
bool conf_plausible(const struct conf *c, const struct conf_exception *e, const bson_iter_t *want,
                    const bson_iter_t *got);
void conf_note(struct conf *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
