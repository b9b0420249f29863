/* translate.c: what was recorded, in the words of this run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"

static void replace_all(struct mst_str *s, const char *from, const char *to)
{
    struct mst_str out = {0};
    const char *at = mst_str_c(s), *hit;
    const size_t n = strlen(from);

    while (n > 0 && (hit = strstr(at, from)) != NULL) {
        mst_str_addn(&out, at, (size_t)(hit - at));
        mst_str_add(&out, to);
        at = hit + n;
    }
    mst_str_add(&out, at);
    mst_str_release(s);
    *s = out;
}

/* UUID("..") as messages have it. */
static const char *uuid_text(const uint8_t p[16], char out[48])
{
    size_t n = (size_t)snprintf(out, 48, "UUID(\"");

    for (size_t i = 0; i < 16; i++) {
        n += (size_t)snprintf(out + n, 48 - n, "%s%02x",
                              i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", p[i]);
    }
    (void)snprintf(out + n, 48 - n, "\")");
    return out;
}

char *conf_text(struct conf *c, const char *text)
{
    struct mst_str s = {0};
    char from[32], to[32];

    mst_str_add(&s, text);
    /* Two steps, so that an address that is also a recorded one is not translated twice. */
    for (size_t i = 0; i < c->n_hosts; i++) {
        (void)snprintf(from, sizeof from, "\x01%zu\x01", i);
        replace_all(&s, c->hosts[i].want, from);
    }
    for (size_t i = 0; i < c->n_hosts; i++) {
        (void)snprintf(from, sizeof from, "\x01%zu\x01", i);
        replace_all(&s, from, c->hosts[i].got);
    }
    for (size_t i = 0; i < c->n_pairs && strstr(text, "cursor") != NULL; i++) {
        int64_t a, b;

        if (c->pairs[i].type == BSON_TYPE_INT64) {
            memcpy(&a, c->pairs[i].want, 8);
            memcpy(&b, c->pairs[i].got, 8);
            (void)snprintf(from, sizeof from, "%lld", (long long)a);
            (void)snprintf(to, sizeof to, "%lld", (long long)b);
            replace_all(&s, from, to);
        }
    }
    for (size_t i = 0; i < c->n_pairs && strstr(text, "UUID(") != NULL; i++) {
        if (c->pairs[i].type == BSON_TYPE_BINARY) {
            char want[48], got[48];

            replace_all(&s, uuid_text(c->pairs[i].want, want), uuid_text(c->pairs[i].got, got));
        }
    }
    return mst_str_detach(&s);
}

/* ---- translation of commands ---- */

static void translate_value(struct conf *c, const char *key, const bson_iter_t *it, bson_t *out)
{
    const bson_type_t type = bson_iter_type(it);
    const int klen = (int)strlen(key);

    if (type == BSON_TYPE_DOCUMENT || type == BSON_TYPE_ARRAY) {
        bson_iter_t in;
        bson_t sub;

        if (type == BSON_TYPE_ARRAY) {
            bson_append_array_begin(out, key, klen, &sub);
        } else {
            bson_append_document_begin(out, key, klen, &sub);
        }
        bson_iter_recurse(it, &in);
        while (bson_iter_next(&in)) {
            translate_value(c, bson_iter_key(&in), &in, &sub);
        }
        if (type == BSON_TYPE_ARRAY) {
            bson_append_array_end(out, &sub);
        } else {
            bson_append_document_end(out, &sub);
        }
        return;
    }
    if (type == BSON_TYPE_UTF8) {
        char *text = conf_text(c, bson_iter_utf8(it, NULL));

        bson_append_utf8(out, key, klen, text, -1);
        free(text);
        return;
    }
    if (type == BSON_TYPE_BINARY) {
        bson_subtype_t sub;
        uint32_t n;
        const uint8_t *p;
        const struct conf_pair *known;

        bson_iter_binary(it, &sub, &n, &p);
        known = n == 16 ? conf_find_pair(c, BSON_TYPE_BINARY, p, 16, false) : NULL;
        bson_append_binary(out, key, klen, sub, known != NULL ? known->got : p, n);
        return;
    }
    if (type == BSON_TYPE_INT64) {
        const int64_t v = bson_iter_int64(it);
        const struct conf_pair *p = conf_find_pair(c, BSON_TYPE_INT64, &v, 8, false);
        int64_t to = v;

        if (p != NULL) {
            memcpy(&to, p->got, 8);
        }
        bson_append_int64(out, key, klen, to);
        return;
    }
    if (type == BSON_TYPE_OID) {
        const bson_oid_t *oid = bson_iter_oid(it);
        const struct conf_pair *p =
            conf_find_pair(c, BSON_TYPE_OID, oid->bytes, sizeof oid->bytes, false);
        bson_oid_t to = *oid;

        if (p != NULL) {
            bson_oid_init_from_data(&to, p->got);
        }
        BSON_APPEND_OID(out, key, &to);
        return;
    }
    if (type == BSON_TYPE_TIMESTAMP) {
        uint32_t t, i;
        uint64_t want;

        bson_iter_timestamp(it, &t, &i);
        want = (uint64_t)t << 32 | i;
        for (size_t k = 0; k < c->n_ts; k++) {
            if (c->ts[k].want == want) {
                t = (uint32_t)(c->ts[k].got >> 32);
                i = (uint32_t)c->ts[k].got;
            }
        }
        bson_append_timestamp(out, key, klen, t, i);
        return;
    }
    bson_append_iter(out, key, klen, it);
}

void conf_translate(struct conf *c, const bson_t *recorded, bson_t *out)
{
    bson_iter_t it;

    bson_init(out);
    bson_iter_init(&it, recorded);
    while (bson_iter_next(&it)) {
        if (strcmp(bson_iter_key(&it), "$clusterTime") != 0 &&
            strcmp(bson_iter_key(&it), "$db") != 0) {
            translate_value(c, bson_iter_key(&it), &it, out);
        } else if (c->whole) {
            bson_append_iter(out, NULL, 0, &it);
        }
    }
}
