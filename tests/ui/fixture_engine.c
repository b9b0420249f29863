/* The engine of the fixture, and an app driven key by key. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

void fx_plan(struct fx *f, bool refused)
{
    static const struct mst_rule_line rules[] = {
        {MST_RULE_PASS, "source readable", "40 of 40 objects, hashes fit", false},
        {MST_RULE_PASS, "target version", "FCV 4.2 on both", false},
        {MST_RULE_WARN, "room", "needs 214 GiB, free 900 GiB on the fullest member", false},
        {MST_RULE_REFUSE, "majority", "1 of 3 votes up, 2 needed", false}};

    f->plan.cmd = f->last;
    f->plan.refused = refused;
    f->plan.expires_mono_ms = FX_MONO + 120000;
    (void)mst_copy(f->plan.plan_hash, sizeof f->plan.plan_hash, "9f1c0a77d2e4b831");
    (void)mst_copy(f->plan.phrase, sizeof f->plan.phrase, refused ? "" : "rs0 shop.orders");
    (void)mst_copy(f->plan.summary, sizeof f->plan.summary,
                   "shop.orders of 2026-11-22T01-00-00Z-full over the live set rs0@eu-west");
    (void)mst_copy(f->plan.command, sizeof f->plan.command,
                   "muster restore 2026-11-22T01-00-00Z-full --only shop.orders");
    memcpy(f->rules, rules, sizeof rules);
    f->plan.rules = f->rules;
    f->plan.n_rules = refused ? 4 : 3;
    f->plan.steps = f->steps;
    f->plan.n_steps = 3;
    (void)mst_copy(f->steps[0], sizeof f->steps[0],
                   "load 31,000,000 documents into staging names beside shop.orders");
    (void)mst_copy(f->steps[1], sizeof f->steps[1], "build 3 indexes and compare");
    (void)mst_copy(f->steps[2], sizeof f->steps[2],
                   "swap; keep the live shop.orders (1,204 documents) as mst.o.1a2b3c4d.0");
    f->plan.need_bytes = 229780750336ULL;
    f->plan.free_bytes = 966367641600ULL;
}

static enum mst_rc act(struct fx *f, struct mst_err *err)
{
    return f->fail == MST_OK ? MST_OK
                             : mst_err_set(err, f->fail, "the set moved: term 42, plan says 41");
}

static enum mst_rc fx_submit(void *arg, const struct mst_cmd *cmd, uint64_t *job,
                             struct mst_err *err)
{
    struct fx *f = arg;

    f->submits++;
    f->last = *cmd;
    *job = cmd->kind == MST_CMD_BACKUP || cmd->kind == MST_CMD_VERIFY ? 1044 : 0;
    return act(f, err);
}

static enum mst_rc fx_prepare(void *arg, const struct mst_cmd *cmd, uint64_t *handle,
                              struct mst_err *err)
{
    struct fx *f = arg;

    f->prepares++;
    f->last = *cmd;
    *handle = 7;
    return act(f, err);
}

static enum mst_rc fx_ticket(void *arg, uint64_t handle, struct mst_ticket **out,
                             struct mst_err *err)
{
    struct fx *f = arg;

    if (handle != 7 || f->ticket_rc != MST_OK) {
        return mst_err_set(err, f->ticket_rc == MST_OK ? MST_E_BUG : f->ticket_rc,
                           "facts could not be collected");
    }
    *out = &f->plan;
    return MST_OK;
}

static enum mst_rc fx_commit(void *arg, const struct mst_ticket *t, const char *typed,
                             uint64_t *job, struct mst_err *err)
{
    struct fx *f = arg;

    (void)t;
    f->commits++;
    (void)mst_copy(f->typed, sizeof f->typed, typed);
    *job = 1045;
    return act(f, err);
}

static void fx_ticket_free(struct mst_ticket *t)
{
    struct fx *f = (struct fx *)(void *)((char *)t - offsetof(struct fx, plan));

    f->frees++;
}

struct ui_engine fx_engine(struct fx *f)
{
    return (struct ui_engine){f, fx_submit, fx_prepare, fx_ticket, fx_commit, fx_ticket_free};
}

static bool fx_sandbox_start(void *arg, const char *verb, const char *who, const char *value)
{
    struct fx *f = arg;

    f->sandbox_acts++;
    (void)snprintf(f->sandbox_last, sizeof f->sandbox_last, "%s %s %s", verb, who, value);
    return true;
}

static bool fx_sandbox_result(void *arg, char *text, size_t size, bool *failed)
{
    (void)arg;
    (void)text;
    (void)size;
    *failed = false;
    return false;
}

struct ui_sandbox fx_sandbox(struct fx *f)
{
    return (struct ui_sandbox){f, fx_sandbox_start, fx_sandbox_result};
}

void fx_app(struct fx *f, struct ui_app *app)
{
    const struct ui_engine e = fx_engine(f);

    f->sandbox = fx_sandbox(f);
    ui_app_init(app, &e, &f->sandbox);
    ui_app_view(app, &f->v);
    ui_app_tick(app, FX_MONO, fx_wall());
}

void fx_later(struct ui_app *app, int64_t ms)
{
    ui_app_tick(app, app->st.now_mono_ms + ms, app->st.now_wall_ms + ms);
}

void fx_key(struct ui_app *app, int key)
{
    ui_app_key(app, key, NULL);
    fx_later(app, 50);
}

void fx_keys(struct ui_app *app, const char *keys)
{
    for (; *keys; keys++) {
        fx_key(app, (unsigned char)*keys);
    }
}

char *fx_text(struct ui_app *app, int rows, int cols, bool ascii)
{
    struct ui_canvas cv;
    struct mst_str s = {0};

    ui_canvas_init(&cv, rows, cols, ascii);
    ui_app_draw(app, &cv);
    ui_canvas_text(&cv, &s);
    ui_canvas_release(&cv);
    return mst_str_detach(&s);
}
