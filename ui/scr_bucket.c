/* scr_bucket.c: what the store holds: its backups as a list, one in detail (scr_backup.c), the
 * store itself (scr_store.c), and what restores kept aside. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "ui/bucket.h"
#include "ui/fmt.h"
#include "ui/table.h"

#define MORE_COLS 4 /* "+3! " */

enum { C_SIGN, C_ID, C_STATE, C_DATA, C_SIZE, C_VERIFIED, C_FROM, C_SHARE, C_COPIES };

static int compare(const struct ui_ctx *x, size_t col, size_t a, size_t b)
{
    const struct mst_backup *i = &ui_store(x)->backups[a], *k = &ui_store(x)->backups[b];

    switch (col) {
    case C_ID:
        return strcmp(i->id, k->id);
    case C_STATE:
        return strcmp(mst_backup_state_word(i->state), mst_backup_state_word(k->state));
    case C_DATA:
        return UI_CMP(i->data_bytes, k->data_bytes);
    case C_SIZE:
        return UI_CMP(i->stored_bytes, k->stored_bytes);
    default:
        return UI_CMP(i->verified_wall_ms, k->verified_wall_ms);
    }
}

static void rows(const struct ui_ctx *x, struct ui_rows *out)
{
    const struct mst_bucket_part *b = ui_store(x);
    const char *f = x->st->s[UI_SCR_BUCKET].find;

    for (size_t i = 0; b && i < b->n; i++) {
        if (ui_fmt_has(b->backups[i].id, f) ||
            ui_fmt_has(mst_backup_state_word(b->backups[i].state), f) ||
            ui_fmt_has(b->backups[i].source, f)) {
            ui_rows_add(out, i);
        }
    }
    ui_rows_sort(x, UI_SCR_BUCKET, compare, out);
}

static size_t selected(const struct ui_ctx *x)
{
    const struct mst_backup *b = ui_backup_selected(x);

    return b ? (size_t)(b - ui_store(x)->backups) : SIZE_MAX;
}

static void pick(const struct mst_view *v, struct ui_state *st, size_t idx)
{
    const struct ui_ctx x = {v, st};
    const struct mst_bucket_part *b = ui_store(&x);

    if (b && idx < b->n) {
        (void)mst_copy(st->backup, sizeof st->backup, b->backups[idx].id);
        st->s[UI_SCR_BUCKET].top[UI_P_DETAIL] = st->s[UI_SCR_BUCKET].top[UI_P_CONTENT] = 0;
    }
}

struct rows_arg {
    const struct ui_ctx *x;
    const struct ui_rows *r;
};

static void verified_cell(const struct mst_backup *b, const struct ui_ctx *x, char *out,
                          enum ui_role *role)
{
    char age[UI_NUM_MAX];

    if (b->verified_wall_ms == 0) {
        (void)snprintf(out, UI_CELL_MAX, "-");
        return;
    }
    *role = ui_bucket_role(ui_store(x), b->verified_ok ? UI_OK : UI_CRIT);
    (void)snprintf(out, UI_CELL_MAX, "%s %s", ui_verified_word(b),
                   ui_fmt_age(x->st->now_wall_ms - b->verified_wall_ms, age));
}

/* "2/3", of the stores that were read; held ones say so. */
static void copies_cell(const struct ui_ctx *x, const struct mst_backup *b, char *out,
                        enum ui_role *role)
{
    size_t n = 0;
    bool all = true;

    for (size_t i = 0; i < x->v->n_stores; i++) {
        const struct mst_bucket_part *p = x->v->stores[i];

        n += ui_backup_whole(ui_store_backup(p, b));
        all = all && p->as_of_wall_ms && !p->problem[0];
    }
    (void)snprintf(out, UI_CELL_MAX, "%zu%s/%zu%s", n, all ? "" : "?", x->v->n_stores,
                   ui_backup_held(x, b) ? " held" : "");
    *role = n == 0 ? UI_CRIT : UI_TEXT;
}

static void cell(const void *arg, size_t row, size_t col, char *out, enum ui_role *role)
{
    const struct rows_arg *r = arg;
    const struct mst_backup *b = &ui_store(r->x)->backups[r->r->idx[row]];

    switch (col) {
    case C_SIGN:
        (void)snprintf(out, UI_CELL_MAX, "%c", ui_backup_sign(b));
        *role = ui_bucket_role(ui_store(r->x), ui_backup_role(b));
        break;
    case C_ID:
        (void)mst_copy(out, UI_CELL_MAX, b->id);
        break;
    case C_STATE:
        (void)mst_copy(out, UI_CELL_MAX, mst_backup_state_word(b->state));
        *role = ui_bucket_role(ui_store(r->x), ui_backup_role(b));
        break;
    case C_DATA:
        (void)mst_text_bytes(b->data_bytes, out);
        break;
    case C_FROM:
        (void)mst_copy(out, UI_CELL_MAX, b->source);
        break;
    case C_SIZE:
        (void)mst_text_bytes(b->stored_bytes, out);
        break;
    case C_SHARE:
        (void)snprintf(out, UI_CELL_MAX, "%d%%", ui_backup_share(ui_store(r->x), b));
        break;
    case C_COPIES:
        copies_cell(r->x, b, out, role);
        break;
    default:
        verified_cell(b, r->x, out, role);
        break;
    }
}

/* Below the list, that its rows stay where they are: how old the list is, and the problem. */
static struct ui_area draw_origin(const struct ui_ctx *x, const struct ui_area *in)
{
    struct ui_area none = *in, below;
    struct ui_pen p;
    int h;

    none.h = 0;
    p = ui_pen_start(&none, 0);
    ui_bucket_origin(x, ui_store(x), &p); /* only counts */
    h = p.y < in->h - 3 ? p.y : in->h > 3 ? in->h - 3 : 0;
    below = ui_area_sub(in, in->h - h, 0, h, in->w);
    p = ui_pen_start(&below, 0);
    ui_bucket_origin(x, ui_store(x), &p);
    return ui_area_sub(in, 0, 0, in->h - h, in->w);
}

static int store_word(const struct ui_ctx *x, size_t i, char out[80])
{
    const struct mst_bucket_part *p = x->v->stores[i];
    const bool here = p == ui_store(x);

    (void)snprintf(out, 80, "%s%s%s%s", here ? "<" : " ", p->store, p->problem[0] ? "!" : "",
                   here ? ">" : " ");
    return ui_cols(out) + 1;
}

/* As many as there is room for, the shown one among them; the others are counted beside them. */
static void fit_stores(const struct ui_ctx *x, int room, size_t *from, size_t *to)
{
    const struct mst_bucket_part *shown = ui_store(x);
    char word[80];
    int all = -1, used;

    *from = 0;
    for (size_t i = 0; i < x->v->n_stores; i++) {
        all += store_word(x, i, word);
        *from = x->v->stores[i] == shown ? i : *from;
    }
    *to = *from + 1;
    used = store_word(x, *from, word);
    room = all <= room ? all + 1 : room - 2 * MORE_COLS;
    for (bool grew = true; grew;) {
        grew = false;
        if (*to < x->v->n_stores && used + store_word(x, *to, word) <= room) {
            used += store_word(x, (*to)++, word);
            grew = true;
        }
        if (*from > 0 && used + store_word(x, *from - 1, word) <= room) {
            used += store_word(x, --*from, word);
            grew = true;
        }
    }
}

/* "+3!": so many more, one of which cannot be read. */
static void draw_more(const struct ui_ctx *x, const struct ui_area *in, int at, size_t from,
                      size_t to)
{
    bool bad = false;

    for (size_t i = from; i < to; i++) {
        bad = bad || x->v->stores[i]->problem[0];
    }
    if (to > from) {
        (void)ui_putf(in, 0, at, bad ? UI_CRIT : UI_DIM, "+%zu%s", to - from, bad ? "!" : "");
    }
}

/* One line with the stores, the shown one in brackets, what cannot be read with a '!'. */
static struct ui_area draw_stores(const struct ui_ctx *x, const struct ui_area *in)
{
    size_t from, to;
    int at;

    if (x->v->n_stores < 2 || in->h < 4) {
        return *in;
    }
    fit_stores(x, in->w, &from, &to);
    draw_more(x, in, 0, 0, from);
    at = from > 0 ? MORE_COLS : 0;
    for (size_t i = from; i < to; i++) {
        const struct mst_bucket_part *p = x->v->stores[i];
        char word[80];
        const int cols = store_word(x, i, word);

        (void)ui_put_cut(in, 0, at, in->w - at - (to < x->v->n_stores ? MORE_COLS : 0),
                         p->problem[0]      ? UI_CRIT
                         : p == ui_store(x) ? UI_TITLE_FOCUS
                                            : UI_DIM,
                         word);
        at += cols;
    }
    draw_more(x, in, in->w - MORE_COLS + 1, to, x->v->n_stores);
    if (to == x->v->n_stores && at + 9 < in->w) {
        (void)ui_put_right(in, 0, in->w - 9, 9, UI_DIM, "< > store");
    }
    return ui_area_sub(in, 1, 0, in->h - 1, in->w);
}

static int draw_list(const struct ui_ctx *x, const struct ui_area *a, bool focus)
{
    static const struct ui_col cols[] = {
        [C_SIGN] = {"", 1, false, 0},           [C_ID] = {"backup", 25, false, 0},
        [C_STATE] = {"state", 10, false, 3},    [C_DATA] = {"data", 8, true, 4},
        [C_SIZE] = {"stored", 8, true, 2},      [C_VERIFIED] = {"verified", 8, false, 1},
        [C_FROM] = {"read from", 15, false, 5}, [C_SHARE] = {"share", 5, true, 6},
        [C_COPIES] = {"copies", 9, false, 2}};
    const struct mst_bucket_part *b = ui_store(x);
    const char *f = x->st->s[UI_SCR_BUCKET].find;
    struct ui_rows r = {0};
    struct rows_arg arg = {x, &r};
    struct ui_table t = {.cols = cols,
                         .n_cols = x->v->n_stores > 1 ? MST_COUNT(cols) : C_COPIES,
                         .grow = C_ID,
                         .head = true,
                         .focus = true,
                         .sort = x->st->s[UI_SCR_BUCKET].sort,
                         .down = x->st->s[UI_SCR_BUCKET].down,
                         .cell = cell,
                         .arg = &arg};
    char title[200], note[UI_NOTE_MAX], count[UI_NOTE_MAX + 48];
    struct ui_area in;

    (void)snprintf(title, sizeof title, "%s%s%s", b ? b->store : "Bucket", f[0] ? " filter: " : "",
                   f);
    rows(x, &r);
    (void)ui_bucket_note(x, b, note);
    if (!b || b->loading || (b->problem[0] && !b->cached) || b->read_at_ms == 0) {
        (void)mst_copy(count, sizeof count, note); /* how many there are is not known */
    } else if (f[0]) {
        (void)snprintf(count, sizeof count, "%zu of %zu, %s", r.n, b->n, note);
    } else {
        (void)snprintf(count, sizeof count, "%zu, %s", b->n, note);
    }
    in = ui_pane_box(a, focus, title, count, b ? ui_bucket_role(b, UI_DIM) : UI_DIM);
    in = draw_stores(x, &in);
    if (b && (b->cached || b->rollback[0])) {
        in = draw_origin(x, &in);
    }
    t.n = r.n;
    t.sel = ui_rows_find(&r, selected(x));
    (void)ui_table_draw(&t, &in);
    if (r.n == 0) {
        struct ui_pen p = ui_pen_start(&in, -1);

        ui_pen_wrap(&p, 0, b && !b->problem[0] ? UI_DIM : UI_CRIT,
                    !b              ? "no store is configured: name one in the configuration"
                    : b->problem[0] ? (b->cached ? "there were no backups" : b->problem)
                    : f[0]          ? "no backup matches"
                    : b->cached     ? "there were no backups"
                    : b->read_at_ms ? "the store is empty: B makes the first backup"
                                    : "not read yet");
    }
    ui_rows_release(&r);
    return (int)t.n + 1;
}

static int draw_left(const struct ui_ctx *x, const struct ui_area *a, bool focus)
{
    const struct mst_leavings_part *l = x->v->leavings;
    char note[32], age[UI_NUM_MAX];
    struct ui_area in;
    struct ui_pen p;

    (void)snprintf(note, sizeof note, "%zu", l->n);
    in = ui_pane_box(a, focus, "Kept aside, left over", note, l->n ? UI_WARN : UI_DIM);
    p = ui_pen_start(&in, ui_bucket_scroll(x, UI_P_LEFT));
    if (l->n == 0) {
        ui_pen_line(&p, UI_DIM, "nothing");
    }
    for (size_t i = 0; i < l->n; i++) {
        ui_pen_wrap(&p, 0, UI_TEXT, l->items[i].what);
        if (l->items[i].since_wall_ms > 0) {
            ui_pen_line(&p, UI_DIM, "  for %s: D",
                        ui_fmt_age(x->st->now_wall_ms - l->items[i].since_wall_ms, age));
        }
    }
    return p.y;
}

static void layout(const struct ui_ctx *x, int h, int w, struct ui_rect r[UI_PANES])
{
    const int left = w >= 170 ? w / 2 : w >= 110 ? 58 : 38;
    const int kept = x->v->leavings->n > 0 ? (h >= 30 ? 8 : 6) : 0;
    const int detail = h >= 30 ? 18 : 12;
    const int remind = x->v->info->key_remind[0] ? 1 : 0;
    const int store = !ui_store(x) ? 0 : h >= 30 ? 14 : (kept ? 5 : 7) + remind;

    r[UI_P_LIST] = (struct ui_rect){0, 0, h - kept - store, left};
    r[UI_P_STORE] = (struct ui_rect){h - kept - store, 0, store, left};
    r[UI_P_LEFT] = (struct ui_rect){h - kept, 0, kept, left};
    r[UI_P_DETAIL] = (struct ui_rect){0, left, detail, w - left};
    r[UI_P_CONTENT] = (struct ui_rect){detail, left, h - detail, w - left};
}

static const struct ui_sort sorts[] = {{C_STATE, "state", false}, {C_DATA, "data", true},
                                       {C_SIZE, "stored", true},  {C_VERIFIED, "verified", true},
                                       {C_ID, "backup", true},    {0, NULL, false}};

const struct ui_screen ui_scr_bucket = {
    .tab = "Bucket",
    .title = "Bucket",
    .bit = UI_ON_BUCKET,
    .n_panes = 5,
    .pane = {{"Backups", draw_list, true},
             {"Detail", ui_backup_draw, false},
             {"Contents", ui_content_draw, false},
             {"Store", ui_store_draw, false},
             {"Kept aside", draw_left, false}},
    .layout = layout,
    .rows = rows,
    .selected = selected,
    .select = pick,
    .sorts = sorts,
};
