/* run.h: carries out a switch: watches every member, sends what the machine decides, writes down
 * each step before it is taken. Blocks; worker threads only.
 *
 * A thread per member watches it ten times a second and a thread per member sends to it, so that a
 * member that hangs stops neither the others nor the machine. What is sent stands in the journal
 * first, with the time at which its effect ends by itself; when the journal cannot be written,
 * nothing but a thaw is sent any more.
 */
#ifndef MST_FAILOVER_RUN_H
#define MST_FAILOVER_RUN_H

#include "failover/facts.h"
#include "failover/machine.h"

struct mst_fo_step_row { /* one line of the journal */
    int64_t wall_ms;
    char what[24];             /* "state", "freeze", "stepdown", "stepup", "note", "priorities",
                                  "reply", "end" */
    char member[MST_HOST_MAX]; /* "" none */
    int64_t until_wall_ms;     /* when the effect ends by itself; 0 it has none */
    char text[240];
};

struct mst_fo_run_opts { /* borrowed until it returns; callbacks on its thread unless said */
    const struct mst_fo_plan *plan;
    mst_fo_connect_fn *connect; /* from several threads */
    void *connect_arg;
    /* Durable when it returns MST_OK. */
    enum mst_rc (*journal)(void *arg, const struct mst_fo_step_row *row, struct mst_err *err);
    /* At least five times a second, and at each change; what it gets is valid inside it only. */
    void (*publish)(void *arg, const struct mst_fo *f, const struct mst_fo_picture *p);
    bool (*hold_lost)(void *arg);    /* our note in the oplog is not ours any more */
    bool (*stop_backups)(void *arg); /* ask ours to give way; true once none runs; asked again */
    void (*at)(void *arg, const char *point); /* faults on request; may be NULL */
    void *arg;
    struct mst_task *task; /* its cancel asks for the undo; phase and log go there */
    unsigned plant;        /* tests only: MST_FO_PLANT_..., mistakes that the soak must catch */
};

enum {
    MST_FO_PLANT_NO_RECHECK = 1, /* the set is not looked at again before something is sent */
    MST_FO_PLANT_NO_FREEZE = 2,  /* rivals are not frozen */
    MST_FO_PLANT_NO_FINAL = 4,   /* the certificate does not wait for the last position */
    MST_FO_PLANT_WRITABLE = 8    /* DONE as soon as somebody is writable */
};

/* f is filled in every case; f->exit says how it ended. Fails only when it could not begin. */
enum mst_rc mst_fo_run(const struct mst_fo_run_opts *o, struct mst_fo *f,
                       struct mst_err *err) MST_MUST_CHECK;

/* Thaw one member, at once and outside of a run: what a restart may do for a freeze that a dead
 * process left. */
enum mst_rc mst_fo_thaw(mst_fo_connect_fn *connect, void *connect_arg, const char *member,
                        struct mst_task *task, struct mst_err *err) MST_MUST_CHECK;

#endif
