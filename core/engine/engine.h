/* engine.h: the one interface of every front end: console, command line, tests.
 *
 * mst_engine_open() runs the engine in this process; mst_ipc_attach() (ipc/ipc.h) talks to an
 * agent; both return the same handle. All calls return at once; what takes time is a job or shows
 * in a later view. One thread uses one handle.
 *
 * An act that changes a set or deletes is prepare, ticket, typed phrase, commit:
 * mst_engine_prepare() returns what would happen rule by rule, mst_engine_commit() runs the rules
 * again on fresh facts and refuses with MST_E_STALE when they moved. A ticket is valid for 120 s.
 */
#ifndef MST_ENGINE_ENGINE_H
#define MST_ENGINE_ENGINE_H

#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "engine/view.h"

struct mst_cfg;
struct mst_engine;

enum mst_cmd_kind {
    MST_CMD_BACKUP,        /* job; no ticket */
    MST_CMD_VERIFY,        /* job; no ticket */
    MST_CMD_RESTORE,       /* ticket */
    MST_CMD_DISCARD,       /* ticket: drop the old collections a restore kept aside */
    MST_CMD_CLEAN,         /* ticket: remove leavings of dead runs */
    MST_CMD_IMPORT,        /* ticket: read a mongodump archive or directory into the set */
    MST_CMD_CANCEL,        /* id: a job */
    MST_CMD_BUCKET_RELOAD, /* list the store again */
    MST_CMD_DETAIL,        /* load the detail of backup */
    MST_CMD_MONITOR_NOW,   /* ask every member now */
    MST_CMD_RECOVER,       /* job: end the swap of a restore that died in it */
    MST_CMD_RELEASE_TTL,   /* ticket: give held TTL indexes their expiry back */
    MST_CMD_REBUILD,       /* job: read the listing anew, manifests included */
    MST_CMD_SWITCHOVER,    /* ticket: move the primary to member */
    MST_CMD_STEPDOWN,      /* ticket: the primary steps down, any heir */
    /* ticket: back to where the switch `backup` (a run, or "latest") came from */
    MST_CMD_FAILBACK,
    MST_CMD_COPY,       /* job: from `store` to `to_store` */
    MST_CMD_HOLD,       /* job: not to be deleted until until_ms */
    MST_CMD_UNHOLD,     /* ticket: take the hold off */
    MST_CMD_STORE_TEST, /* job: write, read, list, delete under a probe prefix of `store` */
    MST_CMD_ORPHANS,    /* ticket: remove from `store` what belongs to no backup */
    MST_CMD_THAW,       /* job: ask `store` for readable copies of archived objects of `backup` */
    MST_CMD_KEY_ADD, /* ticket: one more may read the sealed backup `backup`, or all of them ("") */
    MST_CMD_KEY_REMOVE, /* ticket: one less */
    MST_CMD_KEY_ROTATE, /* ticket: who the configuration names now, and nobody else */
    MST_CMD_STORE_LOOK  /* ask what `store` says of itself beside its listing */
};

#define MST_CMD_PATTERNS 16
#define MST_CMD_OVERRIDES 4   /* with all of them it is refused: one less is the most */
#define MST_CMD_REASON_MIN 10 /* characters of the reason of an override, blanks not counted */

/* When another member has a higher priority than the new primary. */
enum mst_cmd_after { MST_CMD_AFTER_REFUSE, MST_CMD_AFTER_VISIT, MST_CMD_AFTER_STAY };

struct mst_cmd {
    enum mst_cmd_kind kind;
    uint64_t job;                /* CANCEL */
    char backup[MST_ID_MAX];     /* VERIFY, RESTORE, DETAIL, or a run; "latest" is understood */
    char source[MST_HOST_MAX];   /* BACKUP: member or "tag:k=v"; "" lets muster choose */
    bool from_primary;           /* BACKUP: allow the primary as source */
    uint64_t rate_bps;           /* BACKUP, RESTORE: 0 no limit */
    unsigned scans;              /* BACKUP: 0 means the default of two */
    size_t n_include, n_exclude; /* namespace patterns: "shop.*", "shop.orders" */
    char include[MST_CMD_PATTERNS][160];
    char exclude[MST_CMD_PATTERNS][160];
    char target_uri[512]; /* RESTORE, IMPORT: "" is the same set; never holds a password */
    char path[512];       /* IMPORT: archive or directory */
    bool dry_run;
    char reason[160];
    char member[MST_HOST_MAX]; /* SWITCHOVER: the new primary */
    char key[160];             /* KEY_ADD: public word and name; KEY_REMOVE: name or id */
    enum mst_cmd_after after;
    size_t n_overrides;
    char overrides[MST_CMD_OVERRIDES][176]; /* "P06=why it is right all the same" */
    char store[64];    /* of the backup; "": where its newest good copy is, or the configured one */
    char to_store[64]; /* COPY */
    int64_t until_ms;  /* HOLD: wall clock, MST_HOLD_EVER */
    int64_t older_ms;  /* ORPHANS: only what is older than this */
    unsigned days;     /* THAW: a readable copy stays for so long */
    int64_t as_of_ms;  /* VERIFY, RESTORE, THAW: the store as it stood then; wall clock, 0 now */
};

enum mst_rule_result { MST_RULE_PASS, MST_RULE_WARN, MST_RULE_REFUSE };
struct mst_rule_line {
    enum mst_rule_result result;
    char name[40];
    char text[200];    /* the measured value beside the threshold */
    bool may_override; /* of a switch: refused unless cmd.overrides names it with a reason */
};

/* What would happen. Owned by the caller of prepare; freed with mst_ticket_free. */
struct mst_ticket {
    struct mst_cmd cmd;
    char plan_hash[17]; /* 16 hex digits */
    int64_t expires_mono_ms;
    bool refused;
    char phrase[160]; /* what must be typed; "" when nothing exists that could be lost */
    char summary[200];
    char command[640]; /* the equivalent command line */
    size_t n_rules;
    struct mst_rule_line *rules;
    size_t n_steps;
    char (*steps)[200]; /* "drop and keep shop.orders (1,204 documents) as mst.o.1a2b3c4d.0" */
    uint64_t need_bytes, free_bytes; /* room on the target; 0 unknown */
    char code[8];                    /* of a switch: the plan's code; "" else */
    size_t n_file;                   /* of a switch: the plan as JSON, in pieces */
    char (*file)[200];
};
void mst_ticket_free(struct mst_ticket *t);

struct mst_engine_opts {
    const struct mst_cfg *cfg; /* borrowed until close */
    bool agent;                /* holds the lock of the set from the start, and says so */
    const char *who;           /* who acts through it; NULL: the user of this process */
    /* Answers a password prompt on the thread that calls open, submit or commit; NULL: there is
     * nobody to ask. */
    enum mst_rc (*ask)(void *arg, const char *what, struct mst_secret *s, struct mst_err *err);
    void *ask_arg;
};
/* The engine in this process. */
enum mst_rc mst_engine_open(const struct mst_engine_opts *o, struct mst_engine **out,
                            struct mst_err *err) MST_MUST_CHECK;
void mst_engine_close(struct mst_engine *e); /* cancels what runs in this process, joins, frees */

/* Readable when a new view was published; poll it next to the terminal, then call mst_engine_view.
 */
int mst_engine_wake_fd(const struct mst_engine *e);
const struct mst_view *mst_engine_view(struct mst_engine *e); /* drains the wake fd; never NULL */
void mst_view_release(const struct mst_view *v);              /* any thread; NULL allowed */

/* Acts without a ticket. *job is the new job's id where there is one. */
enum mst_rc mst_engine_submit(struct mst_engine *e, const struct mst_cmd *cmd, uint64_t *job,
                              struct mst_err *err) MST_MUST_CHECK;
/* Collecting facts takes time: prepare starts it and returns a handle number; the ticket arrives
 * later (the wake fd signals). MST_E_BUSY while it is not there yet; then MST_OK with *out, or its
 * failure. */
enum mst_rc mst_engine_prepare(struct mst_engine *e, const struct mst_cmd *cmd, uint64_t *handle,
                               struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_engine_ticket(struct mst_engine *e, uint64_t handle, struct mst_ticket **out,
                              struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_engine_commit(struct mst_engine *e, const struct mst_ticket *t, const char *typed,
                              uint64_t *job, struct mst_err *err) MST_MUST_CHECK;

/* A plan that was written to a file: the command it is of, its hash (as in a ticket) and code.
 * MST_E_INTEGRITY when it was changed since, MST_E_STALE when it is older than 120 s. */
enum mst_rc mst_engine_plan_read(const char *json, size_t n, struct mst_cmd *cmd, char hash[17],
                                 char code[8], struct mst_err *err) MST_MUST_CHECK;

/* Check the audit file of the configured set; out says what was checked and what cannot be noticed.
 * MST_E_INTEGRITY names the first bad line. */
enum mst_rc mst_engine_audit_verify(const struct mst_cfg *cfg, struct mst_str *out,
                                    struct mst_err *err) MST_MUST_CHECK;

/* The equivalent command line of an act, without secrets: what the dialogs show. */
void mst_cmd_line(const struct mst_cmd *cmd, char *out, size_t size);

#endif
