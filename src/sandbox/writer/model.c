#include "writer/model.h"

#include "base/mem.h"
#include "conc/thread.h"

enum event_kind { EV_PUT, EV_DELETE, EV_CREATE, EV_DROP, EV_DROP_DB, EV_RENAME, EV_DOUBT };

struct event {
    enum event_kind kind;
    struct mst_optime at;
    char *ns, *to;
    bson_t *doc; /* PUT: whole; DELETE, DOUBT: only _id */
};

struct sbx_model {
    struct mst_mutex mu;
    struct event *ev;
    size_t n, cap;
};

struct slot {
    const bson_t *doc; /* whole, or NULL when deleted */
    const bson_t *id;  /* {_id} or the whole document: what the key was taken from */
    bool doubt;
};
struct coll {
    char *ns;
    bool exists, doubt; /* doubt: it may be dropped already */
    struct slot *slots; /* open addressing, cap is a power of two */
    size_t n, used, cap;
};
struct sbx_snapshot {
    struct coll *colls;
    size_t n, cap;
    bson_t **owned; /* copies, so that the model may grow or go */
    size_t n_owned, cap_owned;
};

struct sbx_model *sbx_model_new(void)
{
    struct sbx_model *m = mst_xcalloc(1, sizeof(*m));

    mst_mutex_init(&m->mu);
    return m;
}

void sbx_model_free(struct sbx_model *m)
{
    if (!m) {
        return;
    }
    for (size_t i = 0; i < m->n; i++) {
        free(m->ev[i].ns);
        free(m->ev[i].to);
        if (m->ev[i].doc) {
            bson_destroy(m->ev[i].doc);
        }
    }
    free(m->ev);
    mst_mutex_release(&m->mu);
    free(m);
}

static bson_t *only_id(const bson_t *doc)
{
    bson_t *id = bson_new();
    bson_iter_t it;

    if (bson_iter_init_find(&it, doc, "_id")) {
        (void)bson_append_value(id, "_id", 3, bson_iter_value(&it));
    }
    return id;
}

static void record(struct sbx_model *m, enum event_kind kind, struct mst_optime at, const char *ns,
                   const char *to, bson_t *doc_take)
{
    struct event *e;
    void *v;

    mst_mutex_lock(&m->mu);
    v = m->ev;
    mst_grow(&v, &m->cap, m->n + 1, sizeof(*m->ev));
    m->ev = v;
    e = &m->ev[m->n++];
    e->kind = kind;
    e->at = at;
    e->ns = mst_xstrdup(ns);
    e->to = to ? mst_xstrdup(to) : NULL;
    e->doc = doc_take;
    mst_mutex_unlock(&m->mu);
}

void sbx_model_put(struct sbx_model *m, struct mst_optime at, const char *ns, const bson_t *doc)
{
    record(m, EV_PUT, at, ns, NULL, bson_copy(doc));
}

void sbx_model_delete(struct sbx_model *m, struct mst_optime at, const char *ns, const bson_t *doc)
{
    record(m, EV_DELETE, at, ns, NULL, only_id(doc));
}

void sbx_model_create(struct sbx_model *m, struct mst_optime at, const char *ns)
{
    record(m, EV_CREATE, at, ns, NULL, NULL);
}

void sbx_model_drop(struct sbx_model *m, struct mst_optime at, const char *ns)
{
    record(m, EV_DROP, at, ns, NULL, NULL);
}

void sbx_model_drop_db(struct sbx_model *m, struct mst_optime at, const char *db)
{
    record(m, EV_DROP_DB, at, db, NULL, NULL);
}

void sbx_model_rename(struct sbx_model *m, struct mst_optime at, const char *from, const char *to)
{
    record(m, EV_RENAME, at, from, to, NULL);
}

void sbx_model_doubt(struct sbx_model *m, const char *ns, const bson_t *doc)
{
    struct mst_optime never = {{0, 0}, -1};

    record(m, EV_DOUBT, never, ns, NULL, only_id(doc));
}

size_t sbx_model_events(const struct sbx_model *m)
{
    struct sbx_model *lockable = (struct sbx_model *)(uintptr_t)m;
    size_t n;

    mst_mutex_lock(&lockable->mu);
    n = m->n;
    mst_mutex_unlock(&lockable->mu);
    return n;
}

struct mst_optime sbx_model_newest(const struct sbx_model *m)
{
    struct sbx_model *lockable = (struct sbx_model *)(uintptr_t)m;
    struct mst_optime at = {{0, 0}, -1};

    mst_mutex_lock(&lockable->mu);
    for (size_t i = m->n; i > 0 && at.term < 0; i--) {
        at = m->ev[i - 1].at;
    }
    mst_mutex_unlock(&lockable->mu);
    return at;
}

/* ---- folding the events into a content ---- */

static struct coll *find_coll(const struct sbx_snapshot *s, const char *ns)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->colls[i].exists && strcmp(s->colls[i].ns, ns) == 0) {
            return &s->colls[i];
        }
    }
    return NULL;
}

static struct coll *need_coll(struct sbx_snapshot *s, const char *ns)
{
    struct coll *c = find_coll(s, ns);
    void *v = s->colls;

    if (c) {
        return c;
    }
    mst_grow(&v, &s->cap, s->n + 1, sizeof(*s->colls));
    s->colls = v;
    c = &s->colls[s->n++];
    memset(c, 0, sizeof(*c));
    c->ns = mst_xstrdup(ns);
    c->exists = true;
    return c;
}

/* The bytes of the element _id: type, name, value. Documents start with it. */
static void key_of(const bson_t *doc, const uint8_t **p, size_t *n)
{
    bson_iter_t it;

    *p = NULL;
    *n = 0;
    if (bson_iter_init_find(&it, doc, "_id")) {
        const uint32_t from = bson_iter_offset(&it);
        const uint32_t to = bson_iter_next(&it) ? bson_iter_offset(&it) : doc->len - 1;

        *p = bson_get_data(doc) + from;
        *n = to - from;
    }
}

static size_t hash(const uint8_t *p, size_t n)
{
    uint64_t h = 1469598103934665603ULL;

    for (size_t i = 0; i < n; i++) {
        h = (h ^ p[i]) * 1099511628211ULL;
    }
    return (size_t)(h ^ h >> 29);
}

static struct slot *probe(const struct coll *c, const bson_t *doc)
{
    const uint8_t *p, *q;
    size_t n, k;

    key_of(doc, &p, &n);
    for (size_t i = hash(p, n);; i++) {
        struct slot *s = &c->slots[i & (c->cap - 1)];

        if (!s->id) {
            return s;
        }
        key_of(s->id, &q, &k);
        if (k == n && memcmp(p, q, n) == 0) {
            return s;
        }
    }
}

static struct slot *need_slot(struct coll *c, const bson_t *doc)
{
    if (c->used * 2 >= c->cap) {
        struct coll bigger = *c;

        bigger.cap = c->cap ? c->cap * 2 : 64;
        bigger.slots = mst_xcalloc(bigger.cap, sizeof(*bigger.slots));
        for (size_t i = 0; i < c->cap; i++) {
            if (c->slots[i].id) {
                *probe(&bigger, c->slots[i].id) = c->slots[i];
            }
        }
        free(c->slots);
        *c = bigger;
    }
    return probe(c, doc);
}

static void set_slot(struct coll *c, const bson_t *id, const bson_t *doc, bool doubt)
{
    struct slot *s = need_slot(c, id);

    if (!s->id) {
        c->used++;
    }
    if (doc && !s->doc) {
        c->n++;
    } else if (!doc && s->doc) {
        c->n--;
    }
    s->id = id;
    s->doc = doc;
    s->doubt |= doubt;
}

static void fold_rename(struct sbx_snapshot *s, const struct event *e)
{
    struct coll *from = find_coll(s, e->ns), *to = find_coll(s, e->to);

    if (to) {
        to->exists = false;
    }
    if (from) {
        free(from->ns);
        from->ns = mst_xstrdup(e->to);
    }
}

static bool in_db(const char *ns, const char *db)
{
    const size_t n = strlen(db);

    return strncmp(ns, db, n) == 0 && ns[n] == '.';
}

static void fold_drop_db(struct sbx_snapshot *s, const char *db)
{
    for (size_t i = 0; i < s->n; i++) {
        if (in_db(s->colls[i].ns, db)) {
            s->colls[i].exists = false;
        }
    }
}

static const bson_t *keep(struct sbx_snapshot *s, const bson_t *doc)
{
    void *v = s->owned;

    mst_grow(&v, &s->cap_owned, s->n_owned + 1, sizeof(*s->owned));
    s->owned = v;
    return s->owned[s->n_owned++] = bson_copy(doc);
}

static void fold(struct sbx_snapshot *s, const struct event *e)
{
    struct coll *c;

    switch (e->kind) {
    case EV_PUT: {
        const bson_t *doc = keep(s, e->doc);

        set_slot(need_coll(s, e->ns), doc, doc, false);
        break;
    }
    case EV_DELETE:
        set_slot(need_coll(s, e->ns), keep(s, e->doc), NULL, false);
        break;
    case EV_CREATE:
        (void)need_coll(s, e->ns);
        break;
    case EV_DROP:
        c = find_coll(s, e->ns);
        if (c) {
            c->exists = false;
        }
        break;
    case EV_DROP_DB:
        fold_drop_db(s, e->ns);
        break;
    case EV_RENAME:
        fold_rename(s, e);
        break;
    case EV_DOUBT: {
        const bson_t *id = keep(s, e->doc);
        struct slot *slot = need_slot(need_coll(s, e->ns), id);

        if (!slot->id) {
            slot->id = id;
            need_coll(s, e->ns)->used++;
        }
        slot->doubt = true;
        break;
    }
    }
}

/* A database is dropped by several entries, and its reply dates the last of them: between what was
 * written to it before and that, its collections may be gone or not. */
static void doubt_db(struct sbx_snapshot *s, const struct sbx_model *m, size_t drop,
                     struct mst_ts ts)
{
    const char *db = m->ev[drop].ns;
    size_t i = drop;

    while (i > 0 && !in_db(m->ev[i - 1].ns, db)) {
        i--;
    }
    if (i == 0 || mst_ts_cmp(m->ev[i - 1].at.ts, ts) > 0) {
        return;
    }
    for (i = 0; i < s->n; i++) {
        s->colls[i].doubt |= s->colls[i].exists && in_db(s->colls[i].ns, db);
    }
}

struct sbx_snapshot *sbx_model_at(const struct sbx_model *m, struct mst_ts ts)
{
    struct sbx_model *lockable = (struct sbx_model *)(uintptr_t)m;
    struct sbx_snapshot *s = mst_xcalloc(1, sizeof(*s));

    mst_mutex_lock(&lockable->mu);
    for (size_t i = 0; i < m->n; i++) {
        if (m->ev[i].kind == EV_DOUBT || mst_ts_cmp(m->ev[i].at.ts, ts) <= 0) {
            fold(s, &m->ev[i]);
        } else if (m->ev[i].kind == EV_DROP_DB) {
            doubt_db(s, m, i, ts);
        }
    }
    mst_mutex_unlock(&lockable->mu);
    return s;
}

void sbx_snapshot_free(struct sbx_snapshot *s)
{
    if (!s) {
        return;
    }
    for (size_t i = 0; i < s->n; i++) {
        free(s->colls[i].ns);
        free(s->colls[i].slots);
    }
    for (size_t i = 0; i < s->n_owned; i++) {
        bson_destroy(s->owned[i]);
    }
    free(s->owned);
    free(s->colls);
    free(s);
}

size_t sbx_snapshot_count(const struct sbx_snapshot *s, const char *ns)
{
    const struct coll *c = find_coll(s, ns);

    return c ? c->n : SIZE_MAX;
}

const bson_t *sbx_snapshot_find(const struct sbx_snapshot *s, const char *ns, const bson_t *doc,
                                bool *doubt)
{
    const struct coll *c = find_coll(s, ns);
    const struct slot *slot = c && c->cap ? probe(c, doc) : NULL;

    if (doubt) {
        *doubt = slot && slot->doubt;
    }
    return slot && slot->id ? slot->doc : NULL;
}

void sbx_snapshot_each(const struct sbx_snapshot *s, const char *ns,
                       void (*fn)(void *arg, const bson_t *doc, bool doubt), void *arg)
{
    const struct coll *c = find_coll(s, ns);

    for (size_t i = 0; c && i < c->cap; i++) {
        if (c->slots[i].doc) {
            fn(arg, c->slots[i].doc, c->slots[i].doubt);
        }
    }
}

void sbx_snapshot_collections(const struct sbx_snapshot *s,
                              void (*fn)(void *arg, const char *ns, size_t count), void *arg)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->colls[i].exists && !s->colls[i].doubt) {
            fn(arg, s->colls[i].ns, s->colls[i].n);
        }
    }
}
