/* flow.c: transactions held until their commit, applyOps unwrapped. */
#include "oplog/flow.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

#define OPEN_MAX_TXNS 100000
#define DEPTH_MAX 10

struct txn {
    uint8_t *lsid;
    uint32_t lsid_len;
    int64_t number;
    struct mst_ts last; /* of the newest entry of the chain */
    struct mst_buf mem; /* inner operations, one BSON after another */
    int fd;             /* the earlier ones; -1 none */
    uint64_t ops;
};

struct mst_oplog_flow {
    struct mst_oplog_flow_opts opts;
    char *dir;
    mst_oplog_op_fn fn;
    void *arg;
    struct txn *txns;
    size_t n, cap;
    struct mst_oplog_report rep;
};

struct mst_oplog_flow *mst_oplog_flow_new(const struct mst_oplog_flow_opts *o, mst_oplog_op_fn fn,
                                          void *arg)
{
    struct mst_oplog_flow *f = mst_xcalloc(1, sizeof *f);

    f->opts = *o;
    f->dir = mst_xstrdup(o->spill_dir ? o->spill_dir : "/tmp");
    if (!f->opts.txn_mem_bytes) {
        f->opts.txn_mem_bytes = 8u << 20;
    }
    f->fn = fn;
    f->arg = arg;
    return f;
}

static void txn_drop(struct mst_oplog_flow *f, size_t i)
{
    struct txn *t = &f->txns[i];

    free(t->lsid);
    mst_buf_release(&t->mem);
    if (t->fd >= 0) {
        (void)close(t->fd);
    }
    f->txns[i] = f->txns[--f->n];
}

void mst_oplog_flow_free(struct mst_oplog_flow *f)
{
    if (!f) {
        return;
    }
    while (f->n) {
        txn_drop(f, f->n - 1);
    }
    free(f->txns);
    free(f->dir);
    free(f);
}

static struct txn *txn_find(struct mst_oplog_flow *f, const struct mst_oplog_entry *e)
{
    size_t i;

    for (i = 0; i < f->n; i++) {
        struct txn *t = &f->txns[i];

        if (t->number == e->txn_number && t->lsid_len == e->lsid_len &&
            memcmp(t->lsid, e->lsid, e->lsid_len) == 0) {
            return t;
        }
    }
    return NULL;
}

/* A session that begins another transaction has given up the one before. */
static void txn_drop_older(struct mst_oplog_flow *f, const struct mst_oplog_entry *e)
{
    size_t i = 0;

    while (i < f->n) {
        struct txn *t = &f->txns[i];

        if (t->lsid_len == e->lsid_len && memcmp(t->lsid, e->lsid, e->lsid_len) == 0 &&
            t->number <= e->txn_number) {
            f->rep.txn_aborted++;
            txn_drop(f, i);
        } else {
            i++;
        }
    }
}

static enum mst_rc txn_begin(struct mst_oplog_flow *f, const struct mst_oplog_entry *e,
                             struct txn **out, struct mst_err *err)
{
    struct txn *t;

    if (f->n >= OPEN_MAX_TXNS) {
        return mst_err_set(err, MST_E_LIMIT, "more than %d open transactions", OPEN_MAX_TXNS);
    }
    mst_grow((void **)&f->txns, &f->cap, f->n + 1, sizeof *f->txns);
    t = &f->txns[f->n++];
    memset(t, 0, sizeof *t);
    t->lsid = mst_xmemdup(e->lsid, e->lsid_len);
    t->lsid_len = e->lsid_len;
    t->number = e->txn_number;
    t->fd = -1;
    *out = t;
    return MST_OK;
}

static enum mst_rc txn_spill(struct mst_oplog_flow *f, struct txn *t, struct mst_err *err)
{
    char buf[128];

    if (t->fd < 0) {
        char *path = mst_xasprintf("%s/muster-txn-XXXXXX", f->dir);

        t->fd = mkostemp(path, O_CLOEXEC);
        if (t->fd >= 0) {
            (void)unlink(path);
        }
        free(path);
        if (t->fd < 0) {
            return mst_err_set_detail(err, MST_E_IO, errno, "no room for a large transaction: %s",
                                      mst_errno_text(errno, buf, sizeof buf));
        }
    }
    if (mst_fd_write(t->fd, t->mem.p, t->mem.len, "spill of a transaction", err) != MST_OK) {
        return err->rc;
    }
    mst_buf_reset(&t->mem);
    return MST_OK;
}

static enum mst_rc emit(struct mst_oplog_flow *f, const struct mst_oplog_entry *e, int depth,
                        struct mst_err *err);

/* Call fn for each operation inside e's applyOps. */
static enum mst_rc each_inner(const struct mst_oplog_entry *e,
                              enum mst_rc (*fn)(void *arg, const bson_t *op, struct mst_err *err),
                              void *arg, struct mst_err *err)
{
    bson_iter_t it, ops;
    enum mst_rc rc = MST_OK;

    if (!bson_iter_init_find(&it, &e->o, "applyOps") || !BSON_ITER_HOLDS_ARRAY(&it) ||
        !bson_iter_recurse(&it, &ops)) {
        return mst_err_set(err, MST_E_INTEGRITY, "oplog entry %u.%u: applyOps without a list",
                           e->at.ts.t, e->at.ts.i);
    }
    while (rc == MST_OK && bson_iter_next(&ops)) {
        const uint8_t *p = NULL;
        uint32_t n = 0;
        bson_t op;

        if (BSON_ITER_HOLDS_DOCUMENT(&ops)) {
            bson_iter_document(&ops, &n, &p);
        }
        if (!p || !bson_init_static(&op, p, n)) {
            return mst_err_set(err, MST_E_INTEGRITY, "oplog entry %u.%u: applyOps is damaged",
                               e->at.ts.t, e->at.ts.i);
        }
        rc = fn(arg, &op, err);
    }
    if (rc == MST_OK && ops.err_off != 0) {
        return mst_err_set(err, MST_E_INTEGRITY, "oplog entry %u.%u: applyOps is damaged",
                           e->at.ts.t, e->at.ts.i);
    }
    return rc;
}

struct adder {
    struct mst_oplog_flow *f;
    struct txn *t;
};

static enum mst_rc add_inner(void *arg, const bson_t *op, struct mst_err *err)
{
    struct adder *a = arg;

    mst_buf_add(&a->t->mem, bson_get_data(op), op->len);
    a->t->ops++;
    if (a->t->mem.len > a->f->opts.txn_mem_bytes) {
        return txn_spill(a->f, a->t, err);
    }
    return MST_OK;
}

struct player {
    struct mst_oplog_flow *f;
    struct mst_optime at;
    int depth;
};

static enum mst_rc play_inner(void *arg, const bson_t *op, struct mst_err *err)
{
    struct player *p = arg;
    struct mst_oplog_entry in;
    enum mst_rc rc = mst_oplog_parse_inner(op, p->at, &in, err);

    return rc == MST_OK ? emit(p->f, &in, p->depth, err) : rc;
}

static enum mst_rc play_bytes(struct player *p, const uint8_t *b, uint32_t n, struct mst_err *err)
{
    bson_t op;

    if (!bson_init_static(&op, b, n)) {
        return mst_err_set(err, MST_E_BUG, "a held operation cannot be read back");
    }
    return play_inner(p, &op, err);
}

static enum mst_rc play_file(struct player *p, int fd, struct mst_err *err)
{
    struct mst_buf b = {0};
    off_t at = 0;
    enum mst_rc rc = MST_OK;

    while (rc == MST_OK) {
        uint8_t head[4];
        const ssize_t got = pread(fd, head, 4, at);
        uint32_t n;

        if (got == 0) {
            break;
        }
        n = got == 4 ? mst_le32(head) : 0;
        if (n < 5 || n > MST_OPLOG_ENTRY_MAX) {
            rc = mst_err_set(err, MST_E_IO, "spill of a transaction cannot be read back");
            break;
        }
        mst_buf_reset(&b);
        if (pread(fd, mst_buf_room(&b, n), n, at) != (ssize_t)n) {
            rc = mst_err_set(err, MST_E_IO, "spill of a transaction cannot be read back");
            break;
        }
        at += (off_t)n;
        rc = play_bytes(p, b.p, n, err);
    }
    mst_buf_release(&b);
    return rc;
}

static enum mst_rc play_txn(struct player *p, const struct txn *t, struct mst_err *err)
{
    size_t at = 0;
    enum mst_rc rc = t->fd >= 0 ? play_file(p, t->fd, err) : MST_OK;

    while (rc == MST_OK && at < t->mem.len) {
        const uint32_t n = mst_le32(t->mem.p + at);

        rc = play_bytes(p, t->mem.p + at, n, err);
        at += n;
    }
    return rc;
}

static enum mst_rc emit(struct mst_oplog_flow *f, const struct mst_oplog_entry *e, int depth,
                        struct mst_err *err)
{
    const struct mst_oplog_rule *r;
    enum mst_rc rc;

    if (depth > DEPTH_MAX) {
        return mst_err_set(err, MST_E_LIMIT, "oplog entry %u.%u: applyOps is nested too deep",
                           e->at.ts.t, e->at.ts.i);
    }
    if (e->op == 'c' && strcmp(e->cmd, "applyOps") == 0) {
        struct player p = {f, e->at, depth + 1};

        return each_inner(e, play_inner, &p, err);
    }
    r = mst_oplog_judge(e);
    f->rep.by_rule[mst_oplog_rule_index(r)]++;
    if (r->fate == MST_FATE_SKIPPED) {
        return MST_OK;
    }
    if (r->fate == MST_FATE_FATAL) {
        char ns[MST_NS_MAX];

        (void)mst_oplog_cmd_ns(e, ns);
        return mst_err_set(err, MST_E_PRECOND, "oplog entry %u.%u: %s on %s cannot be carried: %s",
                           e->at.ts.t, e->at.ts.i, e->op == 'c' ? e->cmd : e->kind, ns, r->why);
    }
    f->rep.ops++;
    rc = f->fn(f->arg, e, err);
    return rc;
}

static enum mst_rc commit(struct mst_oplog_flow *f, const struct mst_oplog_entry *e, bool late,
                          struct mst_err *err)
{
    struct player p = {f, e->at, 1};
    struct txn *t = txn_find(f, e);
    enum mst_rc rc = MST_OK;

    if (!t && late && (!mst_ts_zero(e->prev.ts) || strcmp(e->cmd, "commitTransaction") == 0)) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "transaction committed at %u.%u began before the captured oplog",
                           e->at.ts.t, e->at.ts.i);
    }
    if (t && !mst_ts_zero(e->prev.ts) && mst_ts_cmp(e->prev.ts, t->last) != 0) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "transaction committed at %u.%u: an entry of its chain is missing",
                           e->at.ts.t, e->at.ts.i);
    }
    if (late) {
        rc = t ? play_txn(&p, t, err) : MST_OK;
        if (rc == MST_OK && strcmp(e->cmd, "applyOps") == 0) {
            rc = each_inner(e, play_inner, &p, err);
        }
    } else {
        f->rep.before++;
    }
    f->rep.txn_committed++;
    if (t) {
        txn_drop(f, (size_t)(t - f->txns));
    }
    return rc;
}

static enum mst_rc hold(struct mst_oplog_flow *f, const struct mst_oplog_entry *e, bool late,
                        struct mst_err *err)
{
    struct adder a = {f, txn_find(f, e)};
    enum mst_rc rc;

    if (mst_ts_zero(e->prev.ts)) {
        txn_drop_older(f, e);
        a.t = NULL;
    } else if (!a.t && late) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "part of a transaction at %u.%u: its beginning was not captured",
                           e->at.ts.t, e->at.ts.i);
    } else if (a.t && mst_ts_cmp(e->prev.ts, a.t->last) != 0) {
        return mst_err_set(err, MST_E_INTEGRITY,
                           "part of a transaction at %u.%u: an entry of its chain is missing",
                           e->at.ts.t, e->at.ts.i);
    }
    if (!a.t && (rc = txn_begin(f, e, &a.t, err)) != MST_OK) {
        return rc;
    }
    a.t->last = e->at.ts;
    return each_inner(e, add_inner, &a, err);
}

enum mst_rc mst_oplog_flow_feed(struct mst_oplog_flow *f, const bson_t *entry, struct mst_err *err)
{
    struct mst_oplog_entry e;
    struct txn *t;
    bool late;

    if (mst_oplog_parse(entry, &e, err) != MST_OK) {
        return err->rc;
    }
    if (f->rep.entries &&
        (mst_ts_cmp(e.at.ts, f->rep.last.ts) <= 0 || e.at.term < f->rep.last.term)) {
        return mst_err_set(err, MST_E_INTEGRITY, "oplog is out of order: %u.%u follows %u.%u",
                           e.at.ts.t, e.at.ts.i, f->rep.last.ts.t, f->rep.last.ts.i);
    }
    if (!f->rep.entries++) {
        f->rep.first = e.at;
    }
    f->rep.last = e.at;
    late = mst_ts_cmp(e.at.ts, f->opts.apply_after) > 0;
    switch (e.txn) {
    case MST_TXN_PART:
    case MST_TXN_PREPARE:
        return hold(f, &e, late, err);
    case MST_TXN_COMMIT:
        return commit(f, &e, late, err);
    case MST_TXN_ABORT:
        t = txn_find(f, &e);
        f->rep.txn_aborted++;
        if (t) {
            txn_drop(f, (size_t)(t - f->txns));
        }
        return MST_OK;
    case MST_TXN_NONE:
        break;
    }
    if (!late) {
        f->rep.before++;
        return MST_OK;
    }
    return emit(f, &e, 0, err);
}

void mst_oplog_flow_report(const struct mst_oplog_flow *f, struct mst_oplog_report *out)
{
    size_t i;

    *out = f->rep;
    out->txn_open = f->n;
    for (i = 0; i < f->n && i < MST_OPLOG_OPEN_SHOWN; i++) {
        const struct txn *t = &f->txns[i];
        uint32_t h = 2166136261u, k;

        for (k = 0; k < t->lsid_len; k++) {
            h = (h ^ t->lsid[k]) * 16777619u;
        }
        (void)snprintf(out->open[i], sizeof out->open[i],
                       "session %08x, number %lld, %llu %s, last entry %u.%u", h,
                       (long long)t->number, (unsigned long long)t->ops,
                       mst_text_noun(t->ops, "operation", "operations"), t->last.t, t->last.i);
    }
}
