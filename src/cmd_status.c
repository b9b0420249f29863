/* muster status, topology, watch. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cmd.h"
#include "engine/keyring.h"
#include "follow.h"

#define FIRST_FACTS_MS 3000
#define STORE_FACTS_MS 2000

/* The first view in which every member was asked, or the one after the deadline. */
const struct mst_view *cmd_first_facts(struct mst_engine *e)
{
    const int64_t end = mst_clock_mono_ms(NULL) + FIRST_FACTS_MS;
    const struct mst_view *v = mst_engine_view(e);

    while (!show_settled(&v->topo->v) || (v->topo->v.primary >= 0 && !v->info->notes_at_ms)) {
        const int64_t left = end - mst_clock_mono_ms(NULL);

        if (left <= 0 || !cmd_wait(e, left)) {
            break;
        }
        mst_view_release(v);
        v = mst_engine_view(e);
    }
    return v;
}

const struct mst_view *cmd_store_facts(struct mst_engine *e, const struct mst_view *v)
{
    const int64_t end = mst_clock_mono_ms(NULL) + STORE_FACTS_MS;

    while (v->bucket && v->bucket->loading && mst_clock_mono_ms(NULL) < end && cmd_wait(e, 200)) {
        mst_view_release(v);
        v = mst_engine_view(e);
    }
    return v;
}

/* What is missing before all keys are lost. */
static void show_reminder(const struct cmd_ctx *c, struct mst_str *out)
{
    struct mst_keyring *k = mst_xcalloc(1, sizeof(*k));

    mst_keyring_list(c->cfg, mst_clock_utc_ms(NULL), k);
    if (k->remind[0] && !c->json && mst_keyring_reminds(c->cfg)) {
        mst_str_addf(out, "reminder: %s\n", k->remind);
    }
    free(k);
}

static enum mst_rc show_once(struct cmd_ctx *c, bool topology, struct mst_err *err)
{
    struct mst_engine *e = NULL;
    const struct mst_view *v;
    struct mst_str out = {0};
    enum mst_rc rc = cmd_engine(c, &e, err);

    if (rc != MST_OK) {
        return rc;
    }
    v = cmd_first_facts(e);
    if (topology) {
        show_topology(v, cmd_form(c), &out);
    } else {
        v = cmd_store_facts(e, v);
        show_status(v, cmd_form(c), c->color, &out);
        show_reminder(c, &out);
    }
    c->exit_status = show_exit(v->topo->v.verdict);
    rc = cmd_out(mst_str_c(&out), err);
    mst_str_release(&out);
    mst_view_release(v);
    mst_engine_close(e);
    return rc;
}

enum mst_rc cmd_status(struct cmd_ctx *c, struct mst_err *err)
{
    return show_once(c, false, err);
}

enum mst_rc cmd_topology(struct cmd_ctx *c, struct mst_err *err)
{
    return show_once(c, true, err);
}

struct seen { /* what watch has printed */
    uint64_t event_seq, message_seq;
    int64_t status_ms;
    enum mst_verdict verdict;
    char headline[200];
};

/* Events since the last time; the picture when it changed, with --json once a second too. */
static void news(const struct cmd_ctx *c, const struct mst_view *v, struct seen *s,
                 struct mst_str *out)
{
    const struct mst_topo_view *t = &v->topo->v;
    const bool moved = t->verdict != s->verdict || strcmp(t->headline, s->headline) != 0;

    for (size_t i = 0; i < t->n_events; i++) {
        if (t->events[i].seq > s->event_seq) {
            s->event_seq = t->events[i].seq;
            if (t->events[i].mono_ms == 0) {
                continue; /* of an earlier run: 'muster events' */
            }
            show_event(&t->events[i], t, cmd_form(c), out);
        }
    }
    for (size_t i = 0; i < v->messages->n && !c->json; i++) {
        const struct mst_message *m = &v->messages->items[i];
        char time[MST_TIME_MAX];

        if (m->seq > s->message_seq) {
            mst_str_addf(out, "%s %s\n", mst_time_iso_ms(m->wall_ms, time), m->text);
            s->message_seq = m->seq;
        }
    }
    if (c->json ? moved || v->now_mono_ms - s->status_ms >= 1000 : moved) {
        show_status(v, cmd_form(c), c->color, out);
        s->status_ms = v->now_mono_ms;
        s->verdict = t->verdict;
        (void)snprintf(s->headline, sizeof(s->headline), "%s", t->headline);
    }
}

/* A terminal gets one picture that is drawn again; a pipe gets lines. */
static void screen(const struct cmd_ctx *c, const struct mst_view *v, struct mst_str *out)
{
    const struct mst_topo_view *t = &v->topo->v;
    char time[MST_TIME_MAX];
    const size_t from = t->n_events > 10 ? t->n_events - 10 : 0;

    mst_str_addf(out, "\x1b[H\x1b[J%s  muster watch, ctrl-c ends\n\n",
                 mst_time_iso(v->now_wall_ms, time));
    show_status(v, SHOW_TABLE, c->color, out);
    mst_str_add(out, "\n");
    for (size_t i = from; i < t->n_events; i++) {
        show_event(&t->events[i], t, SHOW_TABLE, out);
    }
}

enum mst_rc cmd_watch(struct cmd_ctx *c, struct mst_err *err)
{
    const bool draw = c->tty && !c->json && !c->plain;
    struct mst_engine *e = NULL;
    struct seen s = {.verdict = MST_V_STARTING};
    bool reader = true;
    int64_t seconds, end;
    enum mst_rc rc = args_number(&c->args, "for", 1, 86400, 0, &seconds, err);

    if (rc == MST_OK) {
        rc = cmd_engine(c, &e, err);
    }
    if (rc != MST_OK) {
        return rc;
    }
    mst_view_release(cmd_first_facts(e));
    end = seconds ? mst_clock_mono_ms(NULL) + seconds * 1000 : INT64_MAX;
    while (rc == MST_OK && reader && cmd_signal() == 0 && mst_clock_mono_ms(NULL) < end) {
        const struct mst_view *v = mst_engine_view(e);
        struct mst_str out = {0};

        if (draw) {
            screen(c, v, &out);
        } else {
            news(c, v, &s, &out);
        }
        if (out.len) {
            rc = cmd_out(mst_str_c(&out), err);
            if (rc == MST_E_IO && err->detail == EPIPE) { /* the reader has seen enough */
                reader = false;
                rc = MST_OK;
            }
        }
        c->exit_status = show_exit(v->topo->v.verdict);
        mst_str_release(&out);
        mst_view_release(v);
        (void)cmd_wait(e, 1000);
        if (draw) {
            mst_clock_sleep_ms(100);
        }
    }
    mst_engine_close(e);
    return rc;
}
