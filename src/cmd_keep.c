/* muster backup, verify, bucket ls|show, restore, import, clean. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "follow.h"
#include "json.h"

#define LIST_MS 60000

static enum mst_rc patterns(const struct cmd_ctx *c, const char *option, char (*out)[160],
                            size_t *n, struct mst_err *err)
{
    const char *v;

    for (*n = 0; (v = args_nth(&c->args, option, *n)) != NULL; (*n)++) {
        if (*n == MST_CMD_PATTERNS) {
            return mst_err_set(err, MST_E_USAGE, "--%s is given more than %d times", option,
                               MST_CMD_PATTERNS);
        }
        if (!mst_copy(out[*n], sizeof(out[0]), v)) {
            return mst_err_set(err, MST_E_USAGE, "--%s %s is too long", option, v);
        }
    }
    return MST_OK;
}

/* Options that several acts share. */
static enum mst_rc fill(const struct cmd_ctx *c, struct mst_cmd *cmd, struct mst_err *err)
{
    const char *to = args_get(&c->args, "to"), *reason = args_get(&c->args, "reason");
    enum mst_rc rc = patterns(c, "include", cmd->include, &cmd->n_include, err);

    if (rc == MST_OK) {
        rc = patterns(c, "exclude", cmd->exclude, &cmd->n_exclude, err);
    }
    if (rc == MST_OK) {
        rc = args_size(&c->args, "rate", &cmd->rate_bps, err);
    }
    if (rc == MST_OK && to && mst_cfg_uri_has_password(to)) {
        rc = mst_err_set(err, MST_E_USAGE,
                         "the URI holds a password: take it out and name it in the configuration "
                         "(set.credentials.restore)");
    }
    if (rc == MST_OK && to && !mst_copy(cmd->target_uri, sizeof(cmd->target_uri), to)) {
        rc = mst_err_set(err, MST_E_USAGE, "--to is too long");
    }
    if (reason) {
        (void)mst_copy(cmd->reason, sizeof(cmd->reason), reason);
        mst_text_sanitise(cmd->reason);
    }
    cmd->dry_run = args_has(&c->args, "dry-run");
    return rc;
}

static enum mst_rc submit_and_follow(struct cmd_ctx *c, const struct mst_cmd *cmd,
                                     struct mst_err *err)
{
    struct mst_engine *e = NULL;
    uint64_t job = 0;
    enum mst_rc rc = cmd_engine(c, &e, err);

    if (rc == MST_OK && cmd->kind == MST_CMD_BACKUP) {
        mst_view_release(cmd_first_facts(e)); /* the source is chosen from them */
    }
    if (rc == MST_OK) {
        rc = mst_engine_submit(e, cmd, &job, err);
    }
    if (rc == MST_OK) {
        rc = cmd_follow(c, e, job, err);
    }
    mst_engine_close(e);
    return rc;
}

enum mst_rc cmd_backup(struct cmd_ctx *c, struct mst_err *err)
{
    struct mst_cmd *cmd = mst_xcalloc(1, sizeof(*cmd));
    const char *source = args_get(&c->args, "source");
    int64_t scans;
    enum mst_rc rc = fill(c, cmd, err);

    cmd->kind = MST_CMD_BACKUP;
    cmd->from_primary = args_has(&c->args, "from-primary");
    if (rc == MST_OK) {
        rc = args_number(&c->args, "scans", 1, 16, 0, &scans, err);
    }
    if (rc == MST_OK) {
        cmd->scans = (unsigned)scans;
        (void)mst_copy(cmd->source, sizeof(cmd->source), source ? source : "");
        rc = submit_and_follow(c, cmd, err);
    }
    free(cmd);
    return rc;
}

static enum mst_rc of_backup(struct cmd_ctx *c, enum mst_cmd_kind kind, bool guarded,
                             struct mst_err *err)
{
    struct mst_cmd *cmd = mst_xcalloc(1, sizeof(*cmd));
    const char *id = c->args.n_operands > 0 ? c->args.operands[0] : "latest";
    enum mst_rc rc = fill(c, cmd, err);

    cmd->kind = kind;
    if (rc == MST_OK && !mst_copy(cmd->backup, sizeof(cmd->backup), id)) {
        rc = mst_err_set(err, MST_E_USAGE, "%s is no backup's id", id);
    }
    if (rc == MST_OK) {
        rc = guarded ? cmd_guarded(c, cmd, err) : submit_and_follow(c, cmd, err);
    }
    free(cmd);
    return rc;
}

enum mst_rc cmd_verify(struct cmd_ctx *c, struct mst_err *err)
{
    return of_backup(c, MST_CMD_VERIFY, false, err);
}

enum mst_rc cmd_restore(struct cmd_ctx *c, struct mst_err *err)
{
    return of_backup(c, MST_CMD_RESTORE, true, err);
}

enum mst_rc cmd_discard(struct cmd_ctx *c, struct mst_err *err)
{
    return of_backup(c, MST_CMD_DISCARD, true, err);
}

enum mst_rc cmd_recover(struct cmd_ctx *c, struct mst_err *err)
{
    return of_backup(c, MST_CMD_RECOVER, false, err);
}

enum mst_rc cmd_release_ttl(struct cmd_ctx *c, struct mst_err *err)
{
    return of_backup(c, MST_CMD_RELEASE_TTL, true, err);
}

enum mst_rc cmd_clean(struct cmd_ctx *c, struct mst_err *err)
{
    return of_backup(c, MST_CMD_CLEAN, true, err);
}

enum mst_rc cmd_import(struct cmd_ctx *c, struct mst_err *err)
{
    struct mst_cmd *cmd = mst_xcalloc(1, sizeof(*cmd));
    const char *path = c->args.operands[0];
    char cwd[512] = "";
    enum mst_rc rc = fill(c, cmd, err);

    cmd->kind = MST_CMD_IMPORT;
    /* The agent has another working directory. */
    if (rc == MST_OK && *path != '/' && !getcwd(cwd, sizeof(cwd))) {
        rc = mst_err_set(err, MST_E_USAGE, "the current directory has no name");
    }
    if (rc == MST_OK && (size_t)snprintf(cmd->path, sizeof(cmd->path), "%s%s%s", cwd,
                                         cwd[0] ? "/" : "", path) >= sizeof(cmd->path)) {
        rc = mst_err_set(err, MST_E_USAGE, "%s is too long", path);
    }
    if (rc == MST_OK) {
        rc = cmd_guarded(c, cmd, err);
    }
    free(cmd);
    return rc;
}

/* --- bucket --- */

static void json_backup(const struct mst_backup *b, int64_t now, struct mst_str *s)
{
    js_begin(s, "backup", now);
    js_text(s, "id", b->id);
    js_text(s, "kind", b->kind);
    js_text(s, "state", mst_backup_state_word(b->state));
    js_text(s, "problem", b->problem);
    js_time(s, "started", b->started_wall_ms);
    js_time(s, "finished", b->finished_wall_ms);
    js_text(s, "source", b->source);
    js_text(s, "server_version", b->server_version);
    js_text(s, "fcv", b->fcv);
    js_int(s, "data_bytes", (int64_t)b->data_bytes);
    js_int(s, "stored_bytes", (int64_t)b->stored_bytes);
    js_int(s, "documents", (int64_t)b->documents);
    js_int(s, "namespaces", b->namespaces);
    js_int(s, "left_out", b->left_out);
    js_int(s, "consistent_at_t", b->last.ts.t);
    js_int(s, "consistent_at_i", b->last.ts.i);
    js_bool(s, "sealed", b->sealed);
    js_bool(s, "signed", b->is_signed);
    js_bool(s, "unproven", b->unproven);
    js_int(s, "verified_level", b->verified_level);
    js_bool(s, "verified_ok", b->verified_ok);
    js_time(s, "verified", b->verified_wall_ms);
    js_end(s);
}

static void line_backup(const struct mst_backup *b, struct mst_str *s)
{
    char data[MST_HUMAN_MAX], stored[MST_HUMAN_MAX];
    const char *checked = b->verified_wall_ms == 0 ? "not verified"
                          : b->verified_ok         ? "read back, good"
                                                   : "READ BACK, DAMAGED";

    mst_str_addf(s, "%-28s %-10s %9s %9s %10llu  %s%s%s%s\n", b->id,
                 mst_backup_state_word(b->state), mst_text_bytes(b->data_bytes, data),
                 mst_text_bytes(b->stored_bytes, stored), (unsigned long long)b->documents, checked,
                 b->unproven ? ", unproven" : "", b->problem[0] ? ", " : "", b->problem);
}

/* What a view says was wrong, as an error again. */
static enum mst_rc problem(int code, const char *text, struct mst_err *err)
{
    const enum mst_rc rc = code > MST_OK && code < MST_RC_COUNT ? (enum mst_rc)code : MST_E_IO;

    return mst_err_set(err, rc, "%s", text);
}

/* A view whose bucket was listed after the call. */
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
    if (rc == MST_OK && v->bucket->problem[0]) {
        rc = problem(v->bucket->problem_rc, v->bucket->problem, err);
    }
    if (rc == MST_OK) {
        *out = v;
    } else {
        mst_view_release(v);
    }
    return rc;
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
    if (rc == MST_OK) {
        if (!c->json) {
            mst_str_addf(&out, "%s, %s: %zu %s\n", v->bucket->store, v->bucket->where, v->bucket->n,
                         mst_text_noun(v->bucket->n, "backup", "backups"));
        }
        for (size_t i = 0; i < v->bucket->n; i++) {
            if (c->json) {
                json_backup(&v->bucket->backups[i], v->now_wall_ms, &out);
            } else {
                line_backup(&v->bucket->backups[i], &out);
            }
        }
        for (size_t i = 0; i < v->leavings->n; i++) {
            if (c->json) {
                js_begin(&out, "leaving", v->now_wall_ms);
                js_text(&out, "id", v->leavings->items[i].id);
                js_bool(&out, "kept_aside", v->leavings->items[i].by_restore);
                js_text(&out, "text", v->leavings->items[i].what);
                js_end(&out);
            } else {
                mst_str_addf(&out, "left: %s\n", v->leavings->items[i].what);
            }
        }
        rc = cmd_out(mst_str_c(&out), err);
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
            if (c->json) {
                json_backup(&v->bucket->backups[i], v->now_wall_ms, &out);
            } else {
                line_backup(&v->bucket->backups[i], &out);
            }
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
