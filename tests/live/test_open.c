/* muster open: a folder of objects and nothing else: an empty home, no configuration, no network.
 */
#include "test.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "crypt/keyfile.h"
#include "fake_backup.h"
#include "restore/source.h"
#include "runprog.h"

#define ID "2026-11-22T22-30-00Z-full"
#define BACKUP "bucket/prefix/rs0/backups/" ID

struct fix {
    char dir[64], home[80], bucket[96], out[96], path[400];
    char env_home[96], env_dir[110];
    const char *env[6];
    struct mst_store *store;
    struct fake f;
    struct mst_identity reader;
    struct mst_sign_key signer;
    struct mst_readers readers;
    struct mst_secret phrase;
};

static void key_file(const struct fix *x, const char *name, enum mst_key_kind kind,
                     const uint8_t secret[32], const char *phrase)
{
    struct mst_secret s = {0};
    struct mst_str text = {0};
    struct mst_err err = {0};
    char *path = mst_xasprintf("%s/%s", x->dir, name);

    if (phrase) {
        mst_secret_set(&s, phrase, strlen(phrase));
    }
    assert_ok(mst_keyfile_put(kind, secret, "safe", 0, &s, &text, &err), &err);
    assert_ok(mst_file_replace(path, 0600, text.p, text.len, &err), &err);
    mst_keyfile_wipe(&text);
    mst_secret_release(&s);
    free(path);
}

static void text_file(const struct fix *x, const char *name, const char *text)
{
    struct mst_err err = {0};
    char *path = mst_xasprintf("%s/%s", x->dir, name);

    assert_ok(mst_file_replace(path, 0600, text, strlen(text), &err), &err);
    free(path);
}

static int setup(void **state)
{
    struct fix *x = mst_xcalloc(1, sizeof *x);
    struct mst_err err = {0};

    temp_dir(x->dir, sizeof x->dir);
    (void)snprintf(x->home, sizeof x->home, "%s/home", x->dir);
    (void)snprintf(x->bucket, sizeof x->bucket, "%s/bucket", x->dir);
    (void)snprintf(x->out, sizeof x->out, "%s/out", x->dir);
    (void)snprintf(x->env_home, sizeof x->env_home, "HOME=%s", x->home);
    (void)snprintf(x->env_dir, sizeof x->env_dir, "MUSTER_DIR=%s/state", x->dir);
    x->env[0] = x->env_home;
    x->env[1] = x->env_dir;
    x->env[2] = "MUSTER_CONFIG=/nowhere/muster.conf";
    x->env[3] = "MUSTER_URI=";
    x->env[4] = "XDG_CONFIG_HOME=/nowhere";
    assert_int_equal(mkdir(x->home, 0500), 0);
    assert_int_equal(mkdir(x->bucket, 0700), 0);
    assert_ok(mst_store_local_open("test", x->bucket, true, &x->store, &err), &err);
    assert_ok(mst_catalog_init(&x->f.c, x->store, "prefix", "rs0", &err), &err);
    (void)mst_copy(x->f.id, sizeof x->f.id, ID);
    *state = x;
    return 0;
}

/* Sealed to a key and a passphrase, and signed. */
static void sealed(struct fix *x)
{
    struct mst_err err = {0};

    assert_ok(mst_identity_new(&x->reader, &err), &err);
    assert_ok(mst_sign_key_new(&x->signer, &err), &err);
    mst_secret_set(&x->phrase, "correct horse", 13);
    x->readers.n = 1;
    memcpy(x->readers.to[0].pub, x->reader.pub, 32);
    x->readers.phrase = &x->phrase;
    x->readers.log2n = 10;
    x->f.readers = &x->readers;
    x->f.c.signer = &x->signer;
    x->f.counter = 1;
    assert_ok(fake_make(&x->f, &err), &err);
    key_file(x, "reader.key", MST_KEY_RECIPIENT, x->reader.secret, NULL);
    key_file(x, "locked.key", MST_KEY_RECIPIENT, x->reader.secret, "battery staple");
    text_file(x, "phrase", "correct horse\n");
    text_file(x, "wrong", "horse correct\n");
    text_file(x, "staple", "battery staple\n");
}

static void plain(struct fix *x)
{
    struct mst_err err = {0};

    assert_ok(fake_make(&x->f, &err), &err);
}

static int teardown(void **state)
{
    struct fix *x = *state;

    mst_store_free(x->store);
    mst_identity_release(&x->reader);
    mst_sign_key_release(&x->signer);
    mst_secret_release(&x->phrase);
    temp_remove(x->dir);
    free(x);
    return 0;
}

static char *in(struct fix *x, const char *name)
{
    (void)snprintf(x->path, sizeof x->path, "%s/%s", x->dir, name);
    return x->path;
}

static size_t entries(const char *path)
{
    DIR *d = opendir(path);
    size_t n = 0;

    while (d && readdir(d)) {
        n++;
    }
    if (d) {
        (void)closedir(d);
    }
    return n > 2 ? n - 2 : 0;
}

/* argv behind "open"; the exit status, and a part of what was said. What failed left nothing. */
static void opens(struct fix *x, int status, const char *part, const char *const *argv)
{
    const char *all[16] = {"open"};
    struct ran r;
    size_t n = 1, left = entries(x->dir);

    while (*argv) {
        all[n++] = *argv++;
    }
    run_muster(&r, all, x->env, 60000);
    if (r.status != status || !strstr(mst_str_c(status ? &r.err : &r.out), part)) {
        fail_msg("status %d, wanted %d with \"%s\": %s%s", r.status, status, part,
                 mst_str_c(&r.out), mst_str_c(&r.err));
    }
    if (status) {
        assert_int_equal(entries(x->dir), left);
    }
    assert_int_equal(entries(x->home), 0);
    assert_int_equal(access(in(x, "state"), F_OK), -1);
    ran_release(&r);
}
#define OPENS(x, status, part, ...) \
    opens((x), (status), (part), (const char *const[]){__VA_ARGS__, NULL})

static void holds_all(struct fix *x, const char *path)
{
    struct mst_restore_source *s = NULL;
    struct mst_err err = {0};
    uint64_t n = 0;

    assert_ok(mst_restore_source_dump(path, NULL, &s, &err), &err);
    assert_int_equal(s->n, 4);
    for (size_t i = 0; i < s->n; i++) {
        n += s->colls[i].documents;
        if (strcmp(s->colls[i].coll, "big") == 0) {
            assert_true(mst_sum256_equal(&s->colls[i].sum, &x->f.sum_big));
        }
        if (strcmp(s->colls[i].coll, "small") == 0) {
            assert_true(mst_sum256_equal(&s->colls[i].sum, &x->f.sum_small));
        }
    }
    assert_int_equal(n, 340);
    mst_restore_source_free(s);
}

static void a_backup_is_found_wherever_the_folder_begins(void **state)
{
    static const char whole[] = BACKUP;
    static const char *const from[] = {"bucket", "bucket/prefix", "bucket/prefix/rs0",
                                       "bucket/prefix/rs0/backups", whole};
    struct fix *x = *state;

    plain(x);
    for (size_t i = 0; i < MST_COUNT(from); i++) {
        char *folder = mst_xstrdup(in(x, from[i])), *out = mst_xasprintf("%s/%zu", x->dir, i);

        OPENS(x, 0, "3 collections and 1 view, 340 documents", folder, "--out", out);
        holds_all(x, out);
        OPENS(x, 0, ID, folder, "--list");
        free(folder);
        free(out);
    }
    assert_int_equal(rename(in(x, BACKUP), x->out), 0);
    {
        char *copy = mst_xasprintf("%s/archive", x->dir);

        OPENS(x, 0, "read it with: mongorestore --uri URI --oplogReplay --archive=", x->out,
              "--archive", copy);
        holds_all(x, copy);
        free(copy);
    }
}

static void what_is_no_backup_is_said_in_a_sentence(void **state)
{
    struct fix *x = *state;
    char *out = mst_xstrdup(in(x, "o"));

    OPENS(x, 2, "no backup of muster is in", x->home, "--out", out);
    OPENS(x, 2, "cannot open the folder", "/nowhere", "--out", out);
    OPENS(x, 2, "say where to write", x->home);
    plain(x);
    OPENS(x, 2, "no backup 2026-01-01T00-00-00Z-full is in it", x->bucket, "--out", out, "--backup",
          "2026-01-01T00-00-00Z-full");
    OPENS(x, 2, "no namespace that was asked for", x->bucket, "--out", out, "--include", "none.*");
    (void)mst_copy(x->f.id, sizeof x->f.id, "2026-11-23T22-30-00Z-full");
    plain(x);
    OPENS(x, 2, "more than one backup is in it (2)", x->bucket, "--out", out);
    OPENS(x, 0, "2026-11-23T22-30-00Z-full of the set rs0", x->bucket, "--out", out, "--backup",
          "latest");
    free(out);
}

static void damage(struct fix *x, const char *object, long at)
{
    char *path = mst_xasprintf("%s/prefix/rs0/%s", x->bucket, object);
    FILE *f = fopen(path, "r+b");
    int c;

    assert_non_null(f);
    assert_int_equal(fseek(f, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    c = fgetc(f);
    assert_int_equal(fseek(f, -1, SEEK_CUR), 0);
    assert_int_equal(fputc(c ^ 0x10, f), c ^ 0x10);
    assert_int_equal(fclose(f), 0);
    free(path);
}

#define DATA "backups/" ID "/" FAKE_ATTEMPT "/d/0000-0"

static void a_flipped_bit_or_a_missing_object_stops_it(void **state)
{
    static const struct {
        const char *object, *part;
    } cases[] = {{DATA, "0000-0"},
                 {"backups/" ID "/" FAKE_ATTEMPT "/oplog-0000", "oplog-0000"},
                 {"backups/" ID "/" FAKE_ATTEMPT "/header", "header"},
                 {"backups/" ID "/COMMIT", "COMMIT"}};
    struct fix *x = *state;
    char *out = mst_xstrdup(in(x, "o"));

    plain(x);
    for (size_t i = 0; i < MST_COUNT(cases); i++) {
        char *path = mst_xasprintf("%s/prefix/rs0/%s", x->bucket, cases[i].object);
        char *aside = mst_xasprintf("%s/aside", x->bucket);

        damage(x, cases[i].object, 70);
        OPENS(x, 5, cases[i].part, x->bucket, "--out", out);
        OPENS(x, 5, cases[i].part, x->bucket, "--archive", out);
        damage(x, cases[i].object, 70);
        if (i < 3) {
            assert_int_equal(rename(path, aside), 0);
            OPENS(x, 5, cases[i].part, x->bucket, "--out", out);
            assert_int_equal(rename(aside, path), 0);
        }
        free(path);
        free(aside);
    }
    OPENS(x, 0, "340 documents", x->bucket, "--out", out);
    free(out);
}

static void a_sealed_one_opens_with_its_key_only(void **state)
{
    struct fix *x = *state;
    struct mst_identity other = {0};
    struct mst_err err = {0};
    char *out = mst_xstrdup(in(x, "o")), *key = mst_xstrdup(in(x, "reader.key"));
    char *locked = mst_xstrdup(in(x, "locked.key")), *staple = mst_xstrdup(in(x, "staple"));
    char *phrase = mst_xstrdup(in(x, "phrase")), *wrong = mst_xstrdup(in(x, "wrong"));
    char *foreign = mst_xstrdup(in(x, "foreign.key")), *two = mst_xstrdup(in(x, "two"));

    sealed(x);
    assert_ok(mst_identity_new(&other, &err), &err);
    key_file(x, "foreign.key", MST_KEY_RECIPIENT, other.secret, NULL);
    mst_identity_release(&other);
    OPENS(x, 4, "is sealed", x->bucket, "--out", out);
    OPENS(x, 4, "is sealed", x->bucket, "--out", out, "--key", foreign);
    OPENS(x, 4, "passphrase", x->bucket, "--out", out, "--passphrase-file", wrong);
    OPENS(x, 4, "passphrase", x->bucket, "--out", out, "--key", locked, "--passphrase-file", wrong);
    OPENS(x, 2, "nowhere", x->bucket, "--out", out, "--key", "/nowhere");
    assert_int_equal(chmod(key, 0644), 0);
    OPENS(x, 2, "reader.key", x->bucket, "--out", out, "--key", key);
    assert_int_equal(chmod(key, 0600), 0);
    OPENS(x, 0, "340 documents", x->bucket, "--out", out, "--key", key);
    holds_all(x, out);
    OPENS(x, 0, "340 documents", x->bucket, "--archive", two, "--passphrase-file", phrase);
    holds_all(x, two);
    (void)unlink(two);
    OPENS(x, 0, "340 documents", x->bucket, "--archive", two, "--key", locked, "--passphrase-file",
          staple);
    (void)unlink(two);
    damage(x, DATA, -40);
    OPENS(x, 5, "0000-0", x->bucket, "--archive", two, "--key", key);
    free(out);
    free(key);
    free(locked);
    free(staple);
    free(phrase);
    free(wrong);
    free(foreign);
    free(two);
}

/* The folder of one backup, with its key object put beside COMMIT. */
static void a_key_object_is_found_where_it_was_copied_to(void **state)
{
    struct fix *x = *state;
    char *from, *to, *key = mst_xstrdup(in(x, "reader.key"));
    char *folder = mst_xasprintf("%s/prefix/rs0/backups/%s", x->bucket, ID);
    char *out = mst_xstrdup(in(x, "o"));

    sealed(x);
    OPENS(x, 5, "key object", folder, "--out", out, "--key", key);
    from = mst_xasprintf("%s/prefix/rs0/keys/%s.%s.0", x->bucket, ID, FAKE_ATTEMPT);
    to = mst_xasprintf("%s/%s.%s.0", folder, ID, FAKE_ATTEMPT);
    assert_int_equal(rename(from, to), 0);
    OPENS(x, 0, "340 documents", folder, "--out", out, "--key", key);
    holds_all(x, out);
    free(from);
    free(to);
    free(key);
    free(folder);
    free(out);
}

static void a_signature_is_judged_when_a_signer_is_named(void **state)
{
    struct fix *x = *state;
    struct mst_sign_key other = {0};
    struct mst_err err = {0};
    char word[MST_PUB_WORD], strange[MST_PUB_WORD];
    char *out = mst_xstrdup(in(x, "o")), *key = mst_xstrdup(in(x, "reader.key"));

    sealed(x);
    assert_ok(mst_sign_key_new(&other, &err), &err);
    mst_pub_word(MST_KEY_SIGNER, x->signer.pub, word);
    mst_pub_word(MST_KEY_SIGNER, other.pub, strange);
    OPENS(x, 2, "--signer", x->bucket, "--out", out, "--key", key, "--signer", "mstsig-12");
    OPENS(x, 5, "FORGED", x->bucket, "--out", out, "--key", key, "--signer", strange);
    OPENS(x, 0, "signed by", x->bucket, "--out", out, "--key", key, "--signer", word);
    mst_sign_key_release(&other);
    free(out);
    free(key);
}

static void one_without_a_signature_is_refused_when_a_signer_is_named(void **state)
{
    struct fix *x = *state;
    struct mst_err err = {0};
    char word[MST_PUB_WORD];
    char *out = mst_xstrdup(in(x, "o"));

    plain(x);
    assert_ok(mst_sign_key_new(&x->signer, &err), &err);
    mst_pub_word(MST_KEY_SIGNER, x->signer.pub, word);
    OPENS(x, 10, "is UNSIGNED, and --signer says", x->bucket, "--out", out, "--signer", word);
    free(out);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_backup_is_found_wherever_the_folder_begins),
        T(what_is_no_backup_is_said_in_a_sentence),
        T(a_flipped_bit_or_a_missing_object_stops_it),
        T(a_sealed_one_opens_with_its_key_only),
        T(a_key_object_is_found_where_it_was_copied_to),
        T(a_signature_is_judged_when_a_signer_is_named),
        T(one_without_a_signature_is_refused_when_a_signer_is_named),
    };

    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    if (unshare(CLONE_NEWNET) != 0) {
        print_message("no right to leave the network: only the empty home is proven\n");
    }
    return cmocka_run_group_tests_name("open", tests, NULL, NULL);
}
