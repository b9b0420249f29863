#include "auth/users.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "auth/internal.h"
#include "base/mem.h"
#include "base/secret.h"
#include "set/set.h"

#define NAME_KEYS 2

static const uint8_t empty[] = {5, 0, 0, 0, 0};

/* ---- reading ---- */

bool sbx_user_doc(const struct sbx_data *d, const char *db, const char *name, struct sbx_doc *out)
{
    struct sbx_coll *coll = d != NULL ? sbx_data_coll(d, SBX_USERS_NS) : NULL;
    char id[SBX_ROLE_DB_MAX + SBX_USER_NAME_MAX];
    struct sbx_out key = {0};
    struct mst_buf scratch = {0};
    struct sbx_row row;
    bool found = false;

    if (coll != NULL) {
        const size_t m = sbx_out_begin(&key);

        (void)snprintf(id, sizeof id, "%s.%s", db, name);
        sbx_out_str(&key, "_id", id);
        sbx_out_end(&key, m);
        found = sbx_coll_by_id(coll, sbx_doc_get(sbx_out_done(&key), "_id"), SBX_LATEST, &scratch,
                               &row);
        if (found) {
            *out = row.doc;
        }
    }
    sbx_out_release(&key);
    mst_buf_release(&scratch);
    return found;
}

bool sbx_user_id(struct sbx_doc user, uint8_t id[16])
{
    const uint8_t *p = sbx_val_uuid(sbx_doc_get(user, "userId"));

    if (p != NULL) {
        memcpy(id, p, 16);
    }
    return p != NULL;
}

bool sbx_users_any(const struct sbx_data *d)
{
    const struct sbx_coll *coll = d != NULL ? sbx_data_coll(d, SBX_USERS_NS) : NULL;

    return coll != NULL && coll->count > 0;
}

static bool key_of(struct sbx_doc cred, const char *field, uint8_t out[SBX_SCRAM_KEY_MAX])
{
    size_t n = 0;
    const char *text = sbx_val_str(sbx_doc_get(cred, field), &n);
    uint8_t raw[SBX_SCRAM_KEY_MAX + 4];

    if (text == NULL || n == 0 || n % 4 != 0 || n / 4 * 3 > sizeof raw ||
        EVP_DecodeBlock(raw, (const unsigned char *)text, (int)n) < 0) {
        return false;
    }
    memcpy(out, raw, SBX_SCRAM_KEY_MAX);
    return true;
}

bool sbx_user_cred(struct sbx_doc user, enum sbx_scram_mech m, struct sbx_scram_cred *out)
{
    const struct sbx_val all = sbx_doc_get(user, "credentials");
    const struct sbx_val one = all.type == SBX_OBJECT
                                   ? sbx_doc_get(sbx_val_doc(all), sbx_scram_name(m))
                                   : (struct sbx_val){0};
    const char *salt;

    if (one.type != SBX_OBJECT) {
        return false;
    }
    memset(out, 0, sizeof *out);
    out->iterations = (int)sbx_val_i64(sbx_doc_get(sbx_val_doc(one), "iterationCount"));
    salt = sbx_val_str(sbx_doc_get(sbx_val_doc(one), "salt"), NULL);
    return salt != NULL && mst_copy(out->salt, sizeof out->salt, salt) &&
           key_of(sbx_val_doc(one), "storedKey", out->stored_key) &&
           key_of(sbx_val_doc(one), "serverKey", out->server_key);
}

/* ---- building ---- */

static void out_key(struct sbx_out *out, const char *field, const uint8_t *key, size_t n)
{
    char text[SBX_SCRAM_KEY_MAX * 2];

    EVP_EncodeBlock((unsigned char *)text, key, (int)n);
    sbx_out_str(out, field, text);
}

static bool wants(struct sbx_val mechanisms, enum sbx_scram_mech m)
{
    struct sbx_it it;

    if (mechanisms.type != SBX_ARRAY) {
        return true;
    }
    sbx_it_init(&it, sbx_val_doc(mechanisms));
    while (sbx_it_next(&it)) {
        if (sbx_val_streq(it.v, sbx_scram_name(m))) {
            return true;
        }
    }
    return false;
}

static bool check_mechanisms(struct sbx_val list, struct sbx_why *why)
{
    enum sbx_scram_mech m;
    struct sbx_it it;

    if (list.type == SBX_EOO) {
        return true;
    }
    if (list.type != SBX_ARRAY || sbx_doc_empty(sbx_val_doc(list))) {
        return sbx_why(why, 2, "mechanisms field must not be empty");
    }
    sbx_it_init(&it, sbx_val_doc(list));
    while (sbx_it_next(&it)) {
        const char *name = sbx_val_str(it.v, NULL);

        if (name == NULL || !sbx_scram_find(name, &m)) {
            return sbx_why(why, 2, "Unknown auth mechanism '%.64s'", name != NULL ? name : "");
        }
    }
    return true;
}

bool sbx_user_credentials(struct sbx_out *out, const char *key, const char *name, const char *pwd,
                          struct sbx_val mechanisms, struct sbx_why *why)
{
    size_t all, one;

    if (!check_mechanisms(mechanisms, why)) {
        return false;
    }
    all = sbx_out_sub(out, key, SBX_OBJECT);
    for (int i = 0; i < SBX_SCRAM_MECHS; i++) {
        const enum sbx_scram_mech m = (enum sbx_scram_mech)i;
        const size_t n = m == SBX_SCRAM_SHA1 ? 20 : 32;
        struct sbx_scram_cred cred;

        if (!wants(mechanisms, m)) {
            continue;
        }
        if (!sbx_scram_make(&cred, m, name, pwd, NULL, 0)) {
            return sbx_why(why, 1, "user %.80s: no such digest in this OpenSSL", name);
        }
        one = sbx_out_sub(out, sbx_scram_name(m), SBX_OBJECT);
        sbx_out_i32(out, "iterationCount", cred.iterations);
        sbx_out_str(out, "salt", cred.salt);
        out_key(out, "storedKey", cred.stored_key, n);
        out_key(out, "serverKey", cred.server_key, n);
        sbx_out_end(out, one);
        mst_wipe(&cred, sizeof cred);
    }
    sbx_out_end(out, all);
    return true;
}

void sbx_roles_out(struct sbx_out *out, const char *key, const struct sbx_roles *r)
{
    const size_t list = sbx_out_sub(out, key, SBX_ARRAY);

    for (size_t i = 0; i < r->n; i++) {
        char num[24];
        size_t one;

        (void)snprintf(num, sizeof num, "%zu", i);
        one = sbx_out_sub(out, num, SBX_OBJECT);
        sbx_out_str(out, "role", r->v[i].name);
        sbx_out_str(out, "db", r->v[i].db);
        sbx_out_end(out, one);
    }
    sbx_out_end(out, list);
}

bool sbx_user_build(const struct sbx_new_user *u, struct sbx_out *out, struct sbx_why *why)
{
    const size_t m = sbx_out_begin(out);
    char id[SBX_ROLE_DB_MAX + SBX_USER_NAME_MAX];
    struct sbx_roles roles = {0};
    uint8_t uuid[16];
    bool ok = true;

    (void)snprintf(id, sizeof id, "%s.%s", u->db, u->name);
    sbx_uuid_new(uuid);
    sbx_out_str(out, "_id", id);
    sbx_out_uuid(out, "userId", uuid);
    sbx_out_str(out, "user", u->name);
    sbx_out_str(out, "db", u->db);
    if (u->pwd != NULL) {
        ok = sbx_user_credentials(out, "credentials", u->name, u->pwd, u->mechanisms, why);
    } else {
        const size_t c = sbx_out_sub(out, "credentials", SBX_OBJECT);

        sbx_out_bool(out, "external", true);
        sbx_out_end(out, c);
    }
    if (u->custom.type == SBX_OBJECT) {
        sbx_out_val(out, "customData", u->custom);
    }
    if (ok && !sbx_roles_parse(&roles, u->roles, u->db)) {
        ok = sbx_why(why, 2, "Role names must be either strings or documents with role and db");
    }
    sbx_roles_out(out, "roles", &roles);
    sbx_roles_release(&roles);
    sbx_out_end(out, m);
    return ok;
}

/* ---- writing ---- */

/* The two tables' own index: the name and its database, once only. */
static const char *const index_keys[][NAME_KEYS] = {{"user", "db"}, {"role", "db"}};

static void index_spec(bson_t *o, const char *const keys[NAME_KEYS])
{
    char name[32];
    bson_t key;

    (void)snprintf(name, sizeof name, "%s_1_%s_1", keys[0], keys[1]);
    BSON_APPEND_INT32(o, "v", 2);
    BSON_APPEND_UTF8(o, "name", name);
    BSON_APPEND_DOCUMENT_BEGIN(o, "key", &key);
    for (size_t i = 0; i < NAME_KEYS; i++) {
        BSON_APPEND_INT32(&key, keys[i], 1);
    }
    bson_append_document_end(o, &key);
    BSON_APPEND_BOOL(o, "unique", true);
}

static const char *const *keys_of(const char *ns)
{
    return index_keys[strcmp(ns, SBX_ROLES_NS) == 0];
}

static void begin(bson_t *op, const char *kind, const char *ns, const uint8_t uuid[16])
{
    bson_init(op);
    BSON_APPEND_UTF8(op, "op", kind);
    BSON_APPEND_UTF8(op, "ns", ns);
    BSON_APPEND_BINARY(op, "ui", BSON_SUBTYPE_UUID, uuid, 16);
}

static void put(bson_t *op, const char *key, struct sbx_doc d)
{
    bson_t view;

    MST_ASSERT(bson_init_static(&view, d.p, d.n));
    BSON_APPEND_DOCUMENT(op, key, &view);
}

static void apply(struct sbx_call *c, bson_t *op)
{
    sbx_log_apply(c->m, op);
    c->last_op = c->m->applied.op;
    bson_destroy(op);
}

static void insert_into(struct sbx_call *c, const char *ns, const uint8_t uuid[16],
                        struct sbx_doc doc)
{
    bson_t op;

    begin(&op, "i", ns, uuid);
    put(&op, "o", doc);
    apply(c, &op);
}

/* The first user or role says which form of them the set has. */
static void note_schema(struct sbx_call *c)
{
    struct sbx_coll *coll = sbx_data_coll(c->m->data, "admin.system.version");
    struct mst_buf scratch = {0};
    struct sbx_out doc = {0};
    struct sbx_row row;
    const size_t m = sbx_out_begin(&doc);

    sbx_out_str(&doc, "_id", "authSchema");
    sbx_out_i32(&doc, "currentVersion", 5);
    sbx_out_end(&doc, m);
    if (coll != NULL &&
        !sbx_coll_by_id(coll, sbx_doc_get(sbx_out_done(&doc), "_id"), SBX_LATEST, &scratch, &row)) {
        insert_into(c, coll->ns, coll->uuid, sbx_out_done(&doc));
    }
    sbx_out_release(&doc);
    mst_buf_release(&scratch);
}

static void make_table(struct sbx_call *c, const char *ns)
{
    const char *name = strchr(ns, '.') + 1;
    bson_t op, o;
    uint8_t uuid[16];

    sbx_log_create(c->m, "admin", name, uuid);
    begin(&op, "c", "admin.$cmd", uuid);
    BSON_APPEND_DOCUMENT_BEGIN(&op, "o", &o);
    BSON_APPEND_UTF8(&o, "createIndexes", name);
    index_spec(&o, keys_of(ns));
    bson_append_document_end(&op, &o);
    apply(c, &op);
}

void sbx_table_insert(struct sbx_call *c, const char *ns, struct sbx_doc doc)
{
    const struct sbx_coll *coll;

    note_schema(c);
    if (sbx_data_coll(c->m->data, ns) == NULL) {
        make_table(c, ns);
    }
    coll = sbx_data_coll(c->m->data, ns);
    insert_into(c, ns, coll->uuid, doc);
}

static void merge(struct sbx_doc doc, struct sbx_doc set, struct sbx_out *out)
{
    const size_t m = sbx_out_begin(out);
    struct sbx_it it;

    sbx_it_init(&it, doc);
    while (sbx_it_next(&it)) {
        const struct sbx_val v = sbx_doc_getn(set, it.key, it.klen);

        sbx_out_valn(out, it.key, it.klen, v.type != SBX_EOO ? v : it.v);
    }
    sbx_it_init(&it, set);
    while (sbx_it_next(&it)) {
        if (sbx_doc_getn(doc, it.key, it.klen).type == SBX_EOO) {
            sbx_out_valn(out, it.key, it.klen, it.v);
        }
    }
    sbx_out_end(out, m);
}

static void log_change(struct sbx_call *c, struct sbx_doc doc, struct sbx_doc set, bson_t *op)
{
    struct sbx_out after = {0}, o = {0}, diff = {0};
    const size_t m = sbx_out_begin(&o);

    merge(doc, set, &after);
    if (c->w->profile->v2_update && sbx_diff_make(doc, sbx_out_done(&after), &diff)) {
        sbx_out_i32(&o, "$v", 2);
        sbx_out_doc(&o, "diff", sbx_out_done(&diff));
    } else {
        sbx_out_i32(&o, "$v", 1);
        sbx_out_doc(&o, "$set", set);
    }
    sbx_out_end(&o, m);
    put(op, "o", sbx_out_done(&o));
    sbx_out_release(&after);
    sbx_out_release(&diff);
    sbx_out_release(&o);
}

static void put_id(bson_t *op, const char *key, struct sbx_doc doc)
{
    struct sbx_out id = {0};
    const size_t m = sbx_out_begin(&id);

    sbx_out_val(&id, "_id", sbx_doc_get(doc, "_id"));
    sbx_out_end(&id, m);
    put(op, key, sbx_out_done(&id));
    sbx_out_release(&id);
}

void sbx_table_change(struct sbx_call *c, const char *ns, struct sbx_doc doc, struct sbx_doc set)
{
    const struct sbx_coll *coll = sbx_data_coll(c->m->data, ns);
    bson_t op;

    MST_ASSERT(coll != NULL);
    begin(&op, "u", ns, coll->uuid);
    put_id(&op, "o2", doc);
    log_change(c, doc, set, &op);
    apply(c, &op);
}

void sbx_table_remove(struct sbx_call *c, const char *ns, struct sbx_doc doc)
{
    const struct sbx_coll *coll = sbx_data_coll(c->m->data, ns);
    bson_t op;

    MST_ASSERT(coll != NULL);
    begin(&op, "d", ns, coll->uuid);
    put_id(&op, "o", doc);
    apply(c, &op);
}

static void seed_into(struct sbx_data *d, const uint8_t uuid[16], struct sbx_doc user)
{
    struct sbx_coll *coll = sbx_data_coll(d, SBX_USERS_NS);
    struct sbx_why why = {0};

    if (coll == NULL) {
        bson_t in = BSON_INITIALIZER;
        struct sbx_out spec = {0};

        coll = sbx_data_create(d, SBX_USERS_NS, uuid, sbx_doc(empty, 5), sbx_doc(NULL, 0), &why);
        MST_ASSERT(coll != NULL);
        index_spec(&in, keys_of(SBX_USERS_NS));
        MST_ASSERT(sbx_index_logged(coll, sbx_doc(bson_get_data(&in), in.len), &spec, &why) &&
                   sbx_index_add(coll, sbx_out_done(&spec), NULL, &why));
        sbx_out_release(&spec);
        bson_destroy(&in);
    }
    (void)sbx_coll_insert(coll, user, (struct sbx_stamp){{0, 1}, NULL});
}

void sbx_users_seed(struct sbx_world *w, struct sbx_doc user)
{
    uint8_t uuid[16];

    sbx_uuid_new(uuid);
    for (size_t i = 0; i < w->n; i++) { /* whoever has the table already says which one it is */
        const struct sbx_coll *coll =
            w->members[i].data != NULL ? sbx_data_coll(w->members[i].data, SBX_USERS_NS) : NULL;

        if (coll != NULL) {
            memcpy(uuid, coll->uuid, sizeof uuid);
        }
    }
    for (size_t i = 0; i < w->n; i++) {
        if (w->members[i].data != NULL) {
            seed_into(w->members[i].data, uuid, user);
        }
    }
}
