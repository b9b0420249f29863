/* muster key, as a child process: what it makes, what it refuses, what it never shows. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "runprog.h"

static char dir[64], env_dir[96], phrase[96], other[96], reader[96], signer[96];
static const char *env[] = {env_dir, "MUSTER_CONFIG=", "MUSTER_URI=", "NO_COLOR=1", NULL};

static void put(const char *path, const char *text, mode_t mode)
{
    struct mst_err err = {0};

    assert_ok(mst_file_replace(path, mode, text, strlen(text), &err), &err);
}

/* The first one after `before` in text, up to a space, a quote or the end of the line. */
static char *word_after(const char *text, const char *before)
{
    const char *at = strstr(text, before);

    if (!at) {
        fail_msg("\"%s\" is not in: %s", before, text);
    }
    at += strlen(before);
    return mst_xstrndup(at, strcspn(at, " \"\n"));
}

static void has(const struct ran *r, int status, const char *part)
{
    if (r->status != status ||
        (!strstr(mst_str_c(&r->out), part) && !strstr(mst_str_c(&r->err), part))) {
        fail_msg("status %d, wanted %d and \"%s\": %s%s", r->status, status, part,
                 mst_str_c(&r->out), mst_str_c(&r->err));
    }
}

#define KEY(status, part, ...) \
    do { \
        struct ran r_; \
        RUN(&r_, env, "key", __VA_ARGS__); \
        has(&r_, (status), (part)); \
        ran_release(&r_); \
    } while (0)

static int setup(void **state)
{
    (void)state;
    temp_dir(dir, sizeof(dir));
    (void)snprintf(env_dir, sizeof(env_dir), "MUSTER_DIR=%s", dir);
    (void)snprintf(phrase, sizeof(phrase), "%s/phrase", dir);
    (void)snprintf(other, sizeof(other), "%s/other", dir);
    (void)snprintf(reader, sizeof(reader), "%s/reader.key", dir);
    (void)snprintf(signer, sizeof(signer), "%s/signer.key", dir);
    put(phrase, "correct horse battery\n", 0600);
    put(other, "correct house battery\n", 0600);
    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    (void)setsid(); /* no terminal: nothing can be asked */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    temp_remove(dir);
    return 0;
}

static void keys_are_made_configured_listed_and_proved(void **state)
{
    struct ran r;
    struct mst_str conf = {0};
    char path[128], *pub, *sig;

    (void)state;
    RUN(&r, env, "key", "new", "--recipient", reader, "--label", "ops", "--passphrase-file",
        phrase);
    has(&r, 0, "key of a recipient called ops");
    has(&r, 0, "needs a passphrase");
    pub = word_after(r.out.p, "recipients = [\"");
    ran_release(&r);
    RUN(&r, env, "key", "new", "--signer", signer, "--no-passphrase");
    has(&r, 0, "needs no passphrase");
    sig = word_after(r.out.p, "trusted = [\"");
    ran_release(&r);
    KEY(0, pub, "show", reader);
    KEY(0, "\"kind\":\"signer\"", "show", signer, "--json");
    KEY(0, "proved: it opens what is wrapped", "check", reader, "--passphrase-file", phrase);
    KEY(0, "proved: its signature is verified", "check", signer);
    mst_str_addf(&conf,
                 "set = { members = [\"127.0.0.1:9\"]; };\n"
                 "seal = { recipients = [\"%s ops\"]; trusted = [\"%s\"]; signer_file = \"%s\";\n"
                 "  identity_file = \"%s\"; };\n",
                 pub, sig, signer, reader);
    (void)snprintf(path, sizeof(path), "%s/muster.conf", dir);
    put(path, conf.p, 0600);
    KEY(0, "readable, its passphrase is asked", "list");
    KEY(0, "reminder: no recipient is an escrow", "list");
    KEY(0, "\"role\":\"trusted\"", "list", "--json");
    assert_int_equal(chmod(signer, 0644), 0);
    KEY(1, "others may read it: chmod 600", "list");
    assert_int_equal(chmod(signer, 0600), 0);
    mst_str_release(&conf);
    free(pub);
    free(sig);
}

static void what_is_wrong_is_refused_with_a_sentence(void **state)
{
    char damaged[96], nowhere[96];

    (void)state;
    (void)snprintf(damaged, sizeof(damaged), "%s/damaged.key", dir);
    (void)snprintf(nowhere, sizeof(nowhere), "%s/no/where.key", dir);
    put(damaged, "muster secret key 1 signer\nid 00\n", 0600);
    KEY(4, "wrong passphrase for the key file", "check", reader, "--passphrase-file", other);
    KEY(4, "is asked on a terminal and there is none", "check", reader);
    KEY(4, "use --passphrase-file FILE, or --no-passphrase", "new", "--signer", nowhere);
    KEY(2, "a key is never overwritten", "new", "--signer", signer, "--no-passphrase");
    KEY(6, "cannot make the key file", "new", "--signer", nowhere, "--no-passphrase");
    KEY(2, "say --recipient FILE", "new");
    KEY(2, "exclude each other", "new", "--signer", nowhere, "--no-passphrase", "--passphrase-file",
        phrase);
    KEY(2, "without quotes", "new", "--signer", nowhere, "--no-passphrase", "--label", "a\"b");
    KEY(5, "is damaged", "check", damaged);
    KEY(5, "not a key file of muster", "show", phrase);
    KEY(2, "cannot read the key file", "show", nowhere);
    KEY(2, "is the key of a signer", "escrow", signer);
    KEY(2, "needs a key FILE to print, or --check", "escrow");
    KEY(4, "typed on a terminal, and there is none", "escrow", "--check");
    assert_int_equal(chmod(signer, 0640), 0);
    KEY(2, "can be read by others (mode 0640): chmod 600 it", "check", signer);
    assert_int_equal(chmod(signer, 0600), 0);
    assert_int_equal(chmod(phrase, 0644), 0);
    KEY(2, "can be read by others (mode 0644)", "check", reader, "--passphrase-file", phrase);
    assert_int_equal(chmod(phrase, 0600), 0);
}

static void only_escrow_prints_a_secret(void **state)
{
    struct mst_buf file = {0};
    struct mst_err err = {0};
    struct ran r;
    char *secret;

    (void)state;
    assert_ok(mst_file_read(signer, 8192, &file, &err), &err);
    mst_buf_add(&file, "", 1);
    secret = word_after((char *)file.p, "secret mstsec-");
    assert_int_equal(strlen(secret), 64);
    for (int i = 0; i < 3; i++) {
        static const char *const verbs[] = {"show", "check", "escrow"};

        RUN(&r, env, "key", verbs[i], signer);
        assert_null(strstr(mst_str_c(&r.out), secret));
        assert_null(strstr(mst_str_c(&r.err), secret));
        ran_release(&r);
    }
    RUN(&r, env, "key", "escrow", reader, "--passphrase-file", phrase);
    has(&r, 0, "muster escrow of ops");
    has(&r, 0, "\n    8  ");
    ran_release(&r);
    mst_buf_release(&file);
    free(secret);
}

static void keys_come_as_credentials_of_a_service(void **state)
{
    char conf[128], given[96], given_dir[160];
    const char *with[] = {env_dir, given_dir, "MUSTER_CONFIG=", "MUSTER_URI=", NULL};
    struct mst_buf file = {0};
    struct mst_err err = {0};
    struct ran r;

    (void)state;
    (void)snprintf(given, sizeof(given), "%s/given", dir);
    (void)snprintf(given_dir, sizeof(given_dir), "CREDENTIALS_DIRECTORY=%s", given);
    assert_int_equal(mkdir(given, 0700), 0);
    (void)snprintf(conf, sizeof(conf), "%s/sign", given);
    assert_ok(mst_file_read(signer, 8192, &file, &err), &err);
    assert_ok(mst_file_replace(conf, 0400, file.p, file.len, &err), &err);
    mst_buf_release(&file);
    (void)snprintf(conf, sizeof(conf), "%s/muster.conf", dir);
    put(conf,
        "set = { members = [\"127.0.0.1:9\"]; };\n"
        "seal = { signer_file = \"credential:sign\"; passphrase_file = \"credential:none\"; };\n",
        0600);
    KEY(0, "not known here: a credential of a service", "list");
    RUN(&r, with, "key", "list");
    has(&r, 1, "readable");
    has(&r, 1, "missing");
    ran_release(&r);
    RUN(&r, with, "key", "check", "credential:sign");
    has(&r, 0, "proved: its signature is verified");
    ran_release(&r);
    KEY(2, "only there for a service", "check", "credential:sign");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(keys_are_made_configured_listed_and_proved),
                                       cmocka_unit_test(what_is_wrong_is_refused_with_a_sentence),
                                       cmocka_unit_test(only_escrow_prints_a_secret),
                                       cmocka_unit_test(keys_come_as_credentials_of_a_service)};

    return cmocka_run_group_tests_name("key", tests, setup, teardown);
}
