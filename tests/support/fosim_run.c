/* fosim_run.c: the machine on the set, and what must hold of what it sends and says. */
#include "fosim.h"

#include <stdio.h>
#include <string.h>

/* What must hold of everything that is sent. */
static void judge_send(struct fs_sim *s, const struct mst_fo_action *a)
{
    if (s->cmd.busy && !s->cmd.ended) {
        fs_complain(s, "two commands out: %d after %d", (int)a->what, (int)s->cmd.a.what);
    }
    if (s->f.state == MST_FO_UNKNOWN) {
        fs_complain(s, "sent %d in UNKNOWN", (int)a->what);
    }
    if (a->what == MST_FO_SEND_FREEZE && a->secs > s->plan.freeze_s) {
        fs_complain(s, "frozen for %lld s", (long long)a->secs);
    }
    if (a->what == MST_FO_SEND_FREEZE && a->secs > 0 &&
        ((int)a->member == s->plan.target || (int)a->member == s->plan.primary)) {
        fs_complain(s, "froze member %zu", a->member);
    }
    if (a->what == MST_FO_SEND_STEPDOWN &&
        (++s->sent[a->what] > 1 || (int)a->member != s->plan.primary)) {
        fs_complain(s, "a second step down");
        s->sent[a->what]--;
    } else if (a->what != MST_FO_SEND_STEPDOWN) {
        s->sent[a->what]++;
    }
    if (a->timeout_ms <= 0 || a->serial == 0) {
        fs_complain(s, "a command without an end");
    }
}

static void send_cmd(struct fs_sim *s, const struct mst_fo_action *a)
{
    judge_send(s, a);
    if (a->what == MST_FO_SEND_FREEZE && a->secs == 0) {
        s->thawed[a->member]++;
    }
    memset(&s->cmd, 0, sizeof(s->cmd));
    s->cmd.busy = true;
    s->cmd.a = *a;
    s->cmd.r.serial = a->serial;
    s->cmd.r.sent_ms = s->now;
    s->cmd.arrive_ms = s->now + 5;
    s->cmd.give_up_ms = s->now + a->timeout_ms;
    for (size_t i = 0; i < s->n_rules; i++) {
        struct fs_rule *r = &s->rules[i];

        if (r->what == a->what && (r->member < 0 || r->member == (int)a->member) &&
            (++r->seen == r->nth || r->nth == 0)) {
            s->cmd.how = r->how;
            s->cmd.code = r->code;
        }
    }
}

static void arm(struct fs_sim *s)
{
    for (; s->lines_seen < s->f.n_lines; s->lines_seen++) {
        const enum mst_fo_state now = s->f.lines[s->lines_seen].state;

        s->was[now] = true;
        for (size_t i = 0; i < s->n_events; i++) {
            if (s->events[i].due_ms == 0 && s->events[i].state == now) {
                s->events[i].due_ms = s->now + s->events[i].after_ms + 1;
            }
        }
    }
}

void fs_begin(struct fs_sim *s)
{
    for (size_t i = 0; i < s->n; i++) {
        s->m[i].priority = s->plan.members[i].priority;
        fs_poll(s, i);
    }
    mst_fo_init(&s->f, &s->plan, s->now);
    arm(s);
}

/* What must hold at the end. */
static void judge_end(struct fs_sim *s)
{
    const struct mst_fo *f = &s->f;
    const int w = fs_writable(s), seat = fs_primary(s);

    if (f->text[0] == '\0' || f->exit == MST_FO_RUNNING) {
        fs_complain(s, "ended without a word");
    }
    if (f->exit == MST_FO_DONE &&
        (f->probes != 3 || w < 0 || w == s->plan.primary ||
         (s->plan.target >= 0 && w != s->plan.target) || s->m[w].term <= s->plan.term)) {
        fs_complain(s, "DONE with %d notes, writable %d", f->probes, w);
    }
    for (size_t i = 0; i < s->n; i++) {
        const struct fs_member *m = &s->m[i];
        const bool up = m->alive && m->state != MST_MS_PRIMARY && m->hold_until > s->now;

        if (up && mst_fo_held_until(f, i) == 0) {
            fs_complain(s, "member %zu is held and nobody knows", i);
        }
        if (up && (f->exit == MST_FO_ABORTED ||
                   (f->exit == MST_FO_DONE && s->plan.after != MST_AFTER_VISIT))) {
            fs_complain(s, "exit %d and member %zu is held", (int)f->exit, i);
        }
        /* when it is not known whether the priorities moved, the penalty rather ends by itself */
        if (up && !m->cut && s->thawed[i] == 0 && s->sent[MST_FO_SEND_PRIORITIES] == 0 &&
            !((int)i == s->plan.primary && seat >= 0 && m->priority > s->m[seat].priority)) {
            fs_complain(s, "member %zu is held, and no thaw was asked for", i);
        }
    }
    if ((f->exit == MST_FO_UNDONE && w >= 0 && w != s->plan.primary) ||
        (f->exit == MST_FO_OTHER && w >= 0 && (w == s->plan.primary || w == s->plan.target))) {
        fs_complain(s, "exit %d, but member %d is primary", (int)f->exit, w);
    }
    if (f->exit == MST_FO_ABORTED && s->final_true.term >= 0) {
        fs_complain(s, "called clean, but it had stepped down");
    }
    if (f->cert == MST_FO_CERT_OPTIME && s->final_true.term >= 0 &&
        mst_optime_cmp(f->cert_old, s->final_true) < 0) {
        fs_complain(s, "a certificate about a position that was not the last");
    }
    if (f->cert != MST_FO_CERT_NONE && s->m[s->plan.primary].rbid != 1 && s->final_true.term >= 0 &&
        s->m[s->plan.primary].alive && f->exit == MST_FO_DONE) {
        fs_complain(s, "certified, and the old primary rolled back");
    }
}

bool fs_step(struct fs_sim *s)
{
    struct mst_fo_picture p = {.now_ms = s->now,
                               .now_wall_ms = s->now + 1700000000000,
                               .n = s->n,
                               .m = s->seen,
                               .hold_lost = s->note_lost,
                               .want_undo = s->undo,
                               .backups_stopped = !s->backup_runs,
                               .clock_jumped = s->jumped || s->jump_always};
    struct mst_fo_action a;
    int64_t until;

    s->jumped = false;
    s->steps++;
    mst_fo_step(&s->f, &p, &a);
    arm(s);
    if (a.what == MST_FO_FINISHED) {
        judge_end(s);
        return false;
    }
    if (a.what == MST_FO_STOP_BACKUP) {
        s->sent[a.what]++;
        return true;
    }
    if (a.what != MST_FO_WAIT) {
        send_cmd(s, &a);
        return true;
    }
    until = s->now + (a.wait_ms > FS_TICK ? a.wait_ms : FS_TICK);
    while (s->now < until) {
        fs_tick(s);
        if (s->cmd.busy && s->cmd.ended && s->now >= s->cmd.reply_ms) {
            s->cmd.busy = false;
            s->cmd.r.came_ms = s->now;
            mst_fo_take_reply(&s->f, &s->cmd.r);
            break;
        }
    }
    return true;
}

void fs_run(struct fs_sim *s)
{
    const int64_t begun = s->now;

    fs_begin(s);
    while (fs_step(s)) {
        if (s->steps > 60000 || s->now - begun > 1500000) {
            fs_complain(s, "it does not end: %s", mst_fo_state_word(s->f.state));
            return;
        }
    }
}

void fs_trace(const struct fs_sim *s)
{
    for (size_t i = 0; i < s->f.n_lines; i++) {
        const struct mst_fo_line *l = &s->f.lines[i];

        fprintf(stderr, "  %-10s %7lld %s\n", mst_fo_state_word(l->state),
                (long long)(l->from_ms - s->f.begun_ms), l->detail);
    }
}
