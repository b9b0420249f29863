/* What somebody with a key to the bucket can do to a sealed and signed backup, object class by
 * object class: each is found by verify, with a sentence of its own, and what reaches the documents
 * is not restored. The table is printed. */
#include "s3_kit.h"

#include "fake_backup.h"
#include "restore/source.h"

#define FIRST "2026-11-22T22-30-00Z-full"
#define SECOND "2026-11-23T22-30-00Z-full"
#define OBJECTS_MAX 64U
#define SENTENCE 1200
#define ROOT KIT_PREFIX "/rs0/"
#define FOLDER ROOT "backups/"

struct object {
    char key[MST_KEY_MAX];
    unsigned char *p;
    size_t n;
};

struct fix {
    struct kit k;
    struct fake f;
    struct mst_readers readers;
    struct mst_identity ops, other;
    struct mst_sign_key signer, stranger;
    struct mst_trust trust;
    struct mst_key_means means;
    struct object all[OBJECTS_MAX]; /* as they were made */
    size_t n;
    char clean[2][SENTENCE]; /* what verify says of what nobody touched */
};

static enum mst_rc unlock(void *arg, const struct mst_key_object *k, struct mst_data_key *out,
                          struct mst_err *err)
{
    return mst_key_object_open(k, arg, out, err);
}

/* --- what is there ---------------------------------------------------------------------------- */

/* A time for each, so that names are the same in every run. */
static void mark(struct fix *x, enum mst_mark_kind kind, const char *id, int64_t at)
{
    struct mst_mark m = {.kind = kind, .ok = true, .level = 2};
    struct mst_commit c;
    struct mst_buf b = {0};
    struct mst_err err = {0};
    char key[MST_KEY_MAX];

    mst_catalog_key(&x->f.c, id, "", "COMMIT", key);
    assert_ok(mst_store_read_all(x->k.store, key, MST_HEADER_MAX, &b, &err), &err);
    assert_ok(mst_commit_get((const char *)b.p, b.len, &c, &err), &err);
    (void)mst_copy(m.id, sizeof(m.id), id);
    (void)mst_copy(m.attempt, sizeof(m.attempt), c.attempt);
    (void)mst_copy(m.header_sha, sizeof(m.header_sha), c.header_sha);
    (void)mst_copy(m.text, sizeof(m.text), "as it was asked for");
    (void)mst_copy(m.store, sizeof(m.store), "vault");
    m.until_ms = INT64_MAX;
    m.wall_ms = 1795389600000 + at;
    assert_ok(mst_catalog_mark(&x->f.c, &m, &err), &err);
    mst_buf_release(&b);
}

static void make(struct fix *x, const char *id, uint64_t counter)
{
    struct mst_claim claim = {.attempt = FAKE_ATTEMPT, .wall_ms = 1795389511000, .by = "db1:77"};
    struct mst_err err = {0};

    (void)mst_copy(claim.id, sizeof(claim.id), id);
    (void)mst_copy(x->f.id, sizeof(x->f.id), id);
    (void)mst_copy(x->f.previous, sizeof(x->f.previous), x->f.sha_commit);
    x->f.counter = counter;
    assert_ok(mst_catalog_claim(&x->f.c, &claim, &err), &err);
    assert_ok(fake_make(&x->f, &err), &err);
    mark(x, MST_MARK_COPIED, id, 0);
    mark(x, MST_MARK_HOLD, id, 1000);
    mark(x, MST_MARK_VERIFIED, id, 2000);
}

static bool keep_object(void *arg, const struct mst_store_item *item)
{
    struct fix *x = arg;
    struct object *o = &x->all[x->n];

    assert_true(x->n < OBJECTS_MAX);
    (void)snprintf(o->key, sizeof(o->key), KIT_PREFIX "/%.400s", item->key);
    o->p = s3d_get(x->k.srv, o->key, &o->n);
    assert_non_null(o->p);
    x->n++;
    return true;
}

static bool remove_object(void *arg, const struct mst_store_item *item)
{
    struct fix *x = arg;
    char key[MST_KEY_MAX];

    (void)snprintf(key, sizeof(key), KIT_PREFIX "/%.400s", item->key);
    s3d_remove(x->k.srv, key);
    return true;
}

static void as_it_was(struct fix *x)
{
    struct mst_err err = {0};

    assert_ok(mst_store_list(x->k.store, "rs0", remove_object, x, NULL, &err), &err);
    for (size_t i = 0; i < x->n; i++) {
        s3d_put(x->k.srv, x->all[i].key, x->all[i].p, x->all[i].n);
    }
}

/* --- what is said ----------------------------------------------------------------------------- */

/* Everything that verify says of one backup. */
static enum mst_rc said_of(struct fix *x, const char *id, char out[SENTENCE])
{
    const struct mst_verify_opts o = {.id = id, .by = "eva"};
    struct mst_verify_result res;
    struct mst_err err = {0};
    const enum mst_rc rc = mst_verify_run(&x->f.c, &o, NULL, &res, &err);

    (void)snprintf(out, SENTENCE, "%s", rc == MST_OK ? res.text : err.msg);
    return rc;
}

/* Of the newest, and of the one before when it is not what it was. */
static void said(struct fix *x, char out[SENTENCE])
{
    char newest[SENTENCE], before[SENTENCE];

    (void)said_of(x, SECOND, newest);
    (void)said_of(x, FIRST, before);
    out[0] = '\0';
    if (strcmp(newest, x->clean[1]) != 0) {
        (void)snprintf(out, SENTENCE, "%.590s", newest);
    }
    if (strcmp(before, x->clean[0]) != 0) {
        const size_t n = strlen(out);

        (void)snprintf(out + n, SENTENCE - n, "%s%.590s", n ? " || " : "", before);
    }
}

/* As a restore begins: it is opened, and read back before anything is written. */
static enum mst_rc restore_begins(struct fix *x)
{
    struct mst_restore_source *s = NULL;
    struct mst_err err = {0};
    enum mst_rc rc = mst_restore_source_backup(&x->f.c, SECOND, NULL, &s, &err);

    if (rc == MST_OK) {
        rc = s->check(s, NULL, &err);
        mst_restore_source_free(s);
    }
    return rc;
}

static int setup(void **state)
{
    struct fix *x = mst_xcalloc(1, sizeof(*x));
    struct mst_err err = {0};

    kit_open(&x->k, NULL);
    if (mst_identity_new(&x->ops, &err) != MST_OK || mst_identity_new(&x->other, &err) != MST_OK ||
        mst_sign_key_new(&x->signer, &err) != MST_OK ||
        mst_sign_key_new(&x->stranger, &err) != MST_OK ||
        mst_trust_add(&x->trust, x->signer.pub, "db1", &err) != MST_OK ||
        mst_catalog_init(&x->f.c, x->k.store, "", "rs0", &err) != MST_OK) {
        return -1;
    }
    x->readers.n = 1;
    memcpy(x->readers.to[0].pub, x->ops.pub, MST_RECIPIENT_LEN);
    x->means.identity = &x->ops;
    x->f.c.trust = &x->trust;
    x->f.c.signer = &x->signer;
    x->f.c.unlock = unlock;
    x->f.c.unlock_arg = &x->means;
    x->f.readers = &x->readers;
    make(x, FIRST, 1);
    make(x, SECOND, 2);
    assert_ok(mst_store_list(x->k.store, "rs0", keep_object, x, NULL, &err), &err);
    assert_ok(said_of(x, FIRST, x->clean[0]), &err);
    assert_ok(said_of(x, SECOND, x->clean[1]), &err);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fix *x = *state;

    for (size_t i = 0; i < x->n; i++) {
        free(x->all[i].p);
    }
    mst_identity_release(&x->ops);
    mst_identity_release(&x->other);
    mst_sign_key_release(&x->signer);
    mst_sign_key_release(&x->stranger);
    kit_close(&x->k);
    free(x);
    return 0;
}

/* --- hands that harm -------------------------------------------------------------------------- */

enum harm { FLIPPED, CUT, SWAPPED, REPLAYED, RENAMED, FOREIGN, MISSING, HARMS };
static const char *const harm_words[] = {"flipped", "cut",     "swapped", "replayed",
                                         "renamed", "foreign", "missing"};

/* Of class: where it stands, its sibling, the one of an older backup, and where it is moved. */
static const struct row {
    const char *class, *key, *sibling, *older, *moved;
    bool data;       /* a restore is refused */
    unsigned silent; /* bits of harms that nobody can see, for the reason given */
    const char *why;
} rows[] = {
    {"segment", FOLDER SECOND "/" FAKE_ATTEMPT "/d/0000-0",
     FOLDER SECOND "/" FAKE_ATTEMPT "/oplog-0000", FOLDER FIRST "/" FAKE_ATTEMPT "/d/0000-0",
     FOLDER SECOND "/" FAKE_ATTEMPT "/d/0001-0", true, 0, ""},
    {"oplog", FOLDER SECOND "/" FAKE_ATTEMPT "/oplog-0000",
     FOLDER SECOND "/" FAKE_ATTEMPT "/manifest", FOLDER FIRST "/" FAKE_ATTEMPT "/oplog-0000",
     FOLDER SECOND "/" FAKE_ATTEMPT "/oplog-0001", true, 0, ""},
    {"header", FOLDER SECOND "/" FAKE_ATTEMPT "/header", FOLDER SECOND "/" FAKE_ATTEMPT "/sums",
     FOLDER FIRST "/" FAKE_ATTEMPT "/header", FOLDER SECOND "/" FAKE_ATTEMPT "/header2", true, 0,
     ""},
    {"manifest", FOLDER SECOND "/" FAKE_ATTEMPT "/manifest",
     FOLDER SECOND "/" FAKE_ATTEMPT "/d/0000-0", FOLDER FIRST "/" FAKE_ATTEMPT "/manifest",
     FOLDER SECOND "/" FAKE_ATTEMPT "/manifest2", true, 0, ""},
    {"manifest.copy", FOLDER SECOND "/" FAKE_ATTEMPT "/manifest.copy",
     FOLDER SECOND "/" FAKE_ATTEMPT "/sums", FOLDER FIRST "/" FAKE_ATTEMPT "/manifest.copy",
     FOLDER SECOND "/" FAKE_ATTEMPT "/manifest.copy2", true, 0, ""},
    {"sums", FOLDER SECOND "/" FAKE_ATTEMPT "/sums", FOLDER SECOND "/" FAKE_ATTEMPT "/oplog-0000",
     FOLDER FIRST "/" FAKE_ATTEMPT "/sums", FOLDER SECOND "/" FAKE_ATTEMPT "/sums2", true, 0, ""},
    {"key object", ROOT "keys/" SECOND "." FAKE_ATTEMPT ".0", FOLDER SECOND "/claim",
     ROOT "keys/" FIRST "." FAKE_ATTEMPT ".0", ROOT "keys/" FIRST "." FAKE_ATTEMPT ".9", true, 0,
     ""},
    {"COMMIT", FOLDER SECOND "/COMMIT", FOLDER SECOND "/" FAKE_ATTEMPT "/header",
     FOLDER FIRST "/COMMIT", FOLDER SECOND "/COMMIT2", true, 0, ""},
    {"claim", FOLDER SECOND "/claim", FOLDER SECOND "/marks/2026-11-22T23-20-00.000Z-copied",
     FOLDER FIRST "/claim", FOLDER SECOND "/claim2", false, 1U << MISSING,
     "once COMMIT stands it is COMMIT that holds the name"},
    {"mark copied", FOLDER SECOND "/marks/2026-11-22T23-20-00.000Z-copied",
     FOLDER SECOND "/marks/2026-11-22T23-20-01.000Z-hold",
     FOLDER FIRST "/marks/2026-11-22T23-20-00.000Z-copied",
     FOLDER SECOND "/marks/2026-11-22T23-20-00.000Z-hold", false, 1U << MISSING,
     "the other store still has the copy"},
    {"mark hold", FOLDER SECOND "/marks/2026-11-22T23-20-01.000Z-hold",
     FOLDER SECOND "/marks/2026-11-22T23-20-02.000Z-verified",
     FOLDER FIRST "/marks/2026-11-22T23-20-01.000Z-hold",
     FOLDER SECOND "/marks/2026-11-22T23-20-01.000Z-release", false, 1U << MISSING,
     "who may remove a hold may remove the backup"},
    {"mark verified", FOLDER SECOND "/marks/2026-11-22T23-20-02.000Z-verified",
     FOLDER SECOND "/marks/2026-11-22T23-20-00.000Z-copied",
     FOLDER FIRST "/marks/2026-11-22T23-20-02.000Z-verified",
     FOLDER SECOND "/marks/2026-11-22T23-20-02.000Z-copied", false, 1U << MISSING,
     "the backup then counts as never verified"},
    {"chain", FOLDER FIRST "/COMMIT", FOLDER FIRST "/claim", FOLDER SECOND "/COMMIT",
     FOLDER FIRST "/COMMIT2", false, 0, ""},
};

static void put_as(struct fix *x, const char *key, const unsigned char *p, size_t n)
{
    s3d_remove(x->k.srv, key);
    s3d_put(x->k.srv, key, p, n);
}

static void harm(struct fix *x, const struct row *r, enum harm how)
{
    static const char theirs[] = "this object is somebody else's\n";
    size_t n, m;
    unsigned char *p = s3d_get(x->k.srv, r->key, &n), *q;

    if (!p) {
        fail_msg("%s is not there", r->key);
        return;
    }
    q = s3d_get(x->k.srv, how == REPLAYED ? r->older : r->sibling, &m);
    if (!q) {
        fail_msg("what %s of %s needs is not there", harm_words[how], r->class);
        return;
    }
    switch (how) {
    case FLIPPED:
        assert_true(s3d_flip(x->k.srv, r->key, n / 2));
        break;
    case CUT:
        put_as(x, r->key, p, n - n / 3); /* no other one happens to be as long */
        break;
    case SWAPPED:
        put_as(x, r->sibling, p, n);
        put_as(x, r->key, q, m);
        break;
    case REPLAYED:
        put_as(x, r->key, q, m);
        break;
    case RENAMED:
        s3d_remove(x->k.srv, r->key);
        put_as(x, r->moved, p, n);
        break;
    case FOREIGN:
        put_as(x, r->key, (const unsigned char *)theirs, sizeof(theirs) - 1);
        break;
    case MISSING:
    case HARMS:
    default:
        s3d_remove(x->k.srv, r->key);
        break;
    }
    free(p);
    free(q);
}

/* --- the table -------------------------------------------------------------------------------- */

static void every_harm_to_every_class_has_its_sentence(void **state)
{
    static char all[MST_COUNT(rows) * HARMS][SENTENCE];
    static char names[MST_COUNT(rows) * HARMS][64];
    struct fix *x = *state;
    size_t n = 0, wrong = 0;

    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        for (int h = 0; h < HARMS; h++) {
            const bool may_be_silent = rows[i].silent & (1U << h);
            enum mst_rc rc;

            as_it_was(x);
            harm(x, &rows[i], (enum harm)h);
            said(x, all[n]);
            rc = restore_begins(x);
            (void)snprintf(names[n], sizeof(names[n]), "%s %s", rows[i].class, harm_words[h]);
            print_message("    %-22s %s\n", names[n], *all[n] ? all[n] : rows[i].why);
            if ((*all[n] == '\0') != may_be_silent) {
                print_error("%s: %s\n", names[n], *all[n] ? "it is said after all" : "SILENT");
                wrong++;
            }
            if ((rc == MST_OK) == rows[i].data) {
                print_error("%s: a restore %s\n", names[n], rc == MST_OK ? "begins" : "is refused");
                wrong++;
            }
            for (size_t k = 0; k < n && *all[n]; k++) {
                if (strcmp(all[k], all[n]) == 0) {
                    print_error("%s and %s: the same sentence\n", names[k], names[n]);
                    wrong++;
                }
            }
            n++;
        }
    }
    assert_int_equal(wrong, 0);
}

/* --- somebody who may write, and has no key of ours ---------------------------------------------
 */

static void change_commit(struct fix *x, const struct mst_sign_key *by, bool change, bool keep)
{
    struct mst_commit c;
    struct mst_str s = {0};
    struct mst_err err = {0};
    size_t n;
    unsigned char *p = s3d_get(x->k.srv, FOLDER SECOND "/COMMIT", &n);
    char *at;

    assert_non_null(p);
    assert_ok(mst_commit_get((const char *)p, n, &c, &err), &err);
    c.counter += change ? 7 : 0;
    assert_ok(mst_commit_put(&c, by, &s, &err), &err);
    if (keep) { /* signed by a key of his own, and called ours */
        at = strstr(s.p, "\"signer\":\"");
        assert_non_null(at);
        memcpy(at + 10, x->signer.id, MST_KEY_ID_HEX - 1);
        s.len -= MST_SHA256_HEX - 1 + 3;
        {
            uint8_t sha[MST_SHA256_LEN];
            char hex[MST_SHA256_HEX];
            const size_t tail = strlen(",\"sha256\":\"");

            mst_sha256_of(s.p, s.len - tail, sha);
            mst_str_addf(&s, "%s\"}\n", mst_hex(sha, sizeof(sha), hex));
        }
    }
    put_as(x, FOLDER SECOND "/COMMIT", (const unsigned char *)s.p, s.len);
    mst_str_release(&s);
    free(p);
}

static void by_a_stranger(struct fix *x)
{
    change_commit(x, &x->stranger, false, false);
}

static void called_ours(struct fix *x)
{
    change_commit(x, &x->stranger, true, true);
}

static void by_nobody(struct fix *x)
{
    change_commit(x, NULL, false, false);
}

static void marked(struct fix *x, enum mst_mark_kind kind, const struct mst_sign_key *by)
{
    x->f.c.signer = by;
    mark(x, kind, SECOND, 5000);
    x->f.c.signer = &x->signer;
}

static void a_release_of_his(struct fix *x)
{
    marked(x, MST_MARK_RELEASE, &x->stranger);
}

static void a_release_unsigned(struct fix *x)
{
    marked(x, MST_MARK_RELEASE, NULL);
}

static void a_verification_of_his(struct fix *x)
{
    marked(x, MST_MARK_VERIFIED, &x->stranger);
}

static void something_beside(struct fix *x)
{
    s3d_put(x->k.srv, FOLDER SECOND "/" FAKE_ATTEMPT "/d/0077-0", "x", 1);
}

static void something_above(struct fix *x)
{
    s3d_put(x->k.srv, FOLDER SECOND "/readme.txt", "x", 1);
}

static void a_key_object_of_his(struct fix *x)
{
    s3d_put(x->k.srv, ROOT "keys/" SECOND "." FAKE_ATTEMPT ".7", "x", 1);
}

static void a_name_that_is_no_mark(struct fix *x)
{
    s3d_put(x->k.srv, FOLDER SECOND "/marks/2026-11-22T23-20-05.000Z-hold.bak", "x", 1);
}

static void another_key_here(struct fix *x)
{
    x->means.identity = &x->other;
}

static void something_unopened(struct fix *x)
{
    another_key_here(x);
    something_beside(x);
}

static const struct {
    const char *what;
    void (*act)(struct fix *x);
    enum mst_rc want; /* of a restore: MST_OK when it begins all the same */
    const char *part;
} acts[] = {
    {"COMMIT by a stranger", by_a_stranger, MST_E_INTEGRITY, "whom seal.trusted does not name"},
    {"COMMIT in our name", called_ours, MST_E_INTEGRITY, "somebody without that key"},
    {"COMMIT unsigned", by_nobody, MST_E_PRECOND, "UNSIGNED: nobody signed it"},
    {"release by a stranger", a_release_of_his, MST_OK, "-release: it is FORGED"},
    {"release unsigned", a_release_unsigned, MST_OK, "-release: it is UNSIGNED"},
    {"verified by a stranger", a_verification_of_his, MST_OK, "-verified: it is FORGED"},
    {"an object among ours", something_beside, MST_OK,
     "d/0077-0: it is not an object of this backup"},
    {"an object beside ours", something_above, MST_OK,
     "readme.txt: no run of muster writes such an object here"},
    {"a file among marks", a_name_that_is_no_mark, MST_OK, "Z-hold.bak: no run of muster"},
    {"a key object", a_key_object_of_his, MST_OK, "is nothing that muster wrote"},
    {"a wrong key", another_key_here, MST_E_AUTH, "there is no key here that opens it"},
    {"a wrong key, an object", something_unopened, MST_E_AUTH,
     "d/0077-0: it is not an object of this backup"},
};

static void what_a_stranger_writes_is_said(void **state)
{
    struct fix *x = *state;
    size_t wrong = 0;

    for (size_t i = 0; i < MST_COUNT(acts); i++) {
        char text[SENTENCE];
        enum mst_rc rc;

        as_it_was(x);
        acts[i].act(x);
        (void)said_of(x, SECOND, text);
        rc = restore_begins(x);
        x->means.identity = &x->ops;
        print_message("    %-22s %s\n", acts[i].what, text);
        if (!strstr(text, acts[i].part)) {
            print_error("%s: \"%s\" is not said\n", acts[i].what, acts[i].part);
            wrong++;
        }
        if (rc != acts[i].want) {
            print_error("%s: a restore gives %s\n", acts[i].what, mst_rc_name(rc));
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_harm_to_every_class_has_its_sentence, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_a_stranger_writes_is_said, setup, teardown),
    };

    return cmocka_run_group_tests_name("tamper", tests, NULL, NULL);
}
