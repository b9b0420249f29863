/* Copies of sealed and signed backups: what is copied opens without its source, nothing is opened
 * on the way, and what nobody vouches for does not go anywhere. */
#include "sealed_kit.h"

#include "catalog/copy.h"
#include "catalog/rekey.h"
#include "store/fault.h"

struct pair { /* the other store, and the way there */
    struct fix *x;
    char dir[64];
    struct mst_store *real, *fault;
    struct mst_catalog from, to; /* to is the fault store over the other one */
};

/* As an agent that has public keys only. */
static void pair_open(struct pair *p, struct fix *x)
{
    struct mst_err err = {0};

    memset(p, 0, sizeof(*p));
    p->x = x;
    (void)mst_copy(p->dir, sizeof(p->dir), "/tmp/muster-other-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    assert_ok(mst_store_local_open("other", p->dir, true, &p->real, &err), &err);
    p->fault = mst_store_fault_new(p->real);
    mst_store_fault_set(p->fault, MST_FAULT_NONE, 0, MST_E_IO);
    p->from = x->f.c;
    p->from.unlock = NULL;
    p->to = p->from;
    p->to.store = p->fault;
}

static void pair_close(struct pair *p)
{
    mst_store_free(p->fault);
    mst_store_free(p->real);
    fake_rm(p->dir);
}

static enum mst_rc run(struct pair *p, struct mst_copy_result *res, struct mst_err *err)
{
    const struct mst_copy_opts o = {.id = FIRST, .by = "ann"};

    memset(err, 0, sizeof(*err));
    return mst_copy_run(&p->from, &p->to, &o, NULL, res, err);
}

/* The catalog of the other store for somebody who has the key. */
static struct mst_catalog opened(const struct pair *p)
{
    struct mst_catalog c = p->x->f.c;

    c.store = p->real;
    return c;
}

static void assert_reads_back(const struct pair *p)
{
    const struct mst_verify_opts o = {.id = FIRST};
    const struct mst_catalog c = opened(p);
    struct mst_verify_result v;
    struct mst_err err = {0};

    assert_ok(mst_verify_run(&c, &o, NULL, &v, &err), &err);
    assert_true(v.ok);
    assert_int_equal(v.level, 2);
    assert_int_equal(v.documents, 340);
    assert_string_equal(v.warning, "");
}

static enum mst_rc count_docs(void *arg, const struct mst_man_ns *ns, struct mst_err *err)
{
    *(uint64_t *)arg += ns->documents;
    (void)err;
    return MST_OK;
}

static void nothing_is_committed(const struct pair *p)
{
    struct mst_err err = {0};
    uint64_t bytes;
    char key[MST_KEY_MAX];

    mst_catalog_key(&p->to, FIRST, "", "COMMIT", key);
    assert_rc(mst_store_stat(p->real, key, &bytes, &err), MST_E_NOTFOUND, &err);
}

static void a_copy_opens_when_its_source_is_gone(void **state)
{
    struct fix *x = *state;
    struct pair p;
    struct mst_copy_result res;
    struct mst_catalog c;
    struct mst_bkr *r = NULL;
    struct mst_err err;
    uint64_t documents = 0;

    pair_open(&p, x);
    assert_ok(run(&p, &res, &err), &err);
    assert_int_equal(res.kept, 0);
    assert_int_equal(res.objects, 8); /* 2 of data, manifest twice, sums, header, key, COMMIT */
    assert_string_equal(listed(x, FIRST).copied_to, "other"); /* counts: it is signed */
    fake_rm(x->dir);
    c = opened(&p);
    assert_reads_back(&p);
    assert_ok(mst_bkr_open(&c, FIRST, NULL, &r, &err), &err);
    assert_int_equal(mst_bkr_judgement(r)->how, MST_SIGNED_GOOD);
    assert_ok(mst_bkr_each_ns(r, count_docs, &documents, NULL, &err), &err);
    assert_int_equal(documents, 340);
    mst_bkr_free(r);
    pair_close(&p);
}

/* Every call is failed; what is there then is no backup, and the next copy ends it. */
static void a_copy_that_fails_anywhere_goes_on_later(void **state)
{
    struct pair p;
    struct mst_copy_result res;
    struct mst_err err;
    uint64_t calls;

    pair_open(&p, *state);
    assert_ok(run(&p, &res, &err), &err);
    calls = mst_store_fault_calls(p.fault);
    pair_close(&p);
    assert_true(calls > 16);
    for (uint64_t at = 1; at <= calls; at++) {
        pair_open(&p, *state);
        mst_store_fault_set(p.fault, MST_FAULT_DEAD, at, MST_E_IO);
        assert_int_not_equal(run(&p, &res, &err), MST_OK);
        nothing_is_committed(&p);
        mst_store_fault_set(p.fault, MST_FAULT_NONE, 0, MST_E_IO);
        assert_ok(run(&p, &res, &err), &err);
        assert_reads_back(&p);
        pair_close(&p);
    }
}

static void what_is_damaged_is_not_copied(void **state)
{
    static const char *const names[] = {"d/0000-0", "oplog-0000", "manifest", "sums", "header"};
    struct fix *x = *state;
    struct mst_copy_result res;
    struct mst_err err;
    char path[MST_KEY_MAX + 64];

    for (size_t i = 0; i < MST_COUNT(names) + 1; i++) {
        struct pair p;

        pair_open(&p, x);
        if (i < MST_COUNT(names)) {
            path_of(x, FIRST, FAKE_ATTEMPT, names[i], path);
        } else {
            key_path(x, FIRST, 0, path);
        }
        flip(path, 70);
        assert_rc(run(&p, &res, &err), MST_E_INTEGRITY, &err);
        nothing_is_committed(&p);
        flip(path, 70);
        assert_ok(run(&p, &res, &err), &err);
        pair_close(&p);
    }
}

static void a_backup_without_its_key_object_is_not_copied(void **state)
{
    struct fix *x = *state;
    struct pair p;
    struct mst_copy_result res;
    struct mst_err err;
    char path[MST_KEY_MAX + 64];

    pair_open(&p, x);
    key_path(x, FIRST, 0, path);
    assert_int_equal(unlink(path), 0);
    assert_rc(run(&p, &res, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, "without one nobody can open it"));
    nothing_is_committed(&p);
    pair_close(&p);
}

static void what_nobody_vouches_for_is_not_copied(void **state)
{
    struct fix *x = *state;
    struct pair p;
    struct mst_copy_result res;
    struct mst_trust strangers = {0}, nobody = {0};
    struct mst_err err = {0};

    pair_open(&p, x);
    assert_ok(mst_trust_add(&strangers, x->stranger.pub, "db9", &err), &err);
    p.from.trust = &strangers;
    assert_rc(run(&p, &res, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, "FORGED"));
    assert_int_equal(mst_store_fault_calls(p.fault), 0); /* refused before anything is asked */
    p.from.trust = &nobody;                              /* nobody is named: not judged */
    assert_ok(run(&p, &res, &err), &err);
    pair_close(&p);
}

static void an_unsigned_one_is_not_copied_where_signers_are_named(void **state)
{
    struct fix *x = *state;
    struct pair p;
    struct mst_copy_result res;
    struct mst_err err = {0};

    x->f.c.signer = NULL;
    x->f.counter = 0;
    assert_ok(fake_make(&x->f, &err), &err);
    pair_open(&p, x);
    assert_rc(run(&p, &res, &err), MST_E_PRECOND, &err);
    assert_non_null(strstr(err.msg, "UNSIGNED"));
    nothing_is_committed(&p);
    pair_close(&p);
}

static enum mst_rc sealed_only(void *arg, bool sealed, const struct mst_store *to,
                               struct mst_err *err)
{
    *(unsigned *)arg += 1;
    return sealed ? MST_OK
                  : mst_err_set(err, MST_E_PRECOND, "UNSEALED into %s", mst_store_name(to));
}

static void whether_it_may_go_there_is_asked_before_anything_is_written(void **state)
{
    struct fix *x = *state;
    struct pair p;
    unsigned asked = 0;
    const struct mst_copy_opts o = {.id = FIRST, .may = sealed_only, .may_arg = &asked};
    struct mst_copy_result res;
    struct mst_err err = {0};

    x->f.readers = NULL;
    assert_ok(fake_make(&x->f, &err), &err);
    pair_open(&p, x);
    assert_rc(mst_copy_run(&p.from, &p.to, &o, NULL, &res, &err), MST_E_PRECOND, &err);
    assert_string_equal(err.msg, "UNSEALED into other");
    assert_int_equal(asked, 1);
    assert_int_equal(mst_store_fault_calls(p.fault), 0);
    pair_close(&p);
}

/* --- who may read a copy ---------------------------------------------------------------------- */

static enum mst_rc rekey_run(const struct mst_catalog *c, const struct mst_rekey *r,
                             struct mst_err *err)
{
    struct mst_rekey_result out;
    struct mst_bkr *b = NULL;
    enum mst_rc rc;

    assert_ok(mst_bkr_open_clear(c, FIRST, NULL, &b, err), err);
    rc = mst_rekey_run(c, mst_bkr_header(b), r, NULL, &out, err);
    mst_bkr_free(b);
    return rc;
}

static void put(struct mst_store *s, const char *key, const char *text)
{
    struct mst_err err = {0};

    assert_ok(mst_store_put_all(s, key, text, strlen(text), &err), &err);
}

static void a_key_object_that_the_source_has_not_stops_the_copy(void **state)
{
    struct pair p;
    struct mst_copy_result res;
    struct mst_err err;
    char key[MST_KEY_MAX];
    uint64_t n;

    pair_open(&p, *state);
    mst_keyobj_path(&p.to, FIRST, FAKE_ATTEMPT, 7, key);
    put(p.real, key, "of somebody who was taken out since");
    assert_rc(run(&p, &res, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, "has a key object that vault has not"));
    nothing_is_committed(&p);
    memset(&err, 0, sizeof(err));
    assert_ok(mst_catalog_clean(&p.to, FIRST, NULL, &n, &err), &err); /* as it says */
    assert_ok(run(&p, &res, &err), &err);
    assert_reads_back(&p);
    pair_close(&p);
}

/* Who was taken out of a whole copy does not come back with the next run. */
static void a_whole_copy_keeps_its_own_key_objects(void **state)
{
    struct fix *x = *state;
    struct pair p;
    struct mst_catalog there;
    struct mst_rekey add = {.what = MST_REKEY_ADD};
    const struct mst_rekey remove = {.what = MST_REKEY_REMOVE, .who = "eva"};
    struct mst_key_means other = {.identity = &x->other};
    struct mst_copy_result res;
    struct mst_bkr *r = NULL;
    struct mst_err err = {0};

    memcpy(add.pub, x->other.pub, sizeof(add.pub));
    (void)mst_copy(add.label, sizeof(add.label), "eva");
    assert_ok(rekey_run(&x->f.c, &add, &err), &err);
    pair_open(&p, x);
    assert_ok(run(&p, &res, &err), &err);
    there = opened(&p);
    there.unlock_arg = &other;
    assert_ok(mst_bkr_open(&there, FIRST, NULL, &r, &err), &err);
    mst_bkr_free(r);
    there.unlock_arg = &x->means;
    assert_ok(rekey_run(&there, &remove, &err), &err);
    assert_ok(run(&p, &res, &err), &err); /* again */
    there.unlock_arg = &other;
    assert_rc(mst_bkr_open(&there, FIRST, NULL, &r, &err), MST_E_AUTH, &err);
    assert_reads_back(&p);
    /* Its own cannot be read now: that is not the same as that there is none. */
    mst_store_fault_set(p.fault, MST_FAULT_NONE, 0, MST_E_IO);
    mst_store_fault_unread(p.fault, "/keys/", MST_E_NET);
    assert_rc(run(&p, &res, &err), MST_E_NET, &err);
    assert_int_equal(mst_store_fault_calls(p.fault), 0);
    assert_rc(mst_bkr_open(&there, FIRST, NULL, &r, &err), MST_E_AUTH, &err);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MADE(a_copy_opens_when_its_source_is_gone),
        MADE(a_copy_that_fails_anywhere_goes_on_later),
        MADE(what_is_damaged_is_not_copied),
        MADE(a_backup_without_its_key_object_is_not_copied),
        MADE(what_nobody_vouches_for_is_not_copied),
        BARE(an_unsigned_one_is_not_copied_where_signers_are_named),
        BARE(whether_it_may_go_there_is_asked_before_anything_is_written),
        MADE(a_key_object_that_the_source_has_not_stops_the_copy),
        MADE(a_whole_copy_keeps_its_own_key_objects),
    };

    return cmocka_run_group_tests_name("copy_sealed", tests, NULL, NULL);
}
