/* muster bucket ls|show, catalog rebuild. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "follow.h"
#include "json.h"
#include "show_store.h"

#define LIST_MS 60000

/* What a view says was wrong, as an error again. */
static enum mst_rc problem(int code, const char *text, struct mst_err *err)
{
    const enum mst_rc rc = code > MST_OK && code < MST_RC_COUNT ? (enum mst_rc)code : MST_E_IO;

    return mst_err_set(err, rc, "%s", text);
}

/* A view whose bucket was asked for after the call. When it could not be read the view is there
 * too, with what the cache has. */
static enum mst_rc fresh_bucket(struct mst_engine *e, const struct mst_view **out,
                                struct mst_err *err)
{
    const struct mst_cmd reload = {.kind = MST_CMD_BUCKET_RELOAD};
    const int64_t start = mst_clock_mono_ms(NULL);
    uint64_t none;
    enum mst_rc rc = mst_engine_submit(e, &reload, &none, err);
    const struct mst_view *v = mst_engine_view(e);

    *out = NULL;
    if (rc == MST_OK && !v->bucket) {
        rc = mst_err_set(err, MST_E_CONFIG, "no store is configured: see docs/configuration.md");
    }
    while (rc == MST_OK && (!v->bucket || v->bucket->read_at_ms < start)) {
        if (!cmd_wait(e, 500) || mst_clock_mono_ms(NULL) - start > LIST_MS) {
            rc = mst_err_set(err, MST_E_TIMEOUT, "the store was not listed in time");
        }
        mst_view_release(v);
        v = mst_engine_view(e);
    }
    if (rc != MST_OK) {
        mst_view_release(v);
        return rc;
    }
    *out = v;
    return v->bucket->problem[0] ? problem(v->bucket->problem_rc, v->bucket->problem, err) : MST_OK;
}

static void show_list(const struct cmd_ctx *c, const struct mst_view *v, struct mst_str *out)
{
    const struct mst_bucket_part *b = v->bucket;

    if (!c->json) {
        mst_str_addf(out, "%s, %s: %zu %s", b->store, b->where, b->n,
                     mst_text_noun(b->n, "backup", "backups"));
        if (b->cached) {
            mst_str_add(out, " ");
            show_as_of(b, v->now_wall_ms, out);
        }
        mst_str_addc(out, '\n');
        if (b->rollback[0]) {
            mst_str_addf(out, "WARNING: %s\n", b->rollback);
        }
    }
    for (size_t i = 0; i < b->n; i++) {
        show_backup(&b->backups[i], b, v->now_wall_ms, c->json, out);
    }
    for (size_t i = 0; i < v->leavings->n; i++) {
        if (c->json) {
            js_begin(out, "leaving", v->now_wall_ms);
            js_text(out, "id", v->leavings->items[i].id);
            js_bool(out, "kept_aside", v->leavings->items[i].by_restore);
            js_text(out, "text", v->leavings->items[i].what);
            js_end(out);
        } else {
            mst_str_addf(out, "left: %s\n", v->leavings->items[i].what);
        }
    }
}

enum mst_rc cmd_bucket_ls(struct cmd_ctx *c, struct mst_err *err)
{
    struct mst_engine *e = NULL;
    const struct mst_view *v = NULL;
    struct mst_str out = {0};
    enum mst_rc rc = cmd_engine(c, &e, err);

    if (rc == MST_OK) {
        rc = fresh_bucket(e, &v, err);
    }
    if (rc == MST_OK || (v && v->bucket->cached)) { /* the error still is the exit status */
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

static enum mst_rc await_detail(struct mst_engine *e, const char *id, const struct mst_view **out,
                                struct mst_err *err)
{
    struct mst_cmd ask = {.kind = MST_CMD_DETAIL};
    const int64_t start = mst_clock_mono_ms(NULL);
    const struct mst_view *v = NULL;
    uint64_t none;
    enum mst_rc rc;

    (void)mst_copy(ask.backup, sizeof(ask.backup), id);
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
            js_end(out);
        } else {
            mst_str_addf(out, "%-64s %12llu bytes\n", d->objects[i].key,
                         (unsigned long long)d->objects[i].bytes);
        }
    }
}

enum mst_rc cmd_bucket_show(struct cmd_ctx *c, struct mst_err *err)
{
    const char *id = c->args.n_operands > 0 ? c->args.operands[0] : "latest";
    struct mst_engine *e = NULL;
    const struct mst_view *v = NULL, *d = NULL;
    struct mst_str out = {0};
    enum mst_rc rc = cmd_engine(c, &e, err);

    if (rc == MST_OK) {
        rc = fresh_bucket(e, &v, err);
    }
    if (rc == MST_OK) {
        rc = await_detail(e, id, &d, err);
    }
    for (size_t i = 0; rc == MST_OK && i < v->bucket->n; i++) {
        if (strcmp(v->bucket->backups[i].id, d->detail->id) == 0) {
            show_backup(&v->bucket->backups[i], v->bucket, v->now_wall_ms, c->json, &out);
        }
    }
    if (rc == MST_OK) {
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

static void rebuilt_json(const struct mst_view *v, struct mst_str *out)
{
    static const char *const kinds[] = {"appeared", "vanished", "changed"};
    const struct mst_bucket_part *b = v->bucket;

    js_begin(out, "rebuild", v->now_wall_ms);
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

static void rebuilt(const struct cmd_ctx *c, const struct mst_view *v, struct mst_str *out)
{
    const struct mst_bucket_part *b = v->bucket;

    if (c->json) {
        rebuilt_json(v, out);
    }
    for (size_t i = 0; i < b->n; i++) {
        const struct mst_backup_change *was = change_of(b, b->backups[i].id);

        if (!c->json) {
            mst_str_add(out, !was ? "  " : was->kind == MST_CHANGE_APPEARED ? "+ " : "* ");
        }
        show_backup(&b->backups[i], b, v->now_wall_ms, c->json, out);
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
    const struct mst_cmd cmd = {.kind = MST_CMD_REBUILD};
    struct mst_engine *e = NULL;
    struct mst_str out = {0};
    uint64_t job = 0;
    enum mst_rc rc = cmd_engine(c, &e, err);

    rc = rc == MST_OK ? mst_engine_submit(e, &cmd, &job, err) : rc;
    rc = rc == MST_OK ? cmd_follow(c, e, job, err) : rc;
    if (rc == MST_OK && (c->exit_status == 0 || c->exit_status == mst_rc_exit(MST_E_INTEGRITY))) {
        const struct mst_view *v = mst_engine_view(e);

        if (v->bucket && v->bucket->rebuilt_wall_ms) {
            rebuilt(c, v, &out);
            rc = cmd_out(mst_str_c(&out), err);
        }
        mst_view_release(v);
    }
    mst_str_release(&out);
    mst_engine_close(e);
    return rc;
}
