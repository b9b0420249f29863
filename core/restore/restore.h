/* restore.h: put a backup, or somebody's mongodump, into a running set, and destroy nothing before
 * it has proved something.
 *
 * Data is loaded into staging collections "mst.s.<run>.<n>" of the same database, the oplog of the
 * backup is replayed there by UUID, indexes are built and everything is compared. Only then are the
 * collections swapped by renames, each step in the journal first; the old ones stay aside as
 * "mst.o.<run>.<n>" until mst_restore_discard(). A run that dies before the swap leaves the live
 * collections untouched and staging collections that mst_restore_leavings() lists. One that dies in
 * the swap is finished or undone by mst_restore_recover().
 *
 * prepare collects facts, writes nothing, and says rule by rule what would happen. run looks again
 * and refuses with MST_E_STALE when what it finds no longer fits the plan's hash. Calls block:
 * worker threads only.
 */
#ifndef MST_RESTORE_RESTORE_H
#define MST_RESTORE_RESTORE_H

#include "catalog/catalog.h"
#include "conc/task.h"
#include "mongo/mongo.h"
#include "oplog/oplog.h"
#include "restore/journal.h"

#define MST_RUN_HEX 9 /* eight hex digits and a NUL */
#define MST_COLL_MAX 256

/* What documents come from. One thread at a time uses it, except for its streams. */
struct mst_restore_source;
/* A committed backup; catalog stays borrowed. MST_E_INTEGRITY when it is not whole. */
enum mst_rc mst_restore_source_backup(const struct mst_catalog *c, const char *id,
                                      struct mst_task *task, struct mst_restore_source **out,
                                      struct mst_err *err) MST_MUST_CHECK;
/* What mongodump wrote: an archive, a gzipped one, or a directory. */
enum mst_rc mst_restore_source_dump(const char *path, struct mst_task *task,
                                    struct mst_restore_source **out,
                                    struct mst_err *err) MST_MUST_CHECK;
void mst_restore_source_free(struct mst_restore_source *s);

/* Open an authenticated connection to this member; called from several threads at once. */
typedef enum mst_rc mst_restore_connect_fn(void *arg, const char *member, const char *app,
                                           struct mst_task *task, struct mst_conn **out,
                                           struct mst_err *err);

struct mst_restore_opts {
    mst_restore_connect_fn *connect;
    void *connect_arg;
    const char *primary; /* name of the target's primary, as connect takes it */
    size_t n_include;    /* "shop.*", "shop.orders", '*' any bytes; 0: everything. Judged by the */
    const char *const *include; /* name that a collection has at the end of the backup */
    size_t n_exclude;
    const char *const *exclude;
    const char *expect_set;              /* NULL or "": any; else the target's set name */
    bool other_set;                      /* the target is not the set the backup is of */
    struct mst_restore_journal *journal; /* needed by run, recover, release; not by prepare */
    bool release_ttl;                    /* build TTL indexes live instead of held */
    bool allow_unproven;                 /* server versions on which restore never ran for real */
    unsigned loaders;                    /* collections loaded at a time; 0: 2 */
    uint64_t rate_bps;                   /* of BSON loaded; 0: no limit */
    int64_t lag_pause_ms;                /* pause while a secondary is further behind; 0: 10 s */
    int64_t majority_ms;                 /* wait for a majority at most; 0: 60 s */
    const char *spill_dir;               /* NULL: /tmp */
    const struct mst_clock *clock;       /* NULL: real */
    /* Is the set still ours to change? Asked before each step, also inside the swap; its failure
     * ends the run there. NULL: it is. */
    enum mst_rc (*ours)(void *arg, struct mst_err *err);
    void *ours_arg;
    /* Tests only. A place to stop and look: a failure returned here ends the run as a crash would,
     * without any cleaning up. */
    enum mst_rc (*at)(void *arg, const char *point, struct mst_err *err);
    void *at_arg;
    bool defect_keep_doubles; /* planted: a second read of an _id counts as kept */
};

enum mst_restore_rule_result { MST_RR_PASS, MST_RR_WARN, MST_RR_REFUSE };
struct mst_restore_rule {
    enum mst_restore_rule_result result;
    char name[40];
    char text[200]; /* the measured value beside what is needed */
};

enum mst_restore_do {
    MST_RD_CREATE,  /* nothing has this name on the target */
    MST_RD_REPLACE, /* a collection has: it is kept aside */
    MST_RD_VIEW,    /* a view is created; one of this name is replaced */
};
struct mst_restore_item {
    unsigned n; /* number of its staging name */
    enum mst_restore_do todo;
    char db[64];
    char coll[MST_COLL_MAX];  /* the name it gets; raw, sanitise before showing */
    char begun[MST_COLL_MAX]; /* its name when the backup listed it; "" made in the window */
    bool has_uuid, has_live_uuid, live_is_view;
    uint8_t uuid[16];                   /* in the source */
    uint8_t live_uuid[16];              /* of what has the name on the target now */
    uint64_t documents, bytes;          /* to be loaded */
    int64_t live_documents, live_bytes; /* -1 unknown */
};

struct mst_restore_plan {
    char run[MST_RUN_HEX]; /* drawn anew for each plan */
    char hash[17];         /* of items, rules' results and the target: 16 hex digits */
    bool refused;
    char phrase[160]; /* what must be typed; "" when nothing exists that would be replaced */
    char summary[240];
    size_t n_items;
    struct mst_restore_item *items;
    size_t n_rules;
    struct mst_restore_rule *rules;
    size_t n_steps;
    char (*steps)[240]; /* sanitised lines: what is overwritten, created, kept, left alone */
    uint64_t need_bytes, free_bytes;         /* room on the target; 0 unknown */
    uint64_t replaced, created, views, kept; /* counts of the report */
    char target_version[40], target_fcv[16], source_fcv[16];
};

enum mst_rc mst_restore_prepare(const struct mst_restore_opts *o, struct mst_restore_source *s,
                                struct mst_task *task, struct mst_restore_plan **out,
                                struct mst_err *err) MST_MUST_CHECK;
void mst_restore_plan_free(struct mst_restore_plan *p);

enum mst_restore_proof {
    MST_PROOF_EQUAL,       /* read back equal to what was scanned, nothing replayed */
    MST_PROOF_REPLAYED,    /* read back equal, then so many operations replayed */
    MST_PROOF_NOT_PROVABLE /* why says what */
};
const char *mst_restore_proof_word(enum mst_restore_proof p);
struct mst_restore_outcome {
    char db[64];
    char coll[MST_COLL_MAX];
    enum mst_restore_proof proof;
    char why[120];
    uint64_t documents, doubles, ops, missing; /* missing: updates that found no document */
    uint32_t indexes, held;                    /* held: TTL indexes without their expiry */
    bool swapped;
};
#define MST_OUTCOME_MAX 320
/* How a collection came back, in one line without its name. */
const char *mst_restore_outcome_text(const struct mst_restore_outcome *o,
                                     char out[MST_OUTCOME_MAX]);
struct mst_restore_result {
    char run[MST_RUN_HEX];
    bool swapped; /* every collection is the new one */
    bool left;    /* something of this run stands in the set: kept aside, staged or held */
    uint64_t documents, bytes, ops, missing, doubles, skipped, txn_open;
    size_t n;
    struct mst_restore_outcome *outcomes;
    char text[400]; /* one sentence: what stands in the set now */
};
void mst_restore_result_release(struct mst_restore_result *r);

/* Everything up to and with the swap. res is filled also on failure: its text says what is there.
 * MST_E_INCOMPLETE: a collection could not be swapped (a client made one of its name in the gap),
 * or the primary changed in the swap. MST_E_STALE: it changed before. */
enum mst_rc mst_restore_run(const struct mst_restore_opts *o, struct mst_restore_source *s,
                            const struct mst_restore_plan *plan, struct mst_task *task,
                            struct mst_restore_result *res, struct mst_err *err) MST_MUST_CHECK;

/* Swaps that a dead process left open: finish them, or put the old collections back. run NULL: all.
 * Each collection is wholly old or wholly new afterwards; *n is how many were touched. */
enum mst_recover { MST_RECOVER_FINISH, MST_RECOVER_UNDO };
enum mst_rc mst_restore_recover(const struct mst_restore_opts *o, const char *run,
                                enum mst_recover how, struct mst_task *task, size_t *n,
                                struct mst_str *report, struct mst_err *err) MST_MUST_CHECK;
/* Runs with a swap that is not closed, from the journal alone (no connection). */
enum mst_rc mst_restore_open_swaps(struct mst_restore_journal *j, char (**runs)[MST_RUN_HEX],
                                   size_t *n, struct mst_err *err) MST_MUST_CHECK;

struct mst_leaving {
    char run[MST_RUN_HEX];
    bool old; /* kept aside by a swap, else staging */
    char db[64];
    char coll[MST_COLL_MAX];
    int64_t documents, bytes; /* -1 unknown */
};
enum mst_rc mst_restore_leavings(const struct mst_restore_opts *o, struct mst_task *task,
                                 struct mst_leaving **out, size_t *n,
                                 struct mst_err *err) MST_MUST_CHECK;
/* Drop staging (clean) or kept-aside (discard) collections of a run; MST_E_PRECOND while its swap
 * is open in the journal. */
enum mst_rc mst_restore_clean(const struct mst_restore_opts *o, const char *run,
                              struct mst_task *task, size_t *dropped,
                              struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_restore_discard(const struct mst_restore_opts *o, const char *run,
                                struct mst_task *task, size_t *dropped,
                                struct mst_err *err) MST_MUST_CHECK;
/* Give the held TTL indexes of a run their expiry back. */
enum mst_rc mst_restore_release_ttl(const struct mst_restore_opts *o, const char *run,
                                    struct mst_task *task, size_t *released,
                                    struct mst_err *err) MST_MUST_CHECK;

#endif
