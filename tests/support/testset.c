#include "testset.h"

#include "test.h"

#include <dirent.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "ctl/ctl.h"
#include "real/real.h"
#include "run/run.h"
#include "wire/client.h"

static void skip_unless_real_can(const struct testset_opts *o)
{
    static const struct {
        unsigned bit;
        const char *what;
    } rows[] = {{TESTSET_PARTITION, "partition"},
                {TESTSET_LAG, "a settable lag"},
                {TESTSET_70, "the 7.0 profile of the simulator"},
                {TESTSET_REFUSALS, "refusals on request"},
                {TESTSET_INSIDE, "a look into the simulator"}};

    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        if (o->needs & rows[i].bit) {
            (void)printf("SKIP design %s: needs %s, which a real server does not give\n", o->name,
                         rows[i].what);
            (void)fflush(stdout);
            _exit(77);
        }
    }
}

void testset_start(struct testset *s, const struct testset_opts *o)
{
    const char *mongod = getenv("MUSTER_MONGOD");
    struct mst_err err = {0};
    const size_t members = o->members ? o->members : 3;

    memset(s, 0, sizeof(*s));
    s->n = members + (o->arbiter ? 1 : 0);
    if (mongod && *mongod) {
        struct sbx_real_opts ro = {
            .mongod = mongod, .dir = s->dir, .set = "rs0", .n = s->n, .arbiter = o->arbiter};

        skip_unless_real_can(o);
        (void)mst_copy(s->dir, sizeof(s->dir), "/tmp/muster-set-XXXXXX");
        assert_non_null(mkdtemp(s->dir));
        assert_ok(sbx_real_start(&ro, &s->real, &err), &err);
    } else {
        struct sbx_opts so = {.server = o->needs & TESTSET_70 ? "7.0" : "4.2",
                              .members = (int)members,
                              .arbiter = o->arbiter,
                              .fast = true,
                              .seed = o->seed};

        assert_ok(sbx_world_start(&so, &s->world, &err), &err);
    }
}

static void remove_tree(const char *path)
{
    DIR *d = opendir(path);

    if (d) {
        for (struct dirent *e = readdir(d); e; e = readdir(d)) {
            if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
                char *child = mst_xasprintf("%s/%s", path, e->d_name);

                if (unlink(child) != 0) {
                    remove_tree(child);
                }
                free(child);
            }
        }
        (void)closedir(d);
    }
    (void)rmdir(path);
}

void testset_stop(struct testset *s)
{
    sbx_world_stop(s->world);
    sbx_real_free(s->real);
    if (s->dir[0]) {
        remove_tree(s->dir);
    }
    memset(s, 0, sizeof(*s));
}

void testset_uri(struct testset *s, char *buf, size_t n)
{
    if (s->world) {
        char *uri = sbx_world_uri(s->world);

        (void)mst_copy(buf, n, uri);
        free(uri);
    } else {
        struct mst_str uri = {0};

        sbx_real_uri(s->real, &uri);
        (void)mst_copy(buf, n, mst_str_c(&uri));
        mst_str_release(&uri);
    }
}

int testset_port(const struct testset *s, size_t i)
{
    return s->world ? sbx_world_port(s->world, i) : sbx_real_port(s->real, i);
}

static bool is_primary(int port)
{
    struct sbx_client c = {.fd = -1};
    struct mst_err err = {0};
    bson_t *cmd = BCON_NEW("isMaster", BCON_INT32(1)), reply;
    bool yes = false;

    if (sbx_client_connect(&c, "127.0.0.1", port, 500, &err) == MST_OK) {
        yes = sbx_client_command(&c, "admin", cmd, &reply, &err) == MST_OK &&
              sbx_doc_true(&reply, "ismaster");
        bson_destroy(&reply);
        sbx_client_close(&c);
    }
    bson_destroy(cmd);
    return yes;
}

int testset_primary(struct testset *s, int not_member, int64_t ms)
{
    const int64_t end = mst_clock_mono_ms(NULL) + ms;

    if (s->world) {
        return sbx_world_wait_primary(s->world, not_member, ms);
    }
    do {
        for (size_t i = 0; i < s->n; i++) {
            if ((int)i != not_member && is_primary(sbx_real_port(s->real, i))) {
                return (int)i;
            }
        }
        mst_clock_sleep_ms(50);
    } while (mst_clock_mono_ms(NULL) < end);
    return -1;
}

void testset_verb(struct testset *s, const char *verb, size_t member, const char *b)
{
    struct mst_err err = {0};
    char name[16];

    (void)snprintf(name, sizeof(name), "%zu", member);
    if (s->world) {
        const char *words[] = {verb, name, b};
        struct mst_str out = {0};

        assert_ok(sbx_ctl_verb(s->world, words, b ? 3 : 2, &out, &err), &err);
        mst_str_release(&out);
    } else {
        assert_ok(sbx_real_verb(s->real, verb, name, &err), &err);
    }
}
