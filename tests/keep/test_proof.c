/* The proof: with a writer at work all the time, what a backup gives back is what the writer was
 * acknowledged at the backup's end {ts}, document by document. MUSTER_SEEDS sets how many runs. */
#include "keep_kit.h"

#include "restore/source.h"
#include "sandbox/data/data.h"
#include "sandbox/writer/writer.h"

#define WINDOW_MIN 500
#define WAIT_MS 40000

enum { BEFORE, DURING, AFTER, PHASES };

struct proof {
    struct keep keep;
    struct sbx_model *model;
    struct sbx_writer *writer;
    struct sbx_shop_stats at[PHASES + 1]; /* where a phase begins; the last: its end */
    bool cover;                           /* wait for each kind of act in each phase */
    bool gap;                             /* wait for them between the listing and the scan */
};

static const char *const ddl_names[SBX_DDL_COUNT] = {
    "create", "createIndexes", "collMod", "dropIndexes", "rename", "drop", "dropDatabase"};

static bool all_grew(const struct sbx_shop_stats *a, const struct sbx_shop_stats *b)
{
    int i;

    for (i = 0; i < SBX_DDL_COUNT; i++) {
        if (b->ddl_of[i] == a->ddl_of[i]) {
            return false;
        }
    }
    return b->txns > a->txns && b->reinserts > a->reinserts;
}

static void wait_all(struct proof *p, const struct sbx_shop_stats *from)
{
    const int64_t until = mst_clock_mono_ms(NULL) + WAIT_MS;
    struct sbx_shop_stats now;

    do {
        mst_clock_sleep_ms(5);
        sbx_writer_stats(p->writer, &now);
    } while (!all_grew(from, &now) && mst_clock_mono_ms(NULL) < until);
}

static void at_point(void *arg, const char *point)
{
    struct proof *p = arg;

    if (strcmp(point, "list") == 0) {
        sbx_writer_stats(p->writer, &p->at[BEFORE]);
        if (p->cover) {
            wait_all(p, &p->at[BEFORE]);
        }
    } else if (strcmp(point, "scan") == 0) {
        sbx_writer_stats(p->writer, &p->at[DURING]);
        if (p->gap) { /* and nothing afterwards that would hide what was missed */
            wait_all(p, &p->at[DURING]);
            sbx_writer_pause(p->writer, true);
        }
    } else if (strcmp(point, "end") == 0) {
        sbx_writer_pause(p->writer, false);
        sbx_writer_stats(p->writer, &p->at[AFTER]);
        if (p->cover) {
            wait_all(p, &p->at[AFTER]);
        }
        sbx_writer_stats(p->writer, &p->at[PHASES]);
    }
}

static void proof_begin(struct proof *p, const char *server, uint64_t seed)
{
    struct sbx_writer_opts w = {.customers = 200, .seed = seed, .ddl = true};
    const struct sbx_opts o = {.server = server, .seed = seed};
    const char *seeds[3];
    struct mst_err err = {0};
    struct sbx_shop_stats now;
    const int64_t until = mst_clock_mono_ms(NULL) + WAIT_MS;
    int i;

    memset(p, 0, sizeof *p);
    keep_start(&p->keep, o);
    p->keep.quiet = true;
    sbx_lock(p->keep.kit.w);
    for (i = 0; i < 3; i++) {
        seeds[i] = p->keep.names[i];
        sbx_data_move_on_grow(p->keep.kit.w->members[i].data, true);
    }
    sbx_unlock(p->keep.kit.w);
    p->model = sbx_model_new();
    w.model = p->model;
    w.seeds = seeds;
    w.n_seeds = 3;
    assert_ok(sbx_writer_start(&w, &p->writer, &err), &err);
    do {
        mst_clock_sleep_ms(20);
        sbx_writer_stats(p->writer, &now);
    } while (now.writes < 600 && mst_clock_mono_ms(NULL) < until);
    assert_true(now.writes >= 600);
}

static void proof_end(struct proof *p)
{
    sbx_writer_stop(p->writer);
    sbx_model_free(p->model);
    keep_stop(&p->keep);
}

/* ---- comparing with the model ---- */

struct tally {
    struct keep *k;
    const struct sbx_snapshot *snap;
    size_t collections, documents, wrong;
    char first[300];
};

static void wrong(struct tally *t, const char *ns, const char *what)
{
    if (!t->wrong++) {
        (void)snprintf(t->first, sizeof t->first, "%s: %s", ns, what);
    }
}

static void each_collection(void *arg, const char *ns, size_t count)
{
    struct tally *t = arg;
    struct mst_conn *c = NULL;
    struct mst_cursor *cur = NULL;
    struct mst_err err = {0};
    const bson_t *doc = NULL;
    char db[64];
    const size_t n = mst_oplog_db_len(ns);
    bson_t *cmd = BCON_NEW("find", BCON_UTF8(ns + n + 1));
    size_t got = 0;

    memcpy(db, ns, n);
    db[n] = 0;
    t->collections++;
    assert_ok(keep_connect(NULL, t->k->primary, "proof", NULL, &c, &err), &err);
    assert_ok(mst_cursor_open(c, db, cmd, 20000, &cur, &err), &err);
    for (;;) {
        const bson_t *want;
        bool doubt = false;

        assert_ok(mst_cursor_next(cur, &doc, &err), &err);
        if (!doc) {
            break;
        }
        got++;
        t->documents++;
        want = sbx_snapshot_find(t->snap, ns, doc, &doubt);
        if (!doubt && (!want || !bson_equal(want, doc))) {
            char *json = bson_as_relaxed_extended_json(doc, NULL);
            char text[200];

            (void)snprintf(text, sizeof text, "%s %.150s", want ? "differs" : "is too many",
                           json ? json : "");
            bson_free(json);
            wrong(t, ns, text);
        }
    }
    if (got != count) {
        char text[80];

        (void)snprintf(text, sizeof text, "%zu documents, the model has %zu", got, count);
        wrong(t, ns, text);
    }
    mst_cursor_free(cur);
    mst_conn_free(c);
    bson_destroy(cmd);
}

/* Nothing may be there that the model does not have. */
static void no_other_collections(struct tally *t, const char *db)
{
    struct mst_conn *c = NULL;
    struct mst_cursor *cur = NULL;
    struct mst_err err = {0};
    const bson_t *doc = NULL;
    bson_t *cmd = BCON_NEW("listCollections", BCON_INT32(1), "cursor", "{", "}");

    assert_ok(keep_connect(NULL, t->k->primary, "proof", NULL, &c, &err), &err);
    assert_ok(mst_cursor_open(c, db, cmd, 20000, &cur, &err), &err);
    for (;;) {
        char name[256], type[16], ns[330];

        assert_ok(mst_cursor_next(cur, &doc, &err), &err);
        if (!doc) {
            break;
        }
        (void)mst_bson_text(doc, "name", name, sizeof name);
        (void)mst_bson_text(doc, "type", type, sizeof type);
        (void)snprintf(ns, sizeof ns, "%s.%s", db, name);
        if (strcmp(type, "collection") == 0 && strncmp(name, "system.", 7) != 0 &&
            sbx_snapshot_count(t->snap, ns) == SIZE_MAX) {
            wrong(t, ns, "the model has no such collection");
        }
    }
    mst_cursor_free(cur);
    mst_conn_free(c);
    bson_destroy(cmd);
}

/* Restore into an emptied set and compare. Returns whether all is equal; why says what is not. */
static bool restored_equals_model(struct proof *p, const char *id, struct tally *t, char *why,
                                  size_t size, struct mst_restore_result *res)
{
    struct keep *k = &p->keep;
    struct mst_restore_opts o;
    struct mst_restore_source *s = NULL;
    struct mst_err err = {0};
    struct sbx_snapshot *snap;
    struct mst_ts end;
    enum mst_rc rc;

    memset(res, 0, sizeof *res);
    memset(t, 0, sizeof *t);
    sbx_writer_pause(p->writer, true);
    keep_do(k, "shop", "{'dropDatabase': 1}");
    keep_do(k, "shop_scratch", "{'dropDatabase': 1}");
    keep_restore_opts(k, &o);
    rc = mst_restore_source_backup(&k->catalog, id, &k->task, &s, &err);
    if (rc == MST_OK) {
        end = s->end.ts;
        rc = keep_restore(k, &o, s, res, &err);
    }
    mst_restore_source_free(s);
    if (rc != MST_OK) {
        (void)snprintf(why, size, "restore: %.400s", err.msg);
        return false;
    }
    snap = sbx_model_at(p->model, end);
    t->k = k;
    t->snap = snap;
    sbx_snapshot_collections(snap, each_collection, t);
    no_other_collections(t, "shop");
    no_other_collections(t, "shop_scratch");
    sbx_snapshot_free(snap);
    (void)snprintf(why, size, "%zu differences, first: %s", t->wrong, t->first);
    return t->wrong == 0;
}

static uint64_t grew(const struct proof *p, int phase, size_t offset)
{
    const uint8_t *a = (const uint8_t *)&p->at[phase], *b = (const uint8_t *)&p->at[phase + 1];
    uint64_t x, y;

    memcpy(&x, a + offset, sizeof x);
    memcpy(&y, b + offset, sizeof y);
    return y - x;
}

/* Every kind of act in every phase; a zero is a failure. */
static void print_coverage(const struct proof *p)
{
    size_t i;
    int zeros = 0, f;
    char line[160];

    for (i = 0; i < SBX_DDL_COUNT + 2; i++) {
        const size_t offset = i < SBX_DDL_COUNT
                                  ? offsetof(struct sbx_shop_stats, ddl_of) + i * sizeof(uint64_t)
                              : i == SBX_DDL_COUNT ? offsetof(struct sbx_shop_stats, txns)
                                                   : offsetof(struct sbx_shop_stats, reinserts);
        const char *name = i < SBX_DDL_COUNT    ? ddl_names[i]
                           : i == SBX_DDL_COUNT ? "transaction"
                                                : "delete and reinsert";
        int n = snprintf(line, sizeof line, "    %-20s", name);

        for (f = 0; f < PHASES; f++) {
            const uint64_t v = grew(p, f, offset);

            zeros += v == 0;
            n += snprintf(line + n, sizeof line - (size_t)n, " %6llu", (unsigned long long)v);
        }
        print_message("%s\n", line);
    }
    assert_int_equal(zeros, 0);
}

static void one_seed(const char *server, uint64_t seed)
{
    struct proof *p = mst_xcalloc(1, sizeof *p);
    struct mst_backup_opts o;
    struct mst_backup_result b;
    struct mst_restore_result res;
    struct mst_err err = {0};
    struct tally t;
    char why[512];

    proof_begin(p, server, seed);
    p->cover = true;
    keep_backup_opts(&p->keep, &o);
    o.at = at_point;
    o.at_arg = p;
    o.scans = 1;
    o.rate_bps = 100000;
    assert_ok(mst_backup_run(&o, &p->keep.task, &b, &err), &err);
    if (!restored_equals_model(p, b.id, &t, why, sizeof why, &res)) {
        fail_msg("server %s seed %llu: %s", server, (unsigned long long)seed, why);
    }
    print_message("  %s seed %llu: window %llu entries, %llu replayed, %llu doubles, %llu updates "
                  "without a document; %zu collections, %zu documents equal\n",
                  server, (unsigned long long)seed, (unsigned long long)b.oplog_entries,
                  (unsigned long long)res.ops, (unsigned long long)res.doubles,
                  (unsigned long long)res.missing, t.collections, t.documents);
    assert_true(b.oplog_entries >= WINDOW_MIN);
    assert_true(t.documents > 100);
    print_coverage(p);
    mst_restore_result_release(&res);
    proof_end(p);
    free(p);
}

static unsigned seeds_wanted(void)
{
    const char *env = getenv("MUSTER_SEEDS");
    const long n = env ? strtol(env, NULL, 10) : 2;

    return n > 0 && n < 1000 ? (unsigned)n : 2;
}

static void a_restored_set_is_what_the_writer_was_told(void **state)
{
    unsigned i;
    const unsigned n = seeds_wanted();

    (void)state;
    for (i = 0; i < n; i++) {
        one_seed("4.2", 1 + i);
    }
}

static void the_newer_profile_proves_it_too(void **state)
{
    unsigned i;
    const unsigned n = (seeds_wanted() + 4) / 5;

    (void)state;
    for (i = 0; i < n; i++) {
        one_seed("7.0", 101 + i);
    }
}

/* ---- mistakes that must be caught ---- */

/* One seed may be lucky, eight are not. */
static void planted(unsigned plant, const char *name)
{
    uint64_t seed;
    bool caught = false;
    char why[512] = "";

    for (seed = 31; seed < 39 && !caught; seed++) {
        struct proof *p = mst_xcalloc(1, sizeof *p);
        struct mst_backup_opts o;
        struct mst_backup_result b;
        struct mst_restore_result res;
        struct mst_err err = {0};
        struct tally t;

        memset(&res, 0, sizeof res);
        memset(&t, 0, sizeof t);
        proof_begin(p, "4.2", seed);
        p->gap = true; /* DDL on what was listed and is not scanned yet */
        keep_backup_opts(&p->keep, &o);
        o.at = at_point;
        o.at_arg = p;
        o.scans = 1;
        o.rate_bps = 400000;
        o.plant = plant;
        if (mst_backup_run(&o, &p->keep.task, &b, &err) != MST_OK) {
            caught = true;
            (void)snprintf(why, sizeof why, "backup: %.400s", err.msg);
        } else {
            caught = !restored_equals_model(p, b.id, &t, why, sizeof why, &res);
        }
        print_message("    %s, seed %llu: %llu collections made in the gap; %zu equal; %s\n", name,
                      (unsigned long long)seed,
                      (unsigned long long)(p->at[AFTER].ddl_of[SBX_DDL_CREATE] -
                                           p->at[DURING].ddl_of[SBX_DDL_CREATE]),
                      t.collections, why);
        mst_restore_result_release(&res);
        proof_end(p);
        free(p);
    }
    assert_true(caught);
}

static void a_tail_opened_too_late_is_caught(void **state)
{
    (void)state;
    planted(MST_PLANT_TAIL_LATE, "tail after the listing");
}

static void a_scan_by_name_is_caught(void **state)
{
    (void)state;
    planted(MST_PLANT_SCAN_BY_NAME, "scan by name");
}

/* Is the end of this backup on a majority the moment it is committed? */
static bool end_is_majority(struct proof *p, const struct mst_backup_result *b)
{
    bson_t reply;
    struct mst_optime majority;
    bool ok;

    kit_hello(&p->keep.kit, keep_primary(&p->keep), &reply);
    ok = mst_bson_optime(&reply, "lastWrite.majorityOpTime", &majority) &&
         mst_ts_cmp(majority.ts, b->last.ts) >= 0;
    bson_destroy(&reply);
    return ok;
}

static bool backup_under_lag(unsigned plant)
{
    struct proof *p = mst_xcalloc(1, sizeof *p);
    struct mst_backup_opts o;
    struct mst_backup_result b;
    struct mst_err err = {0};
    bool good;

    proof_begin(p, "4.2", 41);
    keep_backup_opts(&p->keep, &o);
    o.wish.from_primary = true;
    (void)mst_copy(o.wish.name, sizeof o.wish.name, p->keep.primary);
    o.plant = plant;
    for (int i = 0; i < 3; i++) {
        if (i != keep_primary(&p->keep)) {
            char member[16];

            (void)snprintf(member, sizeof member, "%d", i);
            kit_ctl(&p->keep.kit, "lag", member, "3000");
        }
    }
    good = mst_backup_run(&o, &p->keep.task, &b, &err) == MST_OK && end_is_majority(p, &b);
    proof_end(p);
    free(p);
    return good;
}

static void an_end_that_is_not_on_a_majority_is_caught(void **state)
{
    (void)state;
    assert_true(backup_under_lag(0));
    assert_false(backup_under_lag(MST_PLANT_END_NOT_MAJORITY));
}

/* ---- doubles, on purpose ---- */

struct twice {
    struct mst_src_docs head;
    struct mst_src_docs *in;
    struct mst_buf first;
    int left;
};

static enum mst_rc twice_next(struct mst_src_docs *d, const uint8_t **doc, uint32_t *n,
                              struct mst_err *err)
{
    struct twice *t = (struct twice *)d;
    const enum mst_rc rc = t->in->next(t->in, doc, n, err);

    if (rc == MST_OK && !*doc && t->first.len && t->left-- > 0) {
        *doc = t->first.p;
        *n = (uint32_t)t->first.len;
    } else if (rc == MST_OK && *doc && !t->first.len) {
        mst_buf_add(&t->first, *doc, *n);
    }
    return rc;
}

static void twice_close(struct mst_src_docs *d)
{
    struct twice *t = (struct twice *)d;

    t->in->close(t->in);
    mst_buf_release(&t->first);
    free(t);
}

static enum mst_rc (*plain_open)(struct mst_restore_source *s, size_t i, struct mst_src_docs **out,
                                 struct mst_err *err);

static enum mst_rc open_twice(struct mst_restore_source *s, size_t i, struct mst_src_docs **out,
                              struct mst_err *err)
{
    struct twice *t = mst_xcalloc(1, sizeof *t);
    const enum mst_rc rc = plain_open(s, i, &t->in, err);

    if (rc != MST_OK) {
        free(t);
        return rc;
    }
    t->head.next = twice_next;
    t->head.close = twice_close;
    t->left = 1;
    *out = &t->head;
    return MST_OK;
}

/* The first document of each collection is met once more at the end of its scan. */
static enum mst_rc restore_with_doubles(struct keep *k, const char *id, bool defect,
                                        struct mst_restore_result *res, struct mst_err *err)
{
    struct mst_restore_opts o;
    struct mst_restore_source *s = keep_source(k, id);
    enum mst_rc rc;
    size_t i;

    plain_open = s->open_docs;
    for (i = 0; i < s->n; i++) {
        struct mst_src_docs *in = NULL;
        const uint8_t *doc = NULL;
        uint32_t n = 0;
        uint8_t digest[MST_SHA256_LEN];

        if (s->colls[i].kind != MST_SRC_COLLECTION || !s->colls[i].documents) {
            continue;
        }
        assert_ok(s->open_docs(s, i, &in, err), err);
        assert_ok(in->next(in, &doc, &n, err), err);
        mst_sha256_of(doc, n, digest);
        mst_sum256_add(&s->colls[i].sum, digest);
        s->colls[i].documents++;
        in->close(in);
    }
    s->open_docs = open_twice;
    keep_restore_opts(k, &o);
    o.defect_keep_doubles = defect;
    rc = keep_restore(k, &o, s, res, err);
    mst_restore_source_free(s);
    return rc;
}

static void doubles_are_removed_and_keeping_them_is_caught(void **state)
{
    struct keep *k = mst_xcalloc(1, sizeof *k);
    const struct sbx_opts o = {.server = "4.2"};
    struct mst_backup_result b;
    struct mst_restore_result res;
    struct mst_err err = {0};
    bson_t *want, *got;

    (void)state;
    keep_start(k, o);
    k->quiet = true;
    keep_do(k, "d", "{'create': 'capped', 'capped': true, 'size': 65536}");
    keep_do(k, "d", "{'create': 'fr', 'collation': {'locale': 'fr', 'strength': 1}}");
    keep_do(k, "d",
            "{'insert': 'plain', 'documents': [{'_id': 1}, {'_id': {'$numberDouble': "
            "'2.5'}}, {'_id': 'x'}, {'_id': {'a': 1}}]}");
    keep_do(k, "d", "{'insert': 'capped', 'documents': [{'_id': 1}, {'_id': 2}]}");
    keep_do(k, "d", "{'insert': 'fr', 'documents': [{'_id': 'a'}, {'_id': 'b'}]}");
    want = keep_dbhash(k, "d");
    keep_backup(k, &b);
    assert_rc(restore_with_doubles(k, b.id, true, &res, &err), MST_E_INTEGRITY, &err);
    print_message("    %s\n", err.msg);
    mst_restore_result_release(&res);
    assert_ok(restore_with_doubles(k, b.id, false, &res, &err), &err);
    assert_int_equal(res.doubles, 3);
    assert_int_equal(keep_outcome(&res, "capped")->documents, 2);
    got = keep_dbhash(k, "d");
    for (int i = 0; i < 2; i++) { /* a capped one is its order: the last read stands last */
        bson_iter_t x, y;
        const char *name = i ? "fr" : "plain";

        assert_true(bson_iter_init_find(&x, want, name) && bson_iter_init_find(&y, got, name));
        assert_string_equal(bson_iter_utf8(&x, NULL), bson_iter_utf8(&y, NULL));
    }
    bson_destroy(want);
    bson_destroy(got);
    mst_restore_result_release(&res);
    keep_stop(k);
    free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_restored_set_is_what_the_writer_was_told),
        cmocka_unit_test(the_newer_profile_proves_it_too),
        cmocka_unit_test(a_tail_opened_too_late_is_caught),
        cmocka_unit_test(a_scan_by_name_is_caught),
        cmocka_unit_test(an_end_that_is_not_on_a_majority_is_caught),
        cmocka_unit_test(doubles_are_removed_and_keeping_them_is_caught),
    };

    mst_mongo_init();
    cmocka_set_test_filter(getenv("MUSTER_TEST"));
    return cmocka_run_group_tests_name("proof", tests, NULL, NULL);
}
