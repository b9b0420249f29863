/* inner.h: the engine of this process; private to engine. */
#ifndef MST_ENGINE_INNER_H
#define MST_ENGINE_INNER_H

#include "audit/audit.h"
#include "catalog/cache.h"
#include "catalog/catalog.h"
#include "cfg/cfg.h"
#include "conc/cell.h"
#include "conc/queue.h"
#include "conc/thread.h"
#include "conc/wake.h"
#include "db/db.h"
#include "engine/handle.h"
#include "failover/plan.h"
#include "jobq/jobq.h"
#include "mongo/uri.h"
#include "monitor/monitor.h"
#include "restore/restore.h"
#include "store/store.h"

#define MST_READING 8 /* as many workers as there may be */
#define MST_TICKETS 16
#define MST_TICKET_MS 120000
#define MST_MESSAGES 64

/* How to reach a set: of the configuration, or of a URI. */
struct wire {
    char set_name[128];
    size_t n_seeds;
    char (*seeds)[MST_ADDR_MAX];
    char srv_host[256];
    size_t n_dial;
    struct mst_monitor_dial *dial;
    struct mst_tls tls;
};
enum mst_rc mst_wire_cfg(struct wire *w, const struct mst_cfg *cfg,
                         struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_wire_uri(struct wire *w, const char *uri, struct mst_err *err) MST_MUST_CHECK;
void mst_wire_release(struct wire *w);
/* The credential of an act; *has false when there is none. uri_user overrides the user. */
enum mst_rc mst_wire_cred(const struct mst_cfg *cfg, enum mst_cred_act act, mst_cfg_ask_fn *ask,
                          void *arg, struct mst_cred *out, bool *has,
                          struct mst_err *err) MST_MUST_CHECK;
/* The same for another set: its URI's user, with the password that is configured for the act. A URI
 * without a user takes the act's own credential. */
enum mst_rc mst_wire_cred_for(const struct mst_cfg *cfg, enum mst_cred_act act, const char *uri,
                              mst_cfg_ask_fn *ask, void *arg, struct mst_cred *out, bool *has,
                              struct mst_err *err) MST_MUST_CHECK;
/* Name of the directory of this set below the state directory. */
void mst_wire_key(const struct mst_cfg *cfg, const struct wire *w, char *out, size_t size);

/* What a job uses to reach the members; owned by the job. */
struct reach {
    const struct wire *wire;
    struct wire own; /* of a target URI */
    struct mst_cred cred;
    bool has_cred;
};
/* The same for a switch: mst_fo_connect_fn. */
enum mst_rc mst_reach_member(void *arg, const char *member, bool login, const char *app,
                             int64_t connect_ms, struct mst_task *task, struct mst_conn **out,
                             struct mst_err *err);
enum mst_rc mst_reach_connect(void *arg, const char *member, const char *app, struct mst_task *task,
                              struct mst_conn **out, struct mst_err *err);
void mst_reach_release(struct reach *r);
/* Ask the seeds who is primary. */
enum mst_rc mst_reach_primary(struct reach *r, struct mst_task *task, char out[MST_HOST_MAX],
                              struct mst_err *err) MST_MUST_CHECK;

enum ask_kind { ASK_BUCKET, ASK_DETAIL, ASK_TICKET, ASK_RECOVER, ASK_LOOK, ASK_STOP };
struct ask { /* to the thread that may block */
    enum ask_kind kind;
    char id[MST_ID_MAX];
    uint64_t handle;
    struct mst_cmd cmd;
    struct reach *reach;
};

struct slot {        /* a ticket that is asked for or there */
    uint64_t handle; /* 0: free */
    bool ready;
    enum mst_rc rc;
    struct mst_err err;
    struct mst_ticket *ticket;
};

struct planned { /* a plan that a ticket was made of */
    char hash[17];
    struct mst_fo_plan plan;
};

/* One store of the configuration (depot.c). */
struct depot {
    struct local *l;
    const struct mst_cfg_store *cfg;
    bool target;            /* backups go there */
    struct mst_queue *asks; /* to its thread */
    bool started;
    atomic_bool ended, listing_asked, look_asked;
    _Atomic int64_t moved_ms; /* monotonic: its listing got on */
    uint64_t left_out;        /* names of its last listing that cannot be keys; its thread */
    atomic_int inside;        /* calls that were given up and have not come back from the store */
    /* guarded by l->mtx */
    struct mst_store *store;  /* opened when it is first needed, then kept; NULL not yet */
    struct mst_cached before; /* what was cached when this engine started */
    unsigned listings;        /* good ones since; before is of use while there is one at most */
    unsigned rebuilds;        /* that have read the store, and left their marks */
    struct mst_bucket_part *part;
    struct mst_look_part *look; /* NULL: nobody looked yet */
};

struct local {
    struct mst_engine base;
    const struct mst_cfg *cfg;
    struct mst_engine_opts o;
    char who[64], key[160], dir[MST_CFG_PATH + 176], agent_text[96];
    struct wire wire;
    struct mst_cred view_cred;
    bool has_view_cred;
    struct mst_topo_limits limits;
    const char **seed_list; /* for the monitor */

    struct mst_trust trust; /* whose signatures are believed; does not change once it is open */

    struct mst_monitor *monitor;
    struct depot depots[MST_CFG_STORES]; /* in the order of the configuration */
    size_t n_depots, home;               /* home: that is meant where none is named */
    struct mst_err store_err;            /* where backups go is not clear */
    struct mst_db *db;                   /* NULL: state_err says why; looking goes on */
    struct mst_err state_err;
    struct mst_jobq *jobq;
    struct mst_audit *audit;
    int lock_fd; /* flock of the set; -1 not ours */
    struct mst_mutex audit_mtx, own_mtx;

    struct keep *keep; /* writes down what happens; NULL without a state */

    struct mst_thread thread, io;
    struct mst_wake stir; /* something changed for the engine thread */
    struct mst_wake out;  /* a view was published */
    struct mst_cell cell;
    struct mst_queue *asks;
    struct mst_task io_task;
    atomic_bool stop, jobs_changed;
    _Atomic int64_t backup_given_ms; /* time in the newest id that a backup of this process got */

    struct mst_mutex mtx; /* guards what follows, and parts of the depots */
    struct mst_detail_part *detail;
    struct mst_leavings_part *leavings;
    uint64_t listings_gen;              /* changes with every listing that ended */
    struct mst_switch_part *move;       /* NULL: none */
    struct planned *plans[MST_TICKETS]; /* NULL: free */
    size_t n_plans;                     /* ever */
    int64_t begun_ms;                   /* monotonic: the monitor looks since then */
    struct mst_message messages[MST_MESSAGES];
    size_t n_messages; /* ever */
    bool parts_changed;
    size_t n_notes; /* foreign open notes on the set */
    struct mst_note notes[8];
    int64_t notes_at_ms;  /* monotonic; 0 never read */
    char key_remind[240]; /* of seals.c */
    bool notes_changed;   /* or the reminder */
    char own_note[24];    /* id of the note that we hold, "" none */
    struct job_source {   /* backups that run, and the member that each reads; job 0: free */
        uint64_t job;
        char member[MST_HOST_MAX];
    } reading[MST_READING];
    struct slot slots[MST_TICKETS];
    uint64_t next_handle;
};

/* loop.c: the engine thread. */
void mst_loop_run(void *arg);
void mst_say(struct local *l, enum mst_severity severity, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Replace a part; the reference moves. */
void mst_put_bucket_take(struct depot *d, struct mst_bucket_part *p);
void mst_put_look_take(struct depot *d, struct mst_look_part *p);
void mst_put_detail_take(struct local *l, struct mst_detail_part *p);
/* A listing (d NULL: none) and the leavings that were computed with it, together; both move. False,
 * and the listing does not move, when another listing came since gen. */
bool mst_put_listing_take(struct local *l, struct depot *d, struct mst_bucket_part *fresh,
                          struct mst_leavings_part *p, uint64_t gen);
void mst_put_move_take(struct local *l, struct mst_switch_part *p);
/* The newest topology; the caller unrefs. */
struct mst_monitor_view *mst_local_topo(struct local *l);

/* bucket.c: what is known of a store's backups. */
void mst_bucket_first(struct depot *d); /* from the cache, at the start; reads no store */
/* p comes after old, which another thread may have put there meanwhile: what a rebuild found stays.
 */
void mst_bucket_inherit(struct mst_bucket_part *p, const struct mst_bucket_part *old);
void mst_bucket_list(struct depot *d); /* on the depot's thread */
/* What an earlier listing found, to compare with; empty when there is none of this set. The caller
 * releases it. */
void mst_bucket_before(struct depot *d, const char *set, struct mst_cached *out);
/* A listing that was just read: kept in the cache and shown. backups and changes move in; changes
 * NULL: those of the last rebuild stay. */
void mst_bucket_read_take(struct depot *d, const struct mst_catalog *cat,
                          struct mst_bucket_part *p);
struct mst_bucket_part *mst_bucket_part_of(const struct depot *d); /* empty, with its name */

/* look.c: what a store says of itself. The answer shows in a later view; a question that waits
 * already is not asked twice. */
enum mst_rc mst_look_ask(struct local *l, const char *store, struct mst_err *err) MST_MUST_CHECK;
void mst_look_store(struct depot *d); /* on the depot's thread */
/* Of the COMMIT of the backup in p; on the depot's thread. */
void mst_look_commit(const struct mst_catalog *c, struct mst_detail_part *p);
/* Who can open it; nothing where that is not known. */
void mst_look_readers(const struct mst_catalog *c, struct mst_task *task,
                      struct mst_detail_part *p);

/* io.c: listings and plans, on a thread that may block. */
void mst_io_run(void *arg);
void mst_io_detail(struct depot *d, const char *id);
void mst_io_ticket(struct local *l, const struct ask *a);
/* leavings.c: interrupted backups and copies in the stores that were read, and what restores left.
 * fresh, which moves, is shown as d's with them, so that no view has a listing without its
 * leavings; both NULL: as the stores are shown. */
void mst_leavings_put(struct local *l, struct depot *d, struct mst_bucket_part *fresh);
/* The backups of the set in a store; name "": the one that is meant where none is named. */
enum mst_rc mst_local_catalog(struct local *l, const char *store, struct mst_catalog *out,
                              struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_depot_catalog(struct depot *d, struct mst_catalog *out,
                              struct mst_err *err) MST_MUST_CHECK;
/* Over any store: of a tee. */
enum mst_rc mst_store_catalog(struct local *l, struct mst_store *store, struct mst_catalog *out,
                              struct mst_err *err) MST_MUST_CHECK;

/* state.c: directory, lock, database, audit. */
void mst_state_open(struct local *l);
void mst_state_close(struct local *l);
/* Take the lock of the set, then jobs may be added. MST_E_BUSY names who has it. */
enum mst_rc mst_state_own(struct local *l, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_state_audit(struct local *l, const char *act, const char *target, const char *plan,
                            const char *outcome, const char *text,
                            struct mst_err *err) MST_MUST_CHECK;
/* A restore's journal over the database. */
void mst_state_journal(struct local *l, struct mst_restore_journal *j);

/* fault.c: faults on request of the environment. */
void mst_fault_at(void *arg, const char *point);
void mst_fault_hang(const char *point, const char *what); /* "POINT-WHAT": never comes back */
enum mst_rc mst_fault_restore(void *arg, const char *point, struct mst_err *err);
int64_t mst_fault_hold_ms(void);   /* 0: as usual */
int64_t mst_fault_ticket_ms(void); /* MST_TICKET_MS as usual */

/* notes.c: look who else acts on this set, on the io thread. */
void mst_notes_look(struct local *l);

/* keep.c: what happened, written by a thread of its own while this process holds the lock of the
 * set. */
enum mst_rc mst_keep_start(struct local *l, struct mst_err *err) MST_MUST_CHECK;
void mst_keep_stop(struct local *l); /* writes what is left */
/* On the engine thread: what is new in a view. Never waits for the disk. */
void mst_keep_view(struct local *l, const struct mst_view *v);

/* acts.c: what changes something. */
enum mst_rc mst_act_submit(struct mst_engine *e, const struct mst_cmd *cmd, uint64_t *job,
                           struct mst_err *err);
enum mst_rc mst_act_prepare(struct mst_engine *e, const struct mst_cmd *cmd, uint64_t *handle,
                            struct mst_err *err);
enum mst_rc mst_act_ticket(struct mst_engine *e, uint64_t handle, struct mst_ticket **out,
                           struct mst_err *err);
enum mst_rc mst_act_commit(struct mst_engine *e, const struct mst_ticket *t, const char *typed,
                           uint64_t *job, struct mst_err *err);
void mst_act_ended(void *arg, const struct mst_job *job, const char *plan);
/* The ticket of an act, on the io thread: facts and rules. */
enum mst_rc mst_act_make_ticket(struct local *l, const struct ask *a, struct mst_ticket **out,
                                struct mst_err *err) MST_MUST_CHECK;

#endif
