/* Values, filters, updates and diffs of the simulator, row by row. */
#include <bson/bson.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

#include "base/mem.h"
#include "sandbox/query/query.h"

static bson_t *json(const char *text)
{
    bson_error_t bad;
    char *copy = mst_xstrdup(text);
    bson_t *b;

    for (char *p = copy; *p; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    b = bson_new_from_json((const uint8_t *)copy, -1, &bad);
    if (!b) {
        fail_msg("%s: %s", text, bad.message);
    }
    free(copy);
    /* The JSON reader keeps $type for itself: it is written ?type here. */
    uint8_t *raw = mst_xmemdup(bson_get_data(b), b->len), *at = raw;
    while ((at = memmem(at, b->len - (size_t)(at - raw), "?type", 6)) != NULL) {
        *at = '$';
    }
    bson_t *made = bson_new_from_data(raw, b->len);
    bson_destroy(b);
    free(raw);
    return made;
}

static struct sbx_doc doc(const bson_t *b)
{
    return sbx_doc(bson_get_data(b), b->len);
}

static void values_stand_in_the_servers_order(void **state)
{
    /* One of each class, lowest first; equal ones share a rung. */
    static const struct {
        int rung;
        const char *json;
    } rows[] = {
        {0, "{'v': {'$minKey': 1}}"},
        {1, "{'v': {'$undefined': true}}"},
        {2, "{'v': null}"},
        {3, "{'v': {'$numberDouble': 'NaN'}}"},
        {3, "{'v': {'$numberDecimal': 'NaN'}}"},
        {4, "{'v': {'$numberDouble': '-Infinity'}}"},
        {5, "{'v': {'$numberLong': '-9223372036854775808'}}"},
        {6, "{'v': -1.5}"},
        {7, "{'v': 0}"},
        {7, "{'v': -0.0}"},
        {7, "{'v': {'$numberDecimal': '0E+3'}}"},
        {8, "{'v': 1}"},
        {8, "{'v': 1.0}"},
        {8, "{'v': {'$numberLong': '1'}}"},
        {8, "{'v': {'$numberDecimal': '1.000'}}"},
        {9, "{'v': {'$numberDecimal': '1.1'}}"},
        {9, "{'v': 1.1}"},
        {10, "{'v': {'$numberLong': '9007199254740992'}}"},
        {10, "{'v': 9007199254740992.0}"},
        {11, "{'v': {'$numberLong': '9007199254740993'}}"},
        {12, "{'v': {'$numberDouble': 'Infinity'}}"},
        {12, "{'v': {'$numberDecimal': 'Infinity'}}"},
        {13, "{'v': ''}"},
        {14, "{'v': 'a'}"},
        {14, "{'v': {'$symbol': 'a'}}"},
        {15, "{'v': 'a\\u0000'}"},
        {16, "{'v': 'ab'}"},
        {17, "{'v': {}}"},
        {18, "{'v': {'a': 1}}"},
        {18, "{'v': {'a': 1.0}}"},
        {19, "{'v': {'b': 0}}"},
        {20, "{'v': {'a': 'x'}}"},
        {21, "{'v': []}"},
        {22, "{'v': [1]}"},
        {23, "{'v': [1, 0]}"},
        {24, "{'v': {'$binary': {'base64': 'AQ==', 'subType': '00'}}}"},
        {25, "{'v': {'$binary': {'base64': 'AQ==', 'subType': '80'}}}"},
        {26, "{'v': {'$binary': {'base64': 'AAA=', 'subType': '00'}}}"},
        {27, "{'v': {'$oid': '000000000000000000000001'}}"},
        {28, "{'v': false}"},
        {29, "{'v': true}"},
        {30, "{'v': {'$date': {'$numberLong': '-1'}}}"},
        {31, "{'v': {'$date': {'$numberLong': '5'}}}"},
        {32, "{'v': {'$timestamp': {'t': 1, 'i': 9}}}"},
        {33, "{'v': {'$timestamp': {'t': 4294967295, 'i': 1}}}"},
        {34, "{'v': {'$regularExpression': {'pattern': 'a', 'options': ''}}}"},
        {35, "{'v': {'$code': 'f'}}"},
        {36, "{'v': {'$maxKey': 1}}"},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        for (size_t j = 0; j < MST_COUNT(rows); j++) {
            bson_t *a = json(rows[i].json), *b = json(rows[j].json);
            const int r = sbx_val_cmp(sbx_doc_get(doc(a), "v"), sbx_doc_get(doc(b), "v"));
            const int want = (rows[i].rung > rows[j].rung) - (rows[i].rung < rows[j].rung);

            if ((r > 0) - (r < 0) != want) {
                fail_msg("%s against %s is %d", rows[i].json, rows[j].json, r);
            }
            bson_destroy(a);
            bson_destroy(b);
        }
    }
}

static void filters_match_as_on_the_server(void **state)
{
    static const struct {
        const char *filter, *doc;
        bool yes;
    } rows[] = {
        {"{}", "{'a': 1}", true},
        {"{'a': 1}", "{'a': 1.0}", true},
        {"{'a': {'$numberLong': '1'}}", "{'a': 1}", true},
        {"{'a': 1}", "{'a': [3, 1]}", true},
        {"{'a': [3, 1]}", "{'a': [3, 1]}", true},
        {"{'a': [3, 1]}", "{'a': [[3, 1]]}", true},
        {"{'a': [1, 3]}", "{'a': [3, 1]}", false},
        {"{'a': null}", "{'b': 1}", true},
        {"{'a': null}", "{'a': null}", true},
        {"{'a': null}", "{'a': 0}", false},
        {"{'a': {'$ne': null}}", "{'b': 1}", false},
        {"{'a.b': 2}", "{'a': {'b': 2}}", true},
        {"{'a.b': 2}", "{'a': [{'b': 1}, {'b': 2}]}", true},
        {"{'a.1': 7}", "{'a': [5, 7]}", true},
        {"{'a.1.b': 7}", "{'a': [{}, {'b': 7}]}", true},
        {"{'a.b': null}", "{'a': 5}", true},
        {"{'a': {'b': 1}}", "{'a': {'b': 1, 'c': 2}}", false},
        {"{'a': {'$gt': 1, '$lt': 3}}", "{'a': 2}", true},
        {"{'a': {'$gt': 1, '$lt': 3}}", "{'a': [0, 9]}", true}, /* two elements may serve */
        {"{'a': {'$gt': 1}}", "{'a': 'x'}", false},             /* only its own class */
        {"{'a': {'$gte': null}}", "{}", true},
        {"{'a': {'$lt': {'$maxKey': 1}}}", "{'a': 'x'}", true},
        {"{'a': {'$gt': {'$minKey': 1}}}", "{'a': 1}", true},
        {"{'a': {'$ne': 1}}", "{'a': [1, 2]}", false},
        {"{'a': {'$ne': 1}}", "{}", true},
        {"{'a': {'$in': [1, 2]}}", "{'a': [5, 2]}", true},
        {"{'a': {'$in': [null]}}", "{}", true},
        {"{'a': {'$in': []}}", "{'a': 1}", false},
        {"{'a': {'$in': [{'$regularExpression': {'pattern': '^b', 'options': ''}}]}}",
         "{'a': 'bc'}", true},
        {"{'a': {'$nin': [1]}}", "{'a': [1]}", false},
        {"{'a': {'$nin': [1]}}", "{}", true},
        {"{'a': {'$exists': true}}", "{'a': null}", true},
        {"{'a': {'$exists': false}}", "{'a': null}", false},
        {"{'a': {'$exists': 0}}", "{}", true},
        {"{'a': {'$exists': true}}", "{'a': []}", true},
        {"{'a': {'?type': 'string'}}", "{'a': 'x'}", true},
        {"{'a': {'?type': [2]}}", "{'a': ['x']}", true},
        {"{'a': {'?type': 'number'}}", "{'a': {'$numberDecimal': '1'}}", true},
        {"{'a': {'?type': ['int', 'bool']}}", "{'a': 1.5}", false},
        {"{'a': {'?type': 'array'}}", "{'a': []}", true},
        {"{'a': {'?type': [-1]}}", "{'a': {'$minKey': 1}}", true},
        {"{'$and': [{'a': 1}, {'b': 2}]}", "{'a': 1, 'b': 2}", true},
        {"{'$and': [{'a': 1}, {'b': 2}]}", "{'a': 1}", false},
        {"{'$or': [{'a': 1}, {'b': 2}]}", "{'b': 2}", true},
        {"{'$or': [{'a': 1}, {'b': 2}]}", "{'b': 3}", false},
        {"{'$nor': [{'a': 1}, {'b': 2}]}", "{'b': 3}", true},
        {"{'$nor': [{'a': 1}, {'b': 2}]}", "{'b': 2}", false},
        {"{'a': {'$not': {'$gt': 5}}}", "{'a': 3}", true},
        {"{'a': {'$not': {'$gt': 5}}}", "{}", true},
        {"{'a': {'$not': {'$gt': 5}}}", "{'a': [3, 9]}", false},
        {"{'a': {'$elemMatch': {'x': 1, 'y': 2}}}", "{'a': [{'x': 1}, {'y': 2}]}", false},
        {"{'a': {'$elemMatch': {'x': 1, 'y': 2}}}", "{'a': [{'x': 1, 'y': 2}]}", true},
        {"{'a': {'$elemMatch': {'$gt': 1, '$lt': 3}}}", "{'a': [0, 9]}", false},
        {"{'a': {'$elemMatch': {'$gt': 1, '$lt': 3}}}", "{'a': [0, 2]}", true},
        {"{'a': {'$elemMatch': {'$or': [{'x': 1}, {'x': 2}]}}}", "{'a': [{'x': 2}]}", true},
        {"{'a': {'$all': [1, 2]}}", "{'a': [2, 3, 1]}", true},
        {"{'a': {'$all': [1, 2]}}", "{'a': [1]}", false},
        {"{'a': {'$all': [1]}}", "{'a': 1}", true},
        {"{'a': {'$all': []}}", "{'a': []}", false},
        {"{'a': {'$all': [{'$elemMatch': {'x': 1}}, {'$elemMatch': {'x': 2}}]}}",
         "{'a': [{'x': 1}, {'x': 2}]}", true},
        {"{'a': {'$size': 2}}", "{'a': [1, 2]}", true},
        {"{'a': {'$size': 2}}", "{'a': [[1, 2]]}", false},
        {"{'a': {'$size': 0}}", "{}", false},
        {"{'a': {'$mod': [4, 1]}}", "{'a': 9}", true},
        {"{'a': {'$mod': [4, 1]}}", "{'a': 10}", false},
        {"{'a': {'$regex': '^x\\\\d+$'}}", "{'a': 'x42'}", true},
        {"{'a': {'$regex': 'B', '$options': 'i'}}", "{'a': 'abc'}", true},
        {"{'a': {'$regex': 'B'}}", "{'a': 'abc'}", false},
        {"{'$comment': 'why', 'a': 1}", "{'a': 1}", true},
        {"{'$jsonSchema': {'required': ['n']}}", "{'n': 1}", true},
        {"{'$jsonSchema': {'required': ['n']}}", "{'m': 1}", false},
        {"{'$jsonSchema': {'properties': {'n': {'bsonType': 'int', 'minimum': 3}}}}", "{'n': 2}",
         false},
        {"{'ts': {'$gte': {'$timestamp': {'t': 5, 'i': 1}}}}",
         "{'ts': {'$timestamp': {'t': 5, 'i': 2}}}", true},
        {"{'': 1}", "{'': 1}", true},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        bson_t *f = json(rows[i].filter), *d = json(rows[i].doc);
        struct sbx_why why = {0};

        if (!sbx_match_check(doc(f), &why)) {
            fail_msg("%s: %s", rows[i].filter, why.msg);
        }
        if (sbx_match(doc(f), doc(d)) != rows[i].yes) {
            fail_msg("%s on %s is not %d", rows[i].filter, rows[i].doc, rows[i].yes);
        }
        bson_destroy(f);
        bson_destroy(d);
    }
}

static void what_a_filter_cannot_do_is_named(void **state)
{
    static const struct {
        const char *filter, *msg;
        int code;
    } rows[] = {
        {"{'a': {'$foo': 1}}", "unknown operator: $foo", 2},
        {"{'$foo': 1}", "unknown top level operator: $foo", 2},
        {"{'$where': 'x'}", "unknown top level operator: $where", 2},
        {"{'a': {'$not': {'$foo': 1}}}", "unknown operator: $foo", 2},
        {"{'a': {'$elemMatch': {'b': {'$near': 1}}}}", "unknown operator: $near", 2},
        {"{'$or': [{'a': {'$foo': 1}}]}", "unknown operator: $foo", 2},
        {"{'a': {'$gt': 1, 'b': 2}}", "unknown operator: b", 2},
        {"{'$and': []}", "$and/$or/$nor must be a nonempty array", 2},
        {"{'$or': 1}", "$or must be an array", 2},
        {"{'a': {'$in': 1}}", "$in needs an array", 2},
        {"{'a': {'?type': 'strin'}}", "Unknown type name alias: strin", 2},
        {"{'a': {'$size': 'x'}}", "$size needs a number", 2},
        {"{'$jsonSchema': {'foo': 1}}", "Unknown $jsonSchema keyword: foo", 9},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        bson_t *f = json(rows[i].filter);
        struct sbx_why why = {0};

        assert_false(sbx_match_check(doc(f), &why));
        assert_int_equal(why.code, rows[i].code);
        assert_string_equal(why.msg, rows[i].msg);
        bson_destroy(f);
    }
}

static char *text_of(struct sbx_doc d)
{
    bson_t b;

    assert_true(bson_init_static(&b, d.p, d.n));
    return bson_as_relaxed_extended_json(&b, NULL);
}

static void assert_doc(struct sbx_doc got, const char *want, const char *what)
{
    bson_t *w = json(want);

    if (got.n != w->len || memcmp(got.p, bson_get_data(w), got.n) != 0) {
        fail_msg("%s gives %s, wanted %s", what, text_of(got), want);
    }
    bson_destroy(w);
}

static void updates_change_and_log_as_on_the_server(void **state)
{
    static const struct {
        const char *u, *before, *after, *log; /* log NULL: nothing is logged */
    } rows[] = {
        {"{'$set': {'a': 2}}", "{'_id': 1, 'a': 1}", "{'_id': 1, 'a': 2}",
         "{'$v': 1, '$set': {'a': 2}}"},
        {"{'$set': {'a': 1}}", "{'_id': 1, 'a': 1}", "{'_id': 1, 'a': 1}", NULL},
        {"{'$set': {'total': 99}, '$push': {'tags': 'x'}}", "{'_id': 3, 'total': 4.5}",
         "{'_id': 3, 'total': 99, 'tags': ['x']}",
         "{'$v': 1, '$set': {'tags': ['x'], 'total': 99}}"},
        {"{'$set': {'c': 1, 'b': 2}}", "{'_id': 1}", "{'_id': 1, 'b': 2, 'c': 1}",
         "{'$v': 1, '$set': {'b': 2, 'c': 1}}"},
        {"{'$set': {'a.b.c': 1}}", "{'_id': 1}", "{'_id': 1, 'a': {'b': {'c': 1}}}",
         "{'$v': 1, '$set': {'a.b.c': 1}}"},
        {"{'$set': {'a.2': 9}}", "{'_id': 1, 'a': [1]}", "{'_id': 1, 'a': [1, null, 9]}",
         "{'$v': 1, '$set': {'a.2': 9}}"},
        {"{'$unset': {'a': ''}}", "{'_id': 1, 'a': 1, 'b': 2}", "{'_id': 1, 'b': 2}",
         "{'$v': 1, '$unset': {'a': true}}"},
        {"{'$unset': {'a.0': ''}}", "{'_id': 1, 'a': [1, 2]}", "{'_id': 1, 'a': [null, 2]}",
         "{'$v': 1, '$unset': {'a.0': true}}"},
        {"{'$unset': {'z.y': ''}}", "{'_id': 1}", "{'_id': 1}", NULL},
        {"{'$inc': {'n': 2}}", "{'_id': 1, 'n': 2147483647}",
         "{'_id': 1, 'n': {'$numberLong': '2147483649'}}",
         "{'$v': 1, '$set': {'n': {'$numberLong': '2147483649'}}}"},
        {"{'$inc': {'n': 1.5}}", "{'_id': 1, 'n': 1}", "{'_id': 1, 'n': 2.5}",
         "{'$v': 1, '$set': {'n': 2.5}}"},
        {"{'$inc': {'n': 1}}", "{'_id': 1, 'n': {'$numberDecimal': '12.5'}}",
         "{'_id': 1, 'n': {'$numberDecimal': '13.5'}}",
         "{'$v': 1, '$set': {'n': {'$numberDecimal': '13.5'}}}"},
        {"{'$inc': {'n': 1}}", "{'_id': 1}", "{'_id': 1, 'n': 1}", "{'$v': 1, '$set': {'n': 1}}"},
        {"{'$mul': {'n': 3}}", "{'_id': 1}", "{'_id': 1, 'n': 0}", "{'$v': 1, '$set': {'n': 0}}"},
        {"{'$mul': {'n': 3}}", "{'_id': 1, 'n': 5}", "{'_id': 1, 'n': 15}",
         "{'$v': 1, '$set': {'n': 15}}"},
        {"{'$min': {'n': 3}}", "{'_id': 1, 'n': 5}", "{'_id': 1, 'n': 3}",
         "{'$v': 1, '$set': {'n': 3}}"},
        {"{'$min': {'n': 7}}", "{'_id': 1, 'n': 5}", "{'_id': 1, 'n': 5}", NULL},
        {"{'$max': {'n': 7}}", "{'_id': 1, 'n': 5}", "{'_id': 1, 'n': 7}",
         "{'$v': 1, '$set': {'n': 7}}"},
        {"{'$push': {'a': 3}}", "{'_id': 1, 'a': [1, 2]}", "{'_id': 1, 'a': [1, 2, 3]}",
         "{'$v': 1, '$set': {'a.2': 3}}"},
        {"{'$push': {'a': {'$each': [3, 4], '$slice': -3}}}", "{'_id': 1, 'a': [1, 2]}",
         "{'_id': 1, 'a': [2, 3, 4]}", "{'$v': 1, '$set': {'a': [2, 3, 4]}}"},
        {"{'$push': {'a': {'$each': [3], '$slice': 0}}}", "{'_id': 1, 'a': [1, 2]}",
         "{'_id': 1, 'a': []}", "{'$v': 1, '$set': {'a': []}}"},
        {"{'$push': {'a': {'$each': [9, 0], '$position': 1}}}", "{'_id': 1, 'a': [1, 2]}",
         "{'_id': 1, 'a': [1, 9, 0, 2]}", "{'$v': 1, '$set': {'a': [1, 9, 0, 2]}}"},
        {"{'$push': {'a': {'$each': [2], '$sort': -1}}}", "{'_id': 1, 'a': [1, 3]}",
         "{'_id': 1, 'a': [3, 2, 1]}", "{'$v': 1, '$set': {'a': [3, 2, 1]}}"},
        {"{'$addToSet': {'a': 2}}", "{'_id': 1, 'a': [1, 2.0]}", "{'_id': 1, 'a': [1, 2.0]}", NULL},
        {"{'$addToSet': {'a': {'$each': [2, 5, 5]}}}", "{'_id': 1, 'a': [1, 2]}",
         "{'_id': 1, 'a': [1, 2, 5]}", "{'$v': 1, '$set': {'a': [1, 2, 5]}}"},
        {"{'$pull': {'a': {'$gte': 2}}}", "{'_id': 1, 'a': [1, 2, 3]}", "{'_id': 1, 'a': [1]}",
         "{'$v': 1, '$set': {'a': [1]}}"},
        {"{'$pull': {'a': {'x': 1}}}", "{'_id': 1, 'a': [{'x': 1, 'y': 2}, {'x': 2}]}",
         "{'_id': 1, 'a': [{'x': 2}]}", "{'$v': 1, '$set': {'a': [{'x': 2}]}}"},
        {"{'$pullAll': {'a': [1, 3]}}", "{'_id': 1, 'a': [1, 2, 3]}", "{'_id': 1, 'a': [2]}",
         "{'$v': 1, '$set': {'a': [2]}}"},
        {"{'$pop': {'a': -1}}", "{'_id': 1, 'a': [1, 2]}", "{'_id': 1, 'a': [2]}",
         "{'$v': 1, '$set': {'a': [2]}}"},
        {"{'$rename': {'a': 'b'}}", "{'_id': 1, 'a': 1, 'c': 2}", "{'_id': 1, 'c': 2, 'b': 1}",
         "{'$v': 1, '$set': {'b': 1}, '$unset': {'a': true}}"},
        {"{'$rename': {'x': 'b'}}", "{'_id': 1}", "{'_id': 1}", NULL},
        {"{'$setOnInsert': {'a': 1}}", "{'_id': 1}", "{'_id': 1}", NULL},
        {"{'x': 1}", "{'_id': 1, 'a': 1}", "{'_id': 1, 'x': 1}", "{'_id': 1, 'x': 1}"},
        {"{'x': 1, '_id': 1}", "{'_id': 1}", "{'_id': 1, 'x': 1}", "{'_id': 1, 'x': 1}"},
        {"{}", "{'_id': 1, 'a': 1}", "{'_id': 1}", "{'_id': 1}"},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        bson_t *u = json(rows[i].u), *d = json(rows[i].before);
        struct sbx_change ch;
        struct sbx_why why = {0};

        if (!sbx_update(doc(u), doc(d), doc(d), false, &ch, &why)) {
            fail_msg("%s: %s", rows[i].u, why.msg);
        }
        assert_doc(sbx_out_done(&ch.doc), rows[i].after, rows[i].u);
        assert_int_equal(ch.noop, rows[i].log == NULL);
        if (rows[i].log) {
            assert_doc(sbx_out_done(&ch.log), rows[i].log, rows[i].u);
        }
        sbx_change_release(&ch);
        bson_destroy(u);
        bson_destroy(d);
    }
}

static void updates_that_cannot_be_are_refused_by_name(void **state)
{
    static const struct {
        const char *u, *before, *msg;
        int code;
    } rows[] = {
        {"{'$foo': {'a': 1}}", "{'_id': 1}", "Unknown modifier: $foo", 9},
        {"{'$set': {}}", "{'_id': 1}",
         "'$set' is empty. You must specify a field like so: {$set: "
         "{<field>: ...}}",
         9},
        {"{'$set': {'_id': 2}}", "{'_id': 1}",
         "Performing an update on the path '_id' would modify the immutable field '_id'", 66},
        {"{'_id': 2}", "{'_id': 1}",
         "After applying the update, the (immutable) field '_id' was found to have been altered to "
         "_id: 2",
         66},
        {"{'$set': {'a': 1, 'a.b': 2}}", "{'_id': 1}",
         "Updating the path 'a.b' would create a conflict at 'a'", 40},
        {"{'$set': {'a.b': 1}}", "{'_id': 1, 'a': 5}", "Cannot create field 'b' in element {a: 5}",
         28},
        {"{'$inc': {'a': 'x'}}", "{'_id': 1}",
         "Cannot increment with non-numeric argument: {a: \"x\"}", 14},
        {"{'$inc': {'a': 1}}", "{'_id': 1, 'a': 's'}",
         "Cannot apply $inc to a value of non-numeric type. {_id: 1} has the field 'a' of "
         "non-numeric type string",
         14},
        {"{'$push': {'a': 1}}", "{'_id': 1, 'a': 's'}",
         "The field 'a' must be an array but is of type string in document {_id: 1}", 2},
        {"{'$push': {'a': {'$each': [1], '$bad': 1}}}", "{'_id': 1}",
         "Unrecognized clause in $push: $bad", 2},
        {"{'$set': {'a.$': 1}}", "{'_id': 1}", "the positional operator in 'a.$' is not served", 9},
        {"{'$set': {'a..b': 1}}", "{'_id': 1}",
         "The update path 'a..b' contains an empty field name, which is not allowed.", 56},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        bson_t *u = json(rows[i].u), *d = json(rows[i].before);
        struct sbx_change ch;
        struct sbx_why why = {0};

        assert_false(sbx_update(doc(u), doc(d), doc(d), false, &ch, &why));
        assert_string_equal(why.msg, rows[i].msg);
        assert_int_equal(why.code, rows[i].code);
        sbx_change_release(&ch);
        bson_destroy(u);
        bson_destroy(d);
    }
}

static void a_diff_leads_from_one_document_to_the_other(void **state)
{
    static const struct {
        const char *a, *b, *diff;
    } rows[] = {
        {"{'_id': 1, 'a': 1}", "{'_id': 1, 'a': 2}", "{'u': {'a': 2}}"},
        {"{'_id': 1, 'a': 1}", "{'_id': 1}", "{'d': {'a': false}}"},
        {"{'_id': 1}", "{'_id': 1, 'a': 2}", "{'i': {'a': 2}}"},
        {"{'_id': 1, 'x': {'a': 'a long string that stays', 'b': 1}}",
         "{'_id': 1, 'x': {'a': 'a long string that stays', 'b': 2}}", "{'sx': {'u': {'b': 2}}}"},
        {"{'_id': 1, 'x': ['a long string that stays', 1, 2]}",
         "{'_id': 1, 'x': ['a long string that stays', 5]}",
         "{'sx': {'a': true, 'l': 2, 'u1': 5}}"},
        {"{'_id': 1, 'a': 1, 'b': 2, 'c': 3}", "{'_id': 1, 'b': 4, 'd': 5}",
         "{'d': {'a': false, 'c': false}, 'u': {'b': 4}, 'i': {'d': 5}}"},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        bson_t *a = json(rows[i].a), *b = json(rows[i].b);
        struct sbx_out diff = {0}, got = {0};
        struct sbx_why why = {0};

        assert_true(sbx_diff_make(doc(a), doc(b), &diff));
        assert_doc(sbx_out_done(&diff), rows[i].diff, rows[i].b);
        assert_true(sbx_diff_apply(doc(a), sbx_out_done(&diff), &got, &why));
        assert_doc(sbx_out_done(&got), rows[i].b, rows[i].diff);
        assert_false(sbx_diff_make(doc(b), doc(b), &diff));
        sbx_out_release(&diff);
        sbx_out_release(&got);
        bson_destroy(a);
        bson_destroy(b);
    }
}

static void projections_keep_what_they_name(void **state)
{
    static const struct {
        const char *spec, *doc, *got;
    } rows[] = {
        {"{'a': 1}", "{'_id': 1, 'a': 2, 'b': 3}", "{'_id': 1, 'a': 2}"},
        {"{'a': 1, '_id': 0}", "{'_id': 1, 'a': 2, 'b': 3}", "{'a': 2}"},
        {"{'a': 0}", "{'_id': 1, 'a': 2, 'b': 3}", "{'_id': 1, 'b': 3}"},
        {"{'_id': 0}", "{'_id': 1, 'a': 2}", "{'a': 2}"},
        {"{'_id': 1}", "{'_id': 1, 'a': 2}", "{'_id': 1}"},
        {"{'a.b': 1}", "{'_id': 1, 'a': {'b': 2, 'c': 3}}", "{'_id': 1, 'a': {'b': 2}}"},
        {"{'a.b': 0}", "{'_id': 1, 'a': {'b': 2, 'c': 3}}", "{'_id': 1, 'a': {'c': 3}}"},
        {"{'a.b': 1}", "{'_id': 1, 'a': [{'b': 2, 'c': 3}, 5]}", "{'_id': 1, 'a': [{'b': 2}]}"},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        bson_t *s = json(rows[i].spec), *d = json(rows[i].doc);
        struct sbx_out got = {0};
        struct sbx_why why = {0};

        assert_true(sbx_project_check(doc(s), &why));
        sbx_project(doc(s), doc(d), &got);
        assert_doc(sbx_out_done(&got), rows[i].got, rows[i].spec);
        sbx_out_release(&got);
        bson_destroy(s);
        bson_destroy(d);
    }
}

static void a_sort_takes_the_least_or_greatest_element_of_an_array(void **state)
{
    bson_t *up = json("{'a': 1}"), *down = json("{'a': -1}");
    bson_t *x = json("{'a': [2, 9]}"), *y = json("{'a': 5}"), *none = json("{}");

    (void)state;
    assert_true(sbx_sort_cmp(doc(up), doc(x), doc(y)) < 0);
    assert_true(sbx_sort_cmp(doc(down), doc(x), doc(y)) < 0);
    assert_true(sbx_sort_cmp(doc(up), doc(none), doc(y)) < 0);
    assert_int_equal(sbx_sort_cmp(doc(up), doc(y), doc(y)), 0);
    bson_destroy(up);
    bson_destroy(down);
    bson_destroy(x);
    bson_destroy(y);
    bson_destroy(none);
}

static void a_document_cut_anywhere_is_never_read_past_its_end(void **state)
{
    bson_t *b = json("{'a': {'b': [1, 'x', {'$code': 'f', '$scope': {'z': 1}}]}, 'r': "
                     "{'$regularExpression': {'pattern': 'p', 'options': 'i'}}, 'd': {'$binary': "
                     "{'base64': 'AAE=', 'subType': '00'}}}");

    (void)state;
    assert_true(sbx_doc_valid(doc(b), NULL));
    for (uint32_t n = 0; n < b->len; n++) {
        uint8_t *cut = mst_xmemdup(bson_get_data(b), n); /* exactly n bytes: ASan watches */

        assert_false(sbx_doc_valid(sbx_doc(cut, n), NULL));
        if (n >= 5) { /* with its length and end set right, the inside is still wrong */
            mst_put_le32(cut, n);
            cut[n - 1] = 0;
            (void)sbx_doc_valid(sbx_doc(cut, n), NULL);
        }
        free(cut);
    }
    bson_destroy(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_stand_in_the_servers_order),
        cmocka_unit_test(filters_match_as_on_the_server),
        cmocka_unit_test(what_a_filter_cannot_do_is_named),
        cmocka_unit_test(updates_change_and_log_as_on_the_server),
        cmocka_unit_test(updates_that_cannot_be_are_refused_by_name),
        cmocka_unit_test(a_diff_leads_from_one_document_to_the_other),
        cmocka_unit_test(projections_keep_what_they_name),
        cmocka_unit_test(a_sort_takes_the_least_or_greatest_element_of_an_array),
        cmocka_unit_test(a_document_cut_anywhere_is_never_read_past_its_end),
    };

    return cmocka_run_group_tests_name("query", tests, NULL, NULL);
}
