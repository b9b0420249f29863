#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "ctl/ctl.h"
#include "server/server.h"
#include "set/set.h"
#include "wire/client.h"

struct ask {
    struct sbx_world *w;
    const char *const *words;
    size_t n;
    struct sbx_member *a, *b; /* the members that words[1] and words[2] name */
    struct mst_str *out;
};
typedef enum mst_rc verb_fn(struct ask *q, struct mst_err *err);

static enum mst_rc do_kill(struct ask *q, struct mst_err *err)
{
    if (!q->a->alive) {
        return mst_err_set(err, MST_E_PRECOND, "%s is dead already", q->a->host);
    }
    sbx_set_killed(q->a);
    sbx_server_kill(q->a);
    mst_str_addf(q->out, "%s killed\n", q->a->host);
    return MST_OK;
}

static enum mst_rc do_start(struct ask *q, struct mst_err *err)
{
    if (q->a->alive) {
        return mst_err_set(err, MST_E_PRECOND, "%s runs already", q->a->host);
    }
    if (q->a->disk != SBX_DISK_OK) {
        return mst_err_set(err, MST_E_PRECOND,
                           "%s cannot start, its disk is full: 'disk %zu ok' makes room first",
                           q->a->host, q->a->index);
    }
    const enum mst_rc rc = sbx_server_revive(q->a, err);
    if (rc == MST_OK) {
        sbx_set_boot(q->a);
        mst_str_addf(q->out, "%s started\n", q->a->host);
    }
    return rc;
}

static enum mst_rc do_freeze(struct ask *q, bool frozen, struct mst_err *err)
{
    if (!q->a->alive) {
        return mst_err_set(err, MST_E_PRECOND, "%s is dead: start it first", q->a->host);
    }
    if (q->a->frozen == frozen) {
        return mst_err_set(err, MST_E_PRECOND, "%s is %s", q->a->host,
                           frozen ? "stopped already" : "not stopped");
    }
    sbx_set_frozen(q->a, frozen);
    sbx_server_poke(q->w);
    mst_str_addf(q->out, "%s %s\n", q->a->host, frozen ? "stopped" : "continues");
    return MST_OK;
}

static enum mst_rc do_stop(struct ask *q, struct mst_err *err)
{
    return do_freeze(q, true, err);
}

static enum mst_rc do_cont(struct ask *q, struct mst_err *err)
{
    return do_freeze(q, false, err);
}

static void cut(struct sbx_world *w, size_t a, size_t b, bool on)
{
    w->cut[a][b] = w->cut[b][a] = on && a != b;
}

/* One member: from all others. Two: from each other. Clients reach every member always. */
static enum mst_rc do_partition(struct ask *q, struct mst_err *err)
{
    if (q->b == q->a) {
        return mst_err_set(err, MST_E_USAGE, "a member cannot be parted from itself");
    }
    for (size_t i = 0; i < q->w->n; i++) {
        if (q->b == NULL || i == q->b->index) {
            cut(q->w, q->a->index, i, true);
        }
    }
    mst_str_addf(q->out, "%s is parted from %s\n", q->a->host,
                 q->b != NULL ? q->b->host : "all others");
    return MST_OK;
}

static enum mst_rc do_heal(struct ask *q, struct mst_err *err)
{
    (void)err;
    for (size_t i = 0; i < q->w->n; i++) {
        for (size_t j = 0; j < q->w->n; j++) {
            const bool mine = q->a == NULL || q->a->index == i || q->a->index == j;
            const bool its = q->b == NULL || q->b->index == i || q->b->index == j;
            if (mine && its) {
                cut(q->w, i, j, false);
            }
        }
    }
    mst_str_add(q->out, "healed\n");
    return MST_OK;
}

/* The first cannot reach the second any more; the other way it goes on. */
static enum mst_rc do_oneway(struct ask *q, struct mst_err *err)
{
    if (q->b == q->a) {
        return mst_err_set(err, MST_E_USAGE, "a member cannot be parted from itself");
    }
    q->w->cut[q->a->index][q->b->index] = true;
    mst_str_addf(q->out, "%s does not reach %s\n", q->a->host, q->b->host);
    return MST_OK;
}

static enum mst_rc amount(const struct ask *q, const char *unit, long long max, int64_t *out,
                          struct mst_err *err)
{
    char *end;
    const long long n = strtoll(q->words[2], &end, 10);

    if (*end != '\0' || end == q->words[2] || n < 0 || n > max) {
        return mst_err_set(err, MST_E_USAGE, "%s takes %s, 0 to %lld, not %s", q->words[0], unit,
                           max, q->words[2]);
    }
    *out = n;
    return MST_OK;
}

static const char *const disks[] = {"ok", "full", "crash"}; /* enum sbx_disk */

static enum mst_rc do_disk(struct ask *q, struct mst_err *err)
{
    for (size_t i = 0; i < MST_COUNT(disks); i++) {
        if (strcmp(q->words[2], disks[i]) == 0) {
            q->a->disk = (enum sbx_disk)i;
            q->a->disk_at = q->a->applied.op;
            mst_str_addf(q->out, "the disk of %s is %s\n", q->a->host,
                         i == SBX_DISK_CRASH ? "full: its first write ends it" : disks[i]);
            return MST_OK;
        }
    }
    return mst_err_set(err, MST_E_USAGE, "a disk is full, crash or ok, not %s", q->words[2]);
}

/* Milliseconds for a member that has data. */
static enum mst_rc delay(const struct ask *q, int64_t *to, const char *does, struct mst_err *err)
{
    enum mst_rc rc = amount(q, "milliseconds", 86400000, to, err);

    if (rc == MST_OK && q->a->data == NULL) {
        *to = 0;
        rc = mst_err_set(err, MST_E_PRECOND, "%s is an arbiter: nothing to %s", q->a->host,
                         q->words[0]);
    }
    if (rc == MST_OK) {
        mst_str_addf(q->out, "%s %s %" PRId64 " ms\n", q->a->host, does, *to);
    }
    return rc;
}

static enum mst_rc do_lag(struct ask *q, struct mst_err *err)
{
    return delay(q, &q->a->lag_ms, "lags", err);
}

static enum mst_rc do_slow(struct ask *q, struct mst_err *err)
{
    return delay(q, &q->a->dials.slow_ms, "is slower by", err);
}

static enum mst_rc do_catch_up(struct ask *q, struct mst_err *err)
{
    return delay(q, &q->a->dials.catch_up_ms, "will catch up for", err);
}

/* As replSetFreeze, sent by somebody else: no status of the set shows it. */
static enum mst_rc do_set_freeze(struct ask *q, struct mst_err *err)
{
    int64_t s = 0;
    enum mst_rc rc = amount(q, "seconds", 86400, &s, err);

    if (rc == MST_OK && (!q->a->alive || q->a->state == SBX_PRIMARY)) {
        rc = mst_err_set(err, MST_E_PRECOND, "%s is %s: only who runs and is not primary freezes",
                         q->a->host, q->a->alive ? "the primary" : "dead");
    }
    if (rc == MST_OK) {
        sbx_freeze(q->a, s);
        mst_str_addf(q->out, "%s %s\n", q->a->host, s > 0 ? "does not stand" : "may stand");
    }
    return rc;
}

static enum mst_rc do_drop(struct ask *q, struct mst_err *err)
{
    if (q->a->alive) {
        return mst_err_set(err, MST_E_PRECOND, "%s runs: kill it before its data is dropped",
                           q->a->host);
    }
    sbx_set_lose_data(q->a);
    mst_str_addf(q->out, "%s has lost its data\n", q->a->host);
    return MST_OK;
}

static int writable_index(struct sbx_world *w)
{
    int found = -1;

    sbx_lock(w);
    for (size_t i = 0; i < w->n && found < 0; i++) {
        if (w->members[i].alive && w->members[i].writable) {
            found = (int)i;
        }
    }
    sbx_unlock(w);
    return found;
}

/* The collection goes through the primary, as a client's drop does: without the lock. */
static enum mst_rc drop_collection(struct sbx_world *w, const char *ns, struct mst_str *out,
                                   struct mst_err *err)
{
    const char *dot = strchr(ns, '.');
    struct sbx_client c = {.fd = -1};
    char db[64];
    bson_t *cmd, reply;
    enum mst_rc rc;
    const int primary = writable_index(w);

    if (primary < 0) {
        return mst_err_set(err, MST_E_PRECOND, "cannot drop %s: there is no primary now", ns);
    }
    rc = sbx_client_connect(&c, "127.0.0.1", w->members[primary].port, 5000, err);
    if (rc != MST_OK) {
        return rc;
    }
    (void)snprintf(db, sizeof(db), "%.*s", (int)(dot - ns), ns);
    cmd = BCON_NEW("drop", BCON_UTF8(dot + 1));
    rc = sbx_client_command(&c, db, cmd, &reply, err);
    bson_destroy(&reply);
    bson_destroy(cmd);
    sbx_client_close(&c);
    if (rc != MST_OK) {
        mst_err_prefix(err, "cannot drop %s", ns);
        return rc;
    }
    mst_str_addf(out, "%s dropped\n", ns);
    return MST_OK;
}

static const char *condition(const struct sbx_member *m)
{
    return !m->alive ? "dead" : m->frozen ? "stopped" : "running";
}

/* What was done to a member, as far as it still lasts. */
static void add_faults(const struct sbx_member *m, struct mst_str *out)
{
    const int64_t frozen_ms = m->no_stand_until - sbx_mono(m->w);

    if (m->alive && frozen_ms > 0) {
        mst_str_addf(out, " frozen %" PRId64 " s", (frozen_ms + 999) / 1000);
    }
    if (m->dials.slow_ms > 0) {
        mst_str_addf(out, " slow %" PRId64, m->dials.slow_ms);
    }
    if (m->dials.catch_up_ms > 0) {
        mst_str_addf(out, " catchup %" PRId64, m->dials.catch_up_ms);
    }
    if (m->draining) {
        mst_str_add(out, " catching-up");
    }
    if (m->stepping_down) {
        mst_str_add(out, " stepping-down");
    }
    if (m->fsync_locks > 0) {
        mst_str_addf(out, " locked %d", m->fsync_locks);
    }
    for (size_t j = 0; j < m->w->n; j++) {
        if (m->w->cut[m->index][j]) {
            mst_str_addf(out, " cut %zu", j);
        }
    }
}

static enum mst_rc do_status(struct ask *q, struct mst_err *err)
{
    (void)err;
    for (size_t i = 0; i < q->w->n; i++) {
        const struct sbx_member *m = &q->w->members[i];
        mst_str_addf(q->out, "%zu %s %s %s%s term %" PRId64 " optime %u.%u lag %" PRId64, i,
                     m->host, condition(m), m->alive ? sbx_state_name(m->state) : "-",
                     m->writable ? " writable" : "", m->term, m->applied.op.ts.t,
                     m->applied.op.ts.i, m->lag_ms);
        if (m->disk != SBX_DISK_OK) {
            mst_str_addf(q->out, " disk %s", disks[m->disk]);
        }
        add_faults(m, q->out);
        mst_str_addc(q->out, '\n');
    }
    return MST_OK;
}

static const struct verb {
    const char *name;
    verb_fn *fn;
    size_t min, max; /* words behind the verb */
    size_t members;  /* how many of them name members */
    const char *usage;
} verbs[] = {
    {"kill", do_kill, 1, 1, 1, "kill MEMBER"},
    {"start", do_start, 1, 1, 1, "start MEMBER"},
    {"stop", do_stop, 1, 1, 1, "stop MEMBER"},
    {"cont", do_cont, 1, 1, 1, "cont MEMBER"},
    {"partition", do_partition, 1, 2, 2, "partition MEMBER [MEMBER]"},
    {"heal", do_heal, 0, 2, 2, "heal [MEMBER [MEMBER]]"},
    {"oneway", do_oneway, 2, 2, 2, "oneway MEMBER MEMBER (the first does not reach the second)"},
    {"lag", do_lag, 2, 2, 1, "lag MEMBER MS"},
    {"disk", do_disk, 2, 2, 1, "disk MEMBER full|crash|ok"},
    {"slow", do_slow, 2, 2, 1, "slow MEMBER MS"},
    {"catchup", do_catch_up, 2, 2, 1, "catchup MEMBER MS"},
    {"freeze", do_set_freeze, 2, 2, 1, "freeze MEMBER SECONDS"},
    {"drop", do_drop, 1, 1, 1, "drop DATABASE.COLLECTION, or drop MEMBER (its data)"},
    {"status", do_status, 0, 0, 0, "status"},
};

static enum mst_rc find_verb(const char *name, const struct verb **out, struct mst_err *err)
{
    const char *names[MST_COUNT(verbs)];

    for (size_t i = 0; i < MST_COUNT(verbs); i++) {
        names[i] = verbs[i].name;
        if (strcmp(verbs[i].name, name) == 0) {
            *out = &verbs[i];
            return MST_OK;
        }
    }
    const char *near = mst_text_nearest(name, names, MST_COUNT(names));
    return mst_err_set(err, MST_E_USAGE, "no verb %s%s%s: " SBX_CTL_VERBS, name,
                       near != NULL ? ", did you mean " : "", near != NULL ? near : "");
}

static enum mst_rc find_members(struct ask *q, const struct verb *v, struct mst_err *err)
{
    struct sbx_member **to[] = {&q->a, &q->b};

    for (size_t i = 0; i < v->members && i + 1 < q->n; i++) {
        *to[i] = sbx_member_by_name(q->w, q->words[i + 1]);
        if (*to[i] == NULL) {
            return mst_err_set(err, MST_E_USAGE,
                               "no member %s: name one by index (0 to %zu), port or host:port",
                               q->words[i + 1], q->w->n - 1);
        }
    }
    return MST_OK;
}

static bool names_collection(struct sbx_world *w, const char *word)
{
    const char *dot = strchr(word, '.');
    bool member;

    sbx_lock(w);
    member = sbx_member_by_name(w, word) != NULL;
    sbx_unlock(w);
    return !member && !strchr(word, ':') && dot && dot != word && dot[1] && dot - word < 64;
}

enum mst_rc sbx_ctl_verb(struct sbx_world *w, const char *const *words, size_t n,
                         struct mst_str *out, struct mst_err *err)
{
    struct ask q = {.w = w, .words = words, .n = n, .out = out};
    const struct verb *v = NULL;
    enum mst_rc rc = find_verb(n > 0 ? words[0] : "", &v, err);

    if (rc == MST_OK && (n - 1 < v->min || n - 1 > v->max)) {
        rc = mst_err_set(err, MST_E_USAGE, "use: %s", v->usage);
    }
    if (rc != MST_OK) {
        return rc;
    }
    if (v->fn == do_drop && names_collection(w, words[1])) {
        return drop_collection(w, words[1], out, err);
    }
    sbx_lock(w);
    rc = find_members(&q, v, err);
    if (rc == MST_OK) {
        rc = v->fn(&q, err);
    }
    w->due_mono = 0;
    sbx_changed(w);
    sbx_unlock(w);
    return rc;
}
