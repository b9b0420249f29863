/* Dotted paths with the server's array rules: a name inside an array of documents means each of
 * them, a number means the element of that index as well. */
#include <stdlib.h>
#include <string.h>

#include "value/value.h"

struct walk {
    bool expand;
    sbx_path_fn *fn;
    void *arg;
};

static bool is_number(const char *s, size_t n)
{
    if (n == 0 || n > 9) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9') {
            return false;
        }
    }
    return n == 1 || s[0] != '0';
}

static bool emit(const struct walk *w, struct sbx_val v)
{
    struct sbx_it it;

    if (!w->fn(w->arg, v, false)) {
        return false;
    }
    if (v.type != SBX_ARRAY || !w->expand) {
        return true;
    }
    sbx_it_init(&it, sbx_val_doc(v));
    while (sbx_it_next(&it)) {
        if (!w->fn(w->arg, it.v, true)) {
            return false;
        }
    }
    return true;
}

static bool each(const struct walk *w, struct sbx_val at, const char *path);

static bool each_in_array(const struct walk *w, struct sbx_val at, const char *path, size_t n)
{
    struct sbx_it it;

    if (is_number(path, n)) {
        const struct sbx_val v = sbx_doc_getn(sbx_val_doc(at), path, n);

        if (v.type != SBX_EOO && !(path[n] ? each(w, v, path + n + 1) : emit(w, v))) {
            return false;
        }
    }
    sbx_it_init(&it, sbx_val_doc(at));
    while (sbx_it_next(&it)) {
        if (it.v.type == SBX_OBJECT && !each(w, it.v, path)) {
            return false;
        }
    }
    return true;
}

static bool each(const struct walk *w, struct sbx_val at, const char *path)
{
    const char *dot = strchr(path, '.');
    const size_t n = dot ? (size_t)(dot - path) : strlen(path);
    struct sbx_val v;

    if (at.type == SBX_ARRAY) {
        return each_in_array(w, at, path, n);
    }
    if (at.type != SBX_OBJECT) {
        return w->fn(w->arg, (struct sbx_val){0}, false);
    }
    v = sbx_doc_getn(sbx_val_doc(at), path, n);
    if (v.type == SBX_EOO) {
        return w->fn(w->arg, v, false);
    }
    return dot ? each(w, v, dot + 1) : emit(w, v);
}

bool sbx_path_each(struct sbx_doc d, const char *path, bool expand, sbx_path_fn *fn, void *arg)
{
    const struct walk w = {expand, fn, arg};

    return each(&w, sbx_doc_val(d), path);
}

struct sbx_val sbx_path_get(struct sbx_doc d, const char *path)
{
    struct sbx_val v = sbx_doc_val(d);

    for (;;) {
        const char *dot = strchr(path, '.');

        if (!sbx_val_is_doc(v)) {
            return (struct sbx_val){0};
        }
        v = sbx_doc_getn(sbx_val_doc(v), path, dot ? (size_t)(dot - path) : strlen(path));
        if (!dot) {
            return v;
        }
        path = dot + 1;
    }
}
