/* muster store thaw: readable copies of a backup in an archive tier, and how far they are. */
#include <string.h>

#include "base/clock.h"
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
    struct mst_thaw_done d;
};

static enum mst_rc run(void *arg, struct mst_task *task, struct mst_err *err)
{
    struct thaw *w = arg;

    return mst_thaw_run(w->cfg, &w->t, task, &w->d, err);
}

static void said_json(const struct thaw *w, struct mst_str *out)
{
    const struct mst_thaw_done *d = &w->d;

    js_begin(out, "thaw", mst_clock_utc_ms(NULL));
    js_text(out, "store", d->store);
    js_text(out, "backup", d->id);
    js_bool(out, "readable", d->asleep == 0);
    js_int(out, "objects", (int64_t)d->objects);
    js_int(out, "bytes", (int64_t)d->bytes);
    js_int(out, "archived_objects", (int64_t)d->asleep);
    js_int(out, "archived_bytes", (int64_t)d->asleep_bytes);
    js_text(out, "storage_class", d->storage_class);
    js_int(out, "asked_objects", (int64_t)d->asked);
    js_int(out, "asked_bytes", (int64_t)d->asked_bytes);
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
    const struct mst_thaw_done *d = &w->d;
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
    line(out, "asked for now", d->asked, d->asked_bytes);
    line(out, "asked before", d->coming - d->asked, d->coming_bytes - d->asked_bytes);
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

enum mst_rc cmd_store_thaw(struct cmd_ctx *c, struct mst_err *err)
{
    struct thaw w = {.cfg = c->cfg,
                     .t = {.store = c->args.operands[0],
                           .backup = c->args.operands[1],
                           .ask = !args_has(&c->args, "dry-run")}};
    struct mst_str out = {0};
    struct mst_err print = {0};
    int64_t days = DAYS;
    enum mst_rc rc = args_number(&c->args, "days", 1, DAYS_MAX, DAYS, &days, err);

    w.t.days = (int)days;
    rc = rc == MST_OK ? cmd_as_of(c, &w.t.as_of_ms, err) : rc;
    rc = rc == MST_OK ? cmd_store_named(c, w.t.store, err) : rc;
    rc = rc == MST_OK ? cmd_work(c, run, &w, NULL, err) : rc;
    if (rc == MST_OK || w.d.objects > 0) { /* of one that failed: how far it came */
        (c->json ? said_json : said)(&w, &out);
        if (cmd_out(mst_str_c(&out), &print) != MST_OK && rc == MST_OK) {
            *err = print;
            rc = print.rc;
        }
    }
    if (rc == MST_OK && w.d.asleep > 0) {
        c->exit_status = mst_rc_exit(MST_E_PRECOND);
    }
    mst_str_release(&out);
    return rc;
}
