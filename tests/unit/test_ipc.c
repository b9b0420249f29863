/* What crosses the socket comes back as it was, and damaged bytes do no harm. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ipc/codec.h"
#include "ipc/frame.h"

static struct mst_cmd *a_cmd(void)
{
    struct mst_cmd *c = mst_xcalloc(1, sizeof(*c));

    c->kind = MST_CMD_RESTORE;
    (void)mst_copy(c->backup, sizeof(c->backup), "2026-11-22T22-30-00Z-full");
    c->rate_bps = UINT64_C(1) << 40;
    c->n_include = 2;
    (void)mst_copy(c->include[0], sizeof(c->include[0]), "shop.*");
    (void)mst_copy(c->include[1], sizeof(c->include[1]), "x.y");
    c->dry_run = true;
    return c;
}

static void a_command_comes_back_as_it_was(void **state)
{
    struct mst_cmd *a = a_cmd(), *b = mst_xcalloc(1, sizeof(*b));
    struct mst_err err = {0};
    bson_t doc;

    (void)state;
    bson_init(&doc);
    ipc_encode(&ipc_cmd, a, &doc);
    assert_ok(ipc_decode(&ipc_cmd, &doc, b, &err), &err);
    assert_memory_equal(a, b, sizeof(*a));
    bson_destroy(&doc);
    free(a);
    free(b);
}

static void a_topology_comes_back_with_members_opinions_and_events(void **state)
{
    struct mst_topo_view a = {.primary = 1, .term = 7, .verdict = MST_V_DEGRADED, .n = 2};
    struct mst_topo_part *part;
    struct mst_err err = {0};
    const struct mst_topo_view none = {.primary = -1};
    bson_t doc;

    (void)state;
    a.members = mst_xcalloc(2, sizeof(a.members[0]));
    (void)mst_copy(a.members[1].name, sizeof(a.members[1].name), "db2:27017");
    a.members[1].ops_per_s = 1.5;
    a.members[1].applied = (struct mst_optime){{5, 6}, 7};
    a.members[1].oplog_first = (struct mst_ts){3, 4};
    a.members[1].sees[0].known = true;
    a.members[1].sees[0].state = MST_MS_SECONDARY;
    a.n_reasons = 1;
    (void)mst_copy(a.reasons[0].text, sizeof(a.reasons[0].text), "lag");
    a.n_events = 1;
    a.events = mst_xcalloc(1, sizeof(a.events[0]));
    a.events[0].seq = 99;
    bson_init(&doc);
    ipc_encode(&ipc_topo, &a, &doc);
    part = mst_topo_part_new_take(&none);
    assert_ok(ipc_decode(&ipc_topo, &doc, &part->v, &err), &err);
    assert_int_equal(part->v.n, 2);
    assert_memory_equal(part->v.members, a.members, 2 * sizeof(a.members[0]));
    assert_string_equal(part->v.reasons[0].text, "lag");
    assert_int_equal(part->v.events[0].seq, 99);
    assert_int_equal(part->v.verdict, MST_V_DEGRADED);
    assert_int_equal(part->v.primary, 1);
    mst_shared_unref(&part->shared);
    free(a.members);
    free(a.events);
    bson_destroy(&doc);
}

static void a_job_comes_back_with_its_log(void **state)
{
    struct mst_job *jobs = mst_xcalloc(1, sizeof(*jobs));
    struct mst_jobs_part *a = mst_jobs_new_take(jobs, 1), *b = mst_jobs_new_take(NULL, 0);
    struct mst_err err = {0};
    bson_t doc;

    (void)state;
    jobs[0].id = 12;
    jobs[0].eta_ms = -1;
    jobs[0].state = MST_JOB_INTERRUPTED;
    jobs[0].n_log = 2;
    jobs[0].log = mst_xcalloc(3, sizeof(jobs[0].log[0]));
    (void)mst_copy(jobs[0].log[1], sizeof(jobs[0].log[1]), "second");
    bson_init(&doc);
    ipc_encode(&ipc_jobs, a, &doc);
    assert_ok(ipc_decode(&ipc_jobs, &doc, b, &err), &err);
    assert_int_equal(b->n, 1);
    assert_int_equal(b->jobs[0].id, 12);
    assert_int_equal(b->jobs[0].eta_ms, -1);
    assert_int_equal(b->jobs[0].state, MST_JOB_INTERRUPTED);
    assert_int_equal(b->jobs[0].n_log, 2);
    assert_string_equal(b->jobs[0].log[1], "second");
    bson_destroy(&doc);
    mst_shared_unref(&a->shared);
    mst_shared_unref(&b->shared);
}

static void hostile_values_are_put_into_their_ranges(void **state)
{
    bson_t *doc = BCON_NEW("kind", BCON_INT64(-5), "backup", "a\x1b[2J", "path", BCON_INT32(3));
    bson_t many, list;
    struct mst_cmd *c = mst_xcalloc(1, sizeof(*c));
    struct mst_err err = {0};

    (void)state;
    assert_ok(ipc_decode(&ipc_cmd, doc, c, &err), &err);
    assert_in_range(c->kind, 0, MST_CMD_STORE_LOOK);
    assert_null(strchr(c->backup, 27));
    assert_string_equal(c->path, "");
    bson_init(&many);
    bson_append_array_begin(&many, "include", -1, &list);
    for (int i = 0; i <= MST_CMD_PATTERNS; i++) {
        BSON_APPEND_UTF8(&list, "0", "x");
    }
    bson_append_array_end(&many, &list);
    assert_rc(ipc_decode(&ipc_cmd, &many, c, &err), MST_E_LIMIT, &err);
    bson_destroy(&many);
    bson_destroy(doc);
    free(c);
}

static void frames_are_whole_or_refused(void **state)
{
    struct mst_buf b = {0};
    bson_t *doc = BCON_NEW("a", BCON_INT32(1)), got;
    struct mst_err err = {0};
    uint8_t head[4];
    size_t used;
    bool whole;

    (void)state;
    ipc_frame_put(&b, doc);
    for (size_t n = 0; n < b.len; n++) { /* every prefix is not whole yet */
        struct mst_buf part = {.p = b.p, .len = n};

        assert_ok(ipc_frame_take(&part, &got, &used, &whole, &err), &err);
        assert_false(whole);
    }
    assert_ok(ipc_frame_take(&b, &got, &used, &whole, &err), &err);
    assert_true(whole);
    assert_int_equal(used, b.len);
    b.p[b.len - 1] = 1; /* no end mark */
    assert_rc(ipc_frame_take(&b, &got, &used, &whole, &err), MST_E_INTEGRITY, &err);
    mst_buf_reset(&b);
    mst_put_le32(head, MST_IPC_FRAME_MAX + 1);
    mst_buf_add(&b, head, 4);
    assert_rc(ipc_frame_take(&b, &got, &used, &whole, &err), MST_E_LIMIT, &err);
    mst_put_le32(head, 3);
    mst_buf_reset(&b);
    mst_buf_add(&b, head, 4);
    assert_rc(ipc_frame_take(&b, &got, &used, &whole, &err), MST_E_INTEGRITY, &err);
    mst_buf_release(&b);
    bson_destroy(doc);
}

/* Bytes of a struct that no row of its table carries. Up to seven in a row may be padding. */
static void covered(const char *name, const struct desc *d, size_t from)
{
    uint8_t *seen = mst_xcalloc(1, d->size);
    size_t gap = 0;

    for (size_t i = 0; i < d->n; i++) {
        const struct field *f = &d->fields[i];
        const bool inside = f->type == FT_FIXED || f->type == FT_CELLS || f->type == FT_TRIM;
        const bool pointer = f->type == FT_ROWS || f->type == FT_LINES;
        const size_t n = pointer ? sizeof(void *) : inside ? f->size * f->max : f->size;

        assert_true(f->offset + n <= d->size);
        memset(seen + f->offset, 1, n);
        if (pointer || f->type == FT_FIXED || f->type == FT_CELLS) {
            memset(seen + f->n_offset, 1, sizeof(size_t));
        }
        if (f->of && f->type != FT_SUB) {
            covered(f->name, f->of, 0);
        }
    }
    for (size_t i = from; i < d->size; i++) {
        gap = seen[i] ? 0 : gap + 1;
        if (gap == 8) {
            fail_msg("%s: the bytes from %zu on are in no row of core/ipc/desc.c", name, i - 7);
        }
    }
    free(seen);
}

static void every_member_of_every_struct_crosses_the_socket(void **state)
{
    const size_t head = sizeof(struct mst_shared);

    (void)state;
    covered("info", &ipc_info, head);
    covered("topo", &ipc_topo, 0);
    covered("jobs", &ipc_jobs, head);
    covered("bucket", &ipc_bucket, head);
    covered("look", &ipc_look, head);
    covered("detail", &ipc_detail, head);
    covered("leavings", &ipc_leavings, head);
    covered("messages", &ipc_messages, head);
    covered("cmd", &ipc_cmd, 0);
    covered("ticket", &ipc_ticket, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_comes_back_as_it_was),
        cmocka_unit_test(every_member_of_every_struct_crosses_the_socket),
        cmocka_unit_test(a_topology_comes_back_with_members_opinions_and_events),
        cmocka_unit_test(a_job_comes_back_with_its_log),
        cmocka_unit_test(hostile_values_are_put_into_their_ranges),
        cmocka_unit_test(frames_are_whole_or_refused),
    };
    return cmocka_run_group_tests_name("ipc", tests, NULL, NULL);
}
