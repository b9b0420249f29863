#include "catalog/keyobj.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "catalog/canon.h"

#define NUMBER_MAX 9999U /* of the objects of one attempt */

/* --- names ------------------------------------------------------------------------------------ */

void mst_keyobj_path(const struct mst_catalog *c, const char *id, const char *attempt, unsigned n,
                     char out[MST_KEY_MAX])
{
    (void)snprintf(out, MST_KEY_MAX, "%s/keys/%s.%s.%u", c->base, id, attempt, n);
}

bool mst_keyobj_name(const char *name, char id[MST_ID_MAX], char attempt[17], unsigned *n)
{
    char number[8], want[8];
    const size_t len = strlen(name);

    if (len < 25 + 1 + 16 + 2 || len > 25 + 1 + 16 + 1 + 4 || name[25] != '.' || name[42] != '.') {
        return false;
    }
    memcpy(id, name, 25);
    id[25] = '\0';
    memcpy(attempt, name + 26, 16);
    attempt[16] = '\0';
    (void)mst_copy(number, sizeof(number), name + 43);
    if (strspn(number, "0123456789") != strlen(number) ||
        strspn(attempt, "0123456789abcdef") != 16 || !mst_catalog_id_ok(id, NULL, NULL)) {
        return false;
    }
    *n = 0;
    for (const char *p = number; *p; p++) {
        *n = *n * 10 + (unsigned)(*p - '0');
    }
    (void)snprintf(want, sizeof(want), "%u", *n);
    return strcmp(want, number) == 0;
}

/* --- the object ------------------------------------------------------------------------------- */

static const char *const kinds[] = {"x25519", "scrypt", "command"};

static void put_hex(struct mst_str *s, const char *name, const uint8_t *p, size_t n)
{
    char hex[2 * MST_WRAP_BYTES + 1];

    mst_str_addf(s, ",\"%s\":\"%s\"", name, mst_hex(p, n, hex));
}

static void put_slot(struct mst_str *s, const struct mst_wrap_slot *w)
{
    mst_str_addf(s, "{\"kind\":\"%s\",\"label\":", kinds[w->kind]);
    mst_str_add_json(s, w->label);
    if (w->kind == MST_WRAP_X25519) {
        mst_str_addf(s, ",\"recipient\":\"%s\"", w->recipient);
        put_hex(s, "ephemeral", w->ephemeral, sizeof(w->ephemeral));
    } else if (w->kind == MST_WRAP_SCRYPT) {
        put_hex(s, "salt", w->salt, sizeof(w->salt));
        mst_str_addf(s, ",\"log2n\":%d", w->log2n);
    }
    put_hex(s, "wrapped", w->bytes, w->n);
    mst_str_addc(s, '}');
}

void mst_key_object_put(const struct mst_key_object *k, struct mst_str *s)
{
    canon_begin(s, "muster key", "sealed");
    canon_put_text(s, "id", k->id);
    canon_put_text(s, "attempt", k->attempt);
    canon_put_text(s, "set", k->set);
    canon_put_text(s, "keyId", k->key_id);
    mst_str_add(s, ",\"slots\":[");
    for (size_t i = 0; i < k->n; i++) {
        mst_str_add(s, i ? "," : "");
        put_slot(s, &k->slots[i]);
    }
    mst_str_addc(s, ']');
    canon_end(s);
}

/* Hex of exactly n bytes; of at most *n when it may be less. */
static bool get_hex(struct canon *in, const char *name, uint8_t *out, size_t max, size_t *n)
{
    char hex[2 * MST_WRAP_BYTES + 1];
    size_t len;

    canon_text(in, name, hex, 2 * max + 1);
    len = strlen(hex) / 2;
    in->ok = in->ok && len > 0 && mst_unhex(hex, out, len) && (n || len == max);
    if (n) {
        *n = in->ok ? len : 0;
    }
    return in->ok;
}

static bool get_slot(bson_iter_t *it, struct mst_wrap_slot *w)
{
    struct canon in = {.ok = true};
    char kind[16] = "";
    const uint8_t *p;
    uint32_t n;
    size_t k = 0;

    if (!BSON_ITER_HOLDS_DOCUMENT(it)) {
        return false;
    }
    bson_iter_document(it, &n, &p);
    if (!bson_init_static(&in.doc, p, n)) {
        return false;
    }
    canon_text(&in, "kind", kind, sizeof(kind));
    canon_prose(&in, "label", w->label, sizeof(w->label));
    while (k < MST_COUNT(kinds) && strcmp(kinds[k], kind) != 0) {
        k++;
    }
    w->kind = (enum mst_wrap_kind)k;
    if (w->kind == MST_WRAP_X25519) {
        canon_text(&in, "recipient", w->recipient, sizeof(w->recipient));
        (void)get_hex(&in, "ephemeral", w->ephemeral, sizeof(w->ephemeral), NULL);
    } else if (w->kind == MST_WRAP_SCRYPT) {
        (void)get_hex(&in, "salt", w->salt, sizeof(w->salt), NULL);
        w->log2n = (int)canon_integer(&in, "log2n", 1, 63);
    }
    return k < MST_COUNT(kinds) && get_hex(&in, "wrapped", w->bytes, sizeof(w->bytes), &w->n);
}

static bool get_slots(struct canon *in, struct mst_key_object *k)
{
    bson_iter_t it, sub;

    if (!bson_iter_init_find(&it, &in->doc, "slots") || !BSON_ITER_HOLDS_ARRAY(&it) ||
        !bson_iter_recurse(&it, &sub)) {
        return false;
    }
    while (bson_iter_next(&sub)) {
        if (k->n == MST_WRAP_SLOTS || !get_slot(&sub, &k->slots[k->n])) {
            return false;
        }
        k->n++;
    }
    return k->n > 0;
}

enum mst_rc mst_key_object_get(const char *text, size_t n, struct mst_key_object *k,
                               struct mst_err *err)
{
    struct canon in;

    memset(k, 0, sizeof(*k));
    if (canon_open(text, n, "muster key", &in, err) != MST_OK) {
        return err->rc;
    }
    k->format = (int)canon_integer(&in, "format", 1, INT32_MAX);
    canon_text(&in, "id", k->id, sizeof(k->id));
    canon_text(&in, "attempt", k->attempt, sizeof(k->attempt));
    canon_text(&in, "set", k->set, sizeof(k->set));
    canon_text(&in, "keyId", k->key_id, sizeof(k->key_id));
    in.ok = in.ok && get_slots(&in, k);
    return canon_close(&in, err);
}

void mst_key_object_who(const struct mst_key_object *k, struct mst_str *out)
{
    for (size_t i = 0; i < k->n; i++) {
        const struct mst_wrap_slot *w = &k->slots[i];

        mst_str_add(out, i == 0 ? "" : i + 1 == k->n ? " or " : ", ");
        if (w->kind == MST_WRAP_X25519) {
            mst_str_addf(out, "the key %s", w->recipient);
        } else {
            mst_str_add(out, w->kind == MST_WRAP_SCRYPT ? "its passphrase" : "the program");
        }
        if (*w->label && w->kind != MST_WRAP_SCRYPT) {
            mst_str_addf(out, w->kind == MST_WRAP_X25519 ? " (%s)" : " %s", w->label);
        }
    }
}

/* MST_E_AUTH: none of the means is for this slot, or it is the wrong one. */
static enum mst_rc open_slot(const struct mst_wrap_slot *w, const struct mst_wrap_place *place,
                             const struct mst_key_means *m, struct mst_data_key *out,
                             struct mst_err *err)
{
    if (w->kind == MST_WRAP_X25519 && m->identity && strcmp(m->identity->id, w->recipient) == 0) {
        return mst_unwrap(w, place, m->identity, out, err);
    }
    if (w->kind == MST_WRAP_SCRYPT && m->phrase && m->phrase->p) {
        return mst_unwrap_passphrase(w, place, m->phrase, out, err);
    }
    if (w->kind == MST_WRAP_COMMAND && m->unwrap) {
        return m->unwrap(m->unwrap_arg, w, out, err);
    }
    return mst_err_set(err, MST_E_AUTH, "there is no key here that opens it");
}

static bool means_for(const struct mst_wrap_slot *w, const struct mst_key_means *m)
{
    return (w->kind == MST_WRAP_X25519 && m->identity &&
            strcmp(m->identity->id, w->recipient) == 0) ||
           (w->kind == MST_WRAP_SCRYPT && m->phrase && m->phrase->p) ||
           (w->kind == MST_WRAP_COMMAND && m->unwrap);
}

enum mst_rc mst_key_object_open(const struct mst_key_object *k, const struct mst_key_means *means,
                                struct mst_data_key *out, struct mst_err *err)
{
    const struct mst_wrap_place place = {k->set, k->id, k->attempt};
    struct mst_err first = {0};
    struct mst_str who = {0};
    char have[33];

    for (size_t i = 0; i < k->n; i++) {
        struct mst_err e = {0};

        if (!means_for(&k->slots[i], means)) {
            continue;
        }
        if (open_slot(&k->slots[i], &place, means, out, &e) == MST_OK) {
            mst_data_key_id(out, have);
            if (strcmp(have, k->key_id) == 0) {
                return MST_OK;
            }
            mst_data_key_release(out);
            (void)mst_err_set(&e, MST_E_INTEGRITY, "slot %zu holds another key than it says", i);
        }
        if (first.rc == MST_OK || (first.rc == MST_E_AUTH && e.rc != MST_E_AUTH)) {
            first = e;
        }
    }
    if (first.rc != MST_OK) {
        *err = first;
        err->detail = MST_KEY_FAILED;
        return first.rc;
    }
    mst_key_object_who(k, &who);
    (void)mst_err_set(err, MST_E_AUTH, "there is no key here that opens it: that takes %.300s",
                      mst_str_c(&who));
    mst_str_release(&who);
    return err->rc;
}

/* --- a new one -------------------------------------------------------------------------------- */

enum mst_rc mst_keyobj_wrap(struct mst_key_object *k, const struct mst_readers *readers,
                            const struct mst_data_key *key, struct mst_err *err)
{
    const struct mst_wrap_place place = {k->set, k->id, k->attempt};
    const size_t all = readers->n + (readers->phrase != NULL) + (readers->wrap != NULL);
    enum mst_rc rc = MST_OK;

    if (all == 0 || all > MST_WRAP_SLOTS) {
        return mst_err_set(err, MST_E_CONFIG,
                           "a sealed backup needs 1 to %d who can read it: seal.recipients, "
                           "passphrase_file, wrap_command",
                           MST_WRAP_SLOTS);
    }
    for (size_t i = 0; rc == MST_OK && i < readers->n; i++) {
        rc = mst_wrap_to(key, &place, readers->to[i].pub, readers->to[i].label, &k->slots[k->n++],
                         err);
    }
    if (rc == MST_OK && readers->phrase) {
        rc = mst_wrap_passphrase(key, &place, readers->phrase,
                                 readers->log2n ? readers->log2n : MST_SCRYPT_LOG2N, "passphrase",
                                 &k->slots[k->n++], err);
    }
    if (rc == MST_OK && readers->wrap) {
        rc = readers->wrap(readers->wrap_arg, key, &k->slots[k->n++], err);
    }
    return rc;
}

enum mst_rc mst_keyobj_make(const struct mst_catalog *c, const char *id, const char *attempt,
                            const struct mst_readers *readers, struct mst_data_key *out,
                            struct mst_err *err)
{
    struct mst_key_object *k = mst_xcalloc(1, sizeof(*k));
    struct mst_str s = {0};
    char key[MST_KEY_MAX];
    enum mst_rc rc = mst_data_key_new(out, err);

    (void)mst_copy(k->id, sizeof(k->id), id);
    (void)mst_copy(k->attempt, sizeof(k->attempt), attempt);
    (void)mst_copy(k->set, sizeof(k->set), c->set);
    if (rc == MST_OK) {
        mst_data_key_id(out, k->key_id);
        rc = mst_keyobj_wrap(k, readers, out, err);
    }
    if (rc == MST_OK) {
        mst_key_object_put(k, &s);
        mst_keyobj_path(c, id, attempt, 0, key);
        rc = mst_store_put_all(c->store, key, s.p, s.len, err);
    }
    if (rc != MST_OK) {
        mst_data_key_release(out);
    }
    mst_str_release(&s);
    free(k);
    return rc;
}

/* --- opening ---------------------------------------------------------------------------------- */

struct numbers { /* of the key objects of one attempt */
    size_t skip;
    const char *id, *attempt;
    unsigned *v;
    size_t n, cap;
};

static bool see(void *arg, const struct mst_store_item *item)
{
    struct numbers *s = arg;
    char id[MST_ID_MAX], attempt[17];
    unsigned n;

    if (strlen(item->key) > s->skip && mst_keyobj_name(item->key + s->skip, id, attempt, &n) &&
        strcmp(id, s->id) == 0 && strcmp(attempt, s->attempt) == 0) {
        mst_grow((void **)&s->v, &s->cap, s->n + 1, sizeof(*s->v));
        s->v[s->n++] = n;
    }
    return s->n <= NUMBER_MAX;
}

static int falling(const void *a, const void *b)
{
    const unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

    return x < y ? 1 : x > y ? -1 : 0;
}

enum mst_rc mst_keyobj_numbers(const struct mst_catalog *c, const char *id, const char *attempt,
                               struct mst_task *task, unsigned **out, size_t *n,
                               struct mst_err *err)
{
    struct numbers s = {.id = id, .attempt = attempt};
    char prefix[MST_KEY_MAX];
    enum mst_rc rc;

    (void)snprintf(prefix, sizeof(prefix), "%s/keys", c->base);
    s.skip = strlen(prefix) + 1;
    rc = mst_store_list(c->store, prefix, see, &s, task, err);
    if (rc != MST_OK) {
        free(s.v);
        s.v = NULL;
        s.n = 0;
    } else if (s.n) {
        qsort(s.v, s.n, sizeof(*s.v), falling);
    }
    *out = s.v;
    *n = s.n;
    return rc;
}

enum mst_rc mst_keyobj_read(const struct mst_catalog *c, const struct mst_header *h, unsigned n,
                            struct mst_key_object *k, struct mst_buf *raw, struct mst_err *err)
{
    char key[MST_KEY_MAX];
    enum mst_rc rc;

    mst_keyobj_path(c, h->id, h->attempt, n, key);
    mst_buf_reset(raw);
    rc = mst_store_read_all(c->store, key, MST_HEADER_MAX, raw, err);
    if (rc == MST_OK &&
        (rc = mst_key_object_get((const char *)raw->p, raw->len, k, err)) != MST_OK) {
        mst_err_prefix(err, "the key object %s", key);
    }
    if (rc == MST_OK && (strcmp(k->id, h->id) != 0 || strcmp(k->attempt, h->attempt) != 0 ||
                         strcmp(k->set, h->set) != 0 || strcmp(k->key_id, h->key_id) != 0)) {
        rc = mst_err_set(err, MST_E_INTEGRITY, "the key object %s is of another backup (%s of %s)",
                         key, k->id, k->set);
    }
    return rc;
}

static enum mst_rc open_one(const struct mst_catalog *c, const struct mst_header *h, unsigned n,
                            struct mst_data_key *out, struct mst_err *err)
{
    static const struct mst_key_means nothing = {0};
    struct mst_key_object *k = mst_xcalloc(1, sizeof(*k));
    struct mst_buf b = {0};
    char key[MST_KEY_MAX];
    enum mst_rc rc = mst_keyobj_read(c, h, n, k, &b, err);

    if (rc == MST_OK) {
        rc = c->unlock ? c->unlock(c->unlock_arg, k, out, err)
                       : mst_key_object_open(k, &nothing, out, err);
        if (rc == MST_E_AUTH) {
            mst_err_prefix(err, "%s is sealed", h->id);
        } else if (rc != MST_OK) {
            mst_keyobj_path(c, h->id, h->attempt, n, key);
            mst_err_prefix(err, "the key object %s", key);
        }
    }
    mst_buf_release(&b);
    free(k);
    return rc;
}

enum mst_rc mst_keyobj_open(const struct mst_catalog *c, const struct mst_header *h,
                            struct mst_task *task, struct mst_data_key *out, struct mst_err *err)
{
    struct mst_err first = {0};
    unsigned *v = NULL;
    size_t n = 0;
    enum mst_rc rc = mst_keyobj_numbers(c, h->id, h->attempt, task, &v, &n, err);

    if (rc == MST_OK && n == 0) {
        rc = mst_err_set(err, MST_E_INTEGRITY,
                         "the key object of %s (keys/%s.%s.0) is missing: nobody can open it",
                         h->id, h->id, h->attempt);
    } else if (rc == MST_OK) {
        rc = MST_E_AUTH;
        for (size_t i = 0; i < n && rc != MST_OK; i++) {
            struct mst_err e = {0};

            rc = open_one(c, h, v[i], out, &e);
            if (rc == MST_E_CANCELLED) {
                first = e;
                break;
            }
            if (rc != MST_OK &&
                (first.rc == MST_OK || (first.rc != MST_E_AUTH && rc == MST_E_AUTH))) {
                first = e; /* one that is whole and says who can open says more than a broken one */
            }
        }
        if (rc != MST_OK) {
            *err = first;
            rc = first.rc;
        }
    }
    free(v);
    return rc;
}

/* --- which there are -------------------------------------------------------------------------- */

struct all {
    struct mst_keyed *v;
    size_t n, cap, skip;
};

static bool see_any(void *arg, const struct mst_store_item *item)
{
    struct all *a = arg;
    struct mst_keyed k;
    unsigned n;

    if (strlen(item->key) > a->skip && mst_keyobj_name(item->key + a->skip, k.id, k.attempt, &n)) {
        k.bytes = item->bytes;
        mst_grow((void **)&a->v, &a->cap, a->n + 1, sizeof(*a->v));
        a->v[a->n++] = k;
    }
    return true;
}

static int by_name(const void *a, const void *b)
{
    const struct mst_keyed *x = a, *y = b;
    const int order = strcmp(x->id, y->id);

    return order ? order : strcmp(x->attempt, y->attempt);
}

enum mst_rc mst_keyobj_list(const struct mst_catalog *c, struct mst_task *task,
                            struct mst_keyed **out, size_t *n, struct mst_err *err)
{
    struct all a = {0};
    char prefix[MST_KEY_MAX];
    enum mst_rc rc;

    (void)snprintf(prefix, sizeof(prefix), "%s/keys", c->base);
    a.skip = strlen(prefix) + 1;
    rc = mst_store_list(c->store, prefix, see_any, &a, task, err);
    if (rc != MST_OK) {
        free(a.v);
        a.v = NULL;
        a.n = 0;
    } else if (a.n) {
        qsort(a.v, a.n, sizeof(*a.v), by_name);
    }
    *out = a.v;
    *n = a.n;
    return rc;
}

bool mst_keyobj_has(const struct mst_keyed *keys, size_t n, const char *id, const char *attempt)
{
    struct mst_keyed want = {.bytes = 0};

    (void)mst_copy(want.id, sizeof(want.id), id);
    (void)mst_copy(want.attempt, sizeof(want.attempt), attempt);
    return n && bsearch(&want, keys, n, sizeof(*keys), by_name) != NULL;
}

uint64_t mst_keyobj_bytes(const struct mst_keyed *keys, size_t n, const char *id,
                          const char *attempt)
{
    size_t low = 0, high = n;
    uint64_t bytes = 0;

    while (low < high) { /* the first one of this backup */
        const size_t middle = low + (high - low) / 2;

        if (strcmp(keys[middle].id, id) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < n && strcmp(keys[low].id, id) == 0; low++) {
        bytes += *attempt && strcmp(keys[low].attempt, attempt) != 0 ? 0 : keys[low].bytes;
    }
    return bytes;
}
