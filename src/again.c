#include "again.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "conc/thread.h"

/* The agent of a console may die. Looking for it, starting another one and closing the connection
 * to the dead one take time: a thread of its own does them. */
struct again {
    struct cmd_ctx *c;
    struct mst_mutex mu;
    struct mst_thread thread;
    bool busy, done;
    struct mst_engine *now, *found, *dead; /* dead: to be closed by the thread */
    char text[300];
};

static void look(void *arg)
{
    struct again *a = arg;
    struct mst_engine *e = NULL;
    struct mst_err err = {0};
    const enum mst_rc rc = cmd_engine(a->c, &e, &err);

    mst_engine_close(a->dead);
    mst_mutex_lock(&a->mu);
    a->dead = NULL;
    a->found = rc == MST_OK ? e : NULL;
    (void)mst_copy(a->text, sizeof(a->text), rc == MST_OK ? "" : err.msg);
    mst_text_sanitise(a->text);
    a->done = true;
    mst_mutex_unlock(&a->mu);
}

static bool start(void *arg)
{
    struct again *a = arg;
    struct mst_err err = {0};

    if (!a->busy) {
        a->done = false;
        a->busy = mst_thread_start(&a->thread, "agent-again", look, a, &err) == MST_OK;
    }
    return a->busy;
}

static bool result(void *arg, struct mst_engine **out, char *text, size_t size)
{
    struct again *a = arg;
    bool done;

    mst_mutex_lock(&a->mu);
    done = a->busy && a->done;
    mst_mutex_unlock(&a->mu);
    if (!done) {
        return false;
    }
    mst_thread_join(&a->thread);
    a->busy = false;
    *out = a->found;
    if (a->found) {
        a->dead = a->now; /* closed with the next look, or at the end */
        a->now = a->found;
        a->found = NULL;
    }
    (void)mst_copy(text, size, a->text);
    return true;
}

struct again *again_new(struct cmd_ctx *c, struct mst_engine *now, struct ui_again *out)
{
    struct again *a = mst_xcalloc(1, sizeof(*a));

    a->c = c;
    a->now = now;
    mst_mutex_init(&a->mu);
    *out = (struct ui_again){a, start, result};
    return a;
}

void again_free(struct again *a)
{
    if (a) {
        if (a->busy) {
            mst_thread_join(&a->thread);
        }
        mst_engine_close(a->found);
        mst_engine_close(a->dead);
        mst_engine_close(a->now);
        mst_mutex_release(&a->mu);
        free(a);
    }
}
