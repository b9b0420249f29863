/* fixture.h: views built by hand, one for each thing that can be wrong, and an engine that only
 * remembers what it was asked. */
#ifndef UI_FIXTURE_H
#define UI_FIXTURE_H

#include "ui/app.h"

#define FX_MONO 10000000
#define FX_MEMBERS 50

struct fx {
    struct mst_view v;
    struct mst_info_part info;
    struct mst_topo_part topo;
    struct mst_jobs_part jobs;
    struct mst_bucket_part bucket, vault;
    struct mst_look_part looks[2];
    struct mst_backup in_vault[3];
    struct mst_detail_part detail;
    struct mst_leavings_part leavings;
    struct mst_messages_part messages;
    struct mst_topo_member members[FX_MEMBERS];
    struct mst_event events[8];
    struct mst_job job[8];
    char log[3][200];
    struct mst_backup backups[16];
    struct mst_backup_ns ns[12];
    struct mst_object objects[8];
    struct mst_leaving_line left[4];
    struct mst_message msg[8];

    /* the engine: what it was asked */
    int submits, prepares, commits, frees;
    struct mst_cmd last;
    char typed[160];
    enum mst_rc ticket_rc; /* what mst_engine_ticket answers */
    enum mst_rc fail;      /* what every act answers */
    struct mst_ticket plan;
    struct mst_rule_line rules[12];
    char steps[12][200];
    struct mst_switch_part move;
    int sandbox_acts;
    char sandbox_last[400];
    struct ui_sandbox sandbox;
};

int64_t fx_wall(void); /* 2026-11-22T14:03:22Z */

/* Each starts from the one before where it says so. */
struct fx *fx_healthy(void);
struct fx *fx_starting(void);    /* nothing measured yet */
struct fx *fx_running(void);     /* a backup runs, one waits, one failed */
struct fx *fx_election(void);    /* the primary was killed 4.7 s ago */
struct fx *fx_no_majority(void); /* a primary that cannot commit */
struct fx *fx_silent(void);      /* one member does not answer; another lags */
struct fx *fx_wrong_set(void);
struct fx *fx_auth(void);
struct fx *fx_empty_bucket(void);
struct fx *fx_copies(void); /* two stores, one with a damaged copy */
struct fx *fx_s3(void);     /* a bucket: versions, a lock, uploads, strays; no escrow */
struct fx *fx_s3_unknown(void);
struct fx *fx_one_dead(void); /* two stores, one cannot be read */
struct fx *fx_held(void);     /* a hold, and objects of dead runs */
struct fx *fx_no_store(void);
struct fx *fx_store_gone(void);   /* unreadable; what is shown is cached and 3 h old */
struct fx *fx_store_unread(void); /* the engine has just started; the same, and no problem yet */
struct fx *fx_agent_lost(void);
struct fx *fx_hostile(void); /* escapes, newlines, overrides in every text, not sanitised */
struct fx *fx_many(void);    /* 20 members, 16 backups */
/* A switch db1 -> db2: writes stopped 4.7 s ago; done; taken back; refused when it looked again (no
 * part of it was published). */
struct fx *fx_switch_stopped(void);
struct fx *fx_switch_foreign(void); /* it is another muster's: only its note is known */
struct fx *fx_switch_done(void);
struct fx *fx_switch_undone(void);
struct fx *fx_switch_refused(void);
void fx_free(struct fx *f);
/* A plan with every kind of rule, as prepare would give it. */
void fx_plan(struct fx *f, bool refused);
/* The same for a switch: P17 blocks when it is blocked, P06 asks for a reason unless cmd has one.
 */
void fx_switch_plan(struct fx *f, bool blocked);
/* The dialog of a switch up to its checks, its plan, its last step. */
void fx_to_checks(struct fx *f, struct ui_app *app, bool blocked);
void fx_to_plan(struct fx *f, struct ui_app *app);
void fx_to_confirm(struct fx *f, struct ui_app *app);

struct ui_engine fx_engine(struct fx *f);
struct ui_sandbox fx_sandbox(struct fx *f);
/* An app on this view at its time, past any dead time. */
void fx_app(struct fx *f, struct ui_app *app);
void fx_later(struct ui_app *app, int64_t ms);
void fx_keys(struct ui_app *app, const char *keys); /* with enough time between them */
void fx_key(struct ui_app *app, int key);
/* The screen as text; free it. */
char *fx_text(struct ui_app *app, int rows, int cols, bool ascii);

#endif
