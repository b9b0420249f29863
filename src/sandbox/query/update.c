/* Updates: operators in order of their paths, as the server applies them, and what is logged. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "query/paths.h"

struct mod {
    const char *op, *path;
    struct sbx_val arg;
    const char *from; /* $rename: path is the new name */
};
struct mods {
    struct mod *v;
    size_t n, cap;
};
struct job {
    struct sbx_out doc, next; /* the document so far, and where the next one is written */
    struct sbx_out sets, unsets;
    size_t sets_mark, unsets_mark;
    bool unset_first;
    bool lenient, changed;
    struct sbx_why *why;
};

static const char *const ops[] = {"$set",     "$unset",  "$inc",        "$mul",      "$min",
                                  "$max",     "$push",   "$pull",       "$addToSet", "$pop",
                                  "$pullAll", "$rename", "$setOnInsert"};

void sbx_change_release(struct sbx_change *c)
{
    sbx_out_release(&c->doc);
    sbx_out_release(&c->log);
    memset(c, 0, sizeof *c);
}

bool sbx_update_is_replace(struct sbx_doc u)
{
    struct sbx_it it;

    return !sbx_doc_first(u, &it) || it.key[0] != '$';
}

/* Paths part by part, so that "a.b" stands between "a" and "a0". */
static int path_cmp(const char *a, const char *b)
{
    for (; *a && *a == *b; a++, b++) {
    }
    if (*a == *b) {
        return 0;
    }
    if (*a == '\0' || *b == '\0') {
        return *a == '\0' ? -1 : 1;
    }
    if (*a == '.' || *b == '.') {
        return *a == '.' ? -1 : 1;
    }
    return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
}

static int mod_cmp(const void *x, const void *y)
{
    const struct mod *a = x, *b = y;

    return path_cmp(a->path, b->path);
}

static bool check_path(const char *path, struct sbx_why *why)
{
    const size_t n = strlen(path);

    if (n == 0) {
        return sbx_why(why, 56, "An empty update path is not valid.");
    }
    if (path[0] == '.' || path[n - 1] == '.' || strstr(path, "..")) {
        return sbx_why(why, 56,
                       "The update path '%s' contains an empty field name, which is not allowed.",
                       path);
    }
    if (path[0] == '$' || strstr(path, ".$")) {
        const char *d = path[0] == '$' ? path : strstr(path, ".$") + 1;

        if (d[1] == '\0' || d[1] == '.' || d[1] == '[') {
            return sbx_why(why, 9, "the positional operator in '%s' is not served", path);
        }
        return sbx_why(why, 52,
                       "The dollar ($) prefixed field '%s' in '%s' is not valid for storage.", d,
                       path);
    }
    return true;
}

static bool add_mod(struct mods *m, const char *op, const struct sbx_it *it, struct sbx_why *why)
{
    struct mod x = {op, it->key, it->v, NULL};

    if (!check_path(it->key, why)) {
        return false;
    }
    if (strcmp(op, "$rename") == 0) {
        const char *to = sbx_val_str(it->v, NULL);

        if (!to) {
            return sbx_why(why, 2, "The 'to' field for $rename must be a string: %s", it->key);
        }
        if (!check_path(to, why)) {
            return false;
        }
        x.path = to;
        x.from = it->key;
    }
    mst_grow((void **)&m->v, &m->cap, m->n + 1, sizeof *m->v);
    m->v[m->n++] = x;
    return true;
}

static const char *find_op(const char *key)
{
    for (size_t i = 0; i < MST_COUNT(ops); i++) {
        if (strcmp(ops[i], key) == 0) {
            return ops[i];
        }
    }
    return NULL;
}

static bool conflicts(const struct mods *m, struct sbx_why *why)
{
    for (size_t i = 1; i < m->n; i++) {
        const char *a = m->v[i - 1].path, *b = m->v[i].path;
        const size_t n = strlen(a);

        if (strncmp(a, b, n) == 0 && (b[n] == '\0' || b[n] == '.')) {
            return !sbx_why(why, 40, "Updating the path '%s' would create a conflict at '%s'", b,
                            a);
        }
    }
    return false;
}

static bool parse(struct sbx_doc u, struct mods *m, struct sbx_why *why)
{
    struct sbx_it it, f;

    sbx_it_init(&it, u);
    while (sbx_it_next(&it)) {
        const char *op = find_op(it.key);

        if (strcmp(it.key, "$v") == 0) {
            continue;
        }
        if (!op && it.key[0] != '$') {
            return sbx_why(why, 9, "Unknown modifier: %s", it.key);
        }
        if (!op) {
            return sbx_why(why, 9, "Unknown modifier: %s", it.key);
        }
        if (it.v.type != SBX_OBJECT) {
            return sbx_why(why, 9,
                           "Modifiers operate on fields but we found type %s instead. For example: "
                           "{$mod: {<field>: ...}} not {%s: ...}",
                           sbx_type_name(it.v.type), it.key);
        }
        if (sbx_doc_empty(sbx_val_doc(it.v))) {
            return sbx_why(why, 9,
                           "'%s' is empty. You must specify a field like so: {%s: {<field>: ...}}",
                           it.key, it.key);
        }
        sbx_it_init(&f, sbx_val_doc(it.v));
        while (sbx_it_next(&f)) {
            if (!add_mod(m, op, &f, why)) {
                return false;
            }
        }
    }
    if (m->n) {
        qsort(m->v, m->n, sizeof *m->v, mod_cmp);
    }
    return !conflicts(m, why);
}

static bool put(struct job *j, const char *path, struct sbx_val v)
{
    struct sbx_out t;

    sbx_out_reset(&j->next);
    if (!sbx_path_put(sbx_out_done(&j->doc), path, v, j->lenient, &j->next, j->why)) {
        return false;
    }
    t = j->doc;
    j->doc = j->next;
    j->next = t;
    j->changed = true;
    return true;
}

static void log_set(struct job *j, const char *path, struct sbx_val v)
{
    if (!j->sets.b.len) {
        j->sets_mark = sbx_out_begin(&j->sets);
    }
    sbx_out_val(&j->sets, path, v);
}

static void log_unset(struct job *j, const char *path)
{
    if (!j->unsets.b.len) {
        j->unset_first = j->sets.b.len == 0;
        j->unsets_mark = sbx_out_begin(&j->unsets);
    }
    sbx_out_bool(&j->unsets, path, true);
}

static void log_appended(struct job *j, const struct sbx_modify *m)
{
    struct sbx_it it;
    unsigned i = 0;

    sbx_it_init(&it, sbx_val_doc(m->now));
    while (sbx_it_next(&it)) {
        if (i++ >= m->appended_from) {
            struct mst_str s = {0};

            mst_str_addf(&s, "%s.%s", m->path, it.key);
            log_set(j, mst_str_c(&s), it.v);
            mst_str_release(&s);
        }
    }
}

static bool compute(const struct mod *x, struct sbx_modify *m, bool insert, struct sbx_why *why)
{
    const char *op = x->op;

    if (strcmp(op, "$set") == 0 || strcmp(op, "$setOnInsert") == 0) {
        m->now = x->arg;
        m->keep = op[4] != '\0' && !insert;
        return true;
    }
    if (strcmp(op, "$unset") == 0) {
        m->unset = true;
        m->keep = m->old.type == SBX_EOO;
        return true;
    }
    if (strcmp(op, "$inc") == 0 || strcmp(op, "$mul") == 0) {
        return sbx_modify_number(m, why);
    }
    if (strcmp(op, "$min") == 0 || strcmp(op, "$max") == 0) {
        const int c = m->old.type == SBX_EOO ? 0 : sbx_val_cmp(x->arg, m->old);

        m->now = x->arg;
        m->keep = m->old.type != SBX_EOO && (op[2] == 'i' ? c >= 0 : c <= 0);
        return true;
    }
    return sbx_modify_array(m, why);
}

/* Values borrowed from the old document must not outlive it: the caller copies before put(). */
static bool apply_mod(struct job *j, const struct mod *x, bool insert)
{
    const struct sbx_doc d = sbx_out_done(&j->doc);
    struct sbx_modify m = {.op = x->op,
                           .path = x->path,
                           .arg = x->arg,
                           .old = sbx_path_get(d, x->path),
                           .id = sbx_doc_get(d, "_id")};
    bool ok = compute(x, &m, insert, j->why);

    if (ok && !m.keep && m.unset) {
        ok = put(j, x->path, (struct sbx_val){0});
        log_unset(j, x->path);
    } else if (ok && !m.keep && !sbx_val_same(m.now, m.old)) {
        ok = put(j, x->path, m.now);
        if (ok && m.appended) {
            log_appended(j, &m);
        } else if (ok) {
            log_set(j, x->path, m.now);
        }
    }
    sbx_out_release(&m.out);
    return ok;
}

static bool apply_rename(struct job *j, const struct mod *x)
{
    const struct sbx_val v = sbx_path_get(sbx_out_done(&j->doc), x->from);
    struct sbx_out copy = {0};
    size_t mark;
    struct sbx_val moved;
    bool ok;

    if (v.type == SBX_EOO) {
        return true;
    }
    mark = sbx_out_begin(&copy);
    sbx_out_val(&copy, "v", v);
    sbx_out_end(&copy, mark);
    moved = sbx_doc_get(sbx_out_done(&copy), "v");
    ok = put(j, x->path, moved) && put(j, x->from, (struct sbx_val){0});
    if (ok) {
        log_set(j, x->path, moved);
        log_unset(j, x->from);
    }
    sbx_out_release(&copy);
    return ok;
}

static void write_log(struct job *j, struct sbx_out *log)
{
    const size_t mark = sbx_out_begin(log);

    sbx_out_i32(log, "$v", 1);
    if (j->sets.b.len) {
        sbx_out_end(&j->sets, j->sets_mark);
    }
    if (j->unsets.b.len) {
        sbx_out_end(&j->unsets, j->unsets_mark);
    }
    if (j->unsets.b.len && j->unset_first) {
        sbx_out_doc(log, "$unset", sbx_out_done(&j->unsets));
    }
    if (j->sets.b.len) {
        sbx_out_doc(log, "$set", sbx_out_done(&j->sets));
    }
    if (j->unsets.b.len && !j->unset_first) {
        sbx_out_doc(log, "$unset", sbx_out_done(&j->unsets));
    }
    sbx_out_end(log, mark);
}

static bool id_kept(struct sbx_doc before, struct sbx_doc after, struct sbx_why *why)
{
    const struct sbx_val a = sbx_doc_get(before, "_id"), b = sbx_doc_get(after, "_id");

    if (a.type == SBX_EOO || sbx_val_same(a, b)) {
        return true;
    }
    return sbx_why(why, 66,
                   "Performing an update on the path '_id' would modify the immutable "
                   "field '_id'");
}

static bool modify(struct sbx_doc u, struct sbx_doc doc, bool insert, struct sbx_change *c,
                   struct sbx_why *why)
{
    struct mods m = {0};
    struct job j = {.why = why, .lenient = sbx_doc_get(u, "$v").type != SBX_EOO};
    bool ok = parse(u, &m, why);

    mst_buf_add(&j.doc.b, doc.p, doc.n);
    for (size_t i = 0; ok && i < m.n; i++) {
        ok = m.v[i].from ? apply_rename(&j, &m.v[i]) : apply_mod(&j, &m.v[i], insert);
    }
    ok = ok && id_kept(doc, sbx_out_done(&j.doc), why);
    if (ok) {
        c->noop = !j.changed;
        write_log(&j, &c->log);
        c->doc = j.doc;
        memset(&j.doc, 0, sizeof j.doc);
    }
    sbx_out_release(&j.doc);
    sbx_out_release(&j.next);
    sbx_out_release(&j.sets);
    sbx_out_release(&j.unsets);
    free(m.v);
    return ok;
}

static bool replace(struct sbx_doc u, struct sbx_doc doc, struct sbx_change *c, struct sbx_why *why)
{
    const struct sbx_val old = sbx_doc_get(doc, "_id"), id = sbx_doc_get(u, "_id");
    const size_t mark = sbx_out_begin(&c->doc);
    struct sbx_it it;

    if (old.type != SBX_EOO && id.type != SBX_EOO && !sbx_val_eq(old, id)) {
        struct mst_str s = {0};

        sbx_val_text(id, &s);
        sbx_why(why, 66,
                "After applying the update, the (immutable) field '_id' was found to have been "
                "altered to _id: %.200s",
                mst_str_c(&s));
        mst_str_release(&s);
        return false;
    }
    if (id.type != SBX_EOO || old.type != SBX_EOO) {
        sbx_out_val(&c->doc, "_id", id.type != SBX_EOO ? id : old);
    }
    sbx_it_init(&it, u);
    while (sbx_it_next(&it)) {
        if (it.key[0] == '$') {
            return sbx_why(why, 52,
                           "The dollar ($) prefixed field '%s' in '%s' is not valid for storage.",
                           it.key, it.key);
        }
        if (strcmp(it.key, "_id") != 0) {
            sbx_out_valn(&c->doc, it.key, it.klen, it.v);
        }
    }
    sbx_out_end(&c->doc, mark);
    mst_buf_add(&c->log.b, c->doc.b.p, c->doc.b.len);
    c->replaced = true;
    c->noop = c->doc.b.len == doc.n && memcmp(c->doc.b.p, doc.p, doc.n) == 0;
    return true;
}

bool sbx_update(struct sbx_doc u, struct sbx_doc doc, struct sbx_doc query, bool insert,
                struct sbx_change *c, struct sbx_why *why)
{
    (void)query;
    memset(c, 0, sizeof *c);
    if (!(sbx_update_is_replace(u) ? replace(u, doc, c, why) : modify(u, doc, insert, c, why))) {
        return false;
    }
    if (c->doc.b.len > SBX_DOC_MAX) {
        return sbx_why(why, 17419, "Resulting document after update is larger than %d",
                       SBX_DOC_MAX);
    }
    return true;
}

static bool base_field(struct sbx_out *out, const char *key, struct sbx_val v, struct sbx_why *why)
{
    struct sbx_out next = {0};

    if (!sbx_path_put(sbx_out_done(out), key, v, false, &next, why)) {
        sbx_out_release(&next);
        return false;
    }
    sbx_out_release(out);
    *out = next;
    return true;
}

static bool base_from(struct sbx_doc query, struct sbx_out *out, struct sbx_why *why)
{
    struct sbx_it it, sub;

    sbx_it_init(&it, query);
    while (sbx_it_next(&it)) {
        if (strcmp(it.key, "$and") == 0) {
            sbx_it_init(&sub, sbx_val_doc(it.v));
            while (sbx_it_next(&sub)) {
                if (!base_from(sbx_val_doc(sub.v), out, why)) {
                    return false;
                }
            }
        } else if (it.key[0] != '$') {
            struct sbx_val v = it.v;

            if (v.type == SBX_OBJECT && sbx_doc_first(sbx_val_doc(v), &sub) && sub.key[0] == '$') {
                v = sbx_doc_get(sbx_val_doc(v), "$eq");
            }
            if (v.type != SBX_EOO && v.type != SBX_REGEX && !base_field(out, it.key, v, why)) {
                return false;
            }
        }
    }
    return true;
}

bool sbx_upsert_base(struct sbx_doc query, struct sbx_out *out, struct sbx_why *why)
{
    const size_t mark = sbx_out_begin(out);

    sbx_out_end(out, mark);
    return base_from(query, out, why);
}
