/* muster store thaw: readable copies of a backup in an archive tier, and how far they are. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "engine/past.h"
#include "follow.h"
#include "json.h"
#include "work.h"

#define DAYS 7
#define DAYS_MAX 365

struct thaw {
    const struct mst_cfg *cfg;
    struct mst_thaw t;
    struct mst_thaw_state d;
    uint64_t asked, asked_bytes; /* of those that come, by this command */
};

static enum mst_rc run(void *arg, struct mst_task *task, struct mst_err *err)
{
    struct thaw *w = arg;

    return mst_thaw_look(w->cfg, &w->t, task, &w->d, err);
}

static void said_json(const struct thaw *w, struct mst_str *out)
{
    const struct mst_thaw_state *d = &w->d;

    js_begin(out, "thaw", mst_clock_utc_ms(NULL));
    js_text(out, "store", d->store);
    js_text(out, "backup", d->id);
    js_bool(out, "readable", d->asleep == 0);
    js_int(out, "objects", (int64_t)d->objects);
    js_int(out, "bytes", (int64_t)d->bytes);
    js_int(out, "archived_objects", (int64_t)d->asleep);
    js_int(out, "archived_bytes", (int64_t)d->asleep_bytes);
    js_text(out, "storage_class", d->storage_class);
    js_int(out, "asked_objects", (int64_t)w->asked);
    js_int(out, "asked_bytes", (int64_t)w->asked_bytes);
    js_int(out, "thawing_objects", (int64_t)d->coming);
    js_int(out, "thawing_bytes", (int64_t)d->coming_bytes);
    js_text(out, "takes", d->takes);
    js_int(out, "thawed_objects", (int64_t)d->awake);
    js_time(out, "thawed_until", d->until_ms);
    js_end(out);
}

static void line(struct mst_str *out, const char *what, uint64_t n, uint64_t bytes)
{
    char size[MST_HUMAN_MAX];

    if (n > 0) {
        mst_str_addf(out, "  %-14s %llu %s, %s\n", what, (unsigned long long)n,
                     mst_text_noun(n, "object", "objects"), mst_text_bytes(bytes, size));
    }
}

static void said(const struct thaw *w, struct mst_str *out)
{
    const struct mst_thaw_state *d = &w->d;
    char size[MST_HUMAN_MAX], until[MST_TIME_MAX];

    mst_str_addf(out, "%s in %s: %llu %s, %s", d->id, d->store, (unsigned long long)d->objects,
                 mst_text_noun(d->objects, "object", "objects"), mst_text_bytes(d->bytes, size));
    if (d->asleep == 0) {
        mst_str_add(out, d->awake ? ": all of it can be read now\n"
                                  : ": nothing of it is in an archive tier\n");
    } else {
        mst_str_addf(out, "; %llu of them cannot be read yet (%s)\n", (unsigned long long)d->asleep,
                     d->storage_class);
    }
    line(out, "asked for now", w->asked, w->asked_bytes);
    line(out, "asked before", d->coming - w->asked, d->coming_bytes - w->asked_bytes);
    line(out, "not asked for", d->asleep - d->coming, d->asleep_bytes - d->coming_bytes);
    if (d->awake > 0) {
        mst_str_addf(out, "  %-14s %llu %s%s%s\n", "thawed", (unsigned long long)d->awake,
                     mst_text_noun(d->awake, "object", "objects"),
                     d->until_ms ? ", the first of them until " : "",
                     d->until_ms ? mst_time_iso(d->until_ms, until) : "");
    }
    if (d->coming > 0 && d->takes[0]) {
        mst_str_addf(out,
                     "  as a rule that takes %s from the asking; the same command says how "
                     "far it is\n",
                     d->takes);
    }
}

/* The job that asks for what nobody asked for yet; then how far that came. */
static enum mst_rc ask(struct cmd_ctx *c, struct thaw *w, int64_t days, struct mst_err *err)
{
    struct mst_cmd *cmd = mst_xcalloc(1, sizeof(*cmd));
    const struct mst_thaw_state before = w->d;
    struct mst_engine *e = NULL;
    struct mst_err ignore = {0};
    uint64_t job = 0;
    enum mst_rc rc = cmd_engine(c, &e, err);

    cmd->kind = MST_CMD_THAW;
    cmd->days = (unsigned)days;
    cmd->as_of_ms = w->t.as_of_ms;
    (void)mst_copy(cmd->store, sizeof(cmd->store), before.store);
    (void)mst_copy(cmd->backup, sizeof(cmd->backup), before.id);
    rc = rc == MST_OK ? mst_engine_submit(e, cmd, &job, err) : rc;
    rc = rc == MST_OK ? cmd_follow(c, e, job, err) : rc;
    mst_engine_close(e);
    free(cmd);
    if (rc == MST_OK && cmd_work(c, run, w, NULL, &ignore) != MST_OK) {
        w->d = before; /* what became of it, the job has said */
    }
    if (w->d.coming > before.coming) {
        w->asked = w->d.coming - before.coming;
        w->asked_bytes = w->d.coming_bytes - before.coming_bytes;
    }
    return rc;
}

enum mst_rc cmd_store_thaw(struct cmd_ctx *c, struct mst_err *err)
{
    struct thaw w = {.cfg = c->cfg,
                     .t = {.store = c->args.operands[0], .backup = c->args.operands[1]}};
    const bool look_only = args_has(&c->args, "dry-run");
    struct mst_str out = {0};
    int64_t days = DAYS;
    enum mst_rc rc = args_number(&c->args, "days", 1, DAYS_MAX, DAYS, &days, err);

    rc = rc == MST_OK ? cmd_as_of(c, &w.t.as_of_ms, err) : rc;
    rc = rc == MST_OK ? cmd_store_named(c, w.t.store, err) : rc;
    if (rc == MST_OK && !look_only && c->cfg->read_only) {
        rc = mst_err_set(err, MST_E_PRECOND,
                         "the configuration says read_only: nothing is asked of a store");
    }
    rc = rc == MST_OK ? cmd_work(c, run, &w, NULL, err) : rc;
    if (rc == MST_OK && !look_only && w.d.asleep > w.d.coming) {
        rc = ask(c, &w, days, err);
    }
    if (rc == MST_OK) { /* of a job that failed: how far it came */
        (c->json ? said_json : said)(&w, &out);
        rc = cmd_out(mst_str_c(&out), err);
    }
    if (rc == MST_OK && w.d.asleep > 0 && c->exit_status == 0) {
        c->exit_status = mst_rc_exit(MST_E_PRECOND);
    }
    mst_str_release(&out);
    return rc;
}
