/* cli_kit.h: the program as a person calls it, with a home of its own and a simulated set; each
 * test writes its configuration. */
#ifndef MST_TEST_CLI_KIT_H
#define MST_TEST_CLI_KIT_H

#include "sandbox_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "runprog.h"

static struct kit kit;
static char dir[64], env_dir[96], fault[96];
static const char *env[] = {env_dir, fault, "MUSTER_CONFIG=", "MUSTER_URI=", "NO_COLOR=1", NULL};

/* Faults of the program from now on, "" none. */
static inline void with_fault(const char *text)
{
    (void)snprintf(fault, sizeof(fault), "MUSTER_FAULT=%s", text);
}

/* dead: nobody answers where the members should be. more: what stands in the set's section besides;
 * rest: the sections behind it. */
static inline void cli_config(bool dead, const char *more, const char *rest)
{
    struct mst_str s = {0};
    struct mst_err err = {0};
    char conf[128];

    mst_str_addf(&s,
                 "set = { name = \"rs0\"; class = \"SANDBOX\"; %s\n"
                 "  acts = [\"restore\", \"discard\", \"clean\"];\n  members = [",
                 more);
    for (size_t i = 0; i < 3; i++) {
        mst_str_addf(&s, "%s\"127.0.0.1:%d\"", i ? ", " : "",
                     dead ? (int)i + 1 : sbx_world_port(kit.w, i));
    }
    mst_str_addf(&s, "]; };\n%s", rest);
    (void)snprintf(conf, sizeof(conf), "%s/muster.conf", dir);
    assert_ok(mst_file_replace(conf, 0600, mst_str_c(&s), s.len, &err), &err);
    mst_str_release(&s);
}

static inline void cli_up(void)
{
    kit_start(&kit, (struct sbx_opts){.fast = true, .seed = 1});
    temp_dir(dir, sizeof(dir));
    (void)snprintf(env_dir, sizeof(env_dir), "MUSTER_DIR=%s", dir);
    with_fault("");
}

static inline int cli_down(void **state)
{
    struct ran r;

    (void)state;
    with_fault("");
    RUN(&r, env, "agent", "stop", "--force");
    ran_release(&r);
    kit_stop(&kit);
    temp_remove(dir);
    return 0;
}

static inline void has(const struct mst_str *text, const char *part)
{
    if (!strstr(mst_str_c(text), part)) {
        fail_msg("\"%s\" is not in: %s", part, mst_str_c(text));
    }
}

static inline void has_not(const struct mst_str *text, const char *part)
{
    if (strstr(mst_str_c(text), part)) {
        fail_msg("\"%s\" is in: %s", part, mst_str_c(text));
    }
}

/* status below 0: any. */
static inline void run(struct ran *r, int status, const char *const *argv)
{
    run_muster(r, argv, env, 60000);
    if (status >= 0 && r->status != status) {
        fail_msg("%s %s: status %d, wanted %d: %s%s", argv[0], argv[1] ? argv[1] : "", r->status,
                 status, mst_str_c(&r->out), mst_str_c(&r->err));
    }
}
#define DO(r, status, ...) run((r), (status), (const char *const[]){__VA_ARGS__, NULL})
#define JUST(status, ...) \
    do { \
        struct ran just; \
        DO(&just, (status), __VA_ARGS__); \
        ran_release(&just); \
    } while (0)

static inline void on_primary(const char *json)
{
    bson_t reply;

    assert_int_equal(kit_run(&kit, sbx_world_primary(kit.w), "shop", &reply, json), 0);
    bson_destroy(&reply);
}

/* Two documents, on every member. */
static inline void fill(void)
{
    on_primary("{'insert': 'c', 'documents': [{'_id': 1, 'a': 'x'}, {'_id': 2, 'a': 'y'}], "
               "'writeConcern': {'w': 3}}");
}

/* The id of the newest backup that a listing in JSON has. */
static inline void first_id(const struct mst_str *listing, char *id, size_t size)
{
    const char *at = strstr(mst_str_c(listing), "\"id\":\"");

    if (!at) {
        fail_msg("no backup in: %s", mst_str_c(listing));
        return;
    }
    (void)snprintf(id, size, "%.*s", (int)strcspn(at + 6, "\""), at + 6);
}

#endif
