#include "follow.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "json.h"

#define PIPE_LINE_MS 10000
#define TICKET_MS 120000

enum show_form cmd_form(const struct cmd_ctx *c)
{
    return c->json ? SHOW_JSON : c->plain ? SHOW_PLAIN : SHOW_TABLE;
}

bool cmd_wait(struct mst_engine *e, int64_t ms)
{
    struct pollfd p[2] = {{.fd = mst_engine_wake_fd(e), .events = POLLIN},
                          {.fd = cmd_signal() ? -1 : cmd_signal_fd(), .events = POLLIN}};

    (void)poll(p, 2, (int)ms);
    return cmd_signal() == 0;
}

static const struct mst_job *find_job(const struct mst_view *v, uint64_t id)
{
    for (size_t i = 0; i < v->jobs->n; i++) {
        if (v->jobs->jobs[i].id == id) {
            return &v->jobs->jobs[i];
        }
    }
    return NULL;
}

struct progress {
    char phase[96];
    char last_log[200];
    int64_t printed_ms;
    bool bar; /* an unfinished line stands on the terminal */
};

/* "[=====>    ] 52 %  118 MiB of 226 MiB  40 MiB/s  3 s left  scanning shop.orders" */
static void draw_bar(const struct mst_job *j, struct mst_str *out)
{
    char a[MST_HUMAN_MAX], b[MST_HUMAN_MAX], c[MST_HUMAN_MAX], d[MST_HUMAN_MAX];
    char items[MST_JOB_ITEMS_MAX];
    const int width = 24;
    /* Never full before the end: the last phases prove what was done. */
    int percent =
        j->total_bytes ? (int)((double)j->done_bytes * 100.0 / (double)j->total_bytes) : 0;

    percent = percent > 99 ? 99 : percent;
    mst_str_add(out, "\r\x1b[K");
    if (j->kind == MST_JOB_SWITCH) {
        mst_str_addf(out, "%s", j->phase);
        return;
    }
    if (j->total_bytes) {
        mst_str_addc(out, '[');
        for (int i = 0; i < width; i++) {
            mst_str_addc(out, i < percent * width / 100 ? '=' : ' ');
        }
        mst_str_addf(out, "] %2d %%  %s of %s", percent, mst_text_bytes(j->done_bytes, a),
                     mst_text_bytes(j->total_bytes, b));
    } else {
        mst_str_addf(out, "%s", mst_text_bytes(j->done_bytes, a));
    }
    if (j->rate_bps) {
        mst_str_addf(out, "  %s/s", mst_text_bytes(j->rate_bps, c));
    }
    if (j->stalled_ms) {
        mst_str_addf(out, "  nothing moved for %s", mst_text_duration(j->stalled_ms, d));
    } else if (j->eta_ms >= 0) {
        mst_str_addf(out, "  %s left", mst_text_duration(j->eta_ms, d));
    }
    if (mst_job_items(j, items)[0]) {
        mst_str_addf(out, "  %s", items);
    }
    mst_str_addf(out, "  %.30s", j->phase);
}

/* Log lines after the one that was printed last. */
static void new_log(const struct mst_job *j, struct progress *p, struct mst_str *out)
{
    size_t from = 0;

    for (size_t i = j->n_log; i > 0 && p->last_log[0]; i--) {
        if (strcmp(j->log[i - 1], p->last_log) == 0) {
            from = i;
            break;
        }
    }
    for (size_t i = from; i < j->n_log; i++) {
        mst_str_addf(out, "%s%s\n", p->bar ? "\r\x1b[K" : "", j->log[i]);
        p->bar = false;
        (void)mst_copy(p->last_log, sizeof(p->last_log), j->log[i]);
    }
}

static enum mst_rc print_progress(const struct cmd_ctx *c, const struct mst_view *v,
                                  const struct mst_job *j, struct progress *p, struct mst_err *err)
{
    const bool moved = strcmp(p->phase, j->phase) != 0;
    const int64_t now = v->now_mono_ms, every = c->json ? 1000 : PIPE_LINE_MS;
    const bool due = moved || j->ended_wall_ms || now - p->printed_ms >= every;
    struct mst_str out = {0};
    enum mst_rc rc = MST_OK;

    if (!c->json) {
        new_log(j, p, &out);
    }
    if (c->tty && !c->json && !c->plain && !j->ended_wall_ms) {
        draw_bar(j, &out);
        p->bar = true;
    } else if (due && !(j->ended_wall_ms && !c->json)) {
        show_job(j, v->now_wall_ms, c->json ? SHOW_JSON : SHOW_PLAIN, &out);
    }
    if (due) {
        p->printed_ms = now;
        (void)mst_copy(p->phase, sizeof(p->phase), j->phase);
    }
    if (j->ended_wall_ms && p->bar) {
        mst_str_add(&out, "\r\x1b[K");
        p->bar = false;
    }
    if (j->ended_wall_ms && !c->json) {
        mst_str_addf(&out, "%s (job %llu): %s\n", mst_job_state_word(j->state),
                     (unsigned long long)j->id, j->result);
    }
    if (out.len) {
        rc = cmd_out(mst_str_c(&out), err);
    }
    mst_str_release(&out);
    return rc;
}

/* The first signal asks the job to stop; the end of the job is still awaited. */
static enum mst_rc ask_stop(struct mst_engine *e, uint64_t job, bool *asked)
{
    const struct mst_cmd cancel = {.kind = MST_CMD_CANCEL, .job = job};
    struct mst_err ignore = {0};
    uint64_t none;

    if (*asked) {
        return MST_OK;
    }
    *asked = true;
    return mst_engine_submit(e, &cancel, &none, &ignore);
}

enum mst_rc cmd_follow(struct cmd_ctx *c, struct mst_engine *e, uint64_t job, struct mst_err *err)
{
    struct progress p = {.printed_ms = INT64_MIN / 2};
    bool ended = false, asked = false;
    enum mst_rc rc = MST_OK;

    while (rc == MST_OK && !ended) {
        const struct mst_view *v = mst_engine_view(e);
        const struct mst_job *j = find_job(v, job);

        if (j) {
            rc = print_progress(c, v, j, &p, err);
            ended = j->ended_wall_ms != 0;
            c->exit_status = j->exit_status;
        }
        if (v->info->agent_lost_ms) {
            rc = mst_err_set(err, MST_E_UNKNOWN,
                             "the agent ended: 'muster jobs' says what became of job %llu",
                             (unsigned long long)job);
        }
        mst_view_release(v);
        if (!ended && rc == MST_OK && !cmd_wait(e, 1000)) {
            if (c->agent) {
                return mst_err_set(err, MST_E_CANCELLED,
                                   "job %llu goes on in the agent: 'muster jobs cancel %llu' stops "
                                   "it",
                                   (unsigned long long)job, (unsigned long long)job);
            }
            rc = ask_stop(e, job, &asked);
            mst_clock_sleep_ms(asked ? 20 : 0);
        }
    }
    return rc;
}

/* --- guarded acts --- */

/* How to do what a dry run has shown. */
static void show_way(const struct cmd_ctx *c, const struct mst_ticket *t, struct mst_str *out)
{
    struct mst_cmd *real = mst_xmemdup(&t->cmd, sizeof(t->cmd));
    char line[640];

    real->dry_run = false;
    mst_cmd_line(real, line, sizeof(line));
    if (t->phrase[0]) {
        mst_str_addf(out, "phrase: %s\n", t->phrase);
    }
    mst_str_add(out, "to do it: ");
    cmd_lead(c, out);
    mst_str_addf(out, "%s\n", line + strlen("muster"));
    free(real);
}

static void show_ticket(const struct cmd_ctx *ctx, const struct mst_ticket *t, struct mst_str *out)
{
    const enum show_form form = cmd_form(ctx);
    static const char *const marks[] = {"ok", "warn", "refuse"};
    char a[MST_HUMAN_MAX], b[MST_HUMAN_MAX];

    if (form == SHOW_JSON) {
        js_begin(out, "plan", mst_clock_utc_ms(NULL));
        js_text(out, "summary", t->summary);
        js_text(out, "hash", t->plan_hash);
        js_bool(out, "refused", t->refused);
        js_text(out, "phrase", t->phrase);
        js_text(out, "command", t->command);
        js_known(out, "need_bytes", t->need_bytes ? (int64_t)t->need_bytes : -1);
        js_known(out, "free_bytes", t->free_bytes ? (int64_t)t->free_bytes : -1);
        js_open(out, "rules", '[');
        for (size_t i = 0; i < t->n_rules; i++) {
            js_open(out, NULL, '{');
            js_text(out, "result", marks[t->rules[i].result]);
            js_text(out, "name", t->rules[i].name);
            js_text(out, "text", t->rules[i].text);
            js_close(out, '}');
        }
        js_close(out, ']');
        js_open(out, "steps", '[');
        for (size_t i = 0; i < t->n_steps; i++) {
            js_text(out, NULL, t->steps[i]);
        }
        js_close(out, ']');
        js_end(out);
        return;
    }
    mst_str_addf(out, "%s\n", t->summary);
    for (size_t i = 0; i < t->n_rules; i++) {
        mst_str_addf(out, "  %-6s %s: %s\n", marks[t->rules[i].result], t->rules[i].name,
                     t->rules[i].text);
    }
    for (size_t i = 0; i < t->n_steps; i++) {
        mst_str_addf(out, "  - %s\n", t->steps[i]);
    }
    if (t->need_bytes) {
        mst_str_addf(out, "room: needs %s, free %s\n", mst_text_bytes(t->need_bytes, a),
                     t->free_bytes ? mst_text_bytes(t->free_bytes, b) : "not known");
    }
    mst_str_addf(out, "plan %s\n", t->plan_hash);
    if (t->cmd.dry_run && !t->refused) {
        show_way(ctx, t, out);
    }
}

static enum mst_rc await_ticket(struct mst_engine *e, uint64_t handle, struct mst_ticket **out,
                                struct mst_err *err)
{
    const int64_t end = mst_clock_mono_ms(NULL) + TICKET_MS;
    enum mst_rc rc;

    while ((rc = mst_engine_ticket(e, handle, out, err)) == MST_E_BUSY) {
        if (!cmd_wait(e, 100) || mst_clock_mono_ms(NULL) > end) {
            return mst_err_set(err, MST_E_CANCELLED, "stopped before the plan was there");
        }
        mst_view_release(mst_engine_view(e)); /* drains the wake fd */
    }
    return rc;
}

static enum mst_rc typed_phrase(struct cmd_ctx *c, const struct mst_ticket *t, char *out,
                                size_t size, struct mst_err *err)
{
    const char *given = args_get(&c->args, "confirm");

    if (t->phrase[0] == '\0') {
        out[0] = '\0';
        return MST_OK;
    }
    if (given) {
        (void)mst_copy(out, size, given);
        return MST_OK;
    }
    if (!c->tty || isatty(STDIN_FILENO) != 1 || c->json) {
        return mst_err_set(err, MST_E_PRECOND,
                           "this needs the typed phrase: --confirm '%s' (look at --dry-run first)",
                           t->phrase);
    }
    (void)printf("type \"%s\" to go on: ", t->phrase);
    (void)fflush(stdout);
    if (!fgets(out, (int)size, stdin)) {
        return mst_err_set(err, MST_E_CANCELLED, "nothing was typed: nothing was done");
    }
    out[strcspn(out, "\n")] = '\0';
    return MST_OK;
}

static enum mst_rc write_plan(const struct mst_ticket *t, const char *path, struct mst_err *err)
{
    struct mst_str text = {0};
    enum mst_rc rc;

    for (size_t i = 0; i < t->n_file; i++) {
        mst_str_add(&text, t->file[i]);
    }
    mst_str_addc(&text, '\n');
    rc = t->n_file == 0 ? mst_err_set(err, MST_E_USAGE, "this act has no plan to write")
                        : mst_file_replace(path, 0600, mst_str_c(&text), text.len, err);
    mst_str_release(&text);
    if (rc == MST_OK) {
        struct mst_str say = {0};

        mst_str_addf(&say, "written to %s; within %d s: muster apply --plan %s --code %s\n", path,
                     TICKET_MS / 1000, path, t->code);
        rc = cmd_out(mst_str_c(&say), err);
        mst_str_release(&say);
    }
    return rc;
}

/* Times of each state, the gap and the certificate, when it is a switch that ended. */
static enum mst_rc show_move(const struct cmd_ctx *c, struct mst_engine *e, uint64_t job,
                             struct mst_err *err)
{
    const struct mst_view *v = mst_engine_view(e);
    struct mst_str out = {0};
    enum mst_rc rc = MST_OK;

    if (v->move && v->move->job == job) {
        show_switch(v->move, v->now_wall_ms, cmd_form(c), &out);
        rc = cmd_out(mst_str_c(&out), err);
    }
    mst_view_release(v);
    mst_str_release(&out);
    return rc;
}

static enum mst_rc go_on(struct cmd_ctx *c, struct mst_engine *e, const struct mst_ticket *t,
                         const struct cmd_expect *want, struct mst_err *err)
{
    char typed[sizeof(t->phrase)] = "";
    uint64_t job = 0;
    enum mst_rc rc = MST_OK;

    if (want->hash && strcmp(want->hash, t->plan_hash) != 0) {
        rc = mst_err_set(err, MST_E_STALE,
                         "the facts moved since that plan was made: look at a new one");
    } else if (want->code) { /* of this very plan: it was compared with the file's */
        (void)mst_copy(typed, sizeof(typed), t->phrase);
    } else {
        rc = typed_phrase(c, t, typed, sizeof(typed), err);
    }
    if (rc == MST_OK) {
        rc = mst_engine_commit(e, t, typed, &job, err);
    }
    if (rc == MST_OK) {
        rc = cmd_follow(c, e, job, err);
    }
    return rc == MST_OK ? show_move(c, e, job, err) : rc;
}

static enum mst_rc with_engine(struct cmd_ctx *c, struct mst_engine *e, const struct mst_cmd *cmd,
                               const struct cmd_expect *want, struct mst_err *err)
{
    struct mst_ticket *t = NULL;
    struct mst_str out = {0};
    uint64_t handle;
    enum mst_rc rc = mst_engine_prepare(e, cmd, &handle, err);

    if (rc == MST_OK) {
        rc = await_ticket(e, handle, &t, err);
    }
    if (rc == MST_E_USAGE && want->hash) { /* its members are none of this set's */
        mst_err_prefix(err, "the plan does not fit this set");
        rc = err->rc = MST_E_STALE;
    }
    if (rc == MST_OK) {
        show_ticket(c, t, &out);
        rc = cmd_out(mst_str_c(&out), err);
    }
    if (rc == MST_OK && t->refused) {
        rc = mst_err_set(err, MST_E_PRECOND, "refused: %s", t->summary);
    }
    if (rc == MST_OK && want->plan_out) {
        rc = write_plan(t, want->plan_out, err);
    } else if (rc == MST_OK && !cmd->dry_run) {
        rc = go_on(c, e, t, want, err);
    }
    mst_str_release(&out);
    mst_ticket_free(t);
    return rc;
}

enum mst_rc cmd_guarded_plan(struct cmd_ctx *c, const struct mst_cmd *cmd,
                             const struct cmd_expect *want, struct mst_err *err)
{
    struct mst_engine *e = NULL;
    enum mst_rc rc = cmd_engine(c, &e, err);

    if (rc == MST_OK) {
        rc = with_engine(c, e, cmd, want, err);
    }
    mst_engine_close(e);
    return rc;
}

enum mst_rc cmd_guarded(struct cmd_ctx *c, const struct mst_cmd *cmd, struct mst_err *err)
{
    const struct cmd_expect nothing = {NULL, NULL, NULL};

    return cmd_guarded_plan(c, cmd, &nothing, err);
}
