/* What an export makes of a window with DDL in it: everything under its last name, and writes only.
 */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "restore/export/content.h"

#define DOCS_MAX 200

/* ---- a source in memory ---- */

struct script {
    struct mst_restore_source s;
    bson_t *oplog[DOCS_MAX];
    size_t n;
    size_t short_n;            /* so many of them at first, */
    unsigned opens, more_from; /* and all of them from this reading on; 0: always all */
};

struct stream {
    struct mst_src_docs head;
    const struct script *of;
    size_t at, n;
};

static enum mst_rc next(struct mst_src_docs *d, const uint8_t **doc, uint32_t *n,
                        struct mst_err *err)
{
    struct stream *s = (struct stream *)d;

    (void)err;
    *doc = s->at < s->n ? bson_get_data(s->of->oplog[s->at]) : NULL;
    *n = s->at < s->n ? s->of->oplog[s->at]->len : 0;
    s->at++;
    return MST_OK;
}

static void close_stream(struct mst_src_docs *d)
{
    free(d);
}

static enum mst_rc open_oplog(struct mst_restore_source *s, struct mst_src_docs **out,
                              struct mst_err *err)
{
    struct stream *x = mst_xcalloc(1, sizeof *x);
    struct script *of = (struct script *)(void *)s;

    (void)err;
    x->head.next = next;
    x->head.close = close_stream;
    x->of = of;
    x->n = ++of->opens < of->more_from ? of->short_n : of->n;
    *out = &x->head;
    return MST_OK;
}

static void collection(struct script *x, const char *coll, uint8_t uuid, const char *indexes)
{
    struct mst_src_coll *c = mst_src_add(&x->s);
    bson_error_t e;

    (void)mst_copy(c->db, sizeof c->db, "shop");
    (void)mst_copy(c->coll, sizeof c->coll, coll);
    c->has_uuid = true;
    memset(c->uuid, uuid, 16);
    bson_destroy(c->indexes);
    c->indexes = bson_new_from_json((const uint8_t *)indexes, -1, &e);
    assert_non_null(c->indexes);
}

/* "o" and the rest of an entry as JSON; ts rises by itself. uuid 0: none. */
static void entry(struct script *x, const char *op, const char *ns, uint8_t uuid, const char *rest)
{
    bson_t *b = bson_new(), *more;
    bson_error_t e;
    uint8_t ui[16];

    memset(ui, uuid, sizeof ui);
    BSON_APPEND_TIMESTAMP(b, "ts", 100, (uint32_t)x->n + 1);
    BSON_APPEND_INT64(b, "t", 1);
    BSON_APPEND_INT64(b, "v", 2);
    BSON_APPEND_UTF8(b, "op", op);
    BSON_APPEND_UTF8(b, "ns", ns);
    if (uuid) {
        BSON_APPEND_BINARY(b, "ui", BSON_SUBTYPE_UUID, ui, 16);
    }
    more = bson_new_from_json((const uint8_t *)rest, -1, &e);
    if (!more) {
        fail_msg("%s: %s", rest, e.message);
    }
    assert_true(bson_concat(b, more));
    bson_destroy(more);
    assert_true(x->n < DOCS_MAX);
    x->oplog[x->n++] = b;
}

static void begin(struct script *x)
{
    memset(x, 0, sizeof *x);
    x->s.has_oplog = true;
    x->s.open_oplog = open_oplog;
}

static void end(struct script *x)
{
    for (size_t i = 0; i < x->s.n; i++) {
        bson_destroy(x->s.colls[i].options);
        bson_destroy(x->s.colls[i].indexes);
    }
    free(x->s.colls);
    while (x->n) {
        bson_destroy(x->oplog[--x->n]);
    }
}

/* ---- what came out, one line each ---- */

static enum mst_rc line(void *arg, const bson_t *b, struct mst_err *err)
{
    char op[4] = "", ns[MST_NS_MAX] = "";
    bson_t o;
    char *json;

    (void)err;
    (void)mst_bson_text(b, "op", op, sizeof op);
    (void)mst_bson_text(b, "ns", ns, sizeof ns);
    assert_true(mst_bson_doc(b, "o", &o));
    json = bson_as_relaxed_extended_json(&o, NULL);
    mst_str_addf(arg, "%s %s %s\n", op, ns, json);
    bson_free(json);
    return MST_OK;
}

static void comes_to(struct script *x, const struct mst_restore_opts *o, const char *names,
                     const char *ops)
{
    struct mst_content c;
    struct mst_str got = {0};
    struct mst_err err = {0};

    assert_ok(mst_content_read(o, &x->s, NULL, &c, &err), &err);
    for (size_t i = 0; i < c.n; i++) {
        char *idx = bson_array_as_json(c.ns[i].indexes, NULL);

        mst_str_addf(&got, "%s.%s%s from %d indexes %s\n", c.ns[i].db, c.ns[i].coll,
                     c.ns[i].view ? " view" : "", c.ns[i].src == SIZE_MAX ? -1 : (int)c.ns[i].src,
                     idx);
        bson_free(idx);
    }
    assert_string_equal(mst_str_c(&got), names);
    mst_str_reset(&got);
    assert_ok(mst_content_oplog(&c, NULL, line, &got, &err), &err);
    assert_string_equal(mst_str_c(&got), ops);
    mst_str_release(&got);
    mst_content_release(&c);
}

#define ID "{ \"v\" : 2, \"key\" : { \"_id\" : 1 }, \"name\" : \"_id_\" }"
#define ID_OF(ns) \
    "{ \"v\" : 2, \"key\" : { \"_id\" : 1 }, \"name\" : \"_id_\", \"ns\" : \"" ns "\" }"
static const struct mst_restore_opts all;

static void what_is_renamed_is_written_under_its_last_name(void **state)
{
    struct script x;

    (void)state;
    begin(&x);
    collection(&x, "a", 1, "{\"0\":" ID "}");
    entry(&x, "i", "shop.a", 1, "{\"o\":{\"_id\":1}}");
    entry(&x, "c", "shop.$cmd", 1, "{\"o\":{\"renameCollection\":\"shop.a\",\"to\":\"shop.b\"}}");
    entry(&x, "u", "shop.b", 1, "{\"o\":{\"$v\":1,\"$set\":{\"n\":2}},\"o2\":{\"_id\":1}}");
    comes_to(&x, &all, "shop.b from 0 indexes [ " ID " ]\n",
             "i shop.b { \"_id\" : 1 }\n"
             "u shop.b { \"$v\" : 1, \"$set\" : { \"n\" : 2 } }\n");
    end(&x);
}

/* As an aggregation with $out does it: the old one goes with the rename of the new one. */
static void a_rename_over_another_leaves_one(void **state)
{
    struct script x;

    (void)state;
    begin(&x);
    collection(&x, "out", 1, "{\"0\":" ID "}");
    entry(&x, "i", "shop.out", 1, "{\"o\":{\"_id\":\"old\"}}");
    entry(&x, "c", "shop.$cmd", 2,
          "{\"o\":{\"create\":\"tmp\",\"idIndex\":{\"v\":2,\"key\":{\"_id\":1},\"name\":\"_id_\","
          "\"ns\":\"shop.tmp\"}}}");
    entry(&x, "i", "shop.tmp", 2, "{\"o\":{\"_id\":\"new\"}}");
    entry(&x, "c", "shop.$cmd", 2,
          "{\"o\":{\"renameCollection\":\"shop.tmp\",\"to\":\"shop.out\",\"dropTarget\":{"
          "\"$binary\":{\"base64\":\"AQEBAQEBAQEBAQEBAQEBAQ==\",\"subType\":\"04\"}}}}");
    comes_to(&x, &all, "shop.out from -1 indexes [ " ID_OF("shop.tmp") " ]\n",
             "i shop.out { \"_id\" : \"new\" }\n");
    end(&x);
}

static void what_is_dropped_is_not_there(void **state)
{
    struct script x;

    (void)state;
    begin(&x);
    collection(&x, "a", 1, "{\"0\":" ID "}");
    collection(&x, "b", 2, "{\"0\":" ID "}");
    entry(&x, "i", "shop.a", 1, "{\"o\":{\"_id\":1}}");
    entry(&x, "c", "shop.$cmd", 1, "{\"o\":{\"drop\":\"a\"}}");
    entry(&x, "c", "shop.$cmd", 3, "{\"o\":{\"create\":\"a\"}}");
    entry(&x, "i", "shop.a", 3, "{\"o\":{\"_id\":2}}");
    entry(&x, "d", "shop.b", 2, "{\"o\":{\"_id\":9}}");
    comes_to(&x, &all, "shop.a from -1 indexes [ " ID " ]\nshop.b from 1 indexes [ " ID " ]\n",
             "i shop.a { \"_id\" : 2 }\nd shop.b { \"_id\" : 9 }\n");
    end(&x);
}

static void indexes_and_views_are_those_at_the_end(void **state)
{
    struct script x;

    (void)state;
    begin(&x);
    collection(&x, "a", 1, "{\"0\":" ID ",\"1\":{\"v\":2,\"key\":{\"x\":1},\"name\":\"x_1\"}}");
    entry(&x, "c", "shop.$cmd", 1,
          "{\"o\":{\"createIndexes\":\"a\",\"v\":2,\"key\":{\"y\":1},\"name\":\"y_1\"}}");
    entry(&x, "c", "shop.$cmd", 1, "{\"o\":{\"dropIndexes\":\"a\",\"index\":\"x_1\"}}");
    entry(&x, "i", "shop.system.views", 7,
          "{\"o\":{\"_id\":\"shop.v\",\"viewOn\":\"a\",\"pipeline\":[]}}");
    comes_to(&x, &all,
             "shop.a from 0 indexes [ " ID
             ", { \"v\" : 2, \"key\" : { \"y\" : 1 }, \"name\" : \"y_1\" } ]\n"
             "shop.v view from -1 indexes [ ]\n",
             "");
    end(&x);
}

static void a_transaction_stands_at_its_commit(void **state)
{
    struct script x;

    (void)state;
    begin(&x);
    collection(&x, "a", 1, "{\"0\":" ID "}");
    x.s.apply_after.t = 100;
    x.s.apply_after.i = 1; /* its first part took place before */
    entry(&x, "c", "admin.$cmd", 0,
          "{\"lsid\":{\"id\":1},\"txnNumber\":{\"$numberLong\":\"5\"},\"prevOpTime\":{\"ts\":{"
          "\"$timestamp\":{\"t\":0,\"i\":0}},\"t\":{\"$numberLong\":\"-1\"}},\"o\":{\"applyOps\":[{"
          "\"op\":\"i\",\"ns\":\"shop.a\",\"ui\":{\"$binary\":{\"base64\":"
          "\"AQEBAQEBAQEBAQEBAQEBAQ==\",\"subType\":\"04\"}},\"o\":{\"_id\":1}}],"
          "\"partialTxn\":true}}");
    entry(&x, "i", "shop.a", 1, "{\"o\":{\"_id\":3}}");
    entry(
        &x, "c", "admin.$cmd", 0,
        "{\"lsid\":{\"id\":1},\"txnNumber\":{\"$numberLong\":\"5\"},\"prevOpTime\":{\"ts\":{"
        "\"$timestamp\":{\"t\":100,\"i\":1}},\"t\":{\"$numberLong\":\"1\"}},\"o\":{\"applyOps\":[{"
        "\"op\":\"i\",\"ns\":\"shop.a\",\"ui\":{\"$binary\":{\"base64\":"
        "\"AQEBAQEBAQEBAQEBAQEBAQ==\",\"subType\":\"04\"}},\"o\":{\"_id\":2}}]}}");
    comes_to(&x, &all, "shop.a from 0 indexes [ " ID " ]\n",
             "i shop.a { \"_id\" : 3 }\ni shop.a { \"_id\" : 1 }\ni shop.a { \"_id\" : 2 }\n");
    end(&x);
}

static void patterns_judge_by_the_last_name_and_skip_our_own(void **state)
{
    static const char *const in[] = {"shop.b*"};
    const struct mst_restore_opts o = {.n_include = 1, .include = in};
    struct script x;

    (void)state;
    begin(&x);
    collection(&x, "a", 1, "{\"0\":" ID "}");
    collection(&x, "c", 2, "{\"0\":" ID "}");
    entry(&x, "i", "shop.a", 1, "{\"o\":{\"_id\":1}}");
    entry(&x, "i", "shop.c", 2, "{\"o\":{\"_id\":2}}");
    entry(&x, "c", "shop.$cmd", 9, "{\"o\":{\"create\":\"mst.s.0123abcd.1\"}}");
    entry(&x, "i", "shop.mst.s.0123abcd.1", 9, "{\"o\":{\"_id\":3}}");
    entry(&x, "c", "shop.$cmd", 1, "{\"o\":{\"renameCollection\":\"shop.a\",\"to\":\"shop.b1\"}}");
    comes_to(&x, &o, "shop.b1 from 0 indexes [ " ID " ]\n", "i shop.b1 { \"_id\" : 1 }\n");
    comes_to(&x, &all, "shop.b1 from 0 indexes [ " ID " ]\nshop.c from 1 indexes [ " ID " ]\n",
             "i shop.b1 { \"_id\" : 1 }\ni shop.c { \"_id\" : 2 }\n");
    end(&x);
}

static void a_capped_collection_is_emptied_under_its_last_name(void **state)
{
    struct script x;

    (void)state;
    begin(&x);
    collection(&x, "log", 1, "{\"0\":" ID "}");
    entry(&x, "c", "shop.$cmd", 1, "{\"o\":{\"emptycapped\":\"log\"}}");
    entry(&x, "i", "shop.log", 1, "{\"o\":{\"_id\":1}}");
    entry(&x, "c", "shop.$cmd", 1, "{\"o\":{\"renameCollection\":\"shop.log\",\"to\":\"shop.l\"}}");
    comes_to(&x, &all, "shop.l from 0 indexes [ " ID " ]\n",
             "c shop.$cmd { \"emptycapped\" : \"l\" }\ni shop.l { \"_id\" : 1 }\n");
    end(&x);
}

static void an_oplog_that_ends_too_early_is_refused(void **state)
{
    struct script x;
    struct mst_content c;
    struct mst_err err = {0};

    (void)state;
    begin(&x);
    collection(&x, "a", 1, "{\"0\":" ID "}");
    entry(&x, "i", "shop.a", 1, "{\"o\":{\"_id\":1}}");
    x.s.end.ts.t = 100;
    x.s.end.ts.i = 2;
    assert_rc(mst_content_read(&all, &x.s, NULL, &c, &err), MST_E_INTEGRITY, &err);
    mst_content_release(&c);
    entry(&x, "i", "shop.a", 1, "{\"o\":{\"_id\":2}}");
    entry(&x, "i", "shop.a", 1, "{\"o\":{\"_id\":3}}"); /* past the end */
    comes_to(&x, &all, "shop.a from 0 indexes [ " ID " ]\n",
             "i shop.a { \"_id\" : 1 }\ni shop.a { \"_id\" : 2 }\n");
    end(&x);
}

/* A store, or a file, that gives something else when it is read again. */
static void other_every_time(unsigned from, bool ddl)
{
    struct script x;
    struct mst_content c;
    struct mst_err err = {0};
    enum mst_rc rc;

    begin(&x);
    collection(&x, "a", 1, "{\"0\":" ID "}");
    entry(&x, "u", "shop.a", 1, "{\"o\":{\"$set\":{\"b\":1}},\"o2\":{\"_id\":1}}");
    x.short_n = x.n;
    x.more_from = from;
    for (int i = 0; i < 90; i++) {
        char rest[120];

        if (ddl) {
            (void)snprintf(rest, sizeof rest, "{\"o\":{\"create\":\"n%02d\"}}", i);
            entry(&x, "c", "shop.$cmd", (uint8_t)(i + 10), rest);
        } else {
            (void)snprintf(rest, sizeof rest, "{\"o\":{\"_id\":%d}}", i);
            entry(&x, "i", "shop.a", 1, rest);
        }
    }
    if (ddl) {
        entry(&x, "i", "shop.n89", 99, "{\"o\":{\"_id\":1}}");
    }
    rc = mst_content_read(&all, &x.s, NULL, &c, &err);
    if (rc == MST_OK) {
        struct mst_str got = {0};

        rc = mst_content_oplog(&c, NULL, line, &got, &err);
        mst_str_release(&got);
    }
    assert_rc(rc, MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, "it changed"));
    mst_content_release(&c);
    end(&x);
}

static void an_oplog_that_changes_between_two_readings_is_found(void **state)
{
    (void)state;
    other_every_time(2, true);
    other_every_time(3, true);
    other_every_time(2, false);
    other_every_time(3, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_oplog_that_changes_between_two_readings_is_found),
        cmocka_unit_test(what_is_renamed_is_written_under_its_last_name),
        cmocka_unit_test(a_rename_over_another_leaves_one),
        cmocka_unit_test(what_is_dropped_is_not_there),
        cmocka_unit_test(indexes_and_views_are_those_at_the_end),
        cmocka_unit_test(a_transaction_stands_at_its_commit),
        cmocka_unit_test(patterns_judge_by_the_last_name_and_skip_our_own),
        cmocka_unit_test(a_capped_collection_is_emptied_under_its_last_name),
        cmocka_unit_test(an_oplog_that_ends_too_early_is_refused),
    };

    return cmocka_run_group_tests_name("export_oplog", tests, NULL, NULL);
}
