#include "query/paths.h"

#include <stdlib.h>
#include <string.h>

#define PAD_MAX 1500000

struct put {
    struct sbx_val v;
    bool lenient;
    struct sbx_out *out;
    struct sbx_why *why;
};

static int64_t as_index(const char *s, size_t n)
{
    int64_t v = 0;

    if (n == 0 || n > 9 || (n > 1 && s[0] == '0')) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9') {
            return -1;
        }
        v = v * 10 + (s[i] - '0');
    }
    return v;
}

/* The rest of a path that does not exist yet: documents in documents. */
static void put_new(struct put *p, const char *key, size_t klen, const char *rest)
{
    const char *dot;
    size_t mark;

    if (!rest) {
        sbx_out_valn(p->out, key, klen, p->v);
        return;
    }
    sbx_out_key(p->out, SBX_OBJECT, key, klen);
    mark = sbx_out_begin(p->out);
    dot = strchr(rest, '.');
    put_new(p, rest, dot ? (size_t)(dot - rest) : strlen(rest), dot ? dot + 1 : NULL);
    sbx_out_end(p->out, mark);
}

static bool put_in(struct put *p, struct sbx_val at, const char *path);

/* The named child exists: replace it, drop it, or go into it. */
static bool put_child(struct put *p, const struct sbx_it *it, const char *rest, bool in_array)
{
    if (!rest && p->v.type == SBX_EOO) {
        if (in_array) {
            sbx_out_key(p->out, SBX_NULL, it->key, it->klen);
        }
        return true;
    }
    if (!rest) {
        sbx_out_valn(p->out, it->key, it->klen, p->v);
        return true;
    }
    if (sbx_val_is_doc(it->v)) {
        sbx_out_key(p->out, it->v.type, it->key, it->klen);
        return put_in(p, it->v, rest);
    }
    sbx_out_valn(p->out, it->key, it->klen, it->v);
    if (p->v.type != SBX_EOO && !p->lenient) {
        struct mst_str s = {0};

        sbx_val_text(it->v, &s);
        sbx_why(p->why, 28, "Cannot create field '%.*s' in element {%s: %.120s}",
                (int)strcspn(rest, "."), rest, it->key, mst_str_c(&s));
        mst_str_release(&s);
        return false;
    }
    return true;
}

static bool put_beyond(struct put *p, int64_t index, unsigned n, const char *path, size_t klen,
                       const char *rest)
{
    char key[12];

    if (index < 0) {
        if (p->lenient) {
            return true;
        }
        return sbx_why(p->why, 28, "Cannot create field '%.*s' in an array", (int)klen, path);
    }
    if (index - n > PAD_MAX) {
        return sbx_why(p->why, 2, "can't backfill more than %d elements", PAD_MAX);
    }
    for (; n < index; n++) {
        snprintf(key, sizeof key, "%u", n);
        sbx_out_key(p->out, SBX_NULL, key, strlen(key));
    }
    put_new(p, path, klen, rest);
    return true;
}

static bool put_in(struct put *p, struct sbx_val at, const char *path)
{
    const char *dot = strchr(path, '.');
    const size_t klen = dot ? (size_t)(dot - path) : strlen(path);
    const char *rest = dot ? dot + 1 : NULL;
    const bool in_array = at.type == SBX_ARRAY;
    const size_t mark = sbx_out_begin(p->out);
    struct sbx_it it;
    bool found = false, ok = true;
    unsigned n = 0;

    sbx_it_init(&it, sbx_val_doc(at));
    while (ok && sbx_it_next(&it)) {
        if (!found && it.klen == klen && memcmp(it.key, path, klen) == 0) {
            found = true;
            ok = put_child(p, &it, rest, in_array);
        } else {
            sbx_out_valn(p->out, it.key, it.klen, it.v);
        }
        n++;
    }
    if (ok && !found && p->v.type != SBX_EOO) {
        if (in_array) {
            ok = put_beyond(p, as_index(path, klen), n, path, klen, rest);
        } else {
            put_new(p, path, klen, rest);
        }
    }
    sbx_out_end(p->out, mark);
    return ok;
}

bool sbx_path_put(struct sbx_doc doc, const char *path, struct sbx_val v, bool lenient,
                  struct sbx_out *out, struct sbx_why *why)
{
    struct put p = {v, lenient, out, why};

    return put_in(&p, sbx_doc_val(doc), path);
}
