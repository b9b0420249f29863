/* A sealed backup of a simulated set, and who may read it, changed on the command line. */
#include "sandbox_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "runprog.h"

static struct kit kit;
static char dir[64], env_dir[96], ops_conf[96], eva_conf[96], eva[96];
static const char *env[] = {env_dir, "MUSTER_CONFIG=", "MUSTER_URI=", "NO_COLOR=1", NULL};

static void has(struct ran *r, int status, const char *part)
{
    if (r->status != status ||
        (!strstr(mst_str_c(&r->out), part) && !strstr(mst_str_c(&r->err), part))) {
        fail_msg("status %d, wanted %d and \"%s\": %s%s", r->status, status, part,
                 mst_str_c(&r->out), mst_str_c(&r->err));
    }
}

#define DO(conf, status, part, ...) \
    do { \
        struct ran r_; \
        RUN(&r_, env, "--config", (conf), "--no-agent", __VA_ARGS__); \
        has(&r_, (status), (part)); \
        ran_release(&r_); \
    } while (0)

/* A key file in the folder, its public word into out (80 bytes). */
static void make_key(const char *name, char *out)
{
    struct ran r;
    char path[96];
    const char *word;

    (void)snprintf(path, sizeof(path), "%s/%s.key", dir, name);
    RUN(&r, env, "key", "new", "--recipient", path, "--no-passphrase", "--label", name);
    has(&r, 0, "mstpub-");
    word = strstr(r.out.p, "mstpub-");
    (void)snprintf(out, 80, "%.79s", word);
    ran_release(&r);
}

static void configure(const char *path, const char *recipient, const char *identity)
{
    struct mst_str s = {0};
    struct mst_err err = {0};

    mst_str_add(&s, "set = { name = \"rs0\"; class = \"SANDBOX\"; members = [");
    for (size_t i = 0; i < 3; i++) {
        mst_str_addf(&s, "%s\"127.0.0.1:%d\"", i ? ", " : "", sbx_world_port(kit.w, i));
    }
    mst_str_addf(&s,
                 "]; };\nstores = ({ name = \"local\"; type = \"local\"; path = \"%s/store\"; });\n"
                 "seal = { recipients = [\"%s ops\"]; identity_file = \"%s.key\"; };\n",
                 dir, recipient, identity);
    assert_ok(mst_file_replace(path, 0600, mst_str_c(&s), s.len, &err), &err);
    mst_str_release(&s);
}

static int setup(void **state)
{
    char path[96], ops[96];

    (void)state;
    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    kit_start(&kit, (struct sbx_opts){.fast = true, .seed = 1});
    temp_dir(dir, sizeof(dir));
    (void)snprintf(env_dir, sizeof(env_dir), "MUSTER_DIR=%s", dir);
    (void)snprintf(path, sizeof(path), "%s/store", dir);
    (void)snprintf(ops_conf, sizeof(ops_conf), "%s/ops.conf", dir);
    (void)snprintf(eva_conf, sizeof(eva_conf), "%s/eva.conf", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    make_key("ops", ops);
    make_key("eva", eva);
    configure(ops_conf, ops, "ops");
    configure(eva_conf, eva, "eva");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kit_stop(&kit);
    temp_remove(dir);
    return 0;
}

static void who_may_read_is_changed_and_no_data_is(void **state)
{
    (void)state;
    DO(ops_conf, 0, "reminder: no recipient is an escrow", "status");
    DO(ops_conf, 2, "no backup in the store local is sealed", "key", "rotate");
    DO(ops_conf, 0, "done", "backup", "--from-primary");
    DO(eva_conf, 0, "hashed, but not opened", "verify");
    DO(ops_conf, 2, "has a slip in it", "key", "add",
       "mstpub-8bf7bca0518be227dc23232b4501f54cb67a498f5c36452ed12c5a2476c50006d380dbf0");
    DO(eva_conf, 4, "there is no key here that opens it", "key", "add", eva, "eva");
    DO(ops_conf, 0, "let eva (", "key", "add", eva, "eva", "--dry-run");
    DO(ops_conf, 0, "1 backup has a new key object", "key", "add", eva, "eva");
    DO(ops_conf, 2, "can read all of these backups in the store local already", "key", "add", eva,
       "eva");
    DO(eva_conf, 0, "read back whole", "verify");
    DO(ops_conf, 10, "remove eva", "key", "remove", "eva", "--confirm", "remove");
    DO(eva_conf, 0, "read back whole", "verify");
    DO(ops_conf, 0, "1 backup has a new key object", "key", "remove", "eva", "--confirm",
       "remove eva");
    DO(eva_conf, 0, "hashed, but not opened", "verify");
    DO(ops_conf, 0, "read back whole", "verify");
    DO(ops_conf, 2, "nobody who can read these backups in the store local is called eva", "key",
       "remove", "eva");
    DO(ops_conf, 10, "is the only one who can read", "key", "remove", "ops");
    DO(ops_conf, 10, "--read-only", "key", "rotate", "--read-only");
}

static void a_rotation_takes_the_readers_of_the_configuration(void **state)
{
    char conf[96];

    (void)state;
    (void)snprintf(conf, sizeof(conf), "%s/new.conf", dir);
    configure(conf, eva, "ops"); /* opens with the old one, seals to the new one */
    DO(conf, 2, "there is no backup 2020", "key", "rotate", "--backup", "2020");
    DO(conf, 0, "1 backup has a new key object", "key", "rotate", "--confirm", "rotate keys");
    DO(eva_conf, 0, "read back whole", "verify");
    DO(ops_conf, 0, "hashed, but not opened", "verify");
    DO(conf, 0, "0 backups have a new key object in the store local, the others list only those",
       "key", "rotate", "--confirm", "rotate keys"); /* it is done */
    DO(ops_conf, 4, "there is no key here that opens it", "key", "rotate", "--confirm",
       "rotate keys"); /* and is not what this one asks for */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_may_read_is_changed_and_no_data_is),
        cmocka_unit_test(a_rotation_takes_the_readers_of_the_configuration)};

    return cmocka_run_group_tests_name("rekey", tests, setup, teardown);
}
