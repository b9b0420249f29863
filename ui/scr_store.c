/* scr_store.c: one store: what it takes, what it keeps, how full it is, what lies in it that
 * belongs to no backup. What was not asked or could not be is said to be not known. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "ui/bucket.h"
#include "ui/fmt.h"

static const struct mst_look_part *look_of(const struct ui_ctx *x, const struct mst_bucket_part *b)
{
    for (size_t i = 0; i < x->v->n_stores; i++) {
        if (x->v->stores[i] == b) {
            return x->v->looks[i];
        }
    }
    return NULL;
}

static bool is_local(const struct mst_bucket_part *b)
{
    return strcmp(b->kind, "local") == 0;
}

static void takes(const struct mst_bucket_part *b, struct ui_pen *p)
{
    const bool open = b->allow_unsealed && !is_local(b);

    ui_pen_pair(p, "takes", open ? UI_WARN : UI_TEXT, "%s",
                open          ? "UNSEALED backups too"
                : is_local(b) ? "all: it is on this host"
                              : "sealed backups only");
    if (b->single_writer) {
        ui_pen_pair(p, "writers", UI_WARN, "%s", "single writer: this host");
    }
}

static void room(const struct mst_bucket_part *b, struct ui_pen *p)
{
    char h1[MST_HUMAN_MAX], h2[MST_HUMAN_MAX];

    if (b->total_bytes) {
        ui_pen_pair(p, "free", ui_bucket_role(b, UI_TEXT), "%s of %s",
                    mst_text_bytes(b->free_bytes, h1), mst_text_bytes(b->total_bytes, h2));
    } else {
        ui_pen_pair(p, "free", UI_DIM, "%s", is_local(b) ? "not known" : "not known: no quota");
    }
}

static const char *kept_word(int said, const char *yes, const char *no, const char *unknown)
{
    return said > 0 ? yes : said == 0 ? no : unknown;
}

static void keeps(const struct mst_bucket_part *b, const struct mst_look_part *l, struct ui_pen *p)
{
    if (is_local(b)) {
        ui_pen_pair(p, "keeps", UI_TEXT, "%s", "no versions, no locks");
    } else if (!l || (l->loading && !l->read_at_ms)) {
        ui_pen_pair(p, "keeps", UI_DIM, "%s", l ? "asking" : "not asked: r asks");
    } else if (l->versions < 0 && l->locks < 0) {
        ui_pen_pair(p, "keeps", UI_STALE, "%s", "not known");
    } else {
        ui_pen_pair(p, "keeps", l->versions < 0 || l->locks < 0 ? UI_STALE : UI_TEXT, "%s, %s",
                    kept_word(l->versions, "versions", "no versions", "versions unknown"),
                    kept_word(l->locks, "can lock", "no locks", "locks unknown"));
    }
}

static void strays(const struct ui_ctx *x, const struct mst_bucket_part *b,
                   const struct mst_look_part *l, struct ui_pen *p)
{
    const bool foreign_known = b->as_of_wall_ms && !b->seen;
    char uploads[64] = "? uploads", foreign[64] = "? foreign", age[UI_NUM_MAX];
    const bool bad = (l && l->uploads > 0) || b->foreign > 0;
    const bool known = (is_local(b) || (l && l->uploads >= 0)) && foreign_known;

    if (is_local(b)) { /* halves of files are leavings there, and listed as such */
        uploads[0] = '\0';
    } else if (l && l->uploads == 0) {
        (void)mst_copy(uploads, sizeof uploads, "no uploads");
    } else if (l && l->uploads > 0) {
        (void)snprintf(uploads, sizeof uploads, "%lld %s (%s)", (long long)l->uploads,
                       mst_text_noun((uint64_t)l->uploads, "upload", "uploads"),
                       ui_fmt_age(x->st->now_wall_ms - l->since_wall_ms, age));
    }
    if (foreign_known) {
        (void)snprintf(foreign, sizeof foreign, "%llu foreign", (unsigned long long)b->foreign);
    }
    ui_pen_pair(p, "strays",
                bad     ? UI_WARN
                : known ? UI_TEXT
                        : UI_STALE,
                "%s%s%s", foreign_known && !b->foreign ? "no foreign" : foreign,
                uploads[0] ? ", " : "", uploads);
}

static void growth(const struct mst_bucket_part *b, struct ui_pen *p)
{
    char h[MST_HUMAN_MAX], left[48] = "";

    if (b->days_left >= 0) {
        (void)snprintf(left, sizeof left, ", %lld %s left", (long long)b->days_left,
                       mst_text_noun((uint64_t)b->days_left, "day", "days"));
    }
    if (b->per_day_bytes >= 0) {
        ui_pen_pair(p, "grows",
                    b->days_left >= 0 && b->days_left < 7 ? UI_WARN : ui_bucket_role(b, UI_TEXT),
                    "%s/day%s", mst_text_bytes((uint64_t)b->per_day_bytes, h), left);
    } else {
        ui_pen_pair(p, "grows", UI_DIM, "%s",
                    b->as_of_wall_ms ? "unknown, too few backups" : "not known");
    }
    if (b->as_of_wall_ms) {
        ui_pen_pair(p, "backups", ui_bucket_role(b, UI_TEXT), "%zu, %s", b->n,
                    mst_text_bytes(b->backups_bytes, h));
    } else {
        ui_pen_pair(p, "backups", UI_DIM, "%s", "not known");
    }
}

static void remind(const struct ui_ctx *x, struct ui_pen *p)
{
    const char *text = x->v->info->key_remind;

    if (text[0] && p->a.h >= 10) {
        ui_pen_wrap(p, 0, UI_WARN, text);
    } else if (text[0]) {
        ui_pen_pair(p, "keys", UI_WARN, "%s", text);
    }
}

static void who(const struct ui_ctx *x, const struct mst_look_part *l, struct ui_pen *p)
{
    char t[UI_NUM_MAX], age[UI_NUM_MAX];

    if (l && l->who[0]) {
        ui_pen_pair(p, "as", UI_TEXT, "%s", l->who);
        if (l->who_until_wall_ms) {
            ui_pen_pair(p, "until", l->who_until_wall_ms < x->st->now_wall_ms ? UI_WARN : UI_TEXT,
                        "%s", ui_fmt_day(l->who_until_wall_ms, t));
        }
    }
    if (l && l->problem[0]) {
        ui_pen_wrap(p, 0, UI_STALE, l->problem);
    }
    if (l && l->read_at_ms) {
        ui_pen_line(p, UI_DIM, "asked %s ago%s",
                    ui_fmt_age(x->st->now_mono_ms - l->read_at_ms, age),
                    l->loading ? ", asking again" : "");
    }
}

int ui_store_draw(const struct ui_ctx *x, const struct ui_area *a, bool focus)
{
    const struct mst_bucket_part *b = ui_store(x);
    const struct mst_look_part *l = b ? look_of(x, b) : NULL;
    char title[96], note[120] = "";
    struct ui_area in;
    struct ui_pen p;

    (void)snprintf(title, sizeof title, "Store%s%s", b ? " " : "", b ? b->store : "");
    if (b) {
        (void)snprintf(note, sizeof note, "%s%s%s%s", b->kind, b->region[0] ? " " : "", b->region,
                       b->target ? "" : ", no target");
    }
    in = ui_pane_box(a, focus, title, note, UI_DIM);
    p = ui_pen_start(&in, ui_bucket_scroll(x, UI_P_STORE));
    if (!b) {
        ui_pen_wrap(&p, 0, UI_WARN, "no store is configured");
        return p.y;
    }
    remind(x, &p);
    takes(b, &p);
    room(b, &p);
    keeps(b, l, &p);
    strays(x, b, l, &p);
    growth(b, &p);
    if (!is_local(b)) {
        ui_pen_pair(&p, "class", UI_TEXT, "%s",
                    b->storage_class[0] ? b->storage_class : "the bucket's own");
        if (!b->single_writer) {
            ui_pen_pair(&p, "writers", UI_TEXT, "%s", "any: no name is written twice");
        }
    }
    who(x, l, &p);
    ui_pen_wrap(&p, 0, UI_DIM, b->where);
    return p.y;
}
