/* swaplog.c: swaps in the journal. */
#include <string.h>

#include "base/mem.h"
#include "restore/swap.h"

#define ITEMS_A_STEP 200

static void put_item(bson_t *list, const char *key, const struct mst_swap_item *it)
{
    bson_t d;

    BSON_APPEND_DOCUMENT_BEGIN(list, key, &d);
    BSON_APPEND_UTF8(&d, "db", it->db);
    BSON_APPEND_UTF8(&d, "coll", it->coll);
    BSON_APPEND_INT64(&d, "n", it->n);
    BSON_APPEND_BOOL(&d, "view", it->view);
    BSON_APPEND_BOOL(&d, "liveIsView", it->live_is_view);
    BSON_APPEND_BINARY(&d, "staged", BSON_SUBTYPE_UUID, it->staged, 16);
    if (it->has_live) {
        BSON_APPEND_BINARY(&d, "live", BSON_SUBTYPE_UUID, it->live_uuid, 16);
    }
    if (it->options) {
        BSON_APPEND_DOCUMENT(&d, "options", it->options);
    }
    if (it->before) {
        BSON_APPEND_DOCUMENT(&d, "before", it->before);
    }
    bson_append_document_end(list, &d);
}

static enum mst_rc add_list(struct mst_restore_journal *j, const struct mst_swap *s,
                            struct mst_err *err)
{
    size_t i = 0;
    enum mst_rc rc = MST_OK;

    while (rc == MST_OK && i < s->n) {
        bson_t *step = BCON_NEW("k", BCON_UTF8("swap")), list;
        uint32_t k;

        BSON_APPEND_ARRAY_BEGIN(step, "items", &list);
        for (k = 0; k < ITEMS_A_STEP && i < s->n; k++, i++) {
            char key[16];

            (void)snprintf(key, sizeof key, "%u", k);
            put_item(&list, key, &s->items[i]);
        }
        bson_append_array_end(step, &list);
        rc = j->add(j->arg, s->run, step, err);
        bson_destroy(step);
    }
    return rc;
}

static enum mst_rc add_held(const struct mst_rs *r, struct mst_restore_journal *j,
                            struct mst_err *err)
{
    size_t i, k;
    enum mst_rc rc = MST_OK;

    for (i = 0; i < r->map.n; i++) {
        const struct mst_map_coll *c = &r->map.c[i];

        for (k = 0; rc == MST_OK && c->staged && c->held && k < c->n_indexes; k++) {
            if (mst_index_is_ttl(c->indexes[k])) {
                bson_t *step = BCON_NEW("k", BCON_UTF8("held"), "db", BCON_UTF8(c->db), "coll",
                                        BCON_UTF8(c->coll), "collated",
                                        BCON_BOOL(bson_has_field(c->options, "collation")));

                BSON_APPEND_DOCUMENT(step, "spec", c->indexes[k]);
                rc = j->add(j->arg, r->run, step, err);
                bson_destroy(step);
            }
        }
    }
    return rc;
}

static enum mst_rc add_mark(struct mst_restore_journal *j, const char *run, const char *kind,
                            struct mst_err *err)
{
    bson_t *step = BCON_NEW("k", BCON_UTF8(kind));
    const enum mst_rc rc = j->add(j->arg, run, step, err);

    bson_destroy(step);
    return rc;
}

enum mst_rc mst_swap_journal(const struct mst_rs *r, struct mst_restore_journal *j,
                             const struct mst_swap *s, struct mst_err *err)
{
    if (add_list(j, s, err) != MST_OK || add_held(r, j, err) != MST_OK) {
        return err->rc;
    }
    return add_mark(j, s->run, "begin", err);
}

enum mst_rc mst_swap_close(struct mst_restore_journal *j, const char *run, struct mst_err *err)
{
    return add_mark(j, run, "swapped", err);
}

struct all {
    struct mst_swap *s;
    size_t n, cap;
};

static bool uuid_of(const bson_t *d, const char *key, uint8_t out[16])
{
    bson_iter_t it;
    bson_subtype_t sub;
    uint32_t n = 0;
    const uint8_t *p = NULL;

    if (!bson_iter_init_find(&it, d, key) || !BSON_ITER_HOLDS_BINARY(&it)) {
        return false;
    }
    bson_iter_binary(&it, &sub, &n, &p);
    if (n == 16) {
        memcpy(out, p, 16);
    }
    return n == 16;
}

static void take_item(struct mst_swap *s, const bson_t *d)
{
    struct mst_swap_item *it;
    bson_iter_t i;
    bson_t part;

    mst_grow((void **)&s->items, &s->cap, s->n + 1, sizeof *s->items);
    it = &s->items[s->n++];
    memset(it, 0, sizeof *it);
    if (bson_iter_init_find(&i, d, "db") && BSON_ITER_HOLDS_UTF8(&i)) {
        (void)mst_copy(it->db, sizeof it->db, bson_iter_utf8(&i, NULL));
    }
    if (bson_iter_init_find(&i, d, "coll") && BSON_ITER_HOLDS_UTF8(&i)) {
        (void)mst_copy(it->coll, sizeof it->coll, bson_iter_utf8(&i, NULL));
    }
    it->n = (unsigned)mst_bson_i64(d, "n", 0);
    it->view = mst_bson_bool(d, "view", false);
    it->live_is_view = mst_bson_bool(d, "liveIsView", false);
    (void)uuid_of(d, "staged", it->staged);
    it->has_live = uuid_of(d, "live", it->live_uuid);
    it->options = mst_bson_doc(d, "options", &part) ? bson_copy(&part) : NULL;
    it->before = mst_bson_doc(d, "before", &part) ? bson_copy(&part) : NULL;
}

static enum mst_rc on_step(void *arg, const char *run, const bson_t *step, struct mst_err *err)
{
    struct all *a = arg;
    struct mst_swap *s;
    bson_iter_t it, list;
    char kind[16];
    size_t i;

    (void)err;
    for (i = 0; i < a->n && strcmp(a->s[i].run, run) != 0; i++) {
    }
    if (i == a->n) {
        mst_grow((void **)&a->s, &a->cap, a->n + 1, sizeof *a->s);
        memset(&a->s[a->n], 0, sizeof *a->s);
        (void)mst_copy(a->s[a->n++].run, MST_RUN_HEX, run);
    }
    s = &a->s[i];
    (void)mst_bson_text(step, "k", kind, sizeof kind);
    if (strcmp(kind, "begin") == 0) {
        s->open = true;
    } else if (strcmp(kind, "swapped") == 0) {
        s->closed = true;
    } else if (strcmp(kind, "swap") == 0 && bson_iter_init_find(&it, step, "items") &&
               bson_iter_recurse(&it, &list)) {
        while (bson_iter_next(&list)) {
            const uint8_t *p = NULL;
            uint32_t n = 0;
            bson_t d;

            if (BSON_ITER_HOLDS_DOCUMENT(&list)) {
                bson_iter_document(&list, &n, &p);
                if (bson_init_static(&d, p, n)) {
                    take_item(s, &d);
                }
            }
        }
    }
    return MST_OK;
}

enum mst_rc mst_swap_read(struct mst_restore_journal *j, const char *run, struct mst_swap **out,
                          size_t *n, struct mst_err *err)
{
    struct all a = {NULL, 0, 0};
    size_t i, k = 0;
    const enum mst_rc rc = j->each(j->arg, run, on_step, &a, err);

    for (i = 0; i < a.n; i++) {
        if (rc == MST_OK && a.s[i].open && !a.s[i].closed) {
            a.s[k++] = a.s[i];
        } else {
            mst_swap_release(&a.s[i]);
        }
    }
    if (rc != MST_OK || !k) {
        free(a.s);
        a.s = NULL;
    }
    *out = a.s;
    *n = k;
    return rc;
}

enum mst_rc mst_restore_open_swaps(struct mst_restore_journal *j, char (**runs)[MST_RUN_HEX],
                                   size_t *n, struct mst_err *err)
{
    struct mst_swap *s = NULL;
    size_t i;

    *runs = NULL;
    if (mst_swap_read(j, NULL, &s, n, err) != MST_OK) {
        return err->rc;
    }
    *runs = mst_xcalloc(*n + 1, sizeof **runs);
    for (i = 0; i < *n; i++) {
        memcpy((*runs)[i], s[i].run, MST_RUN_HEX);
        mst_swap_release(&s[i]);
    }
    free(s);
    return MST_OK;
}
