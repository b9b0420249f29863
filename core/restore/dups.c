/* dups.c: which documents break a unique index, when the server says only that some do.
 *
 * Keys are made as an index makes them: one for each element of an array, null for what is missing,
 * numbers by value. A key is known by 16 bytes of its SHA-256. The keys are divided by their hash
 * into as many parts as make each fit into the table, and the collection is read once for each
 * part; the partial filter and sparseness are left to the server. One more reading names the _ids.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "restore/target.h"

#define FIELDS_MAX 32
#define ARRAYS_MAX 16
#define KEYS_MAX 4096 /* of one document */
#define KEY_LEN 16
#define FOUND_MAX 64

struct finder {
    const char *fields[FIELDS_MAX];
    size_t n_fields;
    bool folded; /* a collation: letters' case is ignored */
    struct mst_sha256 sha;
    /* the keys of one document */
    uint8_t keys[KEYS_MAX][KEY_LEN];
    size_t n_keys;
    /* the table of one part */
    uint8_t (*table)[KEY_LEN];
    bool *used;
    size_t cap, n_used; /* cap: a power of two */
    bool full;          /* more keys than documents: in more parts once more */
    uint64_t part, parts;
    uint8_t found[FOUND_MAX][KEY_LEN];
    size_t n_found;
};

/* ---- keys ---- */

struct binding { /* which element stands for an array, for the key being made */
    const uint8_t *array;
    uint32_t element;
};

/* The value at path; *array is set when an array stands in the way that is not bound yet. */
static bool value_at(const bson_t *doc, const char *path, const struct binding *b, size_t n_b,
                     bson_iter_t *out, const uint8_t **array, uint32_t *len)
{
    bson_iter_t it;
    const char *rest = path;
    bson_t at;

    (void)bson_init_static(&at, bson_get_data(doc), doc->len);
    while (bson_iter_init(&it, &at)) {
        const size_t n = strcspn(rest, ".");
        const bool last = !rest[n];

        if (!bson_iter_find_w_len(&it, rest, (int)n)) {
            return false;
        }
        rest += last ? n : n + 1;
        if (BSON_ITER_HOLDS_ARRAY(&it) && !(!last && *rest >= '0' && *rest <= '9')) {
            const uint8_t *p = NULL;
            size_t i;
            char key[16];

            bson_iter_array(&it, len, &p);
            for (i = 0; i < n_b && b[i].array != p; i++) {
            }
            if (i == n_b) {
                *array = p;
                return false;
            }
            (void)snprintf(key, sizeof key, "%u", b[i].element);
            if (!bson_init_static(&at, p, *len) || !bson_iter_init_find(&it, &at, key)) {
                return false;
            }
        }
        if (last) {
            *out = it;
            return true;
        }
        if (!BSON_ITER_HOLDS_DOCUMENT(&it) && !BSON_ITER_HOLDS_ARRAY(&it)) {
            return false;
        }
        {
            const uint8_t *p = NULL;
            uint32_t m = 0;

            BSON_ITER_HOLDS_ARRAY(&it) ? bson_iter_array(&it, &m, &p)
                                       : bson_iter_document(&it, &m, &p);
            if (!bson_init_static(&at, p, m)) {
                return false;
            }
        }
    }
    return false;
}

static void add_number(struct mst_sha256 *h, const bson_iter_t *it)
{
    double d = 0;
    int64_t whole;

    if (BSON_ITER_HOLDS_DECIMAL128(it)) {
        bson_decimal128_t dec;
        char text[BSON_DECIMAL128_STRING];

        (void)bson_iter_decimal128(it, &dec);
        bson_decimal128_to_string(&dec, text);
        d = strtod(text, NULL);
    } else if (BSON_ITER_HOLDS_DOUBLE(it)) {
        d = bson_iter_double(it);
    } else {
        whole = bson_iter_as_int64(it);
        mst_sha256_add(h, "i", 1);
        mst_sha256_add(h, &whole, sizeof whole);
        return;
    }
    if (d >= -9e18 && d <= 9e18 && floor(d) >= d) { /* 2.0 is 2, -0.0 is 0 */
        whole = (int64_t)d;
        mst_sha256_add(h, "i", 1);
        mst_sha256_add(h, &whole, sizeof whole);
    } else {
        mst_sha256_add(h, "d", 1);
        mst_sha256_add(h, &d, sizeof d);
    }
}

static void add_value(struct finder *f, const bson_iter_t *it)
{
    const bson_value_t *v;

    if (!it || BSON_ITER_HOLDS_NULL(it)) {
        mst_sha256_add(&f->sha, "n", 1);
    } else if (BSON_ITER_HOLDS_NUMBER(it) || BSON_ITER_HOLDS_DECIMAL128(it)) {
        add_number(&f->sha, it);
    } else if (f->folded && BSON_ITER_HOLDS_UTF8(it)) {
        uint32_t n = 0, i;
        const char *s = bson_iter_utf8(it, &n);

        mst_sha256_add(&f->sha, "s", 1);
        for (i = 0; i < n; i++) {
            const char c = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] - 'A' + 'a') : s[i];

            mst_sha256_add(&f->sha, &c, 1);
        }
    } else {
        bson_t one = BSON_INITIALIZER;

        v = bson_iter_value((bson_iter_t *)(uintptr_t)it);
        (void)bson_append_value(&one, "", 0, v);
        mst_sha256_add(&f->sha, bson_get_data(&one), one.len);
        bson_destroy(&one);
    }
}

static void make_keys(struct finder *f, const bson_t *doc, struct binding *b, size_t n_b)
{
    uint8_t digest[MST_SHA256_LEN];
    bson_iter_t it;
    size_t i;

    for (i = 0; i < f->n_fields; i++) { /* an array first: one key for each element */
        const uint8_t *array = NULL;
        uint32_t len = 0, n;
        bson_t a;

        if (value_at(doc, f->fields[i], b, n_b, &it, &array, &len) || !array) {
            continue;
        }
        if (n_b == ARRAYS_MAX || !bson_init_static(&a, array, len)) {
            return;
        }
        n = bson_count_keys(&a);
        b[n_b].array = array;
        for (b[n_b].element = 0; b[n_b].element < (n ? n : 1); b[n_b].element++) {
            make_keys(f, doc, b, n_b + 1);
        }
        return;
    }
    for (i = 0; i < f->n_fields; i++) {
        const uint8_t *array = NULL;
        uint32_t len = 0;
        const bool there = value_at(doc, f->fields[i], b, n_b, &it, &array, &len);

        add_value(f, there ? &it : NULL);
    }
    mst_sha256_final(&f->sha, digest);
    for (i = 0; i < f->n_keys; i++) {
        if (memcmp(f->keys[i], digest, KEY_LEN) == 0) {
            return; /* [1, 1] has one key */
        }
    }
    if (f->n_keys < KEYS_MAX) {
        memcpy(f->keys[f->n_keys++], digest, KEY_LEN);
    }
}

/* ---- the table ---- */

static bool is_found(const struct finder *f, const uint8_t key[KEY_LEN])
{
    size_t i;

    for (i = 0; i < f->n_found; i++) {
        if (memcmp(f->found[i], key, KEY_LEN) == 0) {
            return true;
        }
    }
    return false;
}

static void note_key(struct finder *f, const uint8_t key[KEY_LEN])
{
    uint64_t h, i;

    memcpy(&h, key, sizeof h);
    if (h % f->parts != f->part) {
        return;
    }
    for (i = h / f->parts;; i++) {
        const size_t at = (size_t)(i & (f->cap - 1));

        if (!f->used[at]) {
            if (f->n_used >= f->cap / 4 * 3) {
                f->full = true;
                return;
            }
            f->n_used++;
            f->used[at] = true;
            memcpy(f->table[at], key, KEY_LEN);
            return;
        }
        if (memcmp(f->table[at], key, KEY_LEN) == 0) {
            if (f->n_found < FOUND_MAX && !is_found(f, key)) {
                memcpy(f->found[f->n_found++], key, KEY_LEN);
            }
            return;
        }
    }
}

/* ---- reading ---- */

/* What the index covers, and only the fields that it needs. */
static bson_t *find_of(const struct finder *f, const char *coll, const bson_t *spec)
{
    bson_t *cmd = BCON_NEW("find", BCON_UTF8(coll)), part, fields, list;
    bson_t filter = BSON_INITIALIZER;
    size_t i;

    if (mst_bson_doc(spec, "partialFilterExpression", &part)) {
        (void)bson_concat(&filter, &part);
    } else if (mst_bson_bool(spec, "sparse", false)) {
        BSON_APPEND_ARRAY_BEGIN(&filter, "$or", &list);
        for (i = 0; i < f->n_fields; i++) {
            char at[24];
            bson_t one, is;

            (void)snprintf(at, sizeof at, "%zu", i);
            BSON_APPEND_DOCUMENT_BEGIN(&list, at, &one);
            BSON_APPEND_DOCUMENT_BEGIN(&one, f->fields[i], &is);
            BSON_APPEND_BOOL(&is, "$exists", true);
            bson_append_document_end(&one, &is);
            bson_append_document_end(&list, &one);
        }
        bson_append_array_end(&filter, &list);
    }
    BSON_APPEND_DOCUMENT(cmd, "filter", &filter);
    bson_destroy(&filter);
    BSON_APPEND_DOCUMENT_BEGIN(cmd, "projection", &fields);
    BSON_APPEND_INT32(&fields, "_id", 1);
    for (i = 0; i < f->n_fields; i++) {
        char *root = mst_xstrdup(f->fields[i]);

        root[strcspn(root, ".")] = 0;
        if (!bson_has_field(&fields, root)) {
            BSON_APPEND_INT32(&fields, root, 1);
        }
        free(root);
    }
    bson_append_document_end(cmd, &fields);
    return cmd;
}

static void show_id(const struct finder *f, const bson_t *doc, size_t shown, size_t *n,
                    struct mst_str *out)
{
    bson_t id = BSON_INITIALIZER;
    bson_iter_t it;
    size_t i;
    char *json;

    for (i = 0; i < f->n_keys && !is_found(f, f->keys[i]); i++) {
    }
    if (i < f->n_keys && ++*n <= shown && bson_iter_init_find(&it, doc, "_id")) {
        (void)bson_append_iter(&id, "_id", -1, &it);
        json = bson_as_relaxed_extended_json(&id, NULL);
        mst_str_addf(out, "%s%.60s", *n > 1 ? ", " : "", json ? json : "?");
        bson_free(json);
    } else if (*n == shown + 1) {
        mst_str_add(out, ", ...");
        ++*n;
    }
    bson_destroy(&id);
}

/* One reading: naming false fills the table, true lists who has a key that was found twice. */
static enum mst_rc read_all(struct mst_rs *r, struct finder *f, const char *db, const bson_t *cmd,
                            size_t shown, struct mst_str *naming, struct mst_err *err)
{
    struct mst_cursor *cur = NULL;
    const bson_t *doc = NULL;
    struct binding b[ARRAYS_MAX];
    size_t n = 0, i;
    uint64_t count = 0;
    enum mst_rc rc = mst_cursor_open(r->c, db, cmd, MST_RS_MS * 4, &cur, err);

    while (rc == MST_OK && (rc = mst_cursor_next(cur, &doc, err)) == MST_OK && doc) {
        f->n_keys = 0;
        make_keys(f, doc, b, 0);
        for (i = 0; !naming && i < f->n_keys; i++) {
            note_key(f, f->keys[i]);
        }
        if (naming) {
            show_id(f, doc, shown, &n, naming);
        }
        if (!(++count & 1023)) {
            rc = mst_task_check(r->task, err);
        }
        if (naming && n > shown) {
            break;
        }
    }
    mst_cursor_free(cur);
    return rc;
}

static void read_fields(struct finder *f, const bson_t *spec, const bson_t *key)
{
    bson_iter_t it;

    f->folded = bson_has_field(spec, "collation");
    if (bson_iter_init(&it, key)) {
        while (f->n_fields < FIELDS_MAX && bson_iter_next(&it)) {
            f->fields[f->n_fields++] = bson_iter_key(&it);
        }
    }
}

enum mst_rc mst_dups_find(struct mst_rs *r, const char *db, const char *coll, const bson_t *spec,
                          size_t room, size_t shown, struct mst_str *out, struct mst_err *err)
{
    struct finder *f = mst_xcalloc(1, sizeof *f);
    bson_t *count = BCON_NEW("count", BCON_UTF8(coll)), *cmd = NULL, key, reply;
    enum mst_rc rc = mst_conn_command(r->c, db, count, MST_RS_MS, &reply, err);

    mst_sha256_init(&f->sha);
    if (rc == MST_OK && mst_bson_doc(spec, "key", &key)) {
        read_fields(f, spec, &key);
        f->parts = (uint64_t)mst_bson_i64(&reply, "n", 0) / (room ? room : 1) + 1;
        for (f->cap = 1024; f->cap < room * 4; f->cap *= 2) {
        }
        f->table = mst_xcalloc(f->cap, sizeof *f->table);
        f->used = mst_xcalloc(f->cap, sizeof *f->used);
        cmd = find_of(f, coll, spec);
    }
    while (rc == MST_OK && cmd && f->part < f->parts && !f->n_found) {
        memset(f->used, 0, f->cap * sizeof *f->used);
        f->n_used = 0;
        f->full = false;
        rc = read_all(r, f, db, cmd, shown, NULL, err);
        f->part = f->full ? 0 : f->part + 1;
        f->parts *= f->full ? 2 : 1;
    }
    if (rc == MST_OK && f->n_found) {
        rc = read_all(r, f, db, cmd, shown, out, err);
    }
    if (cmd) {
        bson_destroy(cmd);
    }
    bson_destroy(count);
    bson_destroy(&reply);
    mst_sha256_release(&f->sha);
    free(f->table);
    free(f->used);
    free(f);
    return rc;
}
