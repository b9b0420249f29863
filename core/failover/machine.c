#include "failover/machine_own.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define MAX_TURNS 64 /* transitions in one step; more is a circle */
#define MAX_JUMPS 8  /* after so many jumps of the clock nothing is proven by time any more */

const char *mst_fo_state_word(enum mst_fo_state s)
{
    static const char *const words[MST_FO_STATES] = {
        "RECHECK", "QUIESCE", "CATCHUP", "FREEZE",   "STEPDOWN", "CERTIFY",
        "STEPUP",  "AWAIT",   "PROBE",   "DIVERTED", "SETTLE",   "PRIORITIES",
        "WATCH",   "ABORT",   "UNDO",    "UNKNOWN",  "END"};

    return (unsigned)s < MST_FO_STATES ? words[s] : "?";
}

static void put(char *out, size_t size, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));
static void put(char *out, size_t size, const char *fmt, va_list ap)
{
    if (vsnprintf(out, size, fmt, ap) < 0) {
        out[0] = '\0';
    }
    mst_text_sanitise(out);
}

void mst_fo_put(char *out, size_t size, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    put(out, size, fmt, ap);
    va_end(ap);
}

void mst_fo_detail(struct mst_fo *f, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    put(f->lines[f->n_lines - 1].detail, sizeof(f->lines[0].detail), fmt, ap);
    va_end(ap);
}

static void open_line(struct mst_fo *f, enum mst_fo_state s)
{
    if (f->n_lines > 0 && f->lines[f->n_lines - 1].to_ms == 0) {
        f->lines[f->n_lines - 1].to_ms = f->now_ms;
    }
    if (f->n_lines < MST_FO_LINES) { /* the last line is given up for what is true now */
        f->n_lines++;
    }
    f->lines[f->n_lines - 1] = (struct mst_fo_line){.state = s, .from_ms = f->now_ms};
}

void mst_fo_init(struct mst_fo *f, const struct mst_fo_plan *plan, int64_t now_ms)
{
    MST_ASSERT(plan->n <= MST_FO_FROZEN && plan->primary >= 0 && (size_t)plan->primary < plan->n);
    MST_ASSERT(
        plan->act == MST_GUARD_STEPDOWN ||
        (plan->target >= 0 && (size_t)plan->target < plan->n && plan->target != plan->primary));
    *f = (struct mst_fo){.plan = plan,
                         .state = MST_FO_RECHECK,
                         .since_ms = now_ms,
                         .exit = MST_FO_RUNNING,
                         .begun_ms = now_ms,
                         .gap_ms = -1,
                         .winner = -1,
                         .new_term = -1,
                         .next_serial = 1,
                         .now_ms = now_ms,
                         .floor_ms = now_ms,
                         .writer = -1,
                         .first_missing = -1,
                         .last_missing = -1};
    f->last_old.term = -1;
    f->final.term = -1;
    f->cert_old.term = -1;
    f->cert_target.term = -1;
    open_line(f, MST_FO_RECHECK);
}

void mst_fo_enter(struct mst_fo_at *a, enum mst_fo_state s)
{
    struct mst_fo *f = a->f;

    f->state = s;
    f->since_ms = f->now_ms;
    f->step = 0;
    f->tries = 0;
    f->calm = 0;
    f->looks = 0;
    f->mark_ms = f->now_ms;
    f->look_ms = 0;
    f->calm_ms = 0;
    f->good_ms = f->now_ms;
    f->done_mask = 0;
    f->has_last = false;
    open_line(f, s);
}

bool mst_fo_wait(struct mst_fo_at *a, int64_t ms)
{
    a->out->what = MST_FO_WAIT;
    a->out->wait_ms = ms;
    return true;
}

bool mst_fo_send(struct mst_fo_at *a, enum mst_fo_do what, size_t member, int64_t secs,
                 int64_t timeout_ms)
{
    struct mst_fo *f = a->f;

    *a->out = (struct mst_fo_action){.what = what,
                                     .member = member,
                                     .secs = secs,
                                     .timeout_ms = timeout_ms,
                                     .serial = f->next_serial};
    f->next_serial = f->next_serial == UINT32_MAX ? 1 : f->next_serial + 1;
    f->out.serial = a->out->serial;
    f->out.what = what;
    f->out.member = member;
    f->out.sent_ms = f->now_ms;
    f->out.timeout_ms = timeout_ms;
    f->out.secs = secs;
    f->floor_ms = f->now_ms;
    f->has_last = false;
    mst_fo_hold_sent(f, a->out);
    return true;
}

static void add_problem(struct mst_fo *f, bool forbids, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));
static void add_problem(struct mst_fo *f, bool forbids, const char *fmt, va_list ap)
{
    char text[sizeof(f->problems[0])];

    put(text, sizeof(text), fmt, ap);
    for (size_t i = 0; i < f->n_problems; i++) {
        if (strcmp(f->problems[i], text) == 0) {
            return;
        }
    }
    f->n_missing += forbids ? 1 : 0;
    if (f->n_problems < MST_FO_PROBLEMS) {
        if (forbids) {
            f->first_missing = f->first_missing < 0 ? (int)f->n_problems : f->first_missing;
            f->last_missing = (int)f->n_problems;
        }
        memcpy(f->problems[f->n_problems++], text, sizeof(text));
    }
}

const char *mst_fo_lacks(const struct mst_fo *f, bool newest)
{
    const int i = newest ? f->last_missing : f->first_missing;

    return i >= 0 ? f->problems[i] : "not all of it was seen";
}

void mst_fo_missing(struct mst_fo *f, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add_problem(f, true, fmt, ap);
    va_end(ap);
}

void mst_fo_warn(struct mst_fo *f, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add_problem(f, false, fmt, ap);
    va_end(ap);
}

bool mst_fo_finish(struct mst_fo_at *a, enum mst_fo_exit e, const char *fmt, ...)
{
    struct mst_fo *f = a->f;
    va_list ap;

    va_start(ap, fmt);
    put(f->text, sizeof(f->text), fmt, ap);
    va_end(ap);
    f->exit = e;
    if (f->t0_ms != 0 && f->cert == MST_FO_CERT_NONE && f->cert_why[0] == '\0') {
        mst_fo_put(f->cert_why, sizeof(f->cert_why),
                   "no position of the old primary was seen that proves it");
    }
    mst_fo_enter(a, MST_FO_END);
    return false;
}

bool mst_fo_turn(struct mst_fo_at *a, enum mst_fo_state s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    put(a->f->cause, sizeof(a->f->cause), fmt, ap);
    va_end(ap);
    mst_fo_detail(a->f, "%s", a->f->cause);
    if (s == MST_FO_UNDO && ++a->f->rounds > 2) {
        s = MST_FO_UNKNOWN;
    }
    mst_fo_enter(a, s);
    return false;
}

bool mst_fo_abort(struct mst_fo_at *a, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    put(a->f->cause, sizeof(a->f->cause), fmt, ap);
    va_end(ap);
    mst_fo_detail(a->f, "%s", a->f->cause);
    mst_fo_enter(a, MST_FO_ABORT);
    return false;
}

const char *mst_fo_said(const struct mst_fo *f, char buf[128])
{
    if (f->last.outcome == MST_FO_NO_ANSWER) {
        mst_fo_put(buf, 128, "no answer");
    } else if (f->last.outcome == MST_FO_SAID_NO) {
        mst_fo_put(buf, 128, "refused with code %d%s%s", f->last.code,
                   f->last.text[0] != '\0' ? ": " : "", f->last.text);
    } else {
        mst_fo_put(buf, 128, "done");
    }
    return buf;
}

const char *mst_fo_member(const struct mst_fo *f, int i)
{
    return i >= 0 && (size_t)i < f->plan->n ? f->plan->members[i].name : "nobody";
}

/* A reply, told or proven by the picture, ends the command that is out. */
static void settle_out(struct mst_fo *f, const struct mst_fo_reply *r)
{
    const bool thaw = f->out.what == MST_FO_SEND_FREEZE && f->out.secs == 0;

    f->last = *r;
    f->last_what = f->out.what;
    f->last_member = f->out.member;
    f->has_last = true;
    f->floor_ms = r->came_ms > f->floor_ms ? r->came_ms : f->floor_ms;
    f->out.serial = 0;
    mst_fo_hold_reply(f, r, f->last_what, f->last_member, thaw);
}

void mst_fo_take_reply(struct mst_fo *f, const struct mst_fo_reply *r)
{
    if (f->state == MST_FO_END || f->out.serial == 0 || r->serial != f->out.serial) {
        return;
    }
    settle_out(f, r);
}

/* Do members show the end of a step down or step up whose reply is still out? */
static bool overtaken(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    const bool down = f->out.what == MST_FO_SEND_STEPDOWN;
    bool shown;
    int64_t grace = 300;

    if (!down && f->out.what != MST_FO_SEND_STEPUP) {
        return false;
    }
    shown = mst_fo_writable(a) >= 0;
    if (!shown && down && mst_fo_is(a, f->out.member, MST_MS_SECONDARY)) {
        shown = true;
        grace = 2000; /* the reply usually comes within milliseconds, and is worth more */
    }
    if (!shown) {
        f->look_ms = 0;
        return false;
    }
    if (f->look_ms == 0) {
        f->look_ms = f->now_ms;
    }
    return f->now_ms - f->look_ms >= grace;
}

/* A command is out: true while it is to be waited for. */
static bool out_yet(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;
    struct mst_fo_reply r = {.serial = f->out.serial,
                             .outcome = MST_FO_NO_ANSWER,
                             .sent_ms = f->out.sent_ms,
                             .came_ms = f->now_ms};

    if (overtaken(a)) {
        r.outcome = MST_FO_OK; /* seen, not said */
        f->look_ms = 0;
    } else if (f->now_ms - f->out.sent_ms < f->out.timeout_ms + REPLY_GRACE_MS) {
        /* A primary that hangs must not hold up the undo for the whole of its timeout. */
        if (f->out.what != MST_FO_SEND_STEPDOWN || f->now_ms < mst_fo_deadline(f)) {
            return true;
        }
    }
    settle_out(f, &r);
    return false;
}

/* What happened to us: it decides in the states, at their next safe point. */
static void hear(struct mst_fo_at *a)
{
    struct mst_fo *f = a->f;

    f->now_ms = a->p->now_ms;
    f->undo_asked |= a->p->want_undo;
    f->note_lost |= a->p->hold_lost;
    if (!a->p->clock_jumped) {
        return;
    }
    if (++f->jumps > MAX_JUMPS) {
        mst_fo_missing(f, "our own clock jumps: nothing that takes time could be proven");
        f->undo_asked = true;
        return;
    }
    f->since_ms = f->now_ms;
    f->mark_ms = f->now_ms;
    f->good_ms = f->now_ms;
    f->floor_ms = f->now_ms;
    f->woke_ms = f->now_ms;
    f->out.sent_ms = f->now_ms; /* it may be on its way only now */
    f->calm_ms = 0;
    f->calm = 0;
    f->looks = 0;
    f->look_ms = 0;
    f->hard_ms = f->t0_ms != 0 ? f->now_ms : 0;
    for (size_t i = 0; i < MST_FO_FROZEN; i++) {
        if (f->hold[i].until_ms != 0) { /* it may just have begun, for all we know */
            f->hold[i].until_ms = f->now_ms + f->hold[i].secs * 1000;
        }
    }
}

static bool ask_state(struct mst_fo_at *a)
{
    static bool (*const states[MST_FO_STATES])(struct mst_fo_at *) = {mst_fo_recheck,
                                                                      mst_fo_quiesce,
                                                                      mst_fo_catchup,
                                                                      mst_fo_freeze,
                                                                      mst_fo_stepdown,
                                                                      mst_fo_certify,
                                                                      mst_fo_stepup,
                                                                      mst_fo_await,
                                                                      mst_fo_probe,
                                                                      mst_fo_diverted,
                                                                      mst_fo_settle,
                                                                      mst_fo_priorities,
                                                                      mst_fo_watch,
                                                                      mst_fo_aborting,
                                                                      mst_fo_undo,
                                                                      mst_fo_unknown,
                                                                      NULL};

    return states[a->f->state](a);
}

void mst_fo_step(struct mst_fo *f, const struct mst_fo_picture *p, struct mst_fo_action *out)
{
    struct mst_fo_at a = {f, p, out};

    MST_ASSERT(p->n == f->plan->n);
    *out = (struct mst_fo_action){.what = MST_FO_WAIT, .wait_ms = POLL_MS};
    if (f->state != MST_FO_END) {
        hear(&a);
        mst_fo_observe(&a);
        if (f->out.serial != 0 && out_yet(&a)) {
            out->wait_ms = CLOSE_MS;
            return;
        }
    }
    for (int turns = 0; turns < MAX_TURNS; turns++) {
        if (f->state == MST_FO_END) {
            *out = (struct mst_fo_action){.what = MST_FO_FINISHED};
            return;
        }
        if (ask_state(&a)) {
            return;
        }
    }
}
