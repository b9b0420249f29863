/* The bucket screen: what it asks of its store, and what is not known. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fixture.h"
#include "test.h"
#include "ui/fmt.h"
#include "ui/keys.h"

struct world {
    struct fx *f;
    struct ui_app *app;
};

static struct world with(struct fx *f)
{
    struct world w = {f, mst_xcalloc(1, sizeof(struct ui_app))};

    fx_app(f, w.app);
    return w;
}

static void done(struct world *w)
{
    ui_app_release(w->app);
    free(w->app);
    fx_free(w->f);
}

static bool shows(struct world *w, const char *text)
{
    char *s = fx_text(w->app, 24, 80, false);
    const bool found = strstr(s, text) != NULL;

    free(s);
    return found;
}

static void the_bucket_screen_asks_its_store_what_it_keeps(void **state)
{
    struct world w = with(fx_s3());

    (void)state;
    fx_key(w.app, '4');
    assert_int_equal(w.f->submits, 0); /* asked nine seconds ago */
    fx_key(w.app, '1');
    w.f->v.looks[0] = NULL;
    fx_key(w.app, '4');
    assert_int_equal(w.f->submits, 1);
    assert_int_equal(w.f->last.kind, MST_CMD_STORE_LOOK);
    assert_string_equal(w.f->last.store, "offsite");
    assert_true(shows(&w, "keeps      not asked"));
    w.f->v.looks[0] = &w.f->looks[0];
    w.f->looks[0].read_at_ms = 0;
    w.f->looks[0].loading = true;
    fx_keys(w.app, "14");
    assert_int_equal(w.f->submits, 1); /* it is being asked */
    assert_true(shows(&w, "keeps      asking"));
    w.f->looks[0].loading = false;
    w.f->looks[0].read_at_ms = FX_MONO;
    fx_later(w.app, UI_LOOK_MS);
    fx_keys(w.app, "14");
    assert_int_equal(w.f->submits, 2); /* that is a minute old */
    fx_key(w.app, 'r');
    assert_int_equal(w.f->last.kind, MST_CMD_STORE_LOOK);
    done(&w);
}

static void what_left_this_host_unsealed_stands_on_the_overview(void **state)
{
    struct world w = with(fx_s3());

    (void)state;
    assert_false(shows(&w, "UNSEALED"));
    for (size_t i = 0; i < w.f->bucket.n; i++) {
        w.f->backups[i].sealed = false;
    }
    assert_true(shows(&w, "sealed     UNSEALED"));
    done(&w);
}

static void an_empty_store_offers_no_act_on_a_backup(void **state)
{
    static const char *const keys[] = {"C", "H", "V", "R"};
    struct world w = with(fx_copies());

    (void)state;
    for (size_t i = 0; i < w.f->v.n_stores; i++) {
        ((struct mst_bucket_part *)(uintptr_t)w.f->v.stores[i])->n = 0;
    }
    fx_key(w.app, '4');
    for (size_t i = 0; i < MST_COUNT(keys); i++) {
        fx_keys(w.app, keys[i]);
        assert_true(shows(&w, "off, there is no backup"));
        fx_key(w.app, 'a');
    }
    done(&w);
}

static void a_forged_backup_is_not_called_damaged(void **state)
{
    struct world w = with(fx_s3());

    (void)state;
    w.f->backups[1].state = MST_BK_FORGED;
    assert_true(shows(&w, "FORGED     1: not ours"));
    done(&w);
}

static void the_detail_says_who_can_open_it(void **state)
{
    struct world w = with(fx_s3());
    char *s;

    (void)state;
    (void)mst_copy(w.f->detail.opens, sizeof w.f->detail.opens, "ops, safe");
    fx_key(w.app, '4');
    s = fx_text(w.app, 40, 120, false);
    assert_non_null(strstr(s, "opened by  ops, safe"));
    free(s);
    done(&w);
}

/* Which of the objects a failed verification names is said; of the others nothing is. */
static void an_object_says_when_it_was_verified(void **state)
{
    struct world w = with(fx_s3());
    struct mst_backup *b = &w.f->backups[0];

    (void)state;
    fx_keys(w.app, "4v");
    assert_true(shows(&w, "1/d/0001-1               64.0 MiB    10h"));
    b->verified_ok = false;
    (void)mst_copy(b->verified_text, sizeof b->verified_text, "d/0001-1: wrong SHA-256");
    assert_true(shows(&w, "1/d/0001-1               64.0 MiB    BAD"));
    assert_true(shows(&w, "1/d/0001-2               64.0 MiB      ?"));
    b->verified_ok = true;
    w.f->objects[1].modified_wall_ms = b->verified_wall_ms + 1; /* written behind it */
    assert_true(shows(&w, "1/d/0001-2               64.0 MiB      -"));
    b->sealed = false;
    b->verified_level = 1; /* its manifest was read, the objects were not */
    assert_true(shows(&w, "1/d/0001-1               64.0 MiB      -"));
    done(&w);
}

static void a_lock_that_is_not_known_is_not_no_lock(void **state)
{
    struct world w = with(fx_s3());

    (void)state;
    fx_key(w.app, '4');
    assert_true(shows(&w, "mixed, locked to 2026-12-22"));
    w.f->detail.lock_known = false;
    assert_true(shows(&w, "mixed, locks not known"));
    w.f->detail.lock_known = true;
    w.f->detail.locked_until_ms = fx_wall() - 1; /* it ran out */
    assert_true(shows(&w, "mixed, not locked"));
    (void)mst_copy(w.f->detail.hold, sizeof(w.f->detail.hold), "temporary hold");
    assert_true(shows(&w, "mixed, temporary hold"));
    w.f->v.detail = NULL;
    assert_true(shows(&w, "class      not asked"));
    done(&w);
}

static const char *const more_names[] = {"moto", "berlin", "frankfurt", "dead"};
static struct mst_bucket_part more[MST_COUNT(more_names)];

/* Six stores, the last of which cannot be read. */
static struct world with_six(void)
{
    struct world w = with(fx_copies());

    for (size_t i = 0; i < MST_COUNT(more); i++) {
        more[i] = w.f->vault;
        (void)mst_copy(more[i].store, sizeof more[i].store, more_names[i]);
        w.f->v.stores[2 + i] = &more[i];
    }
    w.f->v.n_stores = 2 + MST_COUNT(more);
    (void)mst_copy(more[3].problem, sizeof more[3].problem, "cannot connect to 10.0.0.1");
    more[3].n = 0;
    more[3].per_day_bytes = more[3].days_left = -1;
    more[3].as_of_wall_ms = 0;
    fx_key(w.app, '4');
    return w;
}

/* Where there is no room for all of them. */
static void the_store_that_is_shown_and_a_dead_one_are_seen(void **state)
{
    struct world w = with_six();

    (void)state;
    assert_true(shows(&w, "<local>"));
    assert_true(shows(&w, "+3!")); /* the dead one among them */
    fx_keys(w.app, ">>>");
    assert_true(shows(&w, "<berlin>"));
    fx_keys(w.app, ">>");
    assert_true(shows(&w, "<dead!>"));
    assert_false(shows(&w, "<local>"));
    assert_true(shows(&w, "\342\224\202+4 ")); /* before it, and all of them well */
    assert_true(shows(&w, "grows      not known"));
    done(&w);
}

static void copies_that_do_not_fit_are_counted(void **state)
{
    struct world w = with_six();

    (void)state;
    assert_true(shows(&w, "copies     5 of 6, unknown in dead"));
    fx_key(w.app, 'j'); /* DAMAGED in all but local */
    more[0].n = 0;
    assert_true(shows(&w, "copies     1 of 6, DAMAGED vault, no"));
    done(&w);
}

static void enter_reads_the_manifest_where_it_says_so(void **state)
{
    struct world w = with(fx_copies());

    (void)state;
    fx_keys(w.app, "4\t\t");
    assert_true(shows(&w, "Enter reads the manifest"));
    fx_key(w.app, UI_KEY_ENTER);
    assert_int_equal(w.f->last.kind, MST_CMD_DETAIL);
    assert_false(shows(&w, "(zoomed)"));
    done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_left_this_host_unsealed_stands_on_the_overview),
        cmocka_unit_test(the_detail_says_who_can_open_it),
        cmocka_unit_test(a_forged_backup_is_not_called_damaged),
        cmocka_unit_test(an_empty_store_offers_no_act_on_a_backup),
        cmocka_unit_test(the_bucket_screen_asks_its_store_what_it_keeps),
        cmocka_unit_test(an_object_says_when_it_was_verified),
        cmocka_unit_test(a_lock_that_is_not_known_is_not_no_lock),
        cmocka_unit_test(the_store_that_is_shown_and_a_dead_one_are_seen),
        cmocka_unit_test(copies_that_do_not_fit_are_counted),
        cmocka_unit_test(enter_reads_the_manifest_where_it_says_so)};

    return cmocka_run_group_tests_name("bucket", tests, NULL, NULL);
}
