/* Four mistakes that a backup could make, planted one at a time: the proof must catch each, every
 * time. What they miss is put where they miss it, and without the mistake the same acts do no harm.
 */
#include "proof_kit.h"

#define TRIES 3 /* seeds, each of which must catch it */

/* ---- between the listing and the scan ---- */

/* A collection is made, and two others swap their names. */
static void at_gap(void *arg, const char *point)
{
    struct proof *p = arg;
    struct acts *a = &p->acts;
    struct cell *x = &a->cells[ACT_REINSERT][BEFORE], *y = &a->cells[ACT_TXN][BEFORE];
    int i;

    if (strcmp(point, "scan") == 0) {
        acts_before_listing(a); /* too late for the listing */
        (void)cell_rename(a, x, "between");
        (void)cell_rename(a, y, x->coll);
        (void)cell_rename(a, x, y->coll);
        sbx_writer_pause(p->writer, true);
        for (i = 0; i < 3; i++) { /* the source, which is a secondary, has it all */
            (void)kit_wait_same(&p->keep.kit, i, keep_primary(&p->keep), 10000);
        }
        sbx_writer_pause(p->writer, false);
    }
}

/* Whether a backup with this mistake is equal to the model; why says what is not. */
static bool good_with(unsigned plant, uint64_t seed, char *why, size_t size)
{
    struct proof *p = mst_xcalloc(1, sizeof *p);
    struct mst_backup_opts o;
    struct mst_backup_result b;
    struct mst_restore_result res;
    struct mst_err err = {0};
    struct tally t;
    bool good = false;

    memset(&res, 0, sizeof res);
    proof_begin(p, "4.2", seed, 20);
    (void)cell_put(&p->acts, &p->acts.cells[ACT_TXN][BEFORE], 500, 77);
    keep_backup_opts(&p->keep, &o);
    o.at = at_gap;
    o.at_arg = p;
    o.plant = plant;
    if (mst_backup_run(&o, &p->keep.task, &b, &err) != MST_OK) {
        (void)snprintf(why, size, "backup: %.400s", err.msg);
    } else {
        good = restored_equals_model(p, b.id, &t, why, size, &res);
    }
    if (*p->acts.problem) {
        fail_msg("%s", p->acts.problem);
    }
    mst_restore_result_release(&res);
    proof_end(p);
    free(p);
    return good;
}

static void planted(unsigned plant, const char *name)
{
    char why[512] = "";
    uint64_t seed;

    for (seed = 31; seed < 31 + TRIES; seed++) {
        if (good_with(plant, seed, why, sizeof why)) {
            fail_msg("%s, seed %llu: not caught", name, (unsigned long long)seed);
        }
        print_message("    %s, seed %llu: %s\n", name, (unsigned long long)seed, why);
    }
}

static void without_a_mistake_the_same_acts_do_no_harm(void **state)
{
    char why[512] = "";

    (void)state;
    if (!good_with(0, 31, why, sizeof why)) {
        fail_msg("%s", why);
    }
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

    proof_begin(p, "4.2", 41, 10);
    keep_backup_opts(&p->keep, &o);
    o.wish.from_primary = true;
    (void)mst_copy(o.wish.name, sizeof o.wish.name, p->keep.primary);
    o.plant = plant;
    for (int i = 0; i < 3; i++) {
        if (i != keep_primary(&p->keep)) {
            char member[16];

            (void)snprintf(member, sizeof member, "%d", i);
            /* Planted: for longer than any backup takes. */
            kit_ctl(&p->keep.kit, "lag", member, plant ? "600000" : "1500");
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
        cmocka_unit_test(without_a_mistake_the_same_acts_do_no_harm),
        cmocka_unit_test(a_tail_opened_too_late_is_caught),
        cmocka_unit_test(a_scan_by_name_is_caught),
        cmocka_unit_test(an_end_that_is_not_on_a_majority_is_caught),
        cmocka_unit_test(doubles_are_removed_and_keeping_them_is_caught),
    };

    mst_mongo_init();
    return cmocka_run_group_tests_name("planted", tests, NULL, NULL);
}
