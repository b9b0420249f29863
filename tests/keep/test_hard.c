/* Documents that servers, drivers and tools stumble over go through backup, restore and replay byte
 * for byte. */
#include "keep_kit.h"

#include "restore/target.h"

#define MAX_DOC (16u * 1024u * 1024u)

static void put(struct keep *k, struct mst_conn *c, const bson_t *doc)
{
    bson_t *cmd = bson_new(), ops, op, reply;
    struct mst_err err = {0};

    (void)k;
    BSON_APPEND_ARRAY_BEGIN(cmd, "applyOps", &ops);
    BSON_APPEND_DOCUMENT_BEGIN(&ops, "0", &op);
    BSON_APPEND_UTF8(&op, "op", "i");
    BSON_APPEND_UTF8(&op, "ns", "hard.docs");
    BSON_APPEND_DOCUMENT(&op, "o", doc);
    bson_append_document_end(&ops, &op);
    bson_append_array_end(cmd, &ops);
    assert_ok(mst_conn_command(c, "admin", cmd, 60000, &reply, &err), &err);
    bson_destroy(&reply);
    bson_destroy(cmd);
}

static void put_take(struct keep *k, struct mst_conn *c, bson_t *doc)
{
    put(k, c, doc);
    bson_destroy(doc);
}

static bson_t *deep(int levels)
{
    bson_t *in = bson_new();

    BSON_APPEND_INT32(in, "x", 1);
    while (levels-- > 0) {
        bson_t *out = bson_new();

        BSON_APPEND_DOCUMENT(out, "d", in);
        bson_destroy(in);
        in = out;
    }
    return in;
}

static bson_t *largest(int id)
{
    bson_t *b = BCON_NEW("_id", BCON_INT32(id));
    /* type, "pad", NUL, length, subtype */
    const uint32_t room = MAX_DOC - b->len - (1 + 4 + 4 + 1);
    uint8_t *pad = mst_xcalloc(1, room);

    BSON_APPEND_BINARY(b, "pad", BSON_SUBTYPE_BINARY, pad, room);
    free(pad);
    assert_int_equal(b->len, MAX_DOC);
    return b;
}

static bson_t *every_type(int id)
{
    bson_t *b = BCON_NEW("_id", BCON_INT32(id));
    bson_decimal128_t d;
    bson_oid_t oid;
    bson_t empty = BSON_INITIALIZER;

    bson_oid_init(&oid, NULL);
    (void)bson_decimal128_from_string("-1.50E+3", &d);
    BSON_APPEND_DOUBLE(b, "double", -0.0);
    BSON_APPEND_UTF8(b, "string", "x");
    BSON_APPEND_DOCUMENT(b, "doc", &empty);
    BSON_APPEND_ARRAY(b, "array", &empty);
    BSON_APPEND_BINARY(b, "old", BSON_SUBTYPE_BINARY_DEPRECATED, (const uint8_t *)"ab", 2);
    BSON_APPEND_UNDEFINED(b, "undefined");
    BSON_APPEND_OID(b, "oid", &oid);
    BSON_APPEND_BOOL(b, "bool", true);
    BSON_APPEND_DATE_TIME(b, "date", -1);
    BSON_APPEND_NULL(b, "null");
    BSON_APPEND_REGEX(b, "regex", "^a.*", "im");
    BSON_APPEND_DBPOINTER(b, "pointer", "a.b", &oid);
    BSON_APPEND_CODE(b, "code", "f()");
    BSON_APPEND_SYMBOL(b, "symbol", "s");
    BSON_APPEND_CODE_WITH_SCOPE(b, "scoped", "f()", &empty);
    BSON_APPEND_INT32(b, "int", 7);
    BSON_APPEND_TIMESTAMP(b, "ts", 1, 2);
    BSON_APPEND_INT64(b, "long", INT64_MIN);
    BSON_APPEND_DECIMAL128(b, "decimal", &d);
    BSON_APPEND_MINKEY(b, "min");
    BSON_APPEND_MAXKEY(b, "max");
    bson_destroy(&empty);
    return b;
}

/* n tells one call's _ids from another's. Returns how many were put. */
static size_t put_all(struct keep *k, struct mst_conn *c, int n)
{
    bson_t *b, in, *id;
    const int base = n * 100;

    put_take(k, c, largest(base));
    put_take(k, c, every_type(base + 1));
    b = BCON_NEW("_id", BCON_INT32(base + 2)); /* a server's insert would fill it in */
    BSON_APPEND_TIMESTAMP(b, "zero", 0, 0);
    put_take(k, c, b);
    b = BCON_NEW("_id", BCON_INT32(base + 3));
    BSON_APPEND_DOCUMENT_BEGIN(b, "in", &in);
    BSON_APPEND_INT32(&in, "", 1);
    BSON_APPEND_INT32(&in, "a.b", 2);
    BSON_APPEND_INT32(&in, "$c", 3);
    BSON_APPEND_TIMESTAMP(&in, "zero", 0, 0);
    bson_append_document_end(b, &in);
    BSON_APPEND_INT32(b, "", 4);
    put_take(k, c, b);
    b = BCON_NEW("_id", BCON_INT32(base + 4));
    BSON_APPEND_UTF8(b, "bad", "\xff\xfe\xc0 not text");
    put_take(k, c, b);
    id = deep(178); /* with the document and the innermost one: 180 levels */
    b = BCON_NEW("_id", BCON_INT32(base + 5));
    BSON_APPEND_DOCUMENT(b, "deep", id);
    put_take(k, c, b);
    bson_destroy(id);
    put_take(k, c, BCON_NEW("_id", BCON_DOUBLE(base + 6.5)));
    put_take(k, c, BCON_NEW("_id", "{", "a", BCON_INT32(n), "}"));
    put_take(k, c, BCON_NEW("_id", BCON_DATE_TIME(base)));
    put_take(k, c, BCON_NEW("_id", BCON_BOOL(n & 1)));
    id = bson_new();
    BSON_APPEND_UTF8(id, "_id", n & 1 ? "odd" : "even");
    put_take(k, c, id);
    return 11;
}

struct window {
    struct keep *k;
    struct mst_conn *c;
    size_t n;
};

static void at_point(void *arg, const char *point)
{
    struct window *w = arg;

    if (strcmp(point, "scan") == 0) { /* in the scan and in the oplog */
        w->n += put_all(w->k, w->c, 2);
    } else if (strcmp(point, "end") == 0) { /* in the oplog alone */
        bson_t *b = largest(300);

        put_take(w->k, w->c, b);
        b = BCON_NEW("_id", BCON_INT32(302));
        BSON_APPEND_TIMESTAMP(b, "zero", 0, 0);
        put_take(w->k, w->c, b);
        put_take(w->k, w->c, every_type(301));
        w->n += 3;
        for (int i = 0; i < 3; i++) { /* the source must have it before it says its end */
            (void)kit_wait_same(&w->k->kit, i, keep_primary(w->k), 10000);
        }
    }
}

static void sums(struct keep *k, struct mst_conn *c, uint64_t *n, struct mst_sum256 *sum)
{
    struct mst_rs r;
    struct mst_err err = {0};

    memset(&r, 0, sizeof r);
    r.task = &k->task;
    assert_ok(mst_sum_collection(&r, c, "hard", "docs", n, sum, &err), &err);
}

static void through(const char *server)
{
    struct keep *k = mst_xcalloc(1, sizeof *k);
    const struct sbx_opts so = {.server = server, .oplog_bytes = 512u << 20};
    struct window w = {.k = k};
    struct mst_backup_opts bo;
    struct mst_backup_result b;
    struct mst_restore_opts o;
    struct mst_restore_result res;
    struct mst_restore_source *s;
    struct mst_sum256 before, after;
    bson_t *hash, *hash2;
    uint64_t n = 0, n2 = 0;
    struct mst_err err = {0};

    keep_start(k, so);
    keep_do(k, "hard", "{'create': 'docs'}");
    assert_ok(keep_connect(NULL, k->primary, "hard", NULL, &w.c, &err), &err);
    w.n = put_all(k, w.c, 1);
    keep_backup_opts(k, &bo);
    bo.at = at_point;
    bo.at_arg = &w;
    assert_ok(mst_backup_run(&bo, &k->task, &b, &err), &err);
    sums(k, w.c, &n, &before);
    hash = keep_dbhash(k, "hard");
    assert_int_equal(n, w.n);
    keep_do(k, "hard", "{'drop': 'docs'}");
    keep_restore_opts(k, &o);
    s = keep_source(k, b.id);
    assert_ok(keep_restore(k, &o, s, &res, &err), &err);
    sums(k, w.c, &n2, &after);
    print_message("    %s: %llu documents, %llu replayed\n", server, (unsigned long long)n2,
                  (unsigned long long)res.ops);
    assert_int_equal(n, n2);
    assert_true(mst_sum256_equal(&before, &after));
    hash2 = keep_dbhash(k, "hard");
    assert_true(bson_has_field(hash, "docs") && bson_equal(hash, hash2));
    bson_destroy(hash);
    bson_destroy(hash2);
    assert_true(res.ops >= 3);
    mst_restore_result_release(&res);
    mst_restore_source_free(s);
    mst_conn_free(w.c);
    keep_stop(k);
    free(k);
}

static void hard_documents_survive_on_4_2(void **state)
{
    (void)state;
    through("4.2");
}

static void hard_documents_survive_on_7_0(void **state)
{
    (void)state;
    through("7.0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hard_documents_survive_on_4_2),
        cmocka_unit_test(hard_documents_survive_on_7_0),
    };

    mst_mongo_init();
    return cmocka_run_group_tests_name("hard", tests, NULL, NULL);
}
