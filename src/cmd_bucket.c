/* muster bucket ls|show, catalog rebuild. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "engine/past.h"
#include "follow.h"
#include "json.h"
#include "show_store.h"
#include "work.h"

#define LIST_MS 60000

/* What a view says was wrong, as an error again. */
static enum mst_rc problem(int code, const char *text, struct mst_err *err)
{
    const enum mst_rc rc = code > MST_OK && code < MST_RC_COUNT ? (enum mst_rc)code : MST_E_IO;

    return mst_err_set(err, rc, "%s", text);
}

#define HANG_MS 15000 /* a store that others do not wait for any longer */

static bool is_one(const char *name, const struct mst_bucket_part *b)
{
    return !name || !*name || strcmp(name, b->store) == 0;
}

static bool wanted(const struct cmd_ctx *c, const struct mst_bucket_part *b)
{
    return is_one(args_get(&c->args, "store"), b);
}

static bool all_read(const char *name, const struct mst_view *v, int64_t since)
{
    for (size_t i = 0; i < v->n_stores; i++) {
        if (is_one(name, v->stores[i]) && v->stores[i]->read_at_ms < since) {
            return false;
        }
    }
    return true;
}

/* The first store of those asked for that was not read. */
static enum mst_rc store_problem(const char *name, const struct mst_view *v, int64_t since,
                                 struct mst_err *err)
{
    for (size_t i = 0; i < v->n_stores; i++) {
        const struct mst_bucket_part *b = v->stores[i];

        if (is_one(name, b) && b->read_at_ms < since) {
            return mst_err_set(err, MST_E_TIMEOUT, "the store %s was not listed in time", b->store);
        }
        if (is_one(name, b) && b->problem[0]) {
            return problem(b->problem_rc, b->problem, err);
        }
    }
    return MST_OK;
}

enum mst_rc cmd_store_named(const struct cmd_ctx *c, const char *name, struct mst_err *err)
{
    const struct mst_cfg_store *s;

    if (c->cfg->n_stores == 0) {
        return mst_err_set(err, MST_E_CONFIG, "no store is configured: see docs/configuration.md");
    }
    return name && *name ? mst_cfg_store(c->cfg, name, &s, err) : MST_OK;
}

enum mst_rc cmd_fresh_stores(const struct cmd_ctx *c, struct mst_engine *e, const char *store,
                             const struct mst_view **out, struct mst_err *err)
{
    const struct mst_cmd reload = {.kind = MST_CMD_BUCKET_RELOAD};
    const int64_t start = mst_clock_mono_ms(NULL);
    uint64_t none;
    const struct mst_view *v;
    enum mst_rc rc = cmd_store_named(c, store, err);

    *out = NULL;
    rc = rc == MST_OK ? mst_engine_submit(e, &reload, &none, err) : rc;
    if (rc != MST_OK) {
        return rc;
    }
    v = mst_engine_view(e);
    while (!all_read(store, v, start)) {
        const int64_t took = mst_clock_mono_ms(NULL) - start;

        if (took > (v->n_stores > 1 ? HANG_MS : LIST_MS) || !cmd_wait(e, 500)) {
            break;
        }
        mst_view_release(v);
        v = mst_engine_view(e);
    }
    *out = v;
    return store_problem(store, v, start, err);
}

static void show_one(const struct cmd_ctx *c, const struct mst_bucket_part *b, int64_t now,
                     struct mst_str *out)
{
    if (!c->json) {
        mst_str_addf(out, "%s, %s: ", b->store, b->where);
        if (b->as_of_wall_ms == 0) {
            mst_str_addf(out, "not read: %s\n",
                         b->problem[0] ? b->problem : "the store does not answer");
            return;
        }
        mst_str_addf(out, "%zu %s", b->n, mst_text_noun(b->n, "backup", "backups"));
        if (b->cached) {
            mst_str_add(out, " ");
            show_as_of(b, now, out);
        }
        mst_str_addc(out, '\n');
        if (b->rollback[0]) {
            mst_str_addf(out, "WARNING: %s\n", b->rollback);
        }
    }
    for (size_t i = 0; i < b->n; i++) {
        show_backup(&b->backups[i], b, now, c->json, out);
    }
}

static void show_list(const struct cmd_ctx *c, const struct mst_view *v, struct mst_str *out)
{
    for (size_t i = 0; i < v->n_stores; i++) {
        if (wanted(c, v->stores[i])) {
            show_one(c, v->stores[i], v->now_wall_ms, out);
        }
    }
    for (size_t i = 0; i < v->leavings->n; i++) {
        if (c->json) {
            js_begin(out, "leaving", v->now_wall_ms);
            js_text(out, "id", v->leavings->items[i].id);
            js_bool(out, "kept_aside", v->leavings->items[i].by_restore);
            js_text(out, "store", v->leavings->items[i].store);
            js_text(out, "text", v->leavings->items[i].what);
            js_end(out);
        } else {
            mst_str_addf(out, "left: %s\n", v->leavings->items[i].what);
        }
    }
}

/* "": it can be read, and always could. */
static const char *archive_word(const struct mst_object *o)
{
    return !o->asked            ? "unknown"
           : o->thawing         ? "thawing"
           : o->archived        ? "archived"
           : o->thawed_until_ms ? "thawed"
                                : "";
}

static void object_line(const struct mst_object *o, struct mst_str *out)
{
    const char *word = archive_word(o);
    char until[MST_TIME_MAX];

    mst_str_addf(out, "%-64s %12llu bytes", o->key, (unsigned long long)o->bytes);
    if (o->storage_class[0] && strcmp(o->storage_class, "STANDARD") != 0) {
        mst_str_addf(out, "  %s", o->storage_class);
    }
    if (word[0]) {
        mst_str_addf(out, ", %s%s", strcmp(word, "unknown") == 0 ? "archived or not: " : "", word);
    }
    if (o->thawed_until_ms && !o->archived) {
        mst_str_addf(out, " until %s", mst_time_iso(o->thawed_until_ms, until));
    }
    mst_str_addc(out, '\n');
}

/* Whose keys open it, where it is sealed. */
static void show_opens(const struct mst_detail_part *d, bool json, int64_t now, struct mst_str *out)
{
    if (json && d->opens[0]) {
        js_begin(out, "opens", now);
        js_text(out, "id", d->id);
        js_text(out, "who", d->opens);
        js_end(out);
    } else if (d->opens[0]) {
        mst_str_addf(out, "opened by: %s\n", d->opens);
    }
}

static void show_detail(const struct mst_detail_part *d, bool json, int64_t now,
                        struct mst_str *out)
{
    char size[MST_HUMAN_MAX];

    for (size_t i = 0; i < d->n_ns; i++) {
        const struct mst_backup_ns *n = &d->ns[i];

        if (json) {
            js_begin(out, "namespace", now);
            js_text(out, "ns", n->ns);
            js_text(out, "kind", n->type);
            js_int(out, "documents", (int64_t)n->documents);
            js_int(out, "data_bytes", (int64_t)n->data_bytes);
            js_int(out, "indexes", n->indexes);
            js_bool(out, "left_out", n->left_out);
            js_end(out);
        } else {
            mst_str_addf(out, "%-40s %-10s %12llu %-9s %9s %3u %s%s\n", n->ns, n->type,
                         (unsigned long long)n->documents,
                         mst_text_noun(n->documents, "document", "documents"),
                         mst_text_bytes(n->data_bytes, size), n->indexes,
                         mst_text_noun(n->indexes, "index", "indexes"),
                         n->left_out ? ", LEFT OUT" : "");
        }
    }
    for (size_t i = 0; i < d->n_objects; i++) {
        if (json) {
            js_begin(out, "object", now);
            js_text(out, "key", d->objects[i].key);
            js_int(out, "bytes", (int64_t)d->objects[i].bytes);
            js_time(out, "modified", d->objects[i].modified_wall_ms);
            js_text(out, "storage_class", d->objects[i].storage_class);
            js_text(out, "archive", archive_word(&d->objects[i]));
            js_time(out, "thawed_until", d->objects[i].thawed_until_ms);
            js_end(out);
        } else {
            object_line(&d->objects[i], out);
        }
    }
}

/* --- as it stood at a time: asked by this process --------------------------------------------- */

struct past {
    const struct cmd_ctx *c;
    const char *store, *id;
    int64_t as_of_ms;
    struct mst_bucket_part *part;
    struct mst_detail_part *detail;
};

static enum mst_rc past_list(void *arg, struct mst_task *task, struct mst_err *err)
{
    struct past *p = arg;

    return mst_past_list(p->c->cfg, p->store, p->as_of_ms, task, &p->part, err);
}

static enum mst_rc past_detail(void *arg, struct mst_task *task, struct mst_err *err)
{
    struct past *p = arg;

    return mst_past_detail(p->c->cfg, p->store, p->as_of_ms, p->id, task, &p->part, &p->detail,
                           err);
}

/* id NULL: all of them. */
static enum mst_rc show_past(const struct cmd_ctx *c, const char *id, int64_t as_of_ms,
                             struct mst_err *err)
{
    struct past p = {.c = c, .store = args_get(&c->args, "store"), .id = id, .as_of_ms = as_of_ms};
    struct mst_str out = {0};
    enum mst_rc rc = cmd_store_named(c, p.store, err);

    if (rc == MST_OK && !p.store && c->cfg->n_stores > 1) {
        rc = mst_err_set(err, MST_E_USAGE,
                         "several stores are configured: say by --store whose past is meant");
    }
    p.store = p.store ? p.store : "";
    rc = rc == MST_OK ? cmd_work(c, id ? past_detail : past_list, &p, NULL, err) : rc;
    if (rc == MST_OK) {
        show_one(c, p.part, mst_clock_utc_ms(NULL), &out);
        if (p.detail) {
            show_opens(p.detail, c->json, mst_clock_utc_ms(NULL), &out);
            show_detail(p.detail, c->json, mst_clock_utc_ms(NULL), &out);
        }
        rc = cmd_out(mst_str_c(&out), err);
    }
    if (rc == MST_OK && p.detail && p.detail->problem[0]) {
        rc = problem(p.detail->problem_rc, p.detail->problem, err);
    }
    mst_str_release(&out);
    mst_shared_unref((struct mst_shared *)p.part);
    mst_shared_unref((struct mst_shared *)p.detail);
    return rc;
}

enum mst_rc cmd_bucket_ls(struct cmd_ctx *c, struct mst_err *err)
{
    struct mst_engine *e = NULL;
    const struct mst_view *v = NULL;
    struct mst_str out = {0};
    int64_t as_of;
    enum mst_rc rc = cmd_as_of(c, &as_of, err);

    if (rc != MST_OK || as_of) {
        return rc != MST_OK ? rc : show_past(c, NULL, as_of, err);
    }
    rc = cmd_engine(c, &e, err);
    if (rc == MST_OK) {
        rc = cmd_fresh_stores(c, e, args_get(&c->args, "store"), &v, err);
    }
    /* The error still is the exit status; of one store alone it is said once. */
    if (rc == MST_OK || (v && (v->n_stores > 1 || v->bucket->cached))) {
        struct mst_err print = {0};

        show_list(c, v, &out);
        if (cmd_out(mst_str_c(&out), &print) != MST_OK && rc == MST_OK) {
            *err = print;
            rc = print.rc;
        }
    }
    mst_str_release(&out);
    mst_view_release(v);
    mst_engine_close(e);
    return rc;
}

static enum mst_rc await_detail(struct mst_engine *e, const char *id, const char *store,
                                const struct mst_view **out, struct mst_err *err)
{
    struct mst_cmd ask = {.kind = MST_CMD_DETAIL};
    const int64_t start = mst_clock_mono_ms(NULL);
    const struct mst_view *v = NULL;
    uint64_t none;
    enum mst_rc rc;

    (void)mst_copy(ask.backup, sizeof(ask.backup), id);
    (void)mst_copy(ask.store, sizeof(ask.store), store ? store : "");
    rc = mst_engine_submit(e, &ask, &none, err);
    while (rc == MST_OK) {
        v = mst_engine_view(e);
        if (v->detail && !v->detail->loading && v->detail->read_at_ms >= start) {
            *out = v;
            return MST_OK;
        }
        mst_view_release(v);
        if (!cmd_wait(e, 500) || mst_clock_mono_ms(NULL) - start > LIST_MS) {
            rc = mst_err_set(err, MST_E_TIMEOUT, "the backup was not read in time");
        }
    }
    return rc;
}

/* What the store says of its COMMIT. */
static void show_lock(const struct mst_detail_part *d, bool json, int64_t now, struct mst_str *out)
{
    char until[MST_TIME_MAX];

    if (json) {
        js_begin(out, "lock", now);
        js_text(out, "id", d->id);
        js_text(out, "store", d->store);
        js_bool(out, "known", d->lock_known);
        js_text(out, "lock_mode", d->lock_mode);
        js_time(out, "locked_until", d->locked_until_ms);
        js_bool(out, "legal_hold", d->hold[0] != '\0');
        js_text(out, "hold", d->hold);
        js_text(out, "problem", d->lock_known ? "" : d->lock_why);
        js_end(out);
    } else if (!d->lock_known) {
        mst_str_addf(out, "locks: not known%s%s\n", d->lock_why[0] ? ": " : "", d->lock_why);
    } else if (d->locked_until_ms > now) {
        mst_str_addf(out, "locked until %s (%s)%s%s\n", mst_time_iso(d->locked_until_ms, until),
                     d->lock_mode, d->hold[0] ? ", and held in the store: " : "", d->hold);
    } else if (d->hold[0]) {
        mst_str_addf(out, "held in the store, without an end: %s\n", d->hold);
    } else if (d->locked_until_ms > 0) {
        mst_str_addf(out, "not locked any more: its lock ended at %s\n",
                     mst_time_iso(d->locked_until_ms, until));
    }
}

/* The backup as its store's listing has it. */
static void show_head(const struct cmd_ctx *c, const struct mst_view *v,
                      const struct mst_detail_part *d, struct mst_str *out)
{
    for (size_t k = 0; k < v->n_stores; k++) {
        const struct mst_bucket_part *b = v->stores[k];

        for (size_t i = 0; i < b->n && strcmp(b->store, d->store) == 0; i++) {
            if (strcmp(b->backups[i].id, d->id) == 0) {
                if (v->n_stores > 1 && !c->json) {
                    mst_str_addf(out, "store %s\n", b->store);
                }
                show_backup(&b->backups[i], b, v->now_wall_ms, c->json, out);
            }
        }
    }
}

enum mst_rc cmd_bucket_show(struct cmd_ctx *c, struct mst_err *err)
{
    const char *id = c->args.n_operands > 0 ? c->args.operands[0] : "latest";
    struct mst_engine *e = NULL;
    const struct mst_view *v = NULL, *d = NULL;
    struct mst_str out = {0};
    int64_t as_of;
    enum mst_rc rc = cmd_as_of(c, &as_of, err);

    if (rc != MST_OK || as_of) {
        return rc != MST_OK ? rc : show_past(c, id, as_of, err);
    }
    rc = cmd_engine(c, &e, err);
    if (rc == MST_OK) {
        rc = cmd_fresh_stores(c, e, args_get(&c->args, "store"), &v, err);
    }
    if (rc != MST_OK && v && v->n_stores > 1 && !args_get(&c->args, "store")) {
        memset(err, 0, sizeof(*err)); /* another store may have it */
        rc = MST_OK;
    }
    if (rc == MST_OK) {
        rc = await_detail(e, id, args_get(&c->args, "store"), &d, err);
    }
    if (rc == MST_OK) {
        show_head(c, v, d->detail, &out);
        show_opens(d->detail, c->json, d->now_wall_ms, &out);
        if (!d->detail->problem[0]) {
            show_lock(d->detail, c->json, d->now_wall_ms, &out);
        }
        show_detail(d->detail, c->json, d->now_wall_ms, &out);
        rc = cmd_out(mst_str_c(&out), err);
        if (rc == MST_OK && d->detail->problem[0]) {
            rc = problem(d->detail->problem_rc, d->detail->problem, err);
        }
    }
    mst_str_release(&out);
    mst_view_release(v);
    mst_view_release(d);
    mst_engine_close(e);
    return rc;
}

/* --- catalog rebuild -------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct mst_backup_change *)a)->id,
                  ((const struct mst_backup_change *)b)->id);
}

/* changes are in the order of their ids */
static const struct mst_backup_change *change_of(const struct mst_bucket_part *b, const char *id)
{
    struct mst_backup_change key = {.kind = MST_CHANGE_STATE};

    (void)mst_copy(key.id, sizeof(key.id), id);
    return b->n_changes ? bsearch(&key, b->changes, b->n_changes, sizeof(key), by_id) : NULL;
}

static void rebuilt_json(const struct mst_bucket_part *b, int64_t now, struct mst_str *out)
{
    static const char *const kinds[] = {"appeared", "vanished", "changed"};

    js_begin(out, "rebuild", now);
    js_text(out, "store", b->store);
    js_text(out, "where", b->where);
    js_time(out, "read", b->rebuilt_wall_ms);
    js_time(out, "compared_with", b->compared_wall_ms);
    js_int(out, "backups", (int64_t)b->n);
    js_open(out, "changes", '[');
    for (size_t i = 0; i < b->n_changes; i++) {
        js_open(out, NULL, '{');
        js_text(out, "id", b->changes[i].id);
        js_text(out, "change", kinds[b->changes[i].kind]);
        js_text(out, "was",
                b->changes[i].kind == MST_CHANGE_APPEARED
                    ? ""
                    : mst_backup_state_word(b->changes[i].was));
        js_close(out, '}');
    }
    js_close(out, ']');
    js_end(out);
}

static void rebuilt(const struct cmd_ctx *c, const struct mst_bucket_part *b, int64_t now,
                    bool several, struct mst_str *out)
{
    if (c->json) {
        rebuilt_json(b, now, out);
    } else if (several) {
        mst_str_addf(out, "%s, %s:\n", b->store, b->where);
    }
    for (size_t i = 0; i < b->n; i++) {
        const struct mst_backup_change *was = change_of(b, b->backups[i].id);

        if (!c->json) {
            mst_str_add(out, !was ? "  " : was->kind == MST_CHANGE_APPEARED ? "+ " : "* ");
        }
        show_backup(&b->backups[i], b, now, c->json, out);
        if (was && was->kind == MST_CHANGE_STATE && !c->json) {
            mst_str_addf(out, "    it was %s\n", mst_backup_state_word(was->was));
        }
    }
    for (size_t i = 0; i < b->n_changes && !c->json; i++) {
        if (b->changes[i].kind == MST_CHANGE_VANISHED) {
            mst_str_addf(out, "- %-28s is not in the store any more, it was %s\n", b->changes[i].id,
                         mst_backup_state_word(b->changes[i].was));
        }
    }
}

enum mst_rc cmd_catalog_rebuild(struct cmd_ctx *c, struct mst_err *err)
{
    const char *store = args_get(&c->args, "store");
    struct mst_cmd *cmd = mst_xcalloc(1, sizeof(*cmd));
    struct mst_engine *e = NULL;
    struct mst_str out = {0};
    uint64_t job = 0;
    enum mst_rc rc = cmd_engine(c, &e, err);

    cmd->kind = MST_CMD_REBUILD;
    (void)mst_copy(cmd->store, sizeof(cmd->store), store ? store : "");
    rc = rc == MST_OK ? mst_engine_submit(e, cmd, &job, err) : rc;
    rc = rc == MST_OK ? cmd_follow(c, e, job, err) : rc;
    if (rc == MST_OK) {
        const struct mst_view *v = mst_engine_view(e);

        for (size_t i = 0; i < v->n_stores; i++) {
            if (wanted(c, v->stores[i]) && v->stores[i]->rebuilt_wall_ms &&
                !v->stores[i]->problem[0]) {
                rebuilt(c, v->stores[i], v->now_wall_ms, v->n_stores > 1 && !store, &out);
            }
        }
        rc = cmd_out(mst_str_c(&out), err);
        mst_view_release(v);
    }
    mst_str_release(&out);
    free(cmd);
    mst_engine_close(e);
    return rc;
}
