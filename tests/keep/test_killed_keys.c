/* kill -9 of the program while it changes who may read the backups of one bucket, or of two, behind
 * every request that changes something there: each backup opens with every key that it lists, the
 * same command again ends the act, and nothing but key objects is touched. */
#include "sealed_kit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "catalog/rekey.h"
#include "crypt/keyfile.h"
#include "far_kit.h"
#include "runprog.h"

#define SAVED_MAX 8

enum { OPS = 1, EVA = 2, NEU = 4 }; /* who is listed */

static const char *const places[] = {"one", "two"}, *const ids[] = {FIRST, SECOND};
static struct fix *x;
static struct far far;
static struct mst_identity neu;
static char dir[64], env_dir[96];
static const char *env[] = {env_dir, "MUSTER_CONFIG=", "MUSTER_URI=", "NO_COLOR=1", NULL};
static size_t n_places, n_ids; /* two in one bucket, or one in each of two */
static struct mst_str others;  /* every object that holds no key */
static struct {
    char key[MST_KEY_MAX];
    unsigned char *data;
    size_t n;
} saved[SAVED_MAX]; /* the key objects, each backup's first one and one with eva */
static size_t n_saved;

struct act {
    const char *argv[8];
    bool has_eva;           /* before it, eva may read */
    unsigned want, objects; /* behind it: who may, and key objects of each backup */
    bool again;             /* done once more it is not refused */
};
static const struct act add = {
    .argv = {"key", "add", NULL, "eva"}, .want = OPS | EVA, .objects = 2};
static const struct act removal = {.argv = {"key", "remove", "eva", "--confirm", "remove eva"},
                                   .has_eva = true,
                                   .want = OPS,
                                   .objects = 1};
static const struct act rotation = {.argv = {"key", "rotate", "--confirm", "rotate keys"},
                                    .has_eva = true,
                                    .want = NEU,
                                    .objects = 1,
                                    .again = true};

/* --- two backups --------------------------------------------------------- */

static void key_into(const char *name, enum mst_key_kind kind, const uint8_t secret[32])
{
    struct mst_str text = {0};
    struct mst_err err = {0};
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_ok(mst_keyfile_put(kind, secret, name, 1795386600000, NULL, &text, &err), &err);
    assert_ok(mst_file_replace(path, 0600, mst_str_c(&text), text.len, &err), &err);
    mst_keyfile_wipe(&text);
}

/* New backups would be for this recipient. */
static void configure(const struct mst_identity *recipient)
{
    struct mst_str s = {0};
    struct mst_err err = {0};
    char path[128], word[MST_PUB_WORD], signer[MST_PUB_WORD];

    mst_pub_word(MST_KEY_RECIPIENT, recipient->pub, word);
    mst_pub_word(MST_KEY_SIGNER, x->signer.pub, signer);
    mst_str_add(&s, "set = { name = \"rs0\"; class = \"SANDBOX\"; acts = [\"clean\"]; members = "
                    "[\"127.0.0.1:1\"]; };\nstores = (");
    for (size_t i = 0; i < n_places; i++) {
        mst_str_addf(&s,
                     "%s{ name = \"%s\"; type = \"s3\"; bucket = \"%s\"; prefix = \"%s\";\n"
                     "  endpoint = \"%s\"; region = \"%s\"; profile = \"versitygw\"; plain_http = "
                     "true;\n  access_key = \"%s\"; secret_key_file = \"%s/secret\"; }",
                     i ? ",\n  " : "", places[i], S3D_BUCKET_NAME, places[i], far_endpoint(&far),
                     S3D_REGION, S3D_ACCESS, dir);
    }
    mst_str_addf(&s,
                 ");\nbackup = { store = \"one\"; };\n"
                 "seal = { recipients = [\"%s now\"]; trusted = [\"%s db1\"];\n"
                 "  identity_file = \"%s/ops\"; };\n",
                 word, signer, dir);
    (void)snprintf(path, sizeof(path), "%s/muster.conf", dir);
    assert_ok(mst_file_replace(path, 0600, mst_str_c(&s), s.len, &err), &err);
    mst_str_release(&s);
}

static struct mst_store *open_place(size_t i, struct mst_catalog *c)
{
    struct mst_store *s = far_open(far.kind, far_endpoint(&far), places[i]);
    struct mst_err err = {0};

    assert_ok(mst_catalog_init(c, s, "", "rs0", &err), &err);
    c->trust = &x->trust;
    c->signer = &x->signer;
    c->unlock = unlock;
    c->unlock_arg = &x->means;
    return s;
}

static void header_of(const struct mst_catalog *c, const char *id, struct mst_header *h)
{
    struct mst_bkr *r = NULL;
    struct mst_err err = {0};

    assert_ok(mst_bkr_open_clear(c, id, NULL, &r, &err), &err);
    *h = *mst_bkr_header(r);
    mst_bkr_free(r);
}

/* Each backup with a key object for ops, and one behind it for ops and eva. */
static void fill(size_t i)
{
    struct mst_header *h = mst_xcalloc(1, sizeof(*h));
    struct mst_rekey more = {.what = MST_REKEY_ADD, .label = "eva"};
    struct mst_rekey_result res;
    struct mst_err err = {0};
    struct mst_store *s = open_place(i, &x->f.c);

    memcpy(more.pub, x->other.pub, sizeof(more.pub));
    x->f.previous[0] = '\0';
    for (size_t k = 0; k < n_ids; k++) {
        (void)mst_copy(x->f.id, sizeof(x->f.id), ids[k]);
        x->f.counter = k + 1;
        assert_ok(fake_make(&x->f, &err), &err);
        (void)mst_copy(x->f.previous, sizeof(x->f.previous), x->f.sha_commit);
        header_of(&x->f.c, ids[k], h);
        assert_ok(mst_rekey_run(&x->f.c, h, &more, NULL, &res, &err), &err);
    }
    mst_store_free(s);
    free(h);
}

/* Every object's key, those with keys in them, or those without; questions to a store left out. */
static void list(bool keys, struct mst_str *out)
{
    struct mst_str all = {0};

    s3d_keys_text(far.s3, &all);
    for (const char *line = mst_str_c(&all); *line;) {
        const size_t n = strcspn(line, "\n");
        char key[MST_KEY_MAX];

        (void)snprintf(key, sizeof(key), "%.*s", (int)n, line);
        if (strstr(key, "/rs0/") && (strstr(key, "/keys/") != NULL) == keys) {
            mst_str_addf(out, "%s\n", key);
        }
        line += n + (line[n] == '\n');
    }
    mst_str_release(&all);
}

static void save(void)
{
    struct mst_str all = {0};

    list(true, &all);
    for (const char *line = mst_str_c(&all); *line; line += strcspn(line, "\n") + 1) {
        assert_true(n_saved < SAVED_MAX);
        (void)snprintf(saved[n_saved].key, MST_KEY_MAX, "%.*s", (int)strcspn(line, "\n"), line);
        saved[n_saved].data = s3d_get(far.s3, saved[n_saved].key, &saved[n_saved].n);
        assert_non_null(saved[n_saved++].data);
    }
    mst_str_release(&all);
    list(false, &others);
}

static void as_before(bool with_eva)
{
    struct mst_str all = {0};

    list(true, &all);
    for (const char *line = mst_str_c(&all); *line; line += strcspn(line, "\n") + 1) {
        char key[MST_KEY_MAX];

        (void)snprintf(key, sizeof(key), "%.*s", (int)strcspn(line, "\n"), line);
        s3d_remove(far.s3, key);
    }
    for (size_t i = 0; i < n_saved; i++) {
        if (with_eva || saved[i].key[strlen(saved[i].key) - 1] == '0') {
            s3d_put(far.s3, saved[i].key, saved[i].data, saved[i].n);
        }
    }
    mst_str_release(&all);
}

static int start(void **state, size_t n)
{
    struct mst_err err = {0};
    char path[128];

    if (setup(state)) {
        return -1;
    }
    x = *state;
    n_places = n;
    n_ids = n == 1 ? 2 : 1;
    temp_dir(dir, sizeof(dir));
    (void)snprintf(env_dir, sizeof(env_dir), "MUSTER_DIR=%s", dir);
    (void)snprintf(path, sizeof(path), "%s/secret", dir);
    assert_ok(mst_file_replace(path, 0600, S3D_SECRET, strlen(S3D_SECRET), &err), &err);
    assert_ok(mst_identity_new(&neu, &err), &err);
    key_into("ops", MST_KEY_RECIPIENT, x->ops.secret);
    far_start(&far, FAR_S3);
    for (size_t i = 0; i < n; i++) {
        fill(i);
    }
    save();
    assert_int_equal(n_saved, n * n_ids * 2);
    return 0;
}

static int one(void **state)
{
    return start(state, 1);
}

static int two(void **state)
{
    return start(state, 2);
}

static int stop(void **state)
{
    for (size_t i = 0; i < n_saved; i++) {
        free(saved[i].data);
    }
    n_saved = 0;
    mst_str_release(&others);
    mst_identity_release(&neu);
    far_stop(&far);
    temp_remove(dir);
    return teardown(state);
}

/* --- what must hold --------------------------------------------------------------------------- */

/* Who is listed as a reader of this backup, each of whom must open it; how many key objects. */
static unsigned readers_of(const struct mst_catalog *c, const char *id, size_t *objects)
{
    const struct mst_identity *const all[] = {&x->ops, &x->other, &neu};
    struct mst_header *h = mst_xcalloc(1, sizeof(*h));
    struct mst_key_object *k = mst_xcalloc(1, sizeof(*k));
    unsigned number, highest, *v = NULL, listed = 0;
    struct mst_err err = {0};

    header_of(c, id, h);
    assert_ok(mst_rekey_newest(c, h, NULL, k, &number, &highest, &err), &err);
    assert_int_equal(number, highest); /* none is damaged */
    for (size_t i = 0; i < MST_COUNT(all); i++) {
        struct mst_data_key key = {0};
        struct mst_bkr *r = NULL;

        x->means = (struct mst_key_means){.identity = all[i]};
        for (size_t n = 0; n < k->n; n++) {
            listed |= strcmp(k->slots[n].recipient, all[i]->id) == 0 ? 1U << i : 0;
        }
        if (listed & 1U << i) {
            assert_ok(mst_key_object_open(k, &x->means, &key, &err), &err);
            assert_ok(mst_bkr_open(c, id, NULL, &r, &err), &err);
        }
        mst_data_key_release(&key);
        mst_bkr_free(r);
    }
    assert_true(listed != 0);
    assert_ok(mst_keyobj_numbers(c, id, FAKE_ATTEMPT, NULL, &v, objects, &err), &err);
    free(v);
    free(k);
    free(h);
    return listed;
}

/* Is the act at its end, in every store? */
static bool at_its_end(const struct act *a)
{
    struct mst_str now = {0};
    bool is = true;

    for (size_t i = 0; i < n_places; i++) {
        struct mst_catalog c;
        struct mst_store *s = open_place(i, &c);

        for (size_t k = 0; k < n_ids; k++) {
            size_t objects = 0;

            is = (readers_of(&c, ids[k], &objects) == a->want && objects == a->objects) && is;
        }
        mst_store_free(s);
    }
    list(false, &now);
    assert_string_equal(mst_str_c(&now), mst_str_c(&others));
    mst_str_release(&now);
    return is;
}

/* The program with these words; 128 + 9: it died there. What it said is in the folder. */
static int program(const struct act *a, const struct death *d)
{
    char *said = mst_xasprintf("%s/said", dir), word[MST_PUB_WORD];
    char *argv[16] = {
        mst_xstrdup("/bin/sh"),
        mst_xstrdup("-c"),
        mst_xstrdup("read go; said=$1; shift; exec \"$@\" >\"$said\" 2>&1 </dev/null"),
        mst_xstrdup("sh"),
        said,
        mst_xstrdup(TEST_MUSTER),
        mst_xstrdup("--no-agent")};
    size_t n = 7;
    int status;

    mst_pub_word(MST_KEY_RECIPIENT, x->other.pub, word);
    for (size_t i = 0; i < MST_COUNT(a->argv) && (a->argv[i] || i < 3); i++) {
        argv[n++] = mst_xstrdup(a->argv[i] ? a->argv[i] : word);
    }
    status = far_run(&far, argv, environ, d);
    for (size_t i = 0; i < n; i++) {
        free(argv[i]);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void expect(const struct act *a, unsigned n, int status, int want)
{
    char path[128];
    struct mst_buf b = {0};

    if (status != want) {
        (void)snprintf(path, sizeof(path), "%s/said", dir);
        slurp(path, &b);
        print_message("%.*s\n", (int)b.len, (const char *)b.p);
        mst_buf_release(&b);
        fail_msg("key %s, killed at %u: status %d, wanted %d", a->argv[1], n, status, want);
    }
}

/* Or also while the store is asked what it can do. */
static void dies_everywhere(const struct act *a, bool questions)
{
    unsigned n = 1, kills = 0;
    struct ran r;

    for (const char *const *e = env; *e; e++) {
        assert_int_equal(putenv((char *)(uintptr_t)*e), 0);
    }
    configure(a->want == NEU ? &neu : &x->ops);
    for (bool killed = true; killed; n++) {
        const struct death d = {.nth = n, .after = true, .key = questions ? NULL : "/keys/"};
        int status;
        bool done;

        as_before(a->has_eva);
        status = program(a, &d);
        killed = status == 128 + SIGKILL;
        kills += killed;
        done = at_its_end(a);
        if (!killed) {
            expect(a, n, status, 0);
            assert_true(done);
            break;
        }
        status = program(a, NULL);
        expect(a, n, status, done && !a->again ? 2 : 0);
        assert_true(at_its_end(a));
    }
    print_message("    key %s in %zu: %u deaths\n", a->argv[1], n_places, kills);
    /* For each backup one is written, and the older ones go one by one. */
    assert_true(kills >= n_places * n_ids * (a->has_eva ? 3 : 1));
    RUN(&r, env, "audit", "verify");
    assert_int_equal(r.status, 0);
    ran_release(&r);
}

static void an_addition_is_ended_by_the_next(void **state)
{
    (void)state;
    dies_everywhere(&add, n_places == 1);
}

static void a_removal_is_ended_by_the_next(void **state)
{
    (void)state;
    dies_everywhere(&removal, false);
}

static void a_rotation_is_ended_by_the_next(void **state)
{
    (void)state;
    dies_everywhere(&rotation, false);
}

int main(void)
{
#define ONE(f) cmocka_unit_test_setup_teardown(f, one, stop)
#define BOTH(f) cmocka_unit_test_setup_teardown(f, two, stop)
    const struct CMUnitTest tests[] = {
        ONE(an_addition_is_ended_by_the_next), BOTH(an_addition_is_ended_by_the_next),
        ONE(a_removal_is_ended_by_the_next),   BOTH(a_removal_is_ended_by_the_next),
        ONE(a_rotation_is_ended_by_the_next),  BOTH(a_rotation_is_ended_by_the_next),
    };

    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    return cmocka_run_group_tests_name("killed keys", tests, NULL, NULL);
}
