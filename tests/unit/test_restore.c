#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "restore/plan.h"
#include "restore/swap.h"

/* ---- a source and a target made by hand ---- */

static bson_t *from_json(const char *json)
{
    char *text = mst_xstrdup(json);
    bson_error_t e;
    bson_t *b;

    for (char *p = text; *p; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    b = bson_new_from_json((const uint8_t *)text, -1, &e);
    if (!b) {
        fail_msg("%s: %s", e.message, json);
    }
    free(text);
    return b;
}

static void put_uuid(uint8_t uuid[16], unsigned n)
{
    memset(uuid, 0, 16);
    uuid[15] = (uint8_t)n;
}

static void add_coll(struct mst_restore_source *s, const char *coll, unsigned uuid,
                     const char *options, const char *indexes)
{
    struct mst_src_coll *c = mst_src_add(s);

    (void)mst_copy(c->db, sizeof c->db, "shop");
    (void)mst_copy(c->coll, sizeof c->coll, coll);
    c->has_uuid = true;
    put_uuid(c->uuid, uuid);
    bson_destroy(c->options);
    c->options = from_json(options);
    if (indexes) {
        bson_destroy(c->indexes);
        c->indexes = from_json(indexes);
    }
    c->documents = 10;
    c->bytes = 1000;
}

static struct mst_restore_source *source(void)
{
    struct mst_restore_source *s = mst_xcalloc(1, sizeof *s);

    (void)mst_copy(s->label, sizeof s->label, "backup x");
    (void)mst_copy(s->set, sizeof s->set, "rs0");
    (void)mst_copy(s->fcv, sizeof s->fcv, "4.2");
    add_coll(s, "orders", 1, "{}",
             "{'0':{'v':2,'key':{'_id':1},'name':'_id_'},'1':{'v':2,'key':{'a':1},'name':'a_1'}}");
    add_coll(s, "events", 2, "{'capped':true,'size':4096}", NULL);
    return s;
}

/* Apply one entry given as JSON members after op and ns. */
static enum mst_map_effect apply(struct mst_map *m, const char *op, const char *ns, unsigned uuid,
                                 const char *rest, struct mst_map_coll **who)
{
    char *json =
        mst_xasprintf("{'ts':{'$timestamp':{'t':1,'i':1}},'op':'%s','ns':'%s',%s}", op, ns, rest);
    bson_t *b = from_json(json);
    struct mst_oplog_entry e;
    struct mst_err err = {0};
    enum mst_map_effect effect;

    assert_ok(mst_oplog_parse(b, &e, &err), &err);
    if (uuid) {
        e.has_ui = true;
        put_uuid(e.ui, uuid);
    }
    assert_ok(mst_map_apply(m, &e, &effect, who, &err), &err);
    bson_destroy(b);
    free(json);
    return effect;
}

static void a_collection_keeps_its_number_through_renames(void **state)
{
    struct mst_restore_source *s = source();
    struct mst_map m;
    struct mst_map_coll *who = NULL;

    (void)state;
    mst_map_init(&m, s);
    assert_int_equal(apply(&m, "c", "shop.$cmd", 1,
                           "'o':{'renameCollection':'shop.orders','to':'shop.old'}", &who),
                     MST_MAP_NOTHING);
    assert_string_equal(m.c[0].coll, "old");
    assert_string_equal(m.c[0].begun, "orders");
    assert_int_equal(apply(&m, "c", "shop.$cmd", 9, "'o':{'create':'orders'}", &who),
                     MST_MAP_CREATED);
    assert_ptr_equal(who, &m.c[2]);
    /* The listing had it already: nothing is made twice. */
    assert_int_equal(apply(&m, "c", "shop.$cmd", 9, "'o':{'create':'orders'}", &who),
                     MST_MAP_NOTHING);
    assert_int_equal(m.n, 3);
    /* $out: a new collection takes the place of another. */
    assert_int_equal(
        apply(&m, "c", "shop.$cmd", 9,
              "'o':{'renameCollection':'shop.orders','to':'shop.old','dropTarget':{'$binary':{"
              "'base64':'AAAAAAAAAAAAAAAAAAAAAQ==','subType':'04'}}}",
              &who),
        MST_MAP_DROPPED);
    assert_ptr_equal(who, &m.c[0]);
    assert_true(m.c[0].dropped);
    assert_string_equal(m.c[2].coll, "old");
    mst_map_release(&m);
    mst_restore_source_free(s);
}

static void indexes_and_options_follow_their_ddl(void **state)
{
    struct mst_restore_source *s = source();
    struct mst_map m;
    struct mst_map_coll *who = NULL;

    (void)state;
    mst_map_init(&m, s);
    assert_int_equal(m.c[0].n_indexes, 1); /* _id_ is no concern */
    apply(&m, "c", "shop.$cmd", 1,
          "'o':{'createIndexes':'orders','v':2,'key':{'b':1},'name':'b_1','expireAfterSeconds':5}",
          &who);
    apply(&m, "c", "shop.$cmd", 1,
          "'o':{'commitIndexBuild':'orders','indexes':[{'v':2,'key':{'c':1},'name':'c_1'}]}", &who);
    assert_int_equal(m.c[0].n_indexes, 3);
    assert_false(bson_has_field(m.c[0].indexes[1], "createIndexes"));
    apply(&m, "c", "shop.$cmd", 1,
          "'o':{'collMod':'orders','index':{'name':'b_1','expireAfterSeconds':99}}", &who);
    assert_int_equal(mst_bson_i64(m.c[0].indexes[1], "expireAfterSeconds", 0), 99);
    apply(&m, "c", "shop.$cmd", 1, "'o':{'dropIndexes':'orders','index':'a_1'}", &who);
    assert_int_equal(m.c[0].n_indexes, 2);
    apply(&m, "c", "shop.$cmd", 1, "'o':{'collMod':'orders','validator':{'x':{'$gt':1}}}", &who);
    assert_int_equal(mst_bson_i64(m.c[0].options, "validator.x.$gt", 0), 1);
    assert_false(bson_has_field(m.c[0].options, "collMod"));
    apply(&m, "c", "shop.$cmd", 1, "'o':{'dropIndexes':'orders','index':'*'}", &who);
    assert_int_equal(m.c[0].n_indexes, 0);
    mst_map_release(&m);
    mst_restore_source_free(s);
}

static void views_come_and_go_with_their_documents(void **state)
{
    struct mst_restore_source *s = source();
    struct mst_map m;
    struct mst_map_coll *who = NULL;

    (void)state;
    mst_map_init(&m, s);
    apply(&m, "i", "shop.system.views", 0, "'o':{'_id':'shop.big','viewOn':'orders','pipeline':[]}",
          &who);
    assert_int_equal(m.n_views, 1);
    assert_string_equal(m.v[0].coll, "big");
    assert_false(bson_has_field(m.v[0].options, "_id"));
    apply(&m, "d", "shop.system.views", 0, "'o':{'_id':'shop.big'}", &who);
    assert_true(m.v[0].dropped);
    apply(&m, "i", "shop.system.views", 0, "'o':{'_id':'shop.big','viewOn':'events','pipeline':[]}",
          &who);
    assert_false(m.v[0].dropped);
    assert_int_equal(apply(&m, "c", "shop.$cmd", 0, "'o':{'dropDatabase':1}", &who),
                     MST_MAP_DROPPED);
    assert_true(m.v[0].dropped && m.c[0].dropped && m.c[1].dropped);
    mst_map_release(&m);
    mst_restore_source_free(s);
}

/* ---- plans ---- */

struct world {
    struct mst_restore_source *s;
    struct mst_facts f;
    struct mst_restore_opts o;
};

static void world_begin(struct world *w)
{
    size_t i;

    memset(w, 0, sizeof *w);
    w->s = source();
    w->o.primary = "db1:27017";
    w->o.allow_unproven = true;
    w->f.primary = true;
    w->f.rights_known = true;
    w->f.members_up = w->f.members_voting = 3;
    w->f.free_bytes = 1u << 30;
    (void)mst_copy(w->f.set, sizeof w->f.set, "rs0");
    (void)mst_copy(w->f.version, sizeof w->f.version, "4.2.8");
    (void)mst_copy(w->f.fcv, sizeof w->f.fcv, "4.2");
    mst_map_init(&w->f.final, w->s);
    for (i = 0; i < w->f.final.n; i++) {
        w->f.final.c[i].wanted = true;
    }
    w->f.n_live = 2;
    w->f.live = mst_xcalloc(2, sizeof *w->f.live);
    w->f.live_size = mst_xcalloc(2, sizeof *w->f.live_size);
    (void)mst_copy(w->f.live[0].db, 64, "shop");
    (void)mst_copy(w->f.live[0].coll, MST_COLL_MAX, "orders");
    w->f.live[0].has_uuid = true;
    w->f.live[0].options = bson_new();
    w->f.live_size[0].documents = 7;
    (void)mst_copy(w->f.live[1].db, 64, "shop");
    (void)mst_copy(w->f.live[1].coll, MST_COLL_MAX, "other\x1b[2J");
    w->f.live[1].options = bson_new();
}

static void world_end(struct world *w)
{
    mst_facts_release(&w->f);
    mst_restore_source_free(w->s);
}

static const struct mst_restore_rule *rule_of(const struct mst_restore_plan *p, const char *name)
{
    size_t i;

    for (i = 0; i < p->n_rules; i++) {
        if (strcmp(p->rules[i].name, name) == 0) {
            return &p->rules[i];
        }
    }
    fail_msg("no rule %s", name);
    return NULL;
}

static void a_plan_says_what_is_replaced_created_and_kept(void **state)
{
    struct world w;
    struct mst_restore_plan *p;
    size_t i, hostile = 0;

    (void)state;
    world_begin(&w);
    p = mst_plan_decide(&w.o, w.s, &w.f, "00c0ffee");
    assert_false(p->refused);
    assert_int_equal(p->replaced, 1);
    assert_int_equal(p->created, 1);
    assert_int_equal(p->kept, 1);
    assert_string_equal(p->phrase, "replace 1 collection in rs0");
    assert_int_equal(p->need_bytes, 2000);
    assert_non_null(strstr(p->steps[0], "kept until discard"));
    for (i = 0; i < p->n_steps; i++) {
        hostile += strchr(p->steps[i], 0x1b) != NULL;
    }
    assert_int_equal(hostile, 0);
    mst_restore_plan_free(p);
    world_end(&w);
}

static void each_refusal_has_its_rule(void **state)
{
    struct world w;
    struct mst_restore_plan *p;

    (void)state;
    world_begin(&w);
    (void)mst_copy(w.f.fcv, sizeof w.f.fcv, "4.0");
    p = mst_plan_decide(&w.o, w.s, &w.f, "00c0ffee");
    assert_true(p->refused);
    assert_int_equal(rule_of(p, "compatibility version")->result, MST_RR_REFUSE);
    mst_restore_plan_free(p);
    (void)mst_copy(w.f.fcv, sizeof w.f.fcv, "7.0");

    w.f.primary = false;
    p = mst_plan_decide(&w.o, w.s, &w.f, "00c0ffee");
    assert_int_equal(rule_of(p, "primary")->result, MST_RR_REFUSE);
    assert_int_equal(rule_of(p, "compatibility version")->result, MST_RR_PASS);
    mst_restore_plan_free(p);
    w.f.primary = true;

    w.f.free_bytes = 1999;
    w.f.members_up = 1;
    mst_str_add(&w.f.missing_rights, "applyOps");
    (void)mst_copy(w.f.set, sizeof w.f.set, "rs1");
    w.o.allow_unproven = false;
    p = mst_plan_decide(&w.o, w.s, &w.f, "00c0ffee");
    assert_int_equal(rule_of(p, "room")->result, MST_RR_REFUSE);
    assert_int_equal(rule_of(p, "majority")->result, MST_RR_REFUSE);
    assert_int_equal(rule_of(p, "rights")->result, MST_RR_REFUSE);
    assert_int_equal(rule_of(p, "same set")->result, MST_RR_REFUSE);
    assert_int_equal(rule_of(p, "proven version")->result, MST_RR_REFUSE);
    mst_restore_plan_free(p);
    world_end(&w);
}

static void a_plan_s_hash_moves_with_the_target(void **state)
{
    struct world w;
    struct mst_restore_plan *a, *b, *c;

    (void)state;
    world_begin(&w);
    a = mst_plan_decide(&w.o, w.s, &w.f, "00c0ffee");
    b = mst_plan_decide(&w.o, w.s, &w.f, "11111111");
    w.f.live[0].uuid[3] = 9; /* dropped and made again */
    c = mst_plan_decide(&w.o, w.s, &w.f, "00c0ffee");
    assert_string_equal(a->hash, b->hash);
    assert_string_not_equal(a->hash, c->hash);
    mst_restore_plan_free(a);
    mst_restore_plan_free(b);
    mst_restore_plan_free(c);
    world_end(&w);
}

static void patterns_judge_full_names(void **state)
{
    static const char *const in[] = {"shop.*", "crm.people"};
    static const char *const out[] = {"shop.tmp*"};
    const struct mst_restore_opts o = {
        .n_include = 2, .include = in, .n_exclude = 1, .exclude = out};
    const struct mst_restore_opts all = {0};

    (void)state;
    assert_true(mst_name_wanted(&o, "shop", "orders"));
    assert_true(mst_name_wanted(&o, "crm", "people"));
    assert_false(mst_name_wanted(&o, "crm", "peoples"));
    assert_false(mst_name_wanted(&o, "shop", "tmp1"));
    assert_true(mst_name_wanted(&all, "any", "thing"));
    assert_false(mst_name_wanted(&all, "shop", "mst.s.00c0ffee.1"));
    assert_false(mst_name_wanted(&all, "admin", "system.users"));
}

static void versions_compare_as_numbers(void **state)
{
    (void)state;
    assert_true(mst_fcv_cmp("4.2", "4.4") < 0);
    assert_true(mst_fcv_cmp("10.0", "7.0") > 0);
    assert_true(mst_fcv_cmp("4.2", "4.2") == 0);
}

static void missing_rights_are_named(void **state)
{
    bson_t *restore = from_json(
        "{'0':{'resource':{'db':'shop','collection':''},'actions':['find','insert','update',"
        "'remove','listCollections','listIndexes','createCollection','dropCollection',"
        "'createIndex','collMod','bypassDocumentValidation']}}");
    bson_t *root = from_json("{'0':{'resource':{'anyResource':true},'actions':['anyAction']}}");
    struct mst_str out = {0};

    (void)state;
    mst_rights_missing(restore, "shop", NULL, &out);
    assert_string_equal(mst_str_c(&out), "renameCollectionSameDB on shop");
    mst_str_reset(&out);
    mst_rights_missing(restore, "other", NULL, &out);
    assert_non_null(strstr(mst_str_c(&out), "find on other"));
    mst_str_reset(&out);
    mst_rights_missing(restore, NULL, "7.0", &out);
    assert_string_equal(mst_str_c(&out), "applyOps, useUUID");
    mst_str_reset(&out);
    mst_rights_missing(restore, NULL, "", &out); /* who knows */
    assert_string_equal(mst_str_c(&out), "applyOps, useUUID");
    mst_str_reset(&out);
    mst_rights_missing(restore, NULL, "4.2", &out); /* that server has no action applyOps */
    assert_string_equal(mst_str_c(&out), "useUUID");
    mst_str_reset(&out);
    mst_rights_missing(root, "shop", "7.0", &out);
    mst_rights_missing(root, NULL, "7.0", &out);
    assert_string_equal(mst_str_c(&out), "");
    mst_str_release(&out);
    bson_destroy(restore);
    bson_destroy(root);
}

static void definitions_compare_without_their_place_and_order(void **state)
{
    bson_t *a = from_json("{'v':2,'key':{'a':1,'b':1},'name':'x','ns':'shop.a','unique':true}");
    bson_t *b = from_json("{'unique':true,'name':'x','key':{'a':1,'b':1},'v':{'$numberLong':'2'}}");
    bson_t *c = from_json("{'unique':true,'name':'x','key':{'b':1,'a':1},'v':2}");
    bson_t *na = mst_index_normal(a, true), *nb = mst_index_normal(b, true),
           *nc = mst_index_normal(c, true);

    (void)state;
    assert_true(bson_equal(na, nb));
    assert_false(bson_equal(na, nc));
    bson_destroy(a);
    bson_destroy(b);
    bson_destroy(c);
    bson_destroy(na);
    bson_destroy(nb);
    bson_destroy(nc);
}

/* ---- the journal ---- */

static void a_swap_is_open_until_it_is_closed(void **state)
{
    char dir[] = "/tmp/mst-journal-XXXXXX", *path;
    struct mst_restore_journal_file *jf = NULL;
    struct mst_restore_journal j;
    struct mst_err err = {0};
    struct mst_swap s = {.run = "00c0ffee"}, *read = NULL;
    struct mst_swap_item item = {.db = "shop", .coll = "orders", .n = 3, .has_live = true};
    struct mst_rs r = {.run = "00c0ffee"};
    size_t n = 0;
    int fd;

    (void)state;
    assert_non_null(mkdtemp(dir));
    path = mst_xasprintf("%s/journal", dir);
    assert_ok(mst_restore_journal_file_open(path, &jf, &j, &err), &err);
    put_uuid(item.staged, 5);
    put_uuid(item.live_uuid, 6);
    item.before = from_json("{'viewOn':'x','pipeline':[]}");
    s.items = &item;
    s.n = 1;
    assert_ok(mst_swap_journal(&r, &j, &s, &err), &err);
    mst_restore_journal_file_close(jf);

    fd = open(path, O_WRONLY | O_APPEND); /* the machine died inside a write */
    assert_true(write(fd, "\x40\0\0\0torn", 8) == 8);
    (void)close(fd);

    assert_ok(mst_restore_journal_file_open(path, &jf, &j, &err), &err);
    assert_ok(mst_swap_read(&j, NULL, &read, &n, &err), &err);
    assert_int_equal(n, 1);
    assert_string_equal(read[0].run, "00c0ffee");
    assert_int_equal(read[0].n, 1);
    assert_string_equal(read[0].items[0].coll, "orders");
    assert_int_equal(read[0].items[0].n, 3);
    assert_memory_equal(read[0].items[0].live_uuid, item.live_uuid, 16);
    assert_true(bson_equal(read[0].items[0].before, item.before));
    mst_swap_release(&read[0]);
    free(read);

    assert_ok(mst_swap_close(&j, "00c0ffee", &err), &err);
    assert_ok(mst_swap_read(&j, NULL, &read, &n, &err), &err);
    assert_int_equal(n, 0);
    assert_ok(j.forget(j.arg, "00c0ffee", &err), &err);
    assert_ok(mst_swap_read(&j, "00c0ffee", &read, &n, &err), &err);
    assert_int_equal(n, 0);
    bson_destroy(item.before);
    mst_restore_journal_file_close(jf);
    (void)unlink(path);
    (void)rmdir(dir);
    free(path);
}

static void an_outcome_says_each_thing_once(void **state)
{
    static const struct {
        struct mst_restore_outcome o;
        const char *text;
    } rows[] = {
        {{.proof = MST_PROOF_EQUAL, .why = "read back equal to the scan", .documents = 200},
         "equal: read back equal to the scan, 200 documents, 0 indexes built"},
        {{.proof = MST_PROOF_REPLAYED,
          .why = "replayed 1 operation",
          .documents = 1049,
          .ops = 1,
          .indexes = 1},
         "replayed 1 operation, 1049 documents, 1 index built"},
        {{.proof = MST_PROOF_REPLAYED,
          .why = "the backup has no sum to compare with",
          .documents = 1,
          .indexes = 2,
          .held = 1},
         "replayed: the backup has no sum to compare with, 1 document, 2 indexes built, TTL held"},
        {{.proof = MST_PROOF_NOT_PROVABLE,
          .why = "2 updates found no document",
          .documents = 3,
          .ops = 7},
         "not provable: 2 updates found no document, 3 documents, 7 operations replayed, 0 indexes "
         "built"},
    };
    char text[MST_OUTCOME_MAX];

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        assert_string_equal(mst_restore_outcome_text(&rows[i].o, text), rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_collection_keeps_its_number_through_renames),
        cmocka_unit_test(indexes_and_options_follow_their_ddl),
        cmocka_unit_test(views_come_and_go_with_their_documents),
        cmocka_unit_test(a_plan_says_what_is_replaced_created_and_kept),
        cmocka_unit_test(each_refusal_has_its_rule),
        cmocka_unit_test(a_plan_s_hash_moves_with_the_target),
        cmocka_unit_test(patterns_judge_full_names),
        cmocka_unit_test(versions_compare_as_numbers),
        cmocka_unit_test(missing_rights_are_named),
        cmocka_unit_test(definitions_compare_without_their_place_and_order),
        cmocka_unit_test(a_swap_is_open_until_it_is_closed),
        cmocka_unit_test(an_outcome_says_each_thing_once),
    };

    return cmocka_run_group_tests_name("restore", tests, NULL, NULL);
}
