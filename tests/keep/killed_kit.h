/* killed_kit.h: the program with its agent, a simulated set, three collections that are "old" or
 * "new", and an agent that dies at a named point. */
#ifndef MST_TEST_KILLED_KIT_H
#define MST_TEST_KILLED_KIT_H

#include "sandbox_kit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "runprog.h"

#define COLLS 3
#define DOCS 40

static struct kit kit;
static struct kit *target = &kit; /* where a restore goes */
static const char *to_uri;        /* NULL: the configured set */
static const char *include = "shop.*";
static char dir[64], env_dir[96], fault[64];
static const char *env[] = {env_dir, fault, "MUSTER_CONFIG=", "MUSTER_URI=", "NO_COLOR=1", NULL};

static inline void write_config(const char *where)
{
    struct mst_str s = {0};
    struct mst_err err = {0};
    char path[128];

    mst_str_add(&s, "set = { name = \"rs0\"; class = \"SANDBOX\"; acts = [\"restore\", \"import\", "
                    "\"discard\", \"clean\"];\n  members = [");
    for (size_t i = 0; i < 3; i++) {
        mst_str_addf(&s, "%s\"127.0.0.1:%d\"", i ? ", " : "", sbx_world_port(kit.w, i));
    }
    mst_str_addf(
        &s, "]; };\nstores = ({ name = \"local\"; type = \"local\"; path = \"%s/store\"; });\n",
        dir);
    (void)snprintf(path, sizeof(path), "%s/muster.conf", where);
    assert_ok(mst_file_replace(path, 0600, mst_str_c(&s), s.len, &err), &err);
    mst_str_release(&s);
}

static inline void no_fault(void)
{
    (void)snprintf(fault, sizeof(fault), "MUSTER_FAULT=");
}

static inline int setup(void **state)
{
    char store[96];

    (void)state;
    kit_start(&kit, (struct sbx_opts){.fast = true, .seed = 1});
    temp_dir(dir, sizeof(dir));
    (void)snprintf(env_dir, sizeof(env_dir), "MUSTER_DIR=%s", dir);
    (void)snprintf(store, sizeof(store), "%s/store", dir);
    assert_int_equal(mkdir(store, 0700), 0);
    write_config(dir);
    no_fault();
    return 0;
}

static inline int teardown(void **state)
{
    struct ran r;

    (void)state;
    no_fault();
    RUN(&r, env, "agent", "stop", "--force");
    ran_release(&r);
    kit_stop(&kit);
    temp_remove(dir);
    return 0;
}

#define HAS(text, part) \
    do { \
        if (!strstr((text), (part))) { \
            fail_msg("\"%s\" is not in: %s", (part), (text)); \
        } \
    } while (0)

static inline void expect(struct ran *r, int status)
{
    if (r->status != status) {
        fail_msg("status %d, wanted %d: %s%s", r->status, status, mst_str_c(&r->out),
                 mst_str_c(&r->err));
    }
}

static inline void on_primary(const char *json)
{
    bson_t reply;

    assert_int_equal(kit_run(target, sbx_world_primary(target->w), "shop", &reply, json), 0);
    bson_destroy(&reply);
}

static inline void fill(const char *mark)
{
    for (int c = 0; c < COLLS; c++) {
        char json[256];

        (void)snprintf(json, sizeof(json), "{'delete': 'c%d', 'deletes': [{'q': {}, 'limit': 0}]}",
                       c);
        on_primary(json);
        (void)snprintf(json, sizeof(json),
                       "{'createIndexes': 'c%d', 'indexes': [{'key': {'mark': 1}, 'name': 'm'}]}",
                       c);
        on_primary(json);
        for (int i = 0; i < DOCS; i++) {
            (void)snprintf(json, sizeof(json),
                           "{'insert': 'c%d', 'documents': [{'_id': %d, 'mark': '%s'}], "
                           "'writeConcern': {'w': %d}}",
                           c, i, mark, i == DOCS - 1 ? 3 : 1);
            on_primary(json);
        }
    }
}

static inline int count(int c, const char *mark)
{
    char json[160];
    bson_t reply;
    int n;

    (void)snprintf(json, sizeof(json), "{'count': 'c%d', 'query': {'mark': '%s'}}", c, mark);
    assert_int_equal(kit_run(target, sbx_world_primary(target->w), "shop", &reply, json), 0);
    n = (int)kit_int(&reply, "n");
    bson_destroy(&reply);
    return n;
}

static inline void all_are(const char *mark, const char * not )
{
    for (int c = 0; c < COLLS; c++) {
        assert_int_equal(count(c, mark), DOCS);
        assert_int_equal(count(c, not ), 0);
    }
}

/* Collections in shop, also muster's own. */
static inline size_t collections(void)
{
    bson_t reply;
    bson_iter_t it, batch;
    size_t n = 0;

    assert_int_equal(kit_run(target, sbx_world_primary(target->w), "shop", &reply,
                             "{'listCollections': 1, 'nameOnly': true, 'cursor': {}}"),
                     0);
    assert_true(bson_iter_init(&it, &reply) &&
                bson_iter_find_descendant(&it, "cursor.firstBatch", &batch) &&
                bson_iter_recurse(&batch, &it));
    while (bson_iter_next(&it)) {
        n++;
    }
    bson_destroy(&reply);
    return n;
}

/* confirm NULL: what must be typed is asked for. */
static inline void run_restore(struct ran *r, const char *confirm)
{
    const char *argv[12] = {"restore", "--include", include};
    size_t n = 3;

    if (to_uri) {
        argv[n++] = "--to";
        argv[n++] = to_uri;
    }
    if (confirm) {
        argv[n++] = "--confirm";
        argv[n++] = confirm;
    }
    run_muster(r, argv, env, 60000);
}

static inline void phrase_of(char *out, size_t size)
{
    struct ran r;
    const char *at;

    run_restore(&r, NULL);
    expect(&r, 10);
    at = strstr(mst_str_c(&r.err), "--confirm '");
    assert_non_null(at);
    (void)snprintf(out, size, "%.*s", (int)strcspn(at + 11, "'"), at + 11);
    ran_release(&r);
}

static inline void stop_agent(void)
{
    struct ran r;

    RUN(&r, env, "agent", "stop", "--force");
    expect(&r, 0);
    ran_release(&r);
}

static inline void backup(void)
{
    struct ran r;

    RUN(&r, env, "backup");
    expect(&r, 0);
    ran_release(&r);
}

/* A restore of the newest backup whose agent dies at the point. */
static inline void die_at(const char *point)
{
    struct ran r;
    char phrase[160];

    phrase_of(phrase, sizeof(phrase));
    stop_agent();
    (void)snprintf(fault, sizeof(fault), "MUSTER_FAULT=kill=%s", point);
    run_restore(&r, phrase);
    if (r.status == 0) {
        fail_msg("the agent did not die at %s: %s", point, mst_str_c(&r.out));
    }
    ran_release(&r);
    no_fault();
}

/* Backup of "new", then "old" is live, then the restore that dies. */
static inline void die_in_restore(const char *point)
{
    fill("new");
    backup();
    fill("old");
    die_at(point);
}

static inline void start_agent(void)
{
    struct ran r;

    RUN(&r, env, "agent");
    expect(&r, 0);
    ran_release(&r);
}

/* The word after `before` in the text of a status. */
static inline void word_after(const char *text, const char *before, char *out, size_t size)
{
    const char *at = strstr(text, before);

    if (!at) {
        fail_msg("\"%s\" is not in: %s", before, text);
        return;
    }
    (void)snprintf(out, size, "%.*s", (int)strcspn(at + strlen(before), " '.:\n"),
                   at + strlen(before));
}

static inline void status_until(struct ran *r, const char *part)
{
    const int64_t end = mst_clock_mono_ms(NULL) + 30000;

    for (;;) {
        RUN(r, env, "status", "--plain");
        if (strstr(mst_str_c(&r->out), part)) {
            return;
        }
        if (mst_clock_mono_ms(NULL) > end) {
            fail_msg("\"%s\" is never in: %s", part, mst_str_c(&r->out));
        }
        ran_release(r);
        mst_clock_sleep_ms(100);
    }
}

#endif
