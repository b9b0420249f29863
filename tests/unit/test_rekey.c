/* Who may read a backup that exists: slots decided, objects written and removed. */
#include "sealed_kit.h"

#include "catalog/rekey.h"
#include "store/fault.h"

/* The backup opens for this identity through its key objects. */
static enum mst_rc opens(struct fix *x, const struct mst_identity *who, struct mst_err *err)
{
    const struct mst_key_means was = x->means;
    struct mst_bkr *r = NULL;
    enum mst_rc rc;

    x->means = (struct mst_key_means){.identity = who};
    rc = mst_bkr_open(&x->f.c, FIRST, NULL, &r, err);
    mst_bkr_free(r);
    x->means = was;
    return rc;
}

static void header(struct fix *x, struct mst_header *h)
{
    struct mst_bkr *r = NULL;
    struct mst_err err = {0};

    assert_ok(mst_bkr_open_clear(&x->f.c, FIRST, NULL, &r, &err), &err);
    *h = *mst_bkr_header(r);
    mst_bkr_free(r);
}

static bool there(const struct fix *x, unsigned n)
{
    char path[MST_KEY_MAX + 64];

    key_path(x, FIRST, n, path);
    return access(path, F_OK) == 0;
}

static size_t key_objects(const struct fix *x)
{
    unsigned *v = NULL;
    struct mst_err err = {0};
    size_t n;

    assert_ok(mst_keyobj_numbers(&x->f.c, FIRST, FAKE_ATTEMPT, NULL, &v, &n, &err), &err);
    free(v);
    return n;
}

static struct mst_rekey adding(const struct mst_identity *who, const char *label)
{
    struct mst_rekey r = {.what = MST_REKEY_ADD};

    memcpy(r.pub, who->pub, sizeof(r.pub));
    (void)mst_copy(r.label, sizeof(r.label), label);
    return r;
}

static void one_more_may_read_and_is_taken_out_again(void **state)
{
    struct fix *x = *state;
    struct mst_header *h = mst_xcalloc(1, sizeof(*h));
    struct mst_rekey add = adding(&x->other, "eva");
    const struct mst_rekey out = {.what = MST_REKEY_REMOVE, .who = "eva"};
    struct mst_rekey_result res;
    struct mst_err err = {0};

    header(x, h);
    assert_rc(opens(x, &x->other, &err), MST_E_AUTH, &err);
    assert_ok(mst_rekey_run(&x->f.c, h, &add, NULL, &res, &err), &err);
    assert_int_equal(res.number, 1);
    assert_true(there(x, 0)); /* a writer that may not delete can do this */
    assert_ok(opens(x, &x->other, &err), &err);
    assert_ok(opens(x, &x->ops, &err), &err);
    assert_rc(mst_rekey_run(&x->f.c, h, &add, NULL, &res, &err), MST_E_EXISTS, &err);
    assert_false(there(x, 2));
    assert_ok(mst_rekey_run(&x->f.c, h, &out, NULL, &res, &err), &err);
    assert_int_equal(res.number, 2);
    assert_int_equal(res.gone, 2);
    assert_false(there(x, 0));
    assert_false(there(x, 1));
    assert_rc(opens(x, &x->other, &err), MST_E_AUTH, &err);
    assert_ok(opens(x, &x->ops, &err), &err);
    assert_rc(mst_rekey_run(&x->f.c, h, &out, NULL, &res, &err), MST_E_NOTFOUND, &err);
    free(h);
}

static void who_opens_it_stands_in_its_key_objects(void **state)
{
    struct fix *x = *state;
    struct mst_header *h = mst_xcalloc(1, sizeof(*h));
    struct mst_rekey add = adding(&x->other, "eva");
    struct mst_rekey_result res;
    struct mst_err err = {0};
    char who[100], few[8], path[MST_KEY_MAX + 64];

    header(x, h);
    assert_ok(mst_keyobj_opens(&x->f.c, h, NULL, who, sizeof(who), &err), &err);
    assert_string_equal(who, "ops");
    assert_ok(mst_rekey_run(&x->f.c, h, &add, NULL, &res, &err), &err);
    assert_ok(mst_keyobj_opens(&x->f.c, h, NULL, who, sizeof(who), &err), &err);
    assert_string_equal(who, "ops, eva"); /* each once, of both objects */
    assert_ok(mst_keyobj_opens(&x->f.c, h, NULL, few, sizeof(few), &err), &err);
    assert_string_equal(few, "ops, ev"); /* cut, not overrun */
    key_path(x, FIRST, 1, path);
    spill(path, "rubbish", 7);
    assert_ok(mst_keyobj_opens(&x->f.c, h, NULL, who, sizeof(who), &err), &err);
    assert_string_equal(who, "ops");
    key_path(x, FIRST, 0, path);
    spill(path, "rubbish", 7);
    assert_rc(mst_keyobj_opens(&x->f.c, h, NULL, who, sizeof(who), &err), MST_E_INTEGRITY, &err);
    assert_int_equal(unlink(path), 0);
    key_path(x, FIRST, 1, path);
    assert_int_equal(unlink(path), 0);
    assert_rc(mst_keyobj_opens(&x->f.c, h, NULL, who, sizeof(who), &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, "has no key object: nobody can open it"));
    free(h);
}

static void a_rotation_leaves_those_whom_the_configuration_names(void **state)
{
    struct fix *x = *state;
    struct mst_header *h = mst_xcalloc(1, sizeof(*h));
    struct mst_readers *now = mst_xcalloc(1, sizeof(*now));
    const struct mst_rekey r = {.what = MST_REKEY_ROTATE, .readers = now};
    struct mst_rekey_result res;
    struct mst_err err = {0};

    header(x, h);
    assert_rc(mst_rekey_run(&x->f.c, h, &r, NULL, &res, &err), MST_E_CONFIG, &err); /* nobody */
    assert_true(there(x, 0));
    now->n = 1;
    memcpy(now->to[0].pub, x->other.pub, MST_RECIPIENT_LEN);
    assert_ok(mst_rekey_run(&x->f.c, h, &r, NULL, &res, &err), &err);
    assert_int_equal(res.gone, 1);
    assert_ok(opens(x, &x->other, &err), &err);
    assert_rc(opens(x, &x->ops, &err), MST_E_AUTH, &err);
    free(now);
    free(h);
}

/* Its host has the old key only: what is done already does not open there any more. */
static void a_rotation_that_is_done_is_as_asked(void **state)
{
    struct fix *x = *state;
    struct mst_header *h = mst_xcalloc(1, sizeof(*h));
    struct mst_readers *now = mst_xcalloc(1, sizeof(*now));
    const struct mst_rekey r = {.what = MST_REKEY_ROTATE, .readers = now};
    struct mst_rekey_result res;
    struct mst_err err = {0};
    char path[MST_KEY_MAX + 64];

    header(x, h);
    now->n = 1;
    memcpy(now->to[0].pub, x->other.pub, MST_RECIPIENT_LEN);
    assert_ok(mst_rekey_run(&x->f.c, h, &r, NULL, &res, &err), &err);
    assert_rc(mst_rekey_run(&x->f.c, h, &r, NULL, &res, &err), MST_E_EXISTS, &err);
    assert_non_null(strstr(err.msg, "is listed for those of the configuration only, and no key "
                                    "that is here opens it"));
    assert_true(there(x, 1) && !there(x, 2));

    now->n = 2; /* somebody is asked for whom it does not list */
    memcpy(now->to[1].pub, x->ops.pub, MST_RECIPIENT_LEN);
    assert_rc(mst_rekey_run(&x->f.c, h, &r, NULL, &res, &err), MST_E_AUTH, &err);
    now->n = 1; /* it lists somebody else */
    memcpy(now->to[0].pub, x->ops.pub, MST_RECIPIENT_LEN);
    assert_rc(mst_rekey_run(&x->f.c, h, &r, NULL, &res, &err), MST_E_AUTH, &err);
    memcpy(now->to[0].pub, x->other.pub, MST_RECIPIENT_LEN);
    now->phrase = &x->phrase; /* a passphrase, which can be tried */
    assert_rc(mst_rekey_run(&x->f.c, h, &r, NULL, &res, &err), MST_E_AUTH, &err);
    now->phrase = NULL;
    key_path(x, FIRST, 0, path); /* an older one, which nobody can say anything about */
    spill(path, "{}", 2);
    assert_int_not_equal(mst_rekey_run(&x->f.c, h, &r, NULL, &res, &err), MST_OK);
    assert_int_not_equal(err.rc, MST_E_EXISTS);
    assert_true(there(x, 0) && there(x, 1) && !there(x, 2));
    free(now);
    free(h);
}

static void a_planted_object_does_not_take_the_true_slots_along(void **state)
{
    struct fix *x = *state;
    struct mst_header *h = mst_xcalloc(1, sizeof(*h));
    struct mst_key_object *k = mst_xcalloc(1, sizeof(*k));
    struct mst_rekey add = adding(&x->other, "eva");
    const struct mst_rekey out = {.what = MST_REKEY_REMOVE, .who = "eva"};
    struct mst_rekey_result res;
    struct mst_str s = {0};
    struct mst_err err = {0};
    char path[MST_KEY_MAX + 64];
    unsigned number, highest;

    header(x, h);
    assert_ok(mst_rekey_run(&x->f.c, h, &add, NULL, &res, &err), &err);
    assert_ok(mst_rekey_newest(&x->f.c, h, NULL, k, &number, &highest, &err), &err);
    k->slots[0].bytes[40] ^= 1; /* "ops", which opens no more */
    mst_key_object_put(k, &s);
    key_path(x, FIRST, 2, path);
    spill(path, s.p, s.len);
    assert_rc(mst_rekey_run(&x->f.c, h, &out, NULL, &res, &err), MST_E_PRECOND, &err);
    assert_non_null(strstr(err.msg, "so nothing is removed"));
    assert_true(there(x, 0) && there(x, 1) && !there(x, 3));
    assert_ok(opens(x, &x->ops, &err), &err);
    mst_str_release(&s);
    free(k);
    free(h);
}

static void without_a_key_nothing_is_written(void **state)
{
    struct fix *x = *state;
    struct mst_header *h = mst_xcalloc(1, sizeof(*h));
    struct mst_rekey add = adding(&x->other, "eva");
    struct mst_rekey_result res;
    struct mst_err err = {0};

    header(x, h);
    x->means.identity = NULL;
    assert_rc(mst_rekey_run(&x->f.c, h, &add, NULL, &res, &err), MST_E_AUTH, &err);
    assert_non_null(strstr(err.msg, "there is no key here that opens it"));
    assert_false(there(x, 1));
    free(h);
}

static void a_damaged_key_object_is_stepped_over(void **state)
{
    struct fix *x = *state;
    struct mst_header *h = mst_xcalloc(1, sizeof(*h));
    struct mst_key_object *k = mst_xcalloc(1, sizeof(*k));
    struct mst_rekey add = adding(&x->other, "eva");
    struct mst_rekey_result res;
    struct mst_err err = {0};
    char path[MST_KEY_MAX + 64];
    unsigned number, highest;

    header(x, h);
    key_path(x, FIRST, 7, path);
    spill(path, "{}", 2);
    assert_ok(mst_rekey_newest(&x->f.c, h, NULL, k, &number, &highest, &err), &err);
    assert_int_equal(number, 0);
    assert_int_equal(highest, 7);
    assert_ok(mst_rekey_run(&x->f.c, h, &add, NULL, &res, &err), &err);
    assert_int_equal(res.number, 8); /* behind all of them, so it is the one that counts */
    assert_ok(opens(x, &x->other, &err), &err);
    key_path(x, FIRST, 0, path);
    assert_int_equal(unlink(path), 0);
    key_path(x, FIRST, 8, path);
    assert_int_equal(unlink(path), 0);
    assert_rc(mst_rekey_newest(&x->f.c, h, NULL, k, &number, &highest, &err), MST_E_INTEGRITY,
              &err);
    key_path(x, FIRST, 7, path);
    assert_int_equal(unlink(path), 0);
    assert_rc(mst_rekey_newest(&x->f.c, h, NULL, k, &number, &highest, &err), MST_E_INTEGRITY,
              &err);
    assert_non_null(strstr(err.msg, "has no key object"));
    free(k);
    free(h);
}

/* What cannot be read now may be whole: the object before it has not all who may read. */
static void a_key_object_that_cannot_be_read_is_not_stepped_over(void **state)
{
    static const enum mst_rc reasons[] = {MST_E_NET, MST_E_AUTH, MST_E_PRECOND, MST_E_TIMEOUT};
    struct fix *x = *state;
    struct mst_header *h = mst_xcalloc(1, sizeof(*h));
    struct mst_store *real = x->f.c.store, *faulty = mst_store_fault_new(real);
    struct mst_rekey add = adding(&x->other, "eva"), again = adding(&x->ops, "twice");
    const struct mst_rekey out = {.what = MST_REKEY_REMOVE, .who = "eva"};
    struct mst_rekey_result res;
    struct mst_err err = {0};

    again.pub[0] ^= 1;
    header(x, h);
    assert_ok(mst_rekey_run(&x->f.c, h, &add, NULL, &res, &err), &err);
    x->f.c.store = faulty;
    for (size_t i = 0; i < MST_COUNT(reasons); i++) {
        mst_store_fault_unread(faulty, FAKE_ATTEMPT ".1", reasons[i]);
        assert_rc(mst_rekey_run(&x->f.c, h, &again, NULL, &res, &err), reasons[i], &err);
        assert_rc(mst_rekey_look(&x->f.c, h, &out, NULL, &res, &err), reasons[i], &err);
        assert_false(there(x, 2)); /* it would be without eva */
    }
    mst_store_fault_unread(faulty, NULL, MST_OK);
    /* A removal that did not come to its end: whether eva is in an older one must be seen. */
    mst_store_fault_set(faulty, MST_FAULT_DEAD, 4, MST_E_IO);
    assert_rc(mst_rekey_run(&x->f.c, h, &out, NULL, &res, &err), MST_E_INCOMPLETE, &err);
    mst_store_fault_set(faulty, MST_FAULT_NONE, 0, MST_OK);
    assert_true(there(x, 2));
    mst_store_fault_unread(faulty, FAKE_ATTEMPT ".1", MST_E_NET);
    assert_rc(mst_rekey_look(&x->f.c, h, &out, NULL, &res, &err), MST_E_NET, &err);
    mst_store_fault_unread(faulty, NULL, MST_OK);
    memset(&err, 0, sizeof(err));
    assert_ok(mst_rekey_run(&x->f.c, h, &out, NULL, &res, &err), &err);
    assert_false(there(x, 1));
    x->f.c.store = real;
    mst_store_free(faulty);
    free(h);
}

/* The n-th call that changes the store fails: the one who stays can read it all the same, and a
 * second run ends what the first one began. */
static void a_run_that_dies_leaves_a_backup_that_opens(void **state)
{
    static const enum mst_fault_kind kinds[] = {MST_FAULT_ONCE, MST_FAULT_DEAD, MST_FAULT_LOST};
    struct fix *x = *state;
    struct mst_header *h = mst_xcalloc(1, sizeof(*h));
    struct mst_store *real = x->f.c.store, *faulty = mst_store_fault_new(real);
    struct mst_rekey add = adding(&x->other, "eva");
    const struct mst_rekey out = {.what = MST_REKEY_REMOVE, .who = "eva"};
    struct mst_rekey_result res;
    struct mst_err err = {0};
    size_t incomplete = 0;

    header(x, h);
    for (size_t i = 0; i < MST_COUNT(kinds); i++) {
        bool failed = true;

        for (uint64_t at = 1; failed; at++) {
            assert_true(at < 50);
            assert_ok(mst_rekey_run(&x->f.c, h, &add, NULL, &res, &err), &err);
            x->f.c.store = faulty;
            mst_store_fault_set(faulty, kinds[i], at, MST_E_IO);
            failed = mst_rekey_run(&x->f.c, h, &out, NULL, &res, &err) != MST_OK;
            if (failed && err.rc == MST_E_INCOMPLETE) {
                assert_non_null(strstr(err.msg, "still reads it"));
                incomplete++;
            }
            mst_store_fault_set(faulty, MST_FAULT_NONE, 0, MST_OK);
            x->f.c.store = real;
            assert_ok(opens(x, &x->ops, &err), &err);
            if (failed) {
                struct mst_err seen = {0};
                const enum mst_rc look = mst_rekey_look(&x->f.c, h, &out, NULL, &res, &seen);
                const enum mst_rc rc = mst_rekey_run(&x->f.c, h, &out, NULL, &res, &err);

                /* Not found: what could not be removed never had them. */
                assert_true(rc == MST_OK || (rc == MST_E_NOTFOUND && kinds[i] != MST_FAULT_DEAD));
                assert_true(key_objects(x) <= (rc == MST_OK ? 1U : 2U));
                assert_int_equal(look, rc); /* and the plan says the same */
            }
            assert_rc(opens(x, &x->other, &err), MST_E_AUTH, &err);
        }
    }
    assert_true(incomplete > 0);
    mst_store_free(faulty);
    free(h);
}

static void slots_are_decided_by_name_id_or_kind(void **state)
{
    struct mst_key_object *k = mst_xcalloc(1, sizeof(*k));
    static const struct {
        const char *who;
        enum mst_rc rc;
        bool keep[4];
    } rows[] = {{"ops", MST_OK, {false, true, true, true}},
                {"passphrase", MST_OK, {true, true, false, true}},
                {"program", MST_OK, {true, true, true, false}},
                {"22222222", MST_OK, {true, false, true, true}},
                {"22222222222222222222222222222222", MST_OK, {true, false, true, true}},
                {"2222222", MST_E_NOTFOUND, {0}}, /* too short to name a key */
                {"", MST_E_NOTFOUND, {0}},
                {"kms", MST_E_NOTFOUND, {0}}};
    struct mst_rekey r = {.what = MST_REKEY_REMOVE};
    struct mst_err err = {0};
    bool keep[MST_WRAP_SLOTS];

    (void)state;
    k->n = 4;
    (void)mst_copy(k->slots[0].label, 64, "ops");
    memset(k->slots[0].recipient, '1', 32);
    memset(k->slots[1].recipient, '2', 32);
    k->slots[2].kind = MST_WRAP_SCRYPT;
    k->slots[3].kind = MST_WRAP_COMMAND;
    (void)mst_copy(k->slots[3].label, 64, "kms");
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        r.who = rows[i].who;
        assert_rc(mst_rekey_decide(k, &r, keep, &err), rows[i].rc, &err);
        for (size_t s = 0; rows[i].rc == MST_OK && s < MST_WRAP_SLOTS; s++) {
            assert_int_equal(keep[s], s < 4 && rows[i].keep[s]);
        }
    }
    k->n = 1;
    r.who = "ops";
    assert_rc(mst_rekey_decide(k, &r, keep, &err), MST_E_PRECOND, &err);
    assert_non_null(strstr(err.msg, "nobody could any more"));
    k->n = MST_WRAP_SLOTS;
    r.what = MST_REKEY_ADD;
    assert_rc(mst_rekey_decide(k, &r, keep, &err), MST_E_LIMIT, &err);
    free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {MADE(one_more_may_read_and_is_taken_out_again),
                                       MADE(who_opens_it_stands_in_its_key_objects),
                                       MADE(a_rotation_leaves_those_whom_the_configuration_names),
                                       MADE(a_rotation_that_is_done_is_as_asked),
                                       MADE(a_planted_object_does_not_take_the_true_slots_along),
                                       MADE(without_a_key_nothing_is_written),
                                       MADE(a_damaged_key_object_is_stepped_over),
                                       MADE(a_key_object_that_cannot_be_read_is_not_stepped_over),
                                       MADE(a_run_that_dies_leaves_a_backup_that_opens),
                                       cmocka_unit_test(slots_are_decided_by_name_id_or_kind)};

    return cmocka_run_group_tests_name("rekey", tests, NULL, NULL);
}
