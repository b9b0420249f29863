/* muster store list|show|test|ls|du|usage|orphans, copy, hold, release. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/when.h"
#include "engine/stores.h"
#include "follow.h"
#include "json.h"
#include "show_store.h"

#define OLDER_MS 3600000

/* The operand, or "": the one that is meant where none is named. */
static const char *store_of(const struct cmd_ctx *c)
{
    return c->args.n_operands > 0 ? c->args.operands[0] : "";
}

static bool shown(const struct cmd_ctx *c, const struct mst_bucket_part *b)
{
    return !*store_of(c) || strcmp(store_of(c), b->store) == 0;
}

/* --- from listings: list, du, usage ----------------------------------------------------------- */

typedef void show_fn(const struct cmd_ctx *c, const struct mst_bucket_part *b, int64_t now,
                     struct mst_str *out);

/* Backups in the clear may go there; single_writer stands in where it is already. */
static bool may_be_unsealed(const struct cmd_ctx *c, const char *store)
{
    for (size_t i = 0; i < c->cfg->n_stores; i++) {
        if (strcmp(c->cfg->stores[i].name, store) == 0) {
            return c->cfg->stores[i].allow_unsealed;
        }
    }
    return false;
}

static void show_list(const struct cmd_ctx *c, const struct mst_bucket_part *b, int64_t now,
                      struct mst_str *out)
{
    char size[MST_HUMAN_MAX];
    const char *problem = b->problem[0] ? b->problem : b->loading ? "it does not answer" : "";

    if (c->json) {
        js_begin(out, "store", now);
        js_text(out, "store", b->store);
        js_text(out, "kind", b->kind);
        js_text(out, "where", b->where);
        js_bool(out, "backups_go_there", b->target);
        js_bool(out, "allow_unsealed", may_be_unsealed(c, b->store));
        js_bool(out, "single_writer", b->single_writer);
        js_bool(out, "reachable", !*problem);
        js_text(out, "problem", problem);
        js_known(out, "free_bytes", b->free_bytes ? (int64_t)b->free_bytes : -1);
        js_known(out, "total_bytes", b->total_bytes ? (int64_t)b->total_bytes : -1);
        js_known(out, "backups", b->as_of_wall_ms ? (int64_t)b->n : -1);
        js_time(out, "as_of", b->as_of_wall_ms);
        js_end(out);
        return;
    }
    mst_str_addf(out, "%-12s %-6s %-9s free %-10s ", b->store, b->kind, b->target ? "target" : "-",
                 b->free_bytes ? mst_text_bytes(b->free_bytes, size) : "unknown");
    if (b->as_of_wall_ms) {
        mst_str_addf(out, "%zu %s%s  ", b->n, mst_text_noun(b->n, "backup", "backups"),
                     b->cached ? " (cached)" : "");
    }
    mst_str_addf(out, "%s%s%s%s\n", b->where,
                 may_be_unsealed(c, b->store) ? ", UNSEALED allowed" : "", *problem ? ": " : "",
                 problem);
}

static void show_du(const struct cmd_ctx *c, const struct mst_bucket_part *b, int64_t now,
                    struct mst_str *out)
{
    uint64_t all = 0;
    char size[MST_HUMAN_MAX];

    for (size_t i = 0; i < b->n; i++) {
        all += b->backups[i].stored_bytes;
    }
    for (size_t i = 0; i < b->n; i++) {
        const struct mst_backup *k = &b->backups[i];
        const double share = all ? (double)k->stored_bytes * 100 / (double)all : 0;

        if (c->json) {
            js_begin(out, "du", now);
            js_text(out, "store", b->store);
            js_text(out, "id", k->id);
            js_text(out, "state", mst_backup_state_word(k->state));
            js_int(out, "stored_bytes", (int64_t)k->stored_bytes);
            js_num(out, "share_percent", share);
            js_end(out);
        } else {
            mst_str_addf(out, "%9s %5.1f%%  %-28s %s\n", mst_text_bytes(k->stored_bytes, size),
                         share, k->id, mst_backup_state_word(k->state));
        }
    }
    if (!c->json) {
        mst_str_addf(out, "%9s         %s%s%s\n", mst_text_bytes(all, size), b->store,
                     b->cached || !b->as_of_wall_ms ? ": not read now" : "",
                     b->problem[0] ? ", see 'muster store list'" : "");
    }
}

static void show_usage(const struct cmd_ctx *c, const struct mst_bucket_part *b, int64_t now,
                       struct mst_str *out)
{
    struct mst_usage u;
    char a[MST_HUMAN_MAX], f[MST_HUMAN_MAX], t[MST_HUMAN_MAX], g[MST_HUMAN_MAX];

    mst_usage_of(b, now, &u);
    if (c->json) {
        js_begin(out, "usage", now);
        js_text(out, "store", b->store);
        js_known(out, "backups_bytes", b->as_of_wall_ms ? (int64_t)u.backups_bytes : -1);
        js_known(out, "free_bytes", b->free_bytes ? (int64_t)b->free_bytes : -1);
        js_known(out, "total_bytes", b->total_bytes ? (int64_t)b->total_bytes : -1);
        js_known(out, "growth_bytes_per_day", u.per_day_bytes);
        js_known(out, "days_left", u.days_left);
        js_end(out);
        return;
    }
    mst_str_addf(out, "%s: backups %s, free %s of %s, growth %s%s", b->store,
                 b->as_of_wall_ms ? mst_text_bytes(u.backups_bytes, a) : "unknown",
                 b->free_bytes ? mst_text_bytes(b->free_bytes, f) : "unknown",
                 b->total_bytes ? mst_text_bytes(b->total_bytes, t) : "unknown",
                 u.per_day_bytes < 0 ? "unknown" : mst_text_bytes((uint64_t)u.per_day_bytes, g),
                 u.per_day_bytes < 0 ? "" : " a day");
    if (u.days_left < 0) {
        mst_str_add(out, ", days left unknown\n");
    } else {
        mst_str_addf(out, ", %lld %s left\n", (long long)u.days_left,
                     mst_text_noun((uint64_t)u.days_left, "day", "days"));
    }
}

static enum mst_rc from_view(struct cmd_ctx *c, show_fn *show, struct mst_err *err)
{
    struct mst_engine *e = NULL;
    const struct mst_view *v = NULL;
    struct mst_str out = {0};
    struct mst_err print = {0};
    enum mst_rc rc = cmd_store_named(c, store_of(c), err);

    rc = rc == MST_OK ? cmd_engine(c, &e, err) : rc;
    rc = rc == MST_OK ? cmd_fresh_stores(c, e, store_of(c), &v, err) : rc;
    for (size_t i = 0; v && i < v->n_stores; i++) {
        if (shown(c, v->stores[i])) {
            show(c, v->stores[i], v->now_wall_ms, &out);
        }
    }
    if (v && cmd_out(mst_str_c(&out), &print) != MST_OK && rc == MST_OK) {
        *err = print;
        rc = print.rc;
    }
    mst_str_release(&out);
    mst_view_release(v);
    mst_engine_close(e);
    return rc;
}

enum mst_rc cmd_store_list(struct cmd_ctx *c, struct mst_err *err)
{
    return from_view(c, show_list, err);
}

enum mst_rc cmd_store_du(struct cmd_ctx *c, struct mst_err *err)
{
    return from_view(c, show_du, err);
}

enum mst_rc cmd_store_usage(struct cmd_ctx *c, struct mst_err *err)
{
    return from_view(c, show_usage, err);
}

/* --- asked by this process: show, ls, orphans ------------------------------------------------- */

static void facts_json(const struct mst_store_facts *f, struct mst_str *out)
{
    js_text(out, "region", f->region);
    js_text(out, "profile", f->profile);
    js_text(out, "profile_known_from", f->known_from);
    js_text(out, "identity", f->who);
    js_time(out, "identity_expires", f->who_until_ms);
    js_bool(out, "single_writer", f->single_writer);
    js_bool(out, "allow_unsealed", f->allow_unsealed);
    js_int(out, "lock_days", f->lock_days);
    js_text(out, "lock_mode", f->lock_mode);
    js_text(out, "tags", f->tags);
}

static void facts_text(const struct mst_store_facts *f, struct mst_str *out)
{
    char day[MST_TIME_MAX];

    mst_str_addf(out, "region: %s\n", f->region[0] ? f->region : "not said");
    if (f->profile[0]) {
        mst_str_addf(out, "profile: %s, known from %s\n", f->profile, f->known_from);
    }
    if (!f->local) {
        mst_str_addf(out, "identity: %s%s%s\n", f->who[0] ? f->who : "unknown",
                     f->who_until_ms ? ", until " : "",
                     f->who_until_ms ? mst_time_iso(f->who_until_ms, day) : "");
    }
    if (f->single_writer) {
        mst_str_add(out, "single writer: nobody else may write below its prefix\n");
    }
    if (f->lock_days > 0) {
        mst_str_addf(out, "locks what is written for %lld %s, %s\n", (long long)f->lock_days,
                     mst_text_noun((uint64_t)f->lock_days, "day", "days"), f->lock_mode);
    }
    if (f->tags[0]) {
        mst_str_addf(out, "tags what is written: %s\n", f->tags);
    }
    if (f->allow_unsealed) {
        mst_str_add(out, "UNSEALED backups are allowed there\n");
    }
}

static void show_facts(const struct cmd_ctx *c, const struct mst_store_facts *f,
                       struct mst_str *out)
{
    const struct {
        const char *word, *name;
        bool has, known;
    } caps[] = {{"create-only writes", "create_only", f->create_only, f->asked},
                {"checksums", "checksums", f->checksums, f->asked},
                {"multipart", "multipart", f->multipart, f->asked},
                {"ranged reads", "ranges", f->ranges, f->asked},
                {"versions", "versions", f->versions, f->versions_known},
                {"object lock", "lock", f->lock, f->lock_known},
                {"free space", "space", f->space, f->asked}};
    char a[MST_HUMAN_MAX], b[MST_HUMAN_MAX];
    const char *learned = f->local            ? "fixed: a directory always does this"
                          : f->asked          ? "asked just now; a profile may only take away"
                          : c->cfg->read_only ? "not asked: most of it is tried out with a write"
                                              : "not known: it could not be asked";

    if (c->json) {
        js_begin(out, "store", mst_clock_utc_ms(NULL));
        js_text(out, "store", f->name);
        js_text(out, "kind", f->kind);
        js_text(out, "where", f->where);
        js_text(out, "class", f->local ? "local" : "remote");
        js_text(out, "learned", learned);
        js_text(out, "noticed", f->text);
        facts_json(f, out);
        for (size_t i = 0; i < MST_COUNT(caps); i++) {
            if (caps[i].known) {
                js_bool(out, caps[i].name, caps[i].has);
            } else {
                js_text(out, caps[i].name, "");
            }
        }
        js_known(out, "free_bytes", f->free_bytes ? (int64_t)f->free_bytes : -1);
        js_known(out, "total_bytes", f->total_bytes ? (int64_t)f->total_bytes : -1);
        js_end(out);
        return;
    }
    mst_str_addf(out, "%s: %s, %s\nclass: %s\n", f->name, f->kind, f->where,
                 f->local ? "local, a directory of this host" : "remote");
    facts_text(f, out);
    for (size_t i = 0; i < MST_COUNT(caps); i++) {
        mst_str_addf(out, "  %-20s %s\n", caps[i].word,
                     !caps[i].known ? "unknown"
                     : caps[i].has  ? "yes"
                                    : "no");
    }
    mst_str_addf(out, "  %-20s %s\n", "how it is known", learned);
    if (f->text[0]) {
        mst_str_addf(out, "  %-20s %s\n", "noticed", f->text);
    }
    mst_str_addf(out, "free %s of %s\n",
                 f->free_bytes ? mst_text_bytes(f->free_bytes, a) : "unknown",
                 f->total_bytes ? mst_text_bytes(f->total_bytes, b) : "unknown");
}

enum mst_rc cmd_store_show(struct cmd_ctx *c, struct mst_err *err)
{
    struct mst_store_facts f;
    struct mst_str out = {0};
    enum mst_rc rc = mst_engine_store_facts(c->cfg, store_of(c), &f, err);

    if (rc == MST_OK) {
        show_facts(c, &f, &out);
        rc = cmd_out(mst_str_c(&out), err);
    }
    mst_str_release(&out);
    return rc;
}

struct lines {
    const struct cmd_ctx *c;
    struct mst_str out;
    bool detail; /* sizes and times too */
    uint64_t n, bytes, limit;
    bool cut;
    struct mst_err err;
};

/* A page is printed when it is full, so that the first one does not wait for the last. */
static bool line(void *arg, const struct mst_store_line *o)
{
    struct lines *l = arg;
    char day[MST_TIME_MAX];

    if (l->limit && l->n >= l->limit) {
        l->cut = true;
        return false;
    }
    l->n++;
    l->bytes += o->bytes;
    if (l->c->json) {
        js_begin(&l->out, o->what[0] ? "orphan" : "object", mst_clock_utc_ms(NULL));
        js_text(&l->out, "key", o->key);
        if (o->what[0]) {
            js_text(&l->out, "what", o->what);
        }
        js_int(&l->out, "bytes", (int64_t)o->bytes);
        js_time(&l->out, "modified", o->modified_wall_ms);
        js_text(&l->out, "storage_class", o->storage_class);
        js_end(&l->out);
    } else if (l->detail) {
        mst_str_addf(&l->out, "%14llu  %s  %s%s%s%s%s\n", (unsigned long long)o->bytes,
                     mst_time_iso(o->modified_wall_ms, day), o->what, o->what[0] ? "  " : "",
                     o->key, o->storage_class[0] ? "  " : "", o->storage_class);
    } else {
        mst_str_addf(&l->out, "%s\n", o->key);
    }
    if (l->out.len > 16384) {
        (void)!cmd_out(mst_str_c(&l->out), &l->err);
        mst_str_reset(&l->out);
    }
    return l->err.rc == MST_OK && cmd_signal() == 0;
}

static enum mst_rc end_lines(struct lines *l, enum mst_rc rc, struct mst_err *err)
{
    if (rc == MST_OK && l->err.rc == MST_OK) {
        (void)!cmd_out(mst_str_c(&l->out), &l->err);
    }
    mst_str_release(&l->out);
    if (rc == MST_OK && l->err.rc != MST_OK) {
        *err = l->err;
        rc = err->rc;
    }
    return rc;
}

/* What cannot be shown is there all the same, and costs as much. */
static void say_hidden(uint64_t n, struct mst_str *out, bool json)
{
    if (n > 0 && !json) {
        mst_str_addf(out, "(%llu more %s not shown: what %s called cannot be muster's)\n",
                     (unsigned long long)n, n == 1 ? "is" : "are", n == 1 ? "it is" : "they are");
    } else if (n > 0) {
        js_begin(out, "left_out", mst_clock_utc_ms(NULL));
        js_int(out, "objects", (int64_t)n);
        js_end(out);
    }
}

enum mst_rc cmd_store_ls(struct cmd_ctx *c, struct mst_err *err)
{
    const char *prefix = c->args.n_operands > 1 ? c->args.operands[1] : "";
    struct lines l = {.c = c, .detail = args_has(&c->args, "long")};
    char base[512];
    uint64_t hidden = 0;
    int64_t limit = 0;
    enum mst_rc rc = args_number(&c->args, "limit", 1, 1000000000, 0, &limit, err);

    (void)snprintf(base, sizeof(base), "%s", prefix);
    if (strlen(base) > 1 && base[strlen(base) - 1] == '/') {
        base[strlen(base) - 1] = '\0';
    }
    l.limit = (uint64_t)limit;
    rc = rc == MST_OK ? mst_engine_store_ls(c->cfg, store_of(c), base, line, &l, &hidden, err) : rc;
    if (l.cut && !c->json) {
        mst_str_addf(&l.out, "(the first %llu; there are more)\n", (unsigned long long)l.n);
    }
    say_hidden(hidden, &l.out, c->json);
    return end_lines(&l, rc, err);
}

static enum mst_rc older_of(const struct cmd_ctx *c, int64_t otherwise, int64_t *out,
                            struct mst_err *err)
{
    const char *v = args_get(&c->args, "older");

    *out = otherwise;
    return !v || mst_when_span(v, out)
               ? MST_OK
               : mst_err_set(err, MST_E_USAGE, "--older is a time such as 0s, 30m, 12h or 7d");
}

/* The set's name is what its members say when the configuration has none. */
static enum mst_rc set_name(struct cmd_ctx *c, char *out, size_t size, struct mst_err *err)
{
    struct mst_engine *e = NULL;
    const struct mst_view *v;

    (void)mst_copy(out, size, c->cfg->set.name);
    if (*out) {
        return MST_OK;
    }
    if (cmd_engine(c, &e, err) != MST_OK) {
        return err->rc;
    }
    v = cmd_first_facts(e);
    if (v->topo->v.set_name_known) {
        (void)mst_copy(out, size, v->topo->v.set_name);
    }
    mst_view_release(v);
    mst_engine_close(e);
    return *out ? MST_OK
                : mst_err_set(err, MST_E_NET,
                              "the set's name is not known: set.name in the configuration says it");
}

static enum mst_rc list_orphans(struct cmd_ctx *c, int64_t older, struct mst_err *err)
{
    struct lines l = {.c = c, .detail = true};
    struct mst_orphan_sum sum = {0};
    char set[128], size[MST_HUMAN_MAX];
    enum mst_rc rc = set_name(c, set, sizeof(set), err);

    rc = rc == MST_OK
             ? mst_engine_store_orphans(c->cfg, store_of(c), set, older, line, &l, &sum, err)
             : rc;
    if (rc == MST_OK && !c->json) {
        mst_str_addf(
            &l.out,
            "%zu %s of no backup, %s; %zu of them foreign (never removed), %zu younger than "
            "--older, %zu held, %zu whose COMMIT is not believed\n",
            sum.n, mst_text_noun(sum.n, "object", "objects"), mst_text_bytes(sum.bytes, size),
            sum.foreign, sum.young, sum.held, sum.doubtful);
    }
    say_hidden(sum.left_out, &l.out, c->json);
    return end_lines(&l, rc, err);
}

enum mst_rc cmd_store_orphans(struct cmd_ctx *c, struct mst_err *err)
{
    struct mst_cmd *cmd = mst_xcalloc(1, sizeof(*cmd));
    const char *reason = args_get(&c->args, "reason");
    enum mst_rc rc = cmd_store_named(c, store_of(c), err);

    cmd->kind = MST_CMD_ORPHANS;
    (void)mst_copy(cmd->store, sizeof(cmd->store), store_of(c));
    (void)mst_copy(cmd->reason, sizeof(cmd->reason), reason ? reason : "");
    mst_text_sanitise(cmd->reason);
    cmd->dry_run = args_has(&c->args, "dry-run");
    rc = rc == MST_OK ? older_of(c, OLDER_MS, &cmd->older_ms, err) : rc;
    if (rc == MST_OK && args_has(&c->args, "remove")) {
        rc = cmd_guarded(c, cmd, err);
    } else if (rc == MST_OK) {
        rc = list_orphans(c, cmd->older_ms, err);
    }
    free(cmd);
    return rc;
}

/* --- jobs ------------------------------------------------------------------------------------- */

static enum mst_rc run_job(struct cmd_ctx *c, const struct mst_cmd *cmd, struct mst_err *err)
{
    struct mst_engine *e = NULL;
    uint64_t job = 0;
    enum mst_rc rc = cmd_engine(c, &e, err);

    rc = rc == MST_OK ? mst_engine_submit(e, cmd, &job, err) : rc;
    rc = rc == MST_OK ? cmd_follow(c, e, job, err) : rc;
    mst_engine_close(e);
    return rc;
}

enum mst_rc cmd_store_test(struct cmd_ctx *c, struct mst_err *err)
{
    struct mst_cmd *cmd = mst_xcalloc(1, sizeof(*cmd));
    enum mst_rc rc = cmd_store_named(c, store_of(c), err);

    cmd->kind = MST_CMD_STORE_TEST;
    (void)mst_copy(cmd->store, sizeof(cmd->store), store_of(c));
    rc = rc == MST_OK ? run_job(c, cmd, err) : rc;
    free(cmd);
    return rc;
}

static enum mst_rc named(const struct cmd_ctx *c, const char *option, char *out, size_t size,
                         struct mst_err *err)
{
    const char *v = args_get(&c->args, option);

    if (cmd_store_named(c, v, err) != MST_OK) {
        return err->rc;
    }
    (void)mst_copy(out, size, v ? v : "");
    return MST_OK;
}

enum mst_rc cmd_copy(struct cmd_ctx *c, struct mst_err *err)
{
    struct mst_cmd *cmd = mst_xcalloc(1, sizeof(*cmd));
    enum mst_rc rc = named(c, "from", cmd->store, sizeof(cmd->store), err);

    cmd->kind = MST_CMD_COPY;
    rc = rc == MST_OK ? named(c, "to", cmd->to_store, sizeof(cmd->to_store), err) : rc;
    if (rc == MST_OK && !cmd->to_store[0]) {
        rc = mst_err_set(err, MST_E_USAGE, "copy needs --to STORE");
    }
    if (rc == MST_OK && !mst_copy(cmd->backup, sizeof(cmd->backup), c->args.operands[0])) {
        rc = mst_err_set(err, MST_E_USAGE, "that is no backup's id");
    }
    rc = rc == MST_OK ? run_job(c, cmd, err) : rc;
    free(cmd);
    return rc;
}

static enum mst_rc until_of(const struct cmd_ctx *c, int64_t *out, struct mst_err *err)
{
    const char *v = args_get(&c->args, "until");
    int64_t span;

    if (v && strcmp(v, "ever") == 0) {
        *out = MST_HOLD_EVER;
        return MST_OK;
    }
    if (v && mst_when_span(v, &span)) {
        *out = mst_clock_utc_ms(NULL) + span;
        return MST_OK;
    }
    *out = v ? mst_when_moment(v) : -1;
    return *out >= 0
               ? MST_OK
               : mst_err_set(err, MST_E_USAGE,
                             "--until is a day (2027-01-31), a time (2027-01-31T03:00Z), from "
                             "now (90d) or ever");
}

static enum mst_rc hold(struct cmd_ctx *c, enum mst_cmd_kind kind, struct mst_err *err)
{
    struct mst_cmd *cmd = mst_xcalloc(1, sizeof(*cmd));
    const char *reason = args_get(&c->args, "reason");
    enum mst_rc rc = named(c, "store", cmd->store, sizeof(cmd->store), err);

    cmd->kind = kind;
    cmd->dry_run = args_has(&c->args, "dry-run");
    (void)mst_copy(cmd->reason, sizeof(cmd->reason), reason ? reason : "");
    mst_text_sanitise(cmd->reason);
    if (rc == MST_OK && !mst_copy(cmd->backup, sizeof(cmd->backup), c->args.operands[0])) {
        rc = mst_err_set(err, MST_E_USAGE, "that is no backup's id");
    }
    if (rc == MST_OK && kind == MST_CMD_HOLD) {
        rc = until_of(c, &cmd->until_ms, err);
    }
    if (rc == MST_OK && kind == MST_CMD_HOLD && !cmd->reason[0]) {
        rc = mst_err_set(err, MST_E_USAGE, "hold needs --reason TEXT: somebody will ask why");
    }
    rc = rc != MST_OK ? rc : kind == MST_CMD_HOLD ? run_job(c, cmd, err) : cmd_guarded(c, cmd, err);
    free(cmd);
    return rc;
}

enum mst_rc cmd_hold(struct cmd_ctx *c, struct mst_err *err)
{
    return hold(c, MST_CMD_HOLD, err);
}

enum mst_rc cmd_release(struct cmd_ctx *c, struct mst_err *err)
{
    return hold(c, MST_CMD_UNHOLD, err);
}
