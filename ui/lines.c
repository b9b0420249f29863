#include "ui/lines.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ui/fmt.h"
#include "ui/screen.h"
#include "ui/switch.h"

#define EARLIER 10

struct lines {
    struct mst_engine *engine;
    const struct mst_view *view;
    uint64_t event_seq, message_seq;
    bool first_done, quit;
    uint64_t move_job; /* of the switch whose state was printed last, and that state */
    char move_state[16];
};

static void say(const char *text)
{
    (void)fputs(text, stdout);
    (void)fflush(stdout);
}

static void print_status(struct lines *l)
{
    struct mst_str s = {0};

    ui_lines_text(l->view, mst_clock_mono_ms(NULL), mst_clock_utc_ms(NULL), &s);
    say(mst_str_c(&s));
    mst_str_release(&s);
}

/* One line for each state of a switch, and one for its end. */
static void print_move(struct lines *l)
{
    const struct mst_switch_part *m = l->view->move;
    const char *state = !m ? "" : m->live ? m->state : "ended";
    char line[400], t[UI_NUM_MAX];

    if (!m || (l->move_job == m->job && strcmp(l->move_state, state) == 0)) {
        return;
    }
    if (m->live || l->move_job == m->job) {
        (void)printf("%s %s\n", ui_fmt_clock_z(mst_clock_utc_ms(NULL), t),
                     ui_switch_line(m, mst_clock_mono_ms(NULL), line));
        (void)fflush(stdout);
    }
    l->move_job = m->job;
    (void)mst_copy(l->move_state, sizeof l->move_state, state);
}

/* The newest of what was written down before: the night has a place here, too. */
static void print_earlier(const struct mst_topo_view *v)
{
    size_t end = 0;
    char t[UI_NUM_MAX];

    while (end < v->n_events && v->events[end].mono_ms == 0) {
        end++;
    }
    for (size_t i = end > EARLIER ? end - EARLIER : 0; i < end; i++) {
        const struct mst_event *e = &v->events[i];

        (void)printf("%s %s %s\n", ui_fmt_day(e->wall_ms, t),
                     e->kind == MST_EV_GAP ? "----" : ui_severity_word(e->severity), e->text);
    }
}

static void print_new(struct lines *l)
{
    const struct mst_topo_view *v = &l->view->topo->v;
    const struct mst_messages_part *m = l->view->messages;
    char t[UI_NUM_MAX];

    if (!l->first_done) {
        print_earlier(v);
    }
    for (size_t i = 0; i < v->n_events; i++) {
        if (v->events[i].seq > l->event_seq || (!l->first_done && i == 0)) {
            l->event_seq = v->events[i].seq;
            if (l->first_done) {
                (void)printf("%s %s %s\n", ui_fmt_clock_z(v->events[i].wall_ms, t),
                             ui_severity_word(v->events[i].severity), v->events[i].text);
            }
        }
    }
    for (size_t i = 0; i < m->n; i++) {
        if (m->items[i].seq > l->message_seq) {
            l->message_seq = m->items[i].seq;
            if (l->first_done) {
                (void)printf("%s %s %s\n", ui_fmt_clock_z(m->items[i].wall_ms, t),
                             ui_severity_word(m->items[i].severity), m->items[i].text);
            }
        }
    }
    l->first_done = true;
    (void)fflush(stdout);
}

static void on_view(struct lines *l)
{
    const struct mst_view *next = mst_engine_view(l->engine);
    const bool first = !l->view;
    const bool woke = l->view && l->view->topo && next->topo &&
                      l->view->topo->v.verdict == MST_V_STARTING &&
                      next->topo->v.verdict != MST_V_STARTING;

    mst_view_release(l->view);
    l->view = next;
    if (next->topo && (first || woke)) {
        print_status(l);
    }
    if (next->topo) {
        print_move(l);
        print_new(l);
    }
}

static void on_line(struct lines *l)
{
    char line[256];
    const ssize_t n = read(STDIN_FILENO, line, sizeof line - 1);

    if (n <= 0 || line[0] == 'q' || line[0] == 'Q') {
        l->quit = true;
    } else if (line[0] == 's' || line[0] == '\n') {
        print_status(l);
    } else {
        say("s status, q leave; acts are commands: muster backup, muster restore --dry-run\n");
    }
}

enum mst_rc ui_lines_run(struct mst_engine *engine, int sig_fd, int *end_signal,
                         struct mst_err *err)
{
    struct lines l = {.engine = engine};
    struct pollfd fds[3] = {
        {STDIN_FILENO, POLLIN, 0}, {mst_engine_wake_fd(engine), POLLIN, 0}, {sig_fd, POLLIN, 0}};
    struct signalfd_siginfo si;
    enum mst_rc rc = MST_OK;

    say("muster: this terminal cannot place its cursor: line mode. s status, q leave\n");
    on_view(&l);
    while (!l.quit && *end_signal == 0 && rc == MST_OK) {
        if (poll(fds, MST_COUNT(fds), -1) < 0 && errno != EINTR) {
            rc = mst_err_set_detail(err, MST_E_IO, errno, "poll failed");
        }
        while (read(sig_fd, &si, sizeof si) == (ssize_t)sizeof si) {
            if (si.ssi_signo == SIGTSTP) {
                (void)raise(SIGSTOP);
            } else if (si.ssi_signo != SIGWINCH && si.ssi_signo != SIGCONT) {
                *end_signal = (int)si.ssi_signo;
            }
        }
        if (fds[1].revents) {
            on_view(&l);
        }
        if (fds[0].revents) {
            on_line(&l);
        }
    }
    mst_view_release(l.view);
    return rc;
}
