/* view.h: what a front end sees. Plain data, immutable once published, counted.
 *
 * A front end takes one view per frame with mst_engine_view(), draws from it without a lock and
 * gives it back. Parts that did not change are the same pointers as in the view before. Every text
 * in here is sanitised already.
 */
#ifndef MST_ENGINE_VIEW_H
#define MST_ENGINE_VIEW_H

#include "base/shared.h"
#include "catalog/types.h"
#include "jobq/job.h"
#include "topo/topo.h"

struct mst_jobs_part { /* newest first */
    struct mst_shared shared;
    size_t n;
    struct mst_job *jobs;
};

/* Where the backups are from: a listing of the store by this engine, or, until there is one or when
 * the last one failed, what an earlier listing found. The latter says nothing about now. */
struct mst_bucket_part { /* of one store; newest backup first */
    struct mst_shared shared;
    char store[64];  /* its name in the configuration */
    char kind[16];   /* "local" */
    bool target;     /* backups go there */
    char where[256]; /* "directory /srv/backups" */
    /* As the configuration has it. */
    char region[64], storage_class[32]; /* "" not said */
    bool allow_unsealed, single_writer;
    char problem[256];  /* the store cannot be read: why */
    int problem_rc;     /* enum mst_rc of it */
    int64_t read_at_ms; /* monotonic: the store was asked, with success or not; 0 never */
    bool loading;
    uint64_t seen;                    /* objects so far, while loading; backups are then those that
                                         were read already */
    bool cached;                      /* the backups are of an older listing */
    int64_t as_of_wall_ms;            /* when the store held these backups; 0 not known at all */
    uint64_t free_bytes, total_bytes; /* 0 unknown */
    char rollback[280];               /* "" or: the store went back behind what was seen of it */
    /* What the last rebuild found against the listing before it. */
    int64_t rebuilt_wall_ms, compared_wall_ms; /* 0: none; nothing to compare with */
    size_t n_changes;
    struct mst_backup_change *changes;
    size_t n;
    struct mst_backup *backups;
    /* Of these backups, as of their listing. */
    uint64_t backups_bytes, foreign; /* foreign: objects beside them that muster did not write */
    int64_t per_day_bytes;           /* -1 not known */
    int64_t days_left;               /* free space at that rate; -1 not known */
};

/* What a store says of itself beside its listing. Asked when somebody looks (MST_CMD_STORE_LOOK),
 * without writing; -1: not known. */
struct mst_look_part {
    struct mst_shared shared;
    int64_t read_at_ms; /* monotonic; 0 while the first answer is not there */
    bool loading;
    char problem[256];         /* why something is not known: the first reason; "" */
    int versions, locks;       /* it keeps versions, it can lock: 1 yes, 0 no */
    int64_t uploads;           /* begun and neither completed nor aborted */
    int64_t since_wall_ms;     /* of the oldest of them; 0 none */
    char who[200];             /* whose key it works with; "" none, or not known */
    int64_t who_until_wall_ms; /* 0: for ever, or not known */
};

struct mst_detail_part { /* of the one backup that was asked for last */
    struct mst_shared shared;
    char store[64];
    char id[MST_ID_MAX];
    int64_t read_at_ms; /* monotonic; 0 while loading */
    bool loading;
    char problem[256];
    int problem_rc;
    size_t n_ns;
    struct mst_backup_ns *ns;
    size_t n_objects;
    struct mst_object *objects;
    char opens[240];        /* who can open it, by its key objects; "" not sealed, or not known */
    char storage_class[32]; /* of its objects; "mixed", "" none is said */
    /* Of its COMMIT, which is asked for them. */
    bool lock_known;         /* else lock_why says why not */
    char lock_mode[16];      /* "" not locked; COMPLIANCE, GOVERNANCE */
    int64_t locked_until_ms; /* wall clock; 0 not locked */
    char hold[40]; /* "legal hold", "temporary hold", "event-based hold": without an end; "" none */
    char version[128]; /* "" where none is kept */
    char lock_why[200];
};

/* Restores that were swapped in and whose old collections are still kept aside; leavings of dead
 * runs. */
struct mst_leaving_line {
    char what[500];      /* "old shop.orders kept by restore 12 (mst.o.1a2b3c4d.0)" */
    char id[MST_ID_MAX]; /* what to name in 'restore discard' or 'clean' */
    bool by_restore;     /* kept by a restore: MST_CMD_DISCARD; else MST_CMD_CLEAN */
    char store[64];      /* of a backup: where */
    char from[64];       /* of an interrupted copy: the store that has it whole; "" else */
    int64_t since_wall_ms;
};
struct mst_leavings_part {
    struct mst_shared shared;
    size_t n;
    struct mst_leaving_line *items;
};

struct mst_topo_part {
    struct mst_shared shared;
    struct mst_topo_view v;
};

#define MST_SWITCH_LINES 40
#define MST_SWITCH_PROBLEMS 8
struct mst_switch_line { /* one state that was passed through */
    char state[16];
    int64_t from_ms, to_ms; /* monotonic; to 0: still in it */
    char detail[160];
};
struct mst_switch_member {
    char name[MST_HOST_MAX];
    char state[24]; /* as it says of itself, "?" unknown */
    char role[24];  /* "was primary", "target", "rival", "" */
    bool writable;
    int64_t term;
    struct mst_ts applied;
    int64_t at_ms;         /* monotonic, when it said so; 0 never */
    int64_t held_until_ms; /* does not stand for election until then, by our doing; 0 it may */
};
struct mst_switch_part { /* the switch that runs, or the last one of this process */
    struct mst_shared shared;
    char run[17];
    uint64_t job;
    bool live;
    int exit; /* exit status of the act; -1 while it runs */
    char act[16], from[MST_HOST_MAX], to[MST_HOST_MAX], code[8], who[64], reason[160];
    char state[16];
    char text[300]; /* the result in one sentence; "" while it runs */
    int64_t at_ms;  /* monotonic, of this part */
    int64_t begun_ms, begun_wall_ms;
    int64_t t0_ms;        /* monotonic: writes stop; 0 not yet */
    int64_t writable_ms;  /* monotonic: the new primary took a majority write; 0 not yet */
    int64_t gap_ms;       /* between the two; -1 not yet */
    int64_t hard_stop_ms; /* of the plan: after t0 the undo begins */
    char certificate[16]; /* "optime", "continuity", "none", "" not yet */
    char certificate_text[200];
    int probes; /* majority writes through the new primary, of three */
    size_t n_lines;
    struct mst_switch_line lines[MST_SWITCH_LINES];
    size_t n_members;
    struct mst_switch_member members[MST_TOPO_MAX];
    size_t n_problems;
    char problems[MST_SWITCH_PROBLEMS][160];
};

struct mst_message { /* newest last; the UI remembers the last seq it has shown */
    uint64_t seq;
    int64_t wall_ms;
    enum mst_severity severity;
    char text[240];
};
struct mst_messages_part {
    struct mst_shared shared;
    size_t n;
    struct mst_message *items;
};

struct mst_note { /* a foreign open act on this set, from the oplog notes */
    char act[24], agent[64], host[64];
    char plan[17], target[MST_HOST_MAX]; /* target: of a switch to a chosen member; "" else */
    int64_t since_mono_ms;               /* its first note, by the oplog's time */
    int64_t until_mono_ms;               /* at least until then */
};

struct mst_info_part {
    struct mst_shared shared;
    char set_label[128]; /* name in the configuration, e.g. "rs0" or "rs0@eu-west" */
    char set_class[16];  /* "PROD", "TEST", "SANDBOX"; "" when the configuration has none */
    bool may_act;        /* configuration lists acts and a class, and this user may */
    char may_not_why[160];
    bool may_switch; /* the same for moving the primary */
    char may_not_switch_why[160];
    bool read_only;
    char key_remind[240];  /* what is missing before all keys are lost; "" nothing */
    char agent[96];        /* "private agent, pid 123", "in this process" */
    char agent_note[160];  /* "schedules do not run here" */
    char set_note[200];    /* note of the configuration, e.g. from the sandbox; "" none */
    char sandbox_ctl[256]; /* control socket when the configuration names one, else "" */
    char config_path[256];
    size_t n_notes;
    struct mst_note notes[8];
    int64_t notes_at_ms;   /* monotonic, when the notes were read; 0 never */
    int64_t agent_lost_ms; /* monotonic since the agent does not answer; 0 while it does */
};

#define MST_VIEW_STORES 8

struct mst_view {
    struct mst_shared shared;
    uint64_t gen; /* changes with every publish */
    int64_t now_mono_ms, now_wall_ms;
    struct mst_info_part *info; /* never NULL */
    struct mst_topo_part *topo; /* never NULL once published */
    struct mst_jobs_part *jobs; /* never NULL; may be empty */
    size_t n_stores;            /* in the order of the configuration */
    struct mst_bucket_part *stores[MST_VIEW_STORES];
    struct mst_look_part *looks[MST_VIEW_STORES]; /* of each store; NULL: nobody looked yet */
    struct mst_bucket_part *bucket;     /* the one that is meant where none is named; NULL: none */
    struct mst_detail_part *detail;     /* NULL: nothing asked for */
    struct mst_leavings_part *leavings; /* never NULL */
    struct mst_messages_part *messages; /* never NULL */
    struct mst_switch_part *move;       /* NULL: no switch of the primary in this process */
};

#endif
