/* Recorded commands of a real 4.2.8 set are answered the same way by the simulator. */
#include <stdio.h>
#include <string.h>

#include "auth/auth.h"
#include "auth/scram.h"
#include "base/mem.h"
#include "conform/play.h"
#include "test.h"

/* Raised as more is served; never lowered. */
#define FLOOR_REPLAYED 179
#define FLOOR_COMPARED 3050
/* Lowered as more is compared; never raised. */
#define CEILING_EXCEPTED 440

#define OPLOG_MAX 200
#define FLOOR_ENTRIES 59
#define FLOOR_FORMS 8

static unsigned entries_same, forms_same;
static struct conf conf;
static const int in_order[PLAY_MEMBERS] = {27117, 27118, 27119};

static struct sbx_world *start(const struct sbx_opts *o)
{
    struct sbx_world *w = NULL;
    struct mst_err err = {0};

    assert_ok(sbx_world_start(o, &w, &err), &err);
    return w;
}

/* 20 inserts of 1 MB, as the recording's note says; their commit is line 20. */
static void big_transaction(struct play *p, int64_t number)
{
    const struct play_line *l = &p->lines[19];
    char *pad = mst_xmalloc(1048577);

    memset(pad, 'x', 1048576);
    pad[1048576] = '\0';
    for (int i = 0; i < 20; i++) {
        bson_t cmd = BSON_INITIALIZER, docs, doc, reply;
        struct mst_err err = {0};
        bson_iter_t it;

        BSON_APPEND_UTF8(&cmd, "insert", "b");
        assert_true(bson_iter_init_find(&it, &l->command, "lsid"));
        bson_append_iter(&cmd, "lsid", -1, &it);
        BSON_APPEND_INT64(&cmd, "txnNumber", number);
        if (i == 0) {
            BSON_APPEND_BOOL(&cmd, "startTransaction", true);
        }
        BSON_APPEND_BOOL(&cmd, "autocommit", false);
        BSON_APPEND_ARRAY_BEGIN(&cmd, "documents", &docs);
        BSON_APPEND_DOCUMENT_BEGIN(&docs, "0", &doc);
        BSON_APPEND_INT32(&doc, "_id", 100 + i);
        BSON_APPEND_UTF8(&doc, "pad", pad);
        bson_append_document_end(&docs, &doc);
        bson_append_array_end(&cmd, &docs);
        assert_ok(sbx_client_command(play_client(p, 27117), "shop", &cmd, &reply, &err), &err);
        bson_destroy(&reply);
        bson_destroy(&cmd);
    }
    free(pad);
}

static int64_t take_batch(const bson_t *reply, const char *path, bson_t **out, size_t *n)
{
    bson_iter_t it, at;
    int64_t id = 0;

    assert_true(bson_iter_init(&it, reply) && bson_iter_find_descendant(&it, path, &at) &&
                bson_iter_recurse(&at, &it));
    while (bson_iter_next(&it) && *n < OPLOG_MAX) {
        const uint8_t *p;
        uint32_t len;

        bson_iter_document(&it, &len, &p);
        out[(*n)++] = bson_new_from_data(p, len);
    }
    assert_true(sbx_doc_int(reply, "cursor.id", &id));
    return id;
}

static void load_oplog(struct sbx_client *c, bson_t **out, size_t *n)
{
    struct mst_err err = {0};
    bson_t cmd = BSON_INITIALIZER, filter, reply;
    int64_t id;

    BSON_APPEND_UTF8(&cmd, "find", "oplog.rs");
    BSON_APPEND_INT32(&cmd, "batchSize", 1000);
    BSON_APPEND_DOCUMENT_BEGIN(&cmd, "filter", &filter);
    bson_append_document_end(&cmd, &filter);
    assert_ok(sbx_client_command(c, "local", &cmd, &reply, &err), &err);
    *n = 0;
    id = take_batch(&reply, "cursor.firstBatch", out, n);
    while (id != 0) { /* the entries of a large transaction fill a batch */
        bson_destroy(&reply);
        bson_reinit(&cmd);
        BSON_APPEND_INT64(&cmd, "getMore", id);
        BSON_APPEND_UTF8(&cmd, "collection", "oplog.rs");
        assert_ok(sbx_client_command(c, "local", &cmd, &reply, &err), &err);
        id = take_batch(&reply, "cursor.nextBatch", out, n);
    }
    bson_destroy(&reply);
    bson_destroy(&cmd);
}

#define SESSION \
    "'lsid': {'id': {'$binary': {'base64': 'd/DuyLoATIShdmDwkgB6gA==', 'subType': '04'}}}"

/* A command with ' for ", on the first member; it must succeed. */
static void run_json(struct play *p, const char *json, const char *db)
{
    char *text = mst_xstrdup(json);
    struct mst_err err = {0};
    bson_error_t e;
    bson_t *cmd, reply;

    for (char *c = text; *c != '\0'; c++) {
        *c = *c == '\'' ? '"' : *c;
    }
    cmd = bson_new_from_json((const uint8_t *)text, -1, &e);
    assert_non_null(cmd);
    assert_ok(sbx_client_command(play_client(p, 27117), db, cmd, &reply, &err), &err);
    bson_destroy(&reply);
    bson_destroy(cmd);
    free(text);
}

static bool is_periodic(const bson_t *entry)
{
    const char *msg = sbx_doc_str(entry, "o.msg");

    return msg != NULL && strcmp(msg, "periodic noop") == 0;
}

/* Entries 1 to 57, 60 and 61 are those of the commands replayed from 03-data. */
static void check_oplog(struct sbx_world *w)
{
    bson_t *got[OPLOG_MAX];
    struct play p;
    size_t n, at = 0;

    play_load(&p, &conf, "04-oplog");
    play_on(&p, w, in_order);
    load_oplog(play_client(&p, 27117), got, &n);
    while (at < n && sbx_doc_str(got[at], "o.create") != NULL
               ? strcmp(sbx_doc_str(got[at], "o.create"), "orders") != 0
               : at < n) {
        at++;
    }
    for (int i = 1; i <= p.n; i++) {
        if (i == 58 || i == 59) {
            continue;
        }
        while (at < n && is_periodic(got[at])) {
            at++;
        }
        if (at == n) {
            fail_msg("entry %d never came", i);
        }
        entries_same += conf_document(&conf, "04-oplog", i, "oplog", p.lines[i - 1].doc, got[at++]);
    }
    for (size_t i = 0; i < n; i++) {
        bson_destroy(got[i]);
    }
    play_release(&p);
}

/* Names, order and types of fields, and how many an array has. */
static bool same_form(const bson_t *want, const bson_t *got)
{
    bson_iter_t a, b;

    if (!bson_iter_init(&a, want) || !bson_iter_init(&b, got)) {
        return false;
    }
    while (bson_iter_next(&a)) {
        const uint8_t *p, *q;
        uint32_t n, m;
        bson_t x, y;

        if (!bson_iter_next(&b) || strcmp(bson_iter_key(&a), bson_iter_key(&b)) != 0 ||
            bson_iter_type(&a) != bson_iter_type(&b)) {
            return false;
        }
        if (BSON_ITER_HOLDS_DOCUMENT(&a)) {
            bson_iter_document(&a, &n, &p);
            bson_iter_document(&b, &m, &q);
        } else if (BSON_ITER_HOLDS_ARRAY(&a)) {
            bson_iter_array(&a, &n, &p);
            bson_iter_array(&b, &m, &q);
        } else {
            continue;
        }
        if (!bson_init_static(&x, p, n) || !bson_init_static(&y, q, m) || !same_form(&x, &y)) {
            return false;
        }
    }
    return !bson_iter_next(&b);
}

/* Entry number line of the file must have the form of an entry made here: of the first one from
 * *at on that is of the same kind. */
static void check_form(struct play *p, int line, bson_t *const *got, size_t n, size_t *at)
{
    const bson_t *want = p->lines[line - 1].doc;
    const char *ns = sbx_doc_str(want, "ns");

    while (*at < n && (strcmp(sbx_doc_str(got[*at], "ns"), ns) != 0 ||
                       sbx_doc_has(want, "lsid") != sbx_doc_has(got[*at], "lsid"))) {
        (*at)++;
    }
    if (*at == n || !same_form(want, got[*at])) {
        char *a = bson_as_relaxed_extended_json(want, NULL);
        char *b = *at < n ? bson_as_relaxed_extended_json(got[*at], NULL) : NULL;

        fail_msg("%s:%d has another form here: recorded %.600s; got %.600s", p->file, line, a,
                 b != NULL ? b : "nothing");
    }
    (*at)++;
    forms_same++;
}

static void free_oplog(bson_t **got, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bson_destroy(got[i]);
    }
}

/* Entries 58 and 59 of 04 are of commands that 03 does not hold: a transaction and a retryable
 * write. The like of them is made here. */
static void check_other_entries(struct sbx_world *w)
{
    static const int like[] = {58, 59};
    bson_t *got[OPLOG_MAX];
    struct play p;
    size_t n, at = 0;

    play_load(&p, &conf, "04-oplog");
    play_on(&p, w, in_order);
    run_json(&p,
             "{'insert': 'orders', 'documents': [{'_id': 900}], 'startTransaction': true," SESSION
             ", 'txnNumber': {'$numberLong': '1'}, 'autocommit': false}",
             "shop");
    run_json(
        &p,
        "{'update': 'orders', 'updates': [{'q': {'_id': 1}, 'u': {'$set': {'total': 7}}}]," SESSION
        ", 'txnNumber': {'$numberLong': '1'}, 'autocommit': false}",
        "shop");
    run_json(&p,
             "{'delete': 'people', 'deletes': [{'q': {}, 'limit': 1}]," SESSION
             ", 'txnNumber': {'$numberLong': '1'}, 'autocommit': false}",
             "shop");
    run_json(&p,
             "{'commitTransaction': 1," SESSION
             ", 'txnNumber': {'$numberLong': '1'}, 'autocommit': false}",
             "admin");
    run_json(&p,
             "{'insert': 'orders', 'documents': [{'_id': 950}]," SESSION
             ", 'txnNumber': {'$numberLong': '3'}}",
             "shop");
    load_oplog(play_client(&p, 27117), got, &n);
    for (size_t i = 0; i < MST_COUNT(like); i++) {
        check_form(&p, like[i], got, n, &at);
    }
    free_oplog(got, n);
    play_release(&p);
}

/* The entries of the transactions and the retried write of 13. */
static void check_transaction_entries(struct sbx_client *c)
{
    bson_t *got[OPLOG_MAX];
    struct play p;
    size_t n, at = 0;

    load_oplog(c, got, &n);
    play_load(&p, &conf, "14-oplog-transactions");
    for (int i = 1; i <= p.n; i++) {
        check_form(&p, i, got, n, &at);
    }
    while (at < n && !sbx_doc_has(got[at], "lsid")) {
        at++;
    }
    assert_int_equal(at, n); /* and no more of them */
    free_oplog(got, n);
    play_release(&p);
}

static bool all_have_version(struct sbx_world *w, void *arg)
{
    for (size_t i = 0; i < w->n; i++) {
        for (size_t j = 0; j < w->n; j++) {
            if (w->members[i].config.version != *(int *)arg ||
                (i != j && w->members[i].of[j].config_version != *(int *)arg)) {
                return false;
            }
        }
    }
    return true;
}

static void one_set_from_its_boot_on(void **state)
{
    static const char *const files[] = {"02-steady", "03-data", "05-oplog-cursor", "06-applyOps"};
    struct sbx_world *w = start(&(struct sbx_opts){.uninitiated = true});
    struct play p;

    (void)state;
    conf_forget(&conf);
    play_load(&p, &conf, "01-boot");
    play_on(&p, w, in_order);
    play_lines(&p, 1, p.n);
    assert_true(sbx_world_wait_primary(w, -1, 30000) == 0);
    play_release(&p);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        play_load(&p, &conf, files[i]);
        play_on(&p, w, in_order);
        play_lines(&p, 1, p.n);
        play_release(&p);
        if (strcmp(files[i], "03-data") == 0) {
            check_oplog(w);
            check_other_entries(w);
        }
    }
    play_load(&p, &conf, "07-rs-admin");
    play_on(&p, w, in_order);
    play_lines(&p, 1, 8);
    assert_true(sbx_world_wait_primary(w, 0, 30000) == 1);
    play_lines(&p, 15, 21); /* the last one gives member 2 the highest priority */
    assert_true(sbx_world_wait_primary(w, 1, 30000) == 2);
    play_lines(&p, 38, 47);
    assert_true(sbx_world_wait(w, all_have_version, &(int){4}, 10000));
    play_lines(&p, 48, 52);
    play_release(&p);
    sbx_world_stop(w);
}

static void payload(const bson_t *reply, char *out, size_t size)
{
    bson_iter_t it;
    bson_subtype_t type;
    const uint8_t *p;
    uint32_t n;

    assert_true(bson_iter_init_find(&it, reply, "payload") && BSON_ITER_HOLDS_BINARY(&it));
    bson_iter_binary(&it, &type, &n, &p);
    (void)snprintf(out, size, "%.*s", (int)n, (const char *)p);
}

static void log_in(struct sbx_world *w, struct play *p)
{
    struct mst_err err = {0};

    sbx_lock(w);
    assert_ok(sbx_auth_add(w, "admin", "root", "s3cret", &err), &err);
    sbx_unlock(w);
    p->user = "root";
    p->password = "s3cret";
}

static void transactions_and_retried_writes(void **state)
{
    static const char *const make[] = {"{\"create\": \"a\"}", "{\"create\": \"b\"}"};
    struct sbx_world *w = start(&(struct sbx_opts){.uninitiated = false});
    struct play p;

    (void)state;
    conf_forget(&conf);
    play_load(&p, &conf, "13-transactions");
    play_on(&p, w, in_order);
    log_in(w, &p);
    for (size_t i = 0; i < 2; i++) {
        struct mst_err err = {0};
        bson_t *cmd = bson_new_from_json((const uint8_t *)make[i], -1, NULL), reply;

        assert_ok(sbx_client_command(play_client(&p, 27117), "shop", cmd, &reply, &err), &err);
        bson_destroy(&reply);
        bson_destroy(cmd);
    }
    play_lines(&p, 1, 19);
    big_transaction(&p, 5);
    play_lines(&p, 20, p.n);
    check_transaction_entries(play_client(&p, 27117));
    play_release(&p);
    sbx_world_stop(w);
}

/* The proof answers the run's own nonce and salt, so it is made anew; the rest is sent as it was.
 */
static void answer_challenge(struct play *p)
{
    const char *bare = "n=root,r=rOprNGfwEbeRWgbNEkqO";
    char first[512], proof[512], final[128], got[512];
    struct mst_err err = {0};
    bson_t cmd, reply;
    const struct play_line *l = &p->lines[1];

    conf_translate(&conf, &l->command, &cmd);
    assert_ok(sbx_client_command(play_client(p, l->member), l->db, &cmd, &reply, &err), &err);
    assert_true(conf_reply(&conf, p->file, 2, l->name, &cmd, &l->reply, &reply));
    payload(&reply, first, sizeof first);
    bson_destroy(&reply);
    bson_destroy(&cmd);
    assert_true(sbx_scram_client_final(SBX_SCRAM_SHA256, "root", "s3cret", bare, first, proof,
                                       sizeof proof, final, sizeof final));
    bson_init(&cmd);
    BSON_APPEND_INT32(&cmd, "saslContinue", 1);
    BSON_APPEND_INT32(&cmd, "conversationId", 1);
    BSON_APPEND_BINARY(&cmd, "payload", BSON_SUBTYPE_BINARY, (const uint8_t *)proof,
                       (uint32_t)strlen(proof));
    assert_ok(sbx_client_command(play_client(p, l->member), "admin", &cmd, &reply, &err), &err);
    assert_true(conf_reply(&conf, p->file, 3, "saslContinue", &cmd, &p->lines[2].reply, &reply));
    payload(&reply, got, sizeof got);
    assert_string_equal(got, final);
    play_sent(p, 2);
    play_sent(p, 3);
    bson_destroy(&reply);
    bson_destroy(&cmd);
}

static void a_conversation_of_scram(void **state)
{
    struct sbx_world *w = start(&(struct sbx_opts){.fast = true});
    struct play p;

    (void)state;
    conf_forget(&conf);
    play_load(&p, &conf, "16-scram");
    play_on(&p, w, in_order);
    log_in(w, &p);
    p.user = NULL; /* that is what the recording is about */
    (void)play_line(&p, 1);
    answer_challenge(&p);
    play_lines(&p, 4, 5);
    for (int i = 6; i <= p.n; i++) {
        play_hang_up(&p, p.lines[i - 1].member);
        (void)play_line(&p, i);
    }
    play_release(&p);
    sbx_world_stop(w);
}

static void every_command_is_replayed_or_listed(void **state)
{
    static const char *const files[] = {"01-boot",         "02-steady",   "03-data",
                                        "05-oplog-cursor", "06-applyOps", "07-rs-admin",
                                        "13-transactions", "16-scram"};
    unsigned n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        n += play_unlisted(&conf, files[i]);
    }
    (void)fputs(mst_str_c(&conf.diffs), stdout);
    (void)fflush(stdout);
    assert_int_equal(n, 0);
}

static void what_was_counted_is_enough(void **state)
{
    (void)state;
    printf("replayed %u, failed %u; values compared %u, excepted %u (address %u, id %u, time %u, "
           "size %u, build %u); oplog entries %u, by form %u\n",
           conf.replayed, conf.failed, conf.compared, conf.excepted, conf.by_kind[CONF_ADDRESS],
           conf.by_kind[CONF_ID], conf.by_kind[CONF_TIME], conf.by_kind[CONF_SIZE],
           conf.by_kind[CONF_BUILD], entries_same, forms_same);
    (void)fputs(mst_str_c(&conf.diffs), stdout);
    (void)fflush(stdout);
    assert_int_equal(conf.failed, 0);
    assert_true(conf.replayed >= FLOOR_REPLAYED);
    assert_true(conf.compared >= FLOOR_COMPARED);
    assert_true(conf.excepted <= CEILING_EXCEPTED);
    assert_int_equal(entries_same, FLOOR_ENTRIES);
    assert_int_equal(forms_same, FLOOR_FORMS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_set_from_its_boot_on),
                                       cmocka_unit_test(transactions_and_retried_writes),
                                       cmocka_unit_test(a_conversation_of_scram),
                                       cmocka_unit_test(every_command_is_replayed_or_listed),
                                       cmocka_unit_test(what_was_counted_is_enough)};
    int failed;

    conf_init(&conf, TEST_DATA "/conformance-exceptions.txt");
    failed = cmocka_run_group_tests_name("conformance", tests, NULL, NULL);
    conf_release(&conf);
    return failed;
}
