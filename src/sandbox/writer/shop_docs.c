/* shop_docs.c: what an order looks like, and what an update must make of it: kept as the server
 * does. */
#include "base/clock.h"
#include "base/mem.h"
#include "writer/act.h"

static const char *const states[] = {"new", "paid", "packed", "sent", "returned"};

static uint64_t chance(struct sbx_shop *s)
{
    s->random += 0x9e3779b97f4a7c15ULL;
    uint64_t z = s->random;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

unsigned sbx_shop_pick(struct sbx_shop *s, unsigned n)
{
    return (unsigned)(chance(s) % n);
}

bson_t *sbx_shop_new_order(struct sbx_shop *s)
{
    const unsigned items = 1 + sbx_shop_pick(s, 4);
    bson_t *doc = bson_new(), arr, item;
    char key[12];

    BSON_APPEND_INT64(doc, "_id", s->next_id++);
    BSON_APPEND_INT32(doc, "customer", (int32_t)sbx_shop_pick(s, 500));
    BSON_APPEND_UTF8(doc, "state", states[0]);
    BSON_APPEND_DOUBLE(doc, "total", (double)sbx_shop_pick(s, 100000) / 100.0);
    BSON_APPEND_INT32(doc, "version", 1);
    BSON_APPEND_DATE_TIME(doc, "at", mst_clock_utc_ms(NULL));
    BSON_APPEND_ARRAY_BEGIN(doc, "items", &arr);
    for (unsigned i = 0; i < items; i++) {
        (void)snprintf(key, sizeof(key), "%u", i);
        BSON_APPEND_DOCUMENT_BEGIN(&arr, key, &item);
        BSON_APPEND_INT32(&item, "sku", (int32_t)sbx_shop_pick(s, 10000));
        BSON_APPEND_INT32(&item, "n", (int32_t)(1 + sbx_shop_pick(s, 5)));
        bson_append_document_end(&arr, &item);
    }
    bson_append_array_end(doc, &arr);
    return doc;
}

bson_t *sbx_shop_id_query(const bson_t *doc)
{
    bson_t *q = bson_new();
    bson_iter_t it;

    if (bson_iter_init_find(&it, doc, "_id")) {
        (void)bson_append_value(q, "_id", 3, bson_iter_value(&it));
    }
    return q;
}

/* doc with one field set as the server's $set does it: in place, or at the end. */
bson_t *sbx_shop_with_field(const bson_t *doc, const char *key, const bson_value_t *v)
{
    bson_t *out = bson_new();
    bson_iter_t it;
    bool found = false;

    if (bson_iter_init(&it, doc)) {
        while (bson_iter_next(&it)) {
            const bool same = strcmp(bson_iter_key(&it), key) == 0;

            (void)bson_append_value(out, bson_iter_key(&it), -1,
                                    same && v ? v : bson_iter_value(&it));
            found |= same;
        }
    }
    if (!found && v) {
        (void)bson_append_value(out, key, -1, v);
    }
    return out;
}

static bson_t *without_field(const bson_t *doc, const char *key)
{
    bson_t *out = bson_new();

    bson_copy_to_excluding_noinit(doc, out, key, NULL);
    return out;
}

static bson_t *pushed(const bson_t *doc, int32_t sku)
{
    bson_t *out = bson_new(), arr, item;
    bson_iter_t it, in;
    char key[12];
    uint32_t n = 0;

    (void)bson_iter_init(&it, doc);
    while (bson_iter_next(&it)) {
        if (strcmp(bson_iter_key(&it), "items") != 0 || !BSON_ITER_HOLDS_ARRAY(&it)) {
            (void)bson_append_value(out, bson_iter_key(&it), -1, bson_iter_value(&it));
            continue;
        }
        BSON_APPEND_ARRAY_BEGIN(out, "items", &arr);
        (void)bson_iter_recurse(&it, &in);
        while (bson_iter_next(&in)) {
            (void)snprintf(key, sizeof(key), "%u", n++);
            (void)bson_append_value(&arr, key, -1, bson_iter_value(&in));
        }
        (void)snprintf(key, sizeof(key), "%u", n);
        BSON_APPEND_DOCUMENT_BEGIN(&arr, key, &item);
        BSON_APPEND_INT32(&item, "sku", sku);
        BSON_APPEND_INT32(&item, "n", 1);
        bson_append_document_end(&arr, &item);
        bson_append_array_end(out, &arr);
    }
    return out;
}

int64_t sbx_shop_version(const bson_t *doc)
{
    int64_t v = 0;

    (void)sbx_doc_int(doc, "version", &v);
    return v;
}

static bson_t *set_state(struct sbx_shop *s, const bson_t *doc, bson_t *update)
{
    const char *state = states[sbx_shop_pick(s, (unsigned)MST_COUNT(states))];
    bson_value_t v = {.value_type = BSON_TYPE_INT32};
    bson_t *one, *two;

    BCON_APPEND(update, "$set", "{", "state", BCON_UTF8(state), "}", "$inc", "{", "version",
                BCON_INT32(1), "}");
    v.value.v_int32 = (int32_t)sbx_shop_version(doc) + 1;
    one = sbx_shop_with_field(doc, "version", &v);
    v.value_type = BSON_TYPE_UTF8;
    v.value.v_utf8.len = (uint32_t)strlen(state);
    v.value.v_utf8.str = (char *)(uintptr_t)state;
    two = sbx_shop_with_field(one, "state", &v);
    bson_destroy(one);
    return two;
}

static bson_t *set_note(struct sbx_shop *s, const bson_t *doc, bson_t *update)
{
    bson_value_t v = {.value_type = BSON_TYPE_UTF8};
    char note[220];
    const unsigned n = 10 + sbx_shop_pick(s, 200);

    if (bson_has_field(doc, "note")) {
        BCON_APPEND(update, "$unset", "{", "note", BCON_INT32(1), "}");
        return without_field(doc, "note");
    }
    memset(note, 'a' + (int)sbx_shop_pick(s, 26), n); /* growing documents move in a natural scan */
    note[n] = '\0';
    BCON_APPEND(update, "$set", "{", "note", BCON_UTF8(note), "}");
    v.value.v_utf8.len = n;
    v.value.v_utf8.str = note;
    return sbx_shop_with_field(doc, "note", &v);
}

/* The update of an order and the document that it must leave. */
bson_t *sbx_shop_changed(struct sbx_shop *s, const bson_t *doc, bson_t *update)
{
    const unsigned dice = sbx_shop_pick(s, 10);

    if (dice < 5) {
        return set_state(s, doc, update);
    }
    if (dice < 7) {
        return set_note(s, doc, update);
    }
    if (dice < 9) {
        const int32_t sku = (int32_t)sbx_shop_pick(s, 10000);

        BCON_APPEND(update, "$push", "{", "items", "{", "sku", BCON_INT32(sku), "n", BCON_INT32(1),
                    "}", "}");
        return pushed(doc, sku);
    }
    {
        bson_t *fresh = sbx_shop_new_order(s);
        bson_t *id = sbx_shop_id_query(doc), *whole = bson_copy(id);

        bson_copy_to_excluding_noinit(fresh, whole, "_id", NULL); /* a replacement */
        bson_copy_to_excluding_noinit(fresh, update, "_id", NULL);
        bson_destroy(fresh);
        bson_destroy(id);
        return whole;
    }
}
