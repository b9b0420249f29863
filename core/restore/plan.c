/* plan.c: facts in, plan out. Pure. */
#include "restore/plan.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"

static bool glob(const char *p, const char *s)
{
    const char *star = NULL, *back = NULL;

    while (*s) {
        if (*p == '*') {
            star = p++;
            back = s;
        } else if (*p == *s) {
            p++;
            s++;
        } else if (star) {
            p = star + 1;
            s = ++back;
        } else {
            return false;
        }
    }
    while (*p == '*') {
        p++;
    }
    return !*p;
}

bool mst_name_wanted(const struct mst_restore_opts *o, const char *db, const char *coll)
{
    char ns[MST_NS_MAX];
    bool in = o->n_include == 0;
    size_t i;

    (void)snprintf(ns, sizeof ns, "%s.%s", db, coll);
    if (mst_oplog_own_name(coll, NULL, NULL) != MST_OWN_NOT ||
        mst_oplog_judge_ns(ns)->fate != MST_FATE_CARRIED) {
        return false;
    }
    for (i = 0; i < o->n_include && !in; i++) {
        in = glob(o->include[i], ns);
    }
    for (i = 0; i < o->n_exclude && in; i++) {
        in = !glob(o->exclude[i], ns);
    }
    return in;
}

int mst_fcv_cmp(const char *a, const char *b)
{
    char *end_a = NULL, *end_b = NULL;
    const long major_a = strtol(a, &end_a, 10), major_b = strtol(b, &end_b, 10);
    long minor_a, minor_b;

    if (major_a != major_b) {
        return major_a < major_b ? -1 : 1;
    }
    minor_a = *end_a == '.' ? strtol(end_a + 1, NULL, 10) : 0;
    minor_b = *end_b == '.' ? strtol(end_b + 1, NULL, 10) : 0;
    return minor_a < minor_b ? -1 : minor_a > minor_b;
}

struct plan {
    struct mst_restore_plan *out;
    size_t cap_items, cap_rules, cap_steps;
};

static void rule(struct plan *p, enum mst_restore_rule_result result, const char *name,
                 const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static void rule(struct plan *p, enum mst_restore_rule_result result, const char *name,
                 const char *fmt, ...)
{
    struct mst_restore_plan *o = p->out;
    struct mst_restore_rule *r;
    va_list ap;

    mst_grow((void **)&o->rules, &p->cap_rules, o->n_rules + 1, sizeof *o->rules);
    r = &o->rules[o->n_rules++];
    memset(r, 0, sizeof *r);
    r->result = result;
    (void)mst_copy(r->name, sizeof r->name, name);
    va_start(ap, fmt);
    (void)vsnprintf(r->text, sizeof r->text, fmt, ap);
    va_end(ap);
    mst_text_sanitise(r->text);
    o->refused = o->refused || result == MST_RR_REFUSE;
}

static void step(struct plan *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void step(struct plan *p, const char *fmt, ...)
{
    struct mst_restore_plan *o = p->out;
    va_list ap;

    mst_grow((void **)&o->steps, &p->cap_steps, o->n_steps + 1, sizeof *o->steps);
    va_start(ap, fmt);
    (void)vsnprintf(o->steps[o->n_steps], sizeof *o->steps, fmt, ap);
    va_end(ap);
    mst_text_sanitise(o->steps[o->n_steps++]);
}

static struct mst_restore_item *item(struct plan *p)
{
    struct mst_restore_plan *o = p->out;

    mst_grow((void **)&o->items, &p->cap_items, o->n_items + 1, sizeof *o->items);
    memset(&o->items[o->n_items], 0, sizeof *o->items);
    return &o->items[o->n_items++];
}

static void live_of(struct mst_restore_item *it, const struct mst_facts *f)
{
    const struct mst_tgt_coll *t = mst_tgt_find(f->live, f->n_live, it->db, it->coll);
    size_t i;

    it->live_documents = it->live_bytes = -1;
    if (!t) {
        return;
    }
    i = (size_t)(t - f->live);
    it->live_is_view = t->view;
    it->has_live_uuid = t->has_uuid;
    memcpy(it->live_uuid, t->uuid, 16);
    it->live_documents = f->live_size[i].documents;
    it->live_bytes = f->live_size[i].bytes;
    if (it->todo == MST_RD_CREATE) {
        it->todo = MST_RD_REPLACE;
    }
}

static void add_items(struct plan *p, const struct mst_restore_opts *o,
                      const struct mst_restore_source *s, const struct mst_facts *f)
{
    size_t i;

    for (i = 0; i < f->final.n; i++) {
        const struct mst_map_coll *c = &f->final.c[i];
        struct mst_restore_item *it;

        if (!c->wanted) {
            continue;
        }
        it = item(p);
        it->n = (unsigned)i;
        it->todo = MST_RD_CREATE;
        (void)mst_copy(it->db, sizeof it->db, c->db);
        (void)mst_copy(it->coll, sizeof it->coll, c->coll);
        (void)mst_copy(it->begun, sizeof it->begun, c->begun);
        it->has_uuid = c->has_uuid;
        memcpy(it->uuid, c->uuid, 16);
        if (i < s->n) {
            it->documents = s->colls[i].documents;
            it->bytes = s->colls[i].bytes;
        }
        live_of(it, f);
        p->out->need_bytes += it->bytes;
        p->out->replaced += it->todo == MST_RD_REPLACE;
        p->out->created += it->todo == MST_RD_CREATE;
    }
    for (i = 0; i < f->final.n_views; i++) {
        const struct mst_map_view *v = &f->final.v[i];
        struct mst_restore_item *it;

        if (v->dropped || !mst_name_wanted(o, v->db, v->coll)) {
            continue;
        }
        it = item(p);
        it->n = (unsigned)(f->final.n + i);
        it->todo = MST_RD_VIEW;
        (void)mst_copy(it->db, sizeof it->db, v->db);
        (void)mst_copy(it->coll, sizeof it->coll, v->coll);
        live_of(it, f);
        p->out->views++;
    }
}

static void add_steps(struct plan *p, const struct mst_restore_opts *o, const struct mst_facts *f)
{
    struct mst_restore_plan *out = p->out;
    char show[MST_NS_MAX], size[MST_HUMAN_MAX];
    size_t i, k;

    for (i = 0; i < out->n_items; i++) {
        const struct mst_restore_item *it = &out->items[i];

        mst_ns_show(it->db, it->coll, show);
        if (it->todo == MST_RD_VIEW) {
            step(p, "view     %.120s is %s", show,
                 it->live_is_view ? "created in place of the one there" : "created");
        } else if (it->todo == MST_RD_CREATE) {
            step(p, "create   %.120s: %llu %s, %s", show, (unsigned long long)it->documents,
                 mst_text_noun(it->documents, "document", "documents"),
                 mst_text_bytes(it->bytes, size));
        } else if (it->live_is_view) {
            step(p, "replace  %.120s: a view now, is dropped", show);
        } else {
            step(p, "replace  %.100s: %llu %s, %s; the %lld there now %s kept until discard", show,
                 (unsigned long long)it->documents,
                 mst_text_noun(it->documents, "document", "documents"),
                 mst_text_bytes(it->bytes, size), (long long)it->live_documents,
                 mst_text_noun((uint64_t)it->live_documents, "is", "are"));
        }
    }
    for (i = 0; i < f->final.n; i++) {
        const struct mst_map_coll *c = &f->final.c[i];

        if (c->begun[0] && c->dropped && !c->left_out && mst_name_wanted(o, c->db, c->begun)) {
            step(p, "leave    %.120s: it was dropped while the backup ran",
                 mst_ns_show(c->db, c->begun, show));
        } else if (c->begun[0] && c->left_out && !bson_has_field(c->options, "viewOn")) {
            step(p, "leave    %.120s: the backup left it out", mst_ns_show(c->db, c->begun, show));
        }
    }
    for (i = 0; i < f->n_live; i++) {
        for (k = 0; k < out->n_items && (strcmp(out->items[k].coll, f->live[i].coll) != 0 ||
                                         strcmp(out->items[k].db, f->live[i].db) != 0);
             k++) {
        }
        if (k == out->n_items && mst_oplog_own_name(f->live[i].coll, NULL, NULL) == MST_OWN_NOT) {
            out->kept++;
            step(p, "keep     %.120s: not in what is restored",
                 mst_ns_show(f->live[i].db, f->live[i].coll, show));
        }
    }
}

static void version_rules(struct plan *p, const struct mst_restore_opts *o,
                          const struct mst_restore_source *s, const struct mst_facts *f)
{
    if (!s->fcv[0] || !f->fcv[0]) {
        rule(p, MST_RR_WARN, "compatibility version", "source %s, target %s: cannot be compared",
             s->fcv[0] ? s->fcv : "unknown", f->fcv[0] ? f->fcv : "unknown");
    } else if (mst_fcv_cmp(f->fcv, s->fcv) < 0) {
        rule(p, MST_RR_REFUSE, "compatibility version", "the target's %s is below the backup's %s",
             f->fcv, s->fcv);
    } else {
        rule(p, MST_RR_PASS, "compatibility version", "backup %s, target %s", s->fcv, f->fcv);
    }
    rule(p, o->allow_unproven ? MST_RR_WARN : MST_RR_REFUSE, "proven version",
         "restore was not yet run on a real server %s%s", f->version,
         o->allow_unproven ? "; allowed" : "; needs the override");
}

static void room_rule(struct plan *p, const struct mst_facts *f)
{
    char need[MST_HUMAN_MAX], have[MST_HUMAN_MAX];

    mst_text_bytes(p->out->need_bytes, need);
    if (!f->free_bytes) {
        rule(p, MST_RR_WARN, "room", "needs about %s on each member; free space is not known",
             need);
    } else {
        rule(p, f->free_bytes < p->out->need_bytes ? MST_RR_REFUSE : MST_RR_PASS, "room",
             "needs about %s on each member, %s free on the primary", need,
             mst_text_bytes(f->free_bytes, have));
    }
}

static void add_rules(struct plan *p, const struct mst_restore_opts *o,
                      const struct mst_restore_source *s, const struct mst_facts *f)
{
    rule(p, f->primary ? MST_RR_PASS : MST_RR_REFUSE, "primary", "%s %s", o->primary,
         f->primary ? "is the writable primary" : "is not the writable primary");
    if (o->expect_set && o->expect_set[0]) {
        rule(p, strcmp(o->expect_set, f->set) == 0 ? MST_RR_PASS : MST_RR_REFUSE, "set",
             "the target is %s, expected %s", f->set, o->expect_set);
    }
    if (s->set[0] && strcmp(s->set, f->set) != 0) {
        rule(p, o->other_set ? MST_RR_WARN : MST_RR_REFUSE, "same set",
             "the backup is of %s, the target is %s%s", s->set, f->set,
             o->other_set ? "" : ": say that this is meant");
    }
    version_rules(p, o, s, f);
    rule(p, p->out->n_items ? MST_RR_PASS : MST_RR_REFUSE, "something to restore", "%zu %s",
         p->out->n_items,
         mst_text_noun(p->out->n_items, "collection or view fits", "collections and views fit"));
    rule(p,
         f->missing_rights.len        ? MST_RR_REFUSE
         : f->rights_known || f->open ? MST_RR_PASS
                                      : MST_RR_WARN,
         "rights", "%s%.160s", f->missing_rights.len ? "missing: " : "",
         f->missing_rights.len ? mst_str_c(&f->missing_rights)
         : f->open             ? "no access control: nobody is logged in, and everything is allowed"
         : f->rights_known     ? "all there"
                               : "the server does not tell them");
    room_rule(p, f);
    if (f->members_up >= 0) {
        rule(p, f->members_up * 2 > f->members_voting ? MST_RR_PASS : MST_RR_REFUSE, "majority",
             "%lld of %lld %s can take writes over", (long long)f->members_up,
             (long long)f->members_voting,
             mst_text_noun((uint64_t)f->members_voting, "member", "members"));
    } else {
        rule(p, MST_RR_WARN, "majority", "replSetGetStatus is not allowed");
    }
    if (s->partial) {
        rule(p, MST_RR_WARN, "complete", "the backup is PARTIAL: collections were left out");
    }
}

static void hash_plan(struct mst_restore_plan *o, const struct mst_restore_source *s,
                      const struct mst_facts *f)
{
    struct mst_sha256 h = {0};
    uint8_t digest[MST_SHA256_LEN];
    size_t i;

    mst_sha256_init(&h);
    mst_sha256_add(&h, s->label, strlen(s->label));
    mst_sha256_add(&h, f->set, strlen(f->set) + 1);
    for (i = 0; i < o->n_items; i++) {
        const struct mst_restore_item *it = &o->items[i];
        const uint8_t flags[4] = {(uint8_t)it->todo, it->has_uuid, it->has_live_uuid,
                                  it->live_is_view};

        mst_sha256_add(&h, flags, sizeof flags);
        mst_sha256_add(&h, it->db, strlen(it->db) + 1);
        mst_sha256_add(&h, it->coll, strlen(it->coll) + 1);
        mst_sha256_add(&h, it->uuid, 16);
        mst_sha256_add(&h, it->live_uuid, 16);
    }
    for (i = 0; i < o->n_rules; i++) {
        const uint8_t result = (uint8_t)o->rules[i].result;

        mst_sha256_add(&h, &result, 1);
        mst_sha256_add(&h, o->rules[i].name, strlen(o->rules[i].name) + 1);
    }
    mst_sha256_final(&h, digest);
    mst_sha256_release(&h);
    (void)mst_hex(digest, 8, o->hash);
}

struct mst_restore_plan *mst_plan_decide(const struct mst_restore_opts *o,
                                         const struct mst_restore_source *s,
                                         const struct mst_facts *f, const char *run)
{
    struct plan p = {.out = mst_xcalloc(1, sizeof *p.out)};
    struct mst_restore_plan *out = p.out;
    char size[MST_HUMAN_MAX];

    (void)mst_copy(out->run, sizeof out->run, run);
    (void)mst_copy(out->target_version, sizeof out->target_version, f->version);
    (void)mst_copy(out->target_fcv, sizeof out->target_fcv, f->fcv);
    (void)mst_copy(out->source_fcv, sizeof out->source_fcv, s->fcv);
    out->free_bytes = f->free_bytes;
    add_items(&p, o, s, f);
    add_steps(&p, o, f);
    add_rules(&p, o, s, f);
    if (out->replaced) {
        (void)snprintf(out->phrase, sizeof out->phrase, "replace %llu %s in %.100s",
                       (unsigned long long)out->replaced,
                       mst_text_noun(out->replaced, "collection", "collections"), f->set);
        mst_text_sanitise(out->phrase);
    }
    (void)snprintf(out->summary, sizeof out->summary,
                   "%.80s into %.60s: %llu replaced, %llu created, %llu %s, %llu kept, %s to load, "
                   "%llu %s to replay",
                   s->label, f->set, (unsigned long long)out->replaced,
                   (unsigned long long)out->created, (unsigned long long)out->views,
                   mst_text_noun(out->views, "view", "views"), (unsigned long long)out->kept,
                   mst_text_bytes(out->need_bytes, size), (unsigned long long)f->oplog_ops,
                   mst_text_noun(f->oplog_ops, "operation", "operations"));
    mst_text_sanitise(out->summary);
    hash_plan(out, s, f);
    return out;
}

void mst_restore_plan_free(struct mst_restore_plan *p)
{
    if (p) {
        free(p->items);
        free(p->rules);
        free(p->steps);
        free(p);
    }
}
