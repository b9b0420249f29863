#include "ui/members.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ui/fmt.h"
#include "ui/table.h"

enum {
    C_SIGN,
    C_NAME,
    C_STATE,
    C_LAG,
    C_SEEN,
    C_OPLOG,
    C_PING,
    C_SYNC,
    C_PRIO,
    C_VOTES,
    C_TERM,
    C_OPS,
    C_CONNS,
    C_VERSION
};

struct rows {
    const struct ui_ctx *x;
    const struct ui_rows *r; /* member indexes; GROUP + i is the head of the group of i */
    bool tree;
    size_t map[UI_COL_MAX]; /* column of the table to C_... */
};
#define GROUP 1000U

/* The value of the tag that groups: dc, else region, else the first. Tags are "k:v, k:v". */
static void group_of(const struct mst_topo_member *m, char *out, size_t size)
{
    static const char *const keys[] = {"dc:", "region:", "rack:", "zone:"};
    const char *at = NULL;

    for (size_t i = 0; i < MST_COUNT(keys) && !at; i++) {
        at = strstr(m->tags, keys[i]);
    }
    (void)mst_copy(out, size, at ? at : m->tags[0] ? m->tags : "no tags");
    out[strcspn(out, ",")] = '\0';
}

static bool matches(const struct ui_ctx *x, size_t i)
{
    const struct mst_topo_member *m = &x->v->topo->v.members[i];
    const char *f = x->st->s[UI_SCR_TOPO].find;

    return ui_fmt_has(m->name, f) || ui_fmt_has(ui_member_word(m), f) || ui_fmt_has(m->tags, f);
}

static int compare(const struct ui_ctx *x, size_t col, size_t a, size_t b)
{
    const struct mst_topo_member *i = &x->v->topo->v.members[a], *k = &x->v->topo->v.members[b];

    switch (col) {
    case C_NAME:
        return strcmp(i->name, k->name);
    case C_STATE:
        return strcmp(ui_member_word(i), ui_member_word(k));
    case C_LAG:
        return UI_CMP(i->lag_ms, k->lag_ms);
    case C_OPLOG:
        return UI_CMP(i->window_s, k->window_s);
    case C_PING:
        return UI_CMP(i->hello_rtt_us, k->hello_rtt_us);
    default:
        return UI_CMP(ui_member_age_ms(x, i), ui_member_age_ms(x, k));
    }
}

const struct ui_sort ui_member_sorts[] = {{C_LAG, "lag", true},   {C_STATE, "state", false},
                                          {C_SEEN, "seen", true}, {C_OPLOG, "oplog", false},
                                          {C_PING, "ping", true}, {C_NAME, "member", false},
                                          {0, NULL, false}};

void ui_members_rows(const struct ui_ctx *x, bool full, struct ui_rows *out)
{
    const struct mst_topo_view *v = &x->v->topo->v;
    bool done[MST_TOPO_MAX] = {false};

    for (size_t i = 0; i < v->n && i < MST_TOPO_MAX; i++) {
        char mine[160], other[160];

        if (done[i] || (full && !matches(x, i))) {
            continue;
        }
        ui_rows_add(out, i);
        if (!full || !x->st->s[UI_SCR_TOPO].other) {
            continue;
        }
        group_of(&v->members[i], mine, sizeof mine);
        for (size_t k = i + 1; k < v->n && k < MST_TOPO_MAX; k++) {
            group_of(&v->members[k], other, sizeof other);
            if (!done[k] && strcmp(mine, other) == 0 && matches(x, k)) {
                ui_rows_add(out, k);
                done[k] = true;
            }
        }
    }
    if (full && !x->st->s[UI_SCR_TOPO].other) { /* a tree keeps its order */
        ui_rows_sort(x, UI_SCR_TOPO, compare, out);
    }
}

size_t ui_members_selected(const struct ui_ctx *x)
{
    const struct mst_topo_view *v = &x->v->topo->v;

    for (size_t i = 0; i < v->n; i++) {
        if (strcmp(v->members[i].name, x->st->member) == 0) {
            return i;
        }
    }
    return v->n > 0 ? 0 : SIZE_MAX;
}

static bool same_group(const struct mst_topo_view *v, size_t a, size_t b)
{
    char x[160], y[160];

    group_of(&v->members[a], x, sizeof x);
    group_of(&v->members[b], y, sizeof y);
    return strcmp(x, y) == 0;
}

static void name_cell(const struct rows *r, size_t row, char *out)
{
    const struct mst_topo_view *v = &r->x->v->topo->v;
    const size_t i = r->r->idx[row];
    bool last;

    if (i >= GROUP) {
        group_of(&v->members[i - GROUP], out, UI_CELL_MAX);
        return;
    }
    if (!r->tree) {
        (void)mst_copy(out, UI_CELL_MAX, v->members[i].name);
        return;
    }
    last = row + 1 >= r->r->n || r->r->idx[row + 1] >= GROUP;
    (void)snprintf(out, UI_CELL_MAX, "%s %.200s", last ? "`-" : "|-", v->members[i].name);
}

static void number_cell(const struct rows *r, const struct mst_topo_member *m, size_t what,
                        char *out)
{
    switch (what) {
    case C_LAG:
        (void)ui_fmt_lag(m->shown == MST_SHOW_PRIMARY ? -1 : m->lag_ms, out);
        break;
    case C_SEEN:
        (void)ui_fmt_age(ui_member_age_ms(r->x, m), out);
        break;
    case C_OPLOG:
        (void)ui_fmt_hours(m->window_s, out);
        break;
    case C_PING:
        (void)ui_fmt_rtt(m->hello_at_ms ? m->hello_rtt_us : -1, out);
        break;
    case C_VOTES:
        (void)snprintf(out, UI_CELL_MAX, m->configured ? "%d" : "-", m->votes);
        break;
    case C_PRIO:
        (void)snprintf(out, UI_CELL_MAX, m->configured ? "%g" : "-", m->priority);
        break;
    case C_TERM:
        (void)snprintf(out, UI_CELL_MAX, m->term >= 0 ? "%lld" : "-", (long long)m->term);
        break;
    case C_OPS:
        (void)ui_fmt_count(m->ops_per_s < 0 ? -1 : (int64_t)(m->ops_per_s + 0.5), out);
        break;
    case C_CONNS:
        (void)ui_fmt_count(m->stats_at_ms ? m->connections : -1, out);
        break;
    default:
        break;
    }
}

static void cell(const void *arg, size_t row, size_t col, char *out, enum ui_role *role)
{
    const struct rows *r = arg;
    const struct mst_topo_view *v = &r->x->v->topo->v;
    const size_t i = r->r->idx[row], what = r->map[col];
    const struct mst_topo_member *m = &v->members[i % GROUP];

    if (i >= GROUP) {
        *role = UI_TITLE;
        if (what == C_NAME) {
            name_cell(r, row, out);
        }
        return;
    }
    *role = ui_member_stale(r->x, m) ? UI_STALE : UI_TEXT;
    switch (what) {
    case C_SIGN:
        (void)snprintf(out, UI_CELL_MAX, "%c", ui_member_sign(v, i));
        *role = ui_member_role(r->x, i);
        break;
    case C_NAME:
        name_cell(r, row, out);
        break;
    case C_STATE:
        (void)mst_copy(out, UI_CELL_MAX, ui_member_word(m));
        *role = ui_member_role(r->x, i);
        break;
    case C_SYNC:
        (void)mst_copy(out, UI_CELL_MAX, m->sync_source[0] ? m->sync_source : "-");
        break;
    case C_VERSION:
        (void)mst_copy(out, UI_CELL_MAX, m->version[0] ? m->version : "-");
        break;
    default:
        number_cell(r, m, what, out);
        break;
    }
}

static const struct ui_col cols[] = {
    [C_SIGN] = {"", 1, false, 0},        [C_NAME] = {"member", 15, false, 0},
    [C_STATE] = {"state", 11, false, 0}, [C_LAG] = {"lag", 6, true, 1},
    [C_SEEN] = {"seen", 4, true, 2},     [C_OPLOG] = {"oplog", 6, true, 4},
    [C_PING] = {"ping", 5, true, 5},     [C_SYNC] = {"syncs from", 15, false, 3},
    [C_PRIO] = {"prio", 4, true, 6},     [C_VOTES] = {"vote", 4, true, 7},
    [C_TERM] = {"term", 4, true, 8},     [C_OPS] = {"ops/s", 7, true, 8},
    [C_CONNS] = {"conns", 6, true, 9},   [C_VERSION] = {"version", 8, false, 9}};

static const size_t brief[] = {C_SIGN, C_NAME, C_STATE, C_LAG,  C_OPLOG,
                               C_PING, C_SEEN, C_OPS,   C_CONNS};
static const size_t all[] = {C_SIGN, C_NAME,  C_STATE, C_LAG,  C_OPLOG, C_PING,  C_SYNC,
                             C_PRIO, C_VOTES, C_SEEN,  C_TERM, C_OPS,   C_CONNS, C_VERSION};

/* Members that need a look first; the others keep their order. */
static void urgent_first(const struct ui_ctx *x, struct ui_rows *r)
{
    struct ui_rows sorted = {0};

    for (int pass = 0; pass < 2; pass++) {
        for (size_t k = 0; k < r->n; k++) {
            const bool calm = ui_member_sign(&x->v->topo->v, r->idx[k]) == '=';

            if (calm == (pass == 1)) {
                ui_rows_add(&sorted, r->idx[k]);
            }
        }
    }
    ui_rows_release(r);
    *r = sorted;
}

static void add_groups(const struct ui_ctx *x, struct ui_rows *r)
{
    struct ui_rows out = {0};

    for (size_t k = 0; k < r->n; k++) {
        if (k == 0 || !same_group(&x->v->topo->v, r->idx[k - 1], r->idx[k])) {
            ui_rows_add(&out, GROUP + r->idx[k]);
        }
        ui_rows_add(&out, r->idx[k]);
    }
    ui_rows_release(r);
    *r = out;
}

/* As wide as the longest name and some air: the eye follows a row over a large window. */
static int name_cols(const struct mst_topo_view *v)
{
    int w = cols[C_NAME].w;

    for (size_t i = 0; i < v->n; i++) {
        const int have = ui_cols(v->members[i].name);

        w = have > w ? have : w;
    }
    return w + 8;
}

int ui_members_draw(const struct ui_ctx *x, const struct ui_area *a, int max, bool full)
{
    const bool wide = full || a->w >= 130;
    const size_t *map = wide ? all : brief;
    const size_t n_cols = wide ? MST_COUNT(all) : MST_COUNT(brief);
    struct ui_col use[UI_COL_MAX];
    struct ui_rows r = {0};
    struct rows arg = {x, &r, full && x->st->s[UI_SCR_TOPO].other, {0}};
    struct ui_table t = {.cols = use,
                         .n_cols = n_cols,
                         .grow = 1,
                         .grow_to = a->w >= 130 ? name_cols(&x->v->topo->v) : 0,
                         .head = true,
                         .cell = cell,
                         .arg = &arg};
    struct ui_area part = ui_area_sub(a, 0, 0, max, a->w);
    int rows;

    ui_members_rows(x, full, &r);
    if (arg.tree) {
        add_groups(x, &r);
    } else if (!full && (int)r.n + 1 > max) {
        urgent_first(x, &r);
    }
    for (size_t i = 0; i < n_cols; i++) {
        use[i] = cols[map[i]];
        arg.map[i] = map[i];
        if (full && !arg.tree && x->st->s[UI_SCR_TOPO].sort == map[i] + 1) {
            t.sort = i + 1;
            t.down = x->st->s[UI_SCR_TOPO].down;
        }
    }
    t.n = r.n;
    t.sel = full ? ui_rows_find(&r, ui_members_selected(x)) : SIZE_MAX;
    t.focus = full;
    rows = ui_table_draw(&t, &part);
    if (!full && rows > max && max > 1) {
        (void)ui_putf(a, max - 1, 2, UI_DIM, "+%d more on 2 Topo%*s", rows - max + 1, a->w, "");
    }
    ui_rows_release(&r);
    return rows < max ? rows : max;
}
