/* Recorded commands of a real 4.2.8 set are answered the same way by the simulator. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "conform/play.h"
#include "test.h"

/* Raised as more is served; never lowered. */
#define FLOOR_REPLAYED 46
#define FLOOR_COMPARED 800

static struct conf conf;
static const int in_order[PLAY_MEMBERS] = {27117, 27118, 27119};

static struct sbx_world *start(const struct sbx_opts *o)
{
    struct sbx_world *w = NULL;
    struct mst_err err = {0};

    assert_ok(sbx_world_start(o, &w, &err), &err);
    return w;
}

static void one_set_from_its_boot_on(void **state)
{
    static const char *const files[] = {"02-steady", "03-data", "05-oplog-cursor", "06-applyOps"};
    struct sbx_world *w = start(&(struct sbx_opts){.uninitiated = true});
    struct play p;

    (void)state;
    conf_forget(&conf);
    play_load(&p, &conf, "01-boot");
    play_on(&p, w, in_order);
    play_lines(&p, 1, p.n);
    assert_true(sbx_world_wait_primary(w, -1, 30000) == 0);
    play_release(&p);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        play_load(&p, &conf, files[i]);
        play_on(&p, w, in_order);
        play_lines(&p, 1, p.n);
        play_release(&p);
    }
    sbx_world_stop(w);
}

static void what_was_counted_is_enough(void **state)
{
    (void)state;
    print_message("replayed %u, failed %u; values compared %u, excepted %u\n", conf.replayed,
                  conf.failed, conf.compared, conf.excepted);
    (void)fputs(mst_str_c(&conf.diffs), stdout);
    (void)fflush(stdout);
    assert_true(conf.replayed >= FLOOR_REPLAYED);
    assert_true(conf.compared >= FLOOR_COMPARED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_set_from_its_boot_on),
                                       cmocka_unit_test(what_was_counted_is_enough)};
    int failed;

    conf_init(&conf, TEST_DATA "/conformance-exceptions.txt");
    failed = cmocka_run_group_tests_name("conformance", tests, NULL, NULL);
    conf_release(&conf);
    return failed;
}
