/* muster observe: there is no primary; why, until when, and what came of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "follow.h"
#include "show_observe.h"

#define JOURNAL_MS 5000

struct observing {
    struct cmd_ctx *c;
    struct mst_topo_limits limits;
    struct mst_why_ours ours;
    int64_t ours_at_ms;
    struct mst_why why[MST_WHY_MAX];
    size_t n;

    bool lacked; /* there was no writable primary while we looked */
    int64_t begun_ms;
    char said[2048]; /* what was printed last, to print it again only when it changed */
    int64_t tale_ms; /* of the failover whose lines are printed */
    unsigned told;
};

static void decide(struct observing *o, const struct mst_view *v)
{
    const int64_t now = mst_clock_mono_ms(NULL);

    if (!show_writable(&v->topo->v) && (o->ours_at_ms == 0 || now - o->ours_at_ms > JOURNAL_MS)) {
        mst_history_ours(o->c->cfg, &o->ours);
        o->ours_at_ms = now;
    }
    (void)mst_copy(o->ours.run, sizeof(o->ours.run), v->move && v->move->live ? v->move->run : "");
    o->n = mst_topo_why(&v->topo->v, &o->limits, &o->ours, o->why);
}

/* What changes with each look, like a countdown, is no news. */
static bool changed(struct observing *o, const struct mst_topo_view *t)
{
    struct mst_str now = {0};
    bool yes;

    mst_str_addf(&now, "%d %d %d", (int)t->verdict, t->primary, (int)t->failover.over);
    for (size_t i = 0; i < o->n; i++) {
        mst_str_addf(&now, "|%s", o->why[i].what);
    }
    yes = strncmp(mst_str_c(&now), o->said, sizeof(o->said) - 1) != 0;
    (void)mst_copy(o->said, sizeof(o->said), mst_str_c(&now));
    mst_str_release(&now);
    return yes;
}

static void lines(struct observing *o, const struct mst_view *v, struct mst_str *out)
{
    const struct mst_topo_view *t = &v->topo->v;
    char time[MST_TIME_MAX];

    if (t->failover.any && t->failover.lost_ms != o->tale_ms) {
        o->tale_ms = t->failover.lost_ms;
        o->told = 0;
    }
    if (changed(o, t)) {
        if (o->c->json) {
            show_observed(v, o->why, o->n, out);
            return;
        }
        mst_str_addf(out, "%s %s: %s\n", mst_time_iso_ms(v->now_wall_ms, time),
                     mst_verdict_word(t->verdict), t->headline);
        show_findings(o->why, o->n, out);
    }
    if (!o->c->json) {
        show_tale(&t->failover, &o->told, out);
    }
}

static void screen(struct observing *o, const struct mst_view *v, struct mst_str *out)
{
    const struct mst_topo_view *t = &v->topo->v;
    char time[MST_TIME_MAX];
    unsigned told = 0;

    mst_str_addf(out, "\x1b[H\x1b[J%s  muster observe, ctrl-c ends\n\n%s: %s\n",
                 mst_time_iso(v->now_wall_ms, time), mst_verdict_word(t->verdict), t->headline);
    show_candidates(t, out);
    mst_str_addc(out, '\n');
    show_findings(o->why, o->n, out);
    mst_str_addc(out, '\n');
    show_tale(&t->failover, &told, out);
}

/* There was none, there is one, and what is to be known of it is known. */
static bool done(const struct observing *o, const struct mst_topo_view *t, bool timed)
{
    if (!show_writable(t) || (t->failover.any && !t->failover.over)) {
        return false;
    }
    return o->lacked || (!timed && t->verdict != MST_V_STARTING);
}

static int status_of(const struct mst_topo_view *t)
{
    const int s = show_exit(t->verdict);

    return show_writable(t) ? 0 : s == 0 ? 1 : s;
}

static enum mst_rc print(struct observing *o, const struct mst_view *v, bool *reader,
                         struct mst_err *err)
{
    const bool draw = o->c->tty && !o->c->json && !o->c->plain;
    struct mst_str out = {0};
    enum mst_rc rc = MST_OK;

    if (draw) {
        screen(o, v, &out);
    } else {
        lines(o, v, &out);
    }
    if (out.len) {
        rc = cmd_out(mst_str_c(&out), err);
        if (rc == MST_E_IO && err->detail == EPIPE) { /* the reader has seen enough */
            *reader = false;
            rc = MST_OK;
        }
    }
    mst_str_release(&out);
    return rc;
}

enum mst_rc cmd_observe(struct cmd_ctx *c, struct mst_err *err)
{
    struct observing *o = mst_xcalloc(1, sizeof(*o));
    struct mst_engine *e = NULL;
    bool more = true;
    int64_t seconds, end;
    enum mst_rc rc = args_number(&c->args, "for", 1, 86400, 0, &seconds, err);

    o->c = c;
    o->limits = mst_topo_limits_default;
    if (rc == MST_OK) {
        o->limits.hello_silent_ms = c->cfg->limits.hello_silent_ms;
        o->limits.stale_ms = c->cfg->limits.stale_ms;
        rc = cmd_engine(c, &e, err);
    }
    if (rc == MST_OK) {
        mst_view_release(cmd_first_facts(e));
        end = seconds ? mst_clock_mono_ms(NULL) + seconds * 1000 : INT64_MAX;
        while (rc == MST_OK && more) {
            const struct mst_view *v = mst_engine_view(e);
            const struct mst_topo_view *t = &v->topo->v;

            decide(o, v);
            o->begun_ms = o->begun_ms ? o->begun_ms : v->now_wall_ms;
            o->lacked = o->lacked || (!show_writable(t) && t->verdict != MST_V_STARTING) ||
                        (t->failover.any && t->failover.lost_ms >= o->begun_ms);
            rc = print(o, v, &more, err);
            c->exit_status = status_of(t);
            more = more && cmd_signal() == 0 && mst_clock_mono_ms(NULL) < end &&
                   !done(o, t, seconds > 0);
            mst_view_release(v);
            if (more) {
                (void)cmd_wait(e, 500);
            }
        }
    }
    mst_engine_close(e);
    free(o);
    return rc;
}
