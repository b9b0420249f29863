/* backup.h: make a full backup of a running set from one of its members.
 *
 * The member is chosen by a pure decider from the topology; all connections go to it alone. The
 * tail of its oplog is opened before the collections are listed and is read to an end point that is
 * majority-committed; then the backup is the set's state at header.last. Everything is written
 * below a new attempt; COMMIT is written last. Whatever kills this process leaves an INCOMPLETE
 * backup and nothing else.
 */
#ifndef MST_BACKUP_BACKUP_H
#define MST_BACKUP_BACKUP_H

#include "catalog/keyobj.h"
#include "conc/task.h"
#include "mongo/mongo.h"
#include "topo/topo.h"

/* Open an authenticated connection to this member; called from several threads at once. */
typedef enum mst_rc mst_connect_fn(void *arg, const char *member, const char *app,
                                   struct mst_task *task, struct mst_conn **out,
                                   struct mst_err *err);

#define MST_BACKUP_SCANS_DEFAULT 2U
#define MST_BACKUP_SCANS_MAX 16U
#define MST_BACKUP_LAG_MAX_MS 10000

struct mst_source_wish {
    char name[MST_HOST_MAX]; /* member, "tag:k=v", or "" */
    bool from_primary;       /* the primary may be the source */
    int64_t lag_max_ms;      /* 0: MST_BACKUP_LAG_MAX_MS */
};
struct mst_source {
    int member; /* index in the view */
    char name[MST_HOST_MAX];
    char why[160];  /* "hidden secondary, lag 0.1 s" */
    char also[600]; /* why the others were not taken: "db1:27017 is the primary; ..." */
};
/* Pure. MST_E_PRECOND names what is wrong with every candidate, MST_E_NOTFOUND when the wish names
 * nobody. */
enum mst_rc mst_backup_choose(const struct mst_topo_view *v, const struct mst_source_wish *wish,
                              struct mst_source *out, struct mst_err *err) MST_MUST_CHECK;

enum {                          /* mistakes that the proof must catch */
       MST_PLANT_TAIL_LATE = 1, /* the tail is opened after the listing, at the newest entry */
       MST_PLANT_SCAN_BY_NAME = 2,
       MST_PLANT_END_NOT_MAJORITY = 4 /* the end point is taken without waiting */
};

struct mst_backup_opts {
    const struct mst_catalog *catalog;
    mst_connect_fn *connect;
    void *connect_arg;
    const struct mst_topo_view *topo; /* fresh; borrowed for the call */
    struct mst_source_wish wish;
    const struct mst_readers *readers; /* who may read it; NULL: it is not sealed */
    uint64_t counter_seen;             /* its number is higher; of a signed one (catalog->signer) */
    /* Fill what COMMIT says about those before id, on the run's thread; NULL: what catalog->store
     * has, and counter_seen. */
    enum mst_rc (*before)(void *arg, const char *id, struct mst_commit *c, struct mst_err *err);
    void *before_arg;
    unsigned scans;       /* 0: the default */
    uint32_t batch_docs;  /* at most so many documents in a batch; 0: by their size */
    uint64_t rate_bps;    /* of BSON read; 0: no limit */
    int64_t lag_pause_ms; /* pause scans while the source is further behind; 0: the default */
    size_t n_include;     /* namespace patterns "shop.*", "shop.orders"; 0: everything */
    const char *const *include;
    size_t n_exclude;
    const char *const *exclude;
    const char *scratch_dir;       /* for spooled listings, a file without a name; NULL: /tmp */
    const char *muster;            /* version for the header */
    const struct mst_clock *clock; /* NULL: real */
    /* Of all runs of this process: time in the newest id, so that two that begin in one second do
     * not get the same. NULL: only the bucket is asked. */
    _Atomic int64_t *given_ms;
    /* Told once, on the run's thread, which member is read; may be NULL. */
    void (*on_source)(void *arg, const char *member);
    void *on_source_arg;
    /* Tests only: a place to stop and look (point names the step that comes next: "key", "tail",
     * "list", "scan", "end", "objects", "manifest", "header", "commit"), and known mistakes to
     * make. */
    void (*at)(void *arg, const char *point);
    /* The same around the scan of each collection, called by its thread: "begin" before its cursor,
     * "batch" between two batches, "end" behind its last document. */
    void (*scan_at)(void *arg, const char *ns, const char *point);
    void *at_arg;   /* of both */
    unsigned plant; /* MST_PLANT_... */
};

struct mst_backup_result {
    char id[MST_ID_MAX]; /* known as soon as something is stored, also on failure */
    bool committed, partial, unproven;
    struct mst_source source;
    char set_id[32]; /* settings.replicaSetId in hex; "" not known */
    bool has_before; /* of a signed one, when opts.before was NULL: what was found before it */
    struct mst_before before;
    struct mst_optime first, last;
    uint64_t documents, data_bytes, stored_bytes, oplog_entries;
    uint32_t namespaces, left_out, objects;
    uint64_t took_ms;
    char text[300]; /* one sentence: what was made, or what stands in the store now */
};

/* MST_OK only when COMMIT is durable. MST_E_UNKNOWN when it may or may not be. */
enum mst_rc mst_backup_run(const struct mst_backup_opts *o, struct mst_task *task,
                           struct mst_backup_result *res, struct mst_err *err) MST_MUST_CHECK;

/* Does "db.coll" fit a pattern: "db.*", "db.coll", "*"; '*' stands for any bytes. Pure. */
bool mst_ns_match(const char *pattern, const char *ns);

#endif
