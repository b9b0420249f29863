/* layers.c: what lies over a screen: help, messages, the menu of actions. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ui/fmt.h"
#include "ui/prompt.h"
#include "ui/screen.h"
#include "ui/switch.h"

int ui_help_draw(const struct ui_ctx *x, const struct ui_area *a)
{
    const unsigned bit = ui_screen_of(x->st->scr)->bit;
    size_t n, n_verbs;
    const struct ui_binding *map = ui_keymap(&n);
    const struct ui_verb *verbs = ui_verbs(&n_verbs);
    struct ui_area in = ui_pane_box(a, true, "Help", "up down: more   Esc: close", UI_DIM);
    struct ui_pen p = ui_pen_start(&in, x->st->layer_top);
    const int half = in.w >= 74 ? in.w / 2 : 0;
    int y = 0, column = 0;

    if (x->st->run_page) {
        ui_switch_help(&p);
    }
    ui_pen_line(&p, UI_TITLE_FOCUS, "Keys on this screen: %s", ui_screen_of(x->st->scr)->title);
    for (size_t i = 0; i < n; i++) {
        if (!(map[i].where & bit)) {
            continue;
        }
        y = column == 0 || half == 0 ? ui_pen_next(&p) : y;
        (void)ui_put_cut(&in, y, column * half, 9, UI_KEY, map[i].name);
        (void)ui_put_cut(&in, y, column * half + 10, (half ? half : in.w) - 11, UI_TEXT,
                         map[i].help);
        column = half ? 1 - column : 0;
    }
    ui_pen_line(&p, UI_TITLE_FOCUS, "Signs and words");
    ui_pen_line(&p, UI_TEXT,
                "= ok   ~ running   . queued   ! warning   X failed   ? not known   - off");
    ui_pen_line(&p, UI_TEXT, "Lower-case keys change nothing. '..' means it asks first.");
    ui_pen_line(&p, UI_TEXT,
                "[RW] may act   [RO] read-only   [NO ACTS] the configuration lists none");
    ui_pen_line(&p, UI_TEXT,
                "STALE: older than three refreshes. 'seen' is the age of the last answer.");
    ui_pen_line(&p, UI_TEXT,
                "F: BLOCKS cannot be lifted, OVERRIDE? takes a reason, ACCEPTED has one.");
    ui_pen_line(&p, UI_TITLE_FOCUS, "Command line, after ':' (Tab completes, up and down repeat)");
    for (size_t i = 0; i < n_verbs; i++) {
        char word[48];

        y = ui_pen_next(&p);
        (void)snprintf(word, sizeof word, "%s %s", verbs[i].name, verbs[i].args);
        (void)ui_put_cut(&in, y, 0, 26, UI_KEY, word);
        (void)ui_put_cut(&in, y, 27, in.w - 27, UI_TEXT, verbs[i].help);
    }
    return p.y;
}

int ui_log_draw(const struct ui_ctx *x, const struct ui_area *a)
{
    const struct mst_topo_view *v = &x->v->topo->v;
    struct ui_area in =
        ui_pane_box(a, true, "Alerts and messages", "a: acknowledge   Esc: close", UI_DIM);
    struct ui_pen p = ui_pen_start(&in, x->st->layer_top);
    char t[UI_NUM_MAX];

    ui_pen_line(&p, UI_TITLE_FOCUS, "Now");
    for (size_t i = 0; i < v->n_reasons; i++) {
        ui_pen_wrap(&p, 0, ui_severity_role(v->reasons[i].severity), v->reasons[i].text);
    }
    if (v->n_reasons == 0) {
        ui_pen_line(&p, UI_DIM, "nothing is wrong");
    }
    ui_pen_line(&p, UI_TITLE_FOCUS, "Messages, newest first");
    for (size_t i = x->v->messages->n; i > 0; i--) {
        const struct mst_message *m = &x->v->messages->items[i - 1];
        const int y = ui_pen_next(&p);

        (void)ui_putf(&in, y, 0, UI_DIM, "%.15s", ui_fmt_day(m->wall_ms, t));
        (void)ui_put(&in, y, 16, ui_severity_role(m->severity), ui_severity_word(m->severity));
        (void)ui_put(&in, y, 21, UI_WARN,
                     m->severity != MST_SEV_INFO && m->seq > x->st->acked_seq ? "*" : " ");
        if (ui_cols(m->text) <= in.w - 23) {
            (void)ui_put(&in, y, 23, UI_TEXT, m->text);
        } else {
            ui_pen_wrap(&p, 4, UI_TEXT, m->text);
        }
    }
    return p.y;
}

static bool ended(const struct mst_job *j)
{
    return j->state != MST_JOB_QUEUED && j->state != MST_JOB_RUNNING;
}

static const char *why_no_act(const struct mst_info_part *i)
{
    if (i->agent_lost_ms > 0) {
        return "the agent does not answer";
    }
    if (i->read_only) {
        return "read-only session";
    }
    return i->may_act ? "" : i->may_not_why[0] ? i->may_not_why : "the configuration lists no acts";
}

static bool any_backup(const struct mst_view *v)
{
    bool any = v->bucket && v->bucket->n > 0;

    for (size_t i = 0; i < v->n_stores; i++) {
        any = any || v->stores[i]->n > 0;
    }
    return any;
}

/* Of what only writes into a store. */
static const char *why_no_write(const struct mst_view *v)
{
    return v->info->agent_lost_ms > 0 ? "the agent does not answer"
           : v->info->read_only       ? "read-only session"
           : !v->bucket               ? "no store is configured"
                                      : "";
}

void ui_act_why_not(const struct ui_ctx *x, enum ui_act act, char *out, size_t size)
{
    const struct mst_info_part *i = x->v->info;
    const struct mst_job *j = ui_job_selected(x);
    const char *why = "";

    switch ((int)act) {
    case UI_ACT_BACKUP:
    case UI_ACT_STORE_TEST:
        why = why_no_write(x->v);
        break;
    case UI_ACT_VERIFY:
        why = i->agent_lost_ms > 0 ? "the agent does not answer"
              : !any_backup(x->v)  ? "there is no backup"
                                   : "";
        break;
    case UI_ACT_COPY_TO:
        why = x->v->n_stores < 2  ? "only one store is configured"
              : !any_backup(x->v) ? "there is no backup"
                                  : why_no_write(x->v);
        break;
    case UI_ACT_HOLD:
    case UI_ACT_RESTORE:
        why = !any_backup(x->v) ? "there is no backup" : why_no_write(x->v);
        break;
    case UI_ACT_CANCEL:
        why = !j                     ? "there is no job"
              : ended(j)             ? "the selected job has ended"
              : i->agent_lost_ms > 0 ? "the agent does not answer"
              : i->read_only         ? "read-only session"
                                     : "";
        break;
    case UI_ACT_DISCARD:
        why = x->v->leavings->n == 0 ? "nothing is kept aside" : why_no_act(i);
        break;
    case UI_ACT_SWITCH:
        why = i->agent_lost_ms > 0       ? "the agent does not answer"
              : i->read_only             ? "read-only session"
              : ui_switch_live(x->v)     ? "one runs: s shows it"
              : i->may_switch            ? ""
              : i->may_not_switch_why[0] ? i->may_not_switch_why
                                         : "the configuration does not list \"switch\" in acts";
        break;
    case UI_ACT_RUN:
        why = x->v->move ? "" : "none ran while this agent lives";
        break;
    case UI_ACT_SANDBOX:
        why = i->sandbox_ctl[0] && x->st->has_sandbox ? "" : "this set is no sandbox";
        break;
    default:
        break;
    }
    (void)mst_copy(out, size, why);
}

size_t ui_choices(const struct ui_ctx *x, struct ui_choice *out, size_t max)
{
    const unsigned bit = ui_screen_of(x->st->scr)->bit;
    size_t n_map, n = 0;
    const struct ui_binding *map = ui_keymap(&n_map);

    for (size_t i = 0; i < n_map && n < max; i++) {
        if (!(map[i].where & bit) || (!map[i].word && map[i].act != UI_ACT_VIEW)) {
            continue;
        }
        if (map[i].act == UI_ACT_SANDBOX && !x->v->info->sandbox_ctl[0]) {
            continue;
        }
        out[n].key = &map[i];
        ui_act_why_not(x, map[i].act, out[n].why, sizeof out[n].why);
        n++;
    }
    return n;
}

static struct ui_area centred(const struct ui_area *a, int h, int w)
{
    struct ui_area box;

    h = h > a->h ? a->h : h;
    w = w > a->w ? a->w : w;
    box = ui_area_sub(a, (a->h - h) / 2, (a->w - w) / 2, h, w);
    ui_fill(&box, UI_TEXT);
    return box;
}

void ui_menu_draw(const struct ui_ctx *x, const struct ui_area *a)
{
    struct ui_choice c[32];
    const size_t n = ui_choices(x, c, MST_COUNT(c));
    struct ui_area box = centred(a, (int)n + 2, 72);
    struct ui_area in = ui_pane_box(&box, true, "Actions", "Enter: do   Esc: close", UI_DIM);
    const int sel = x->st->menu_sel < (int)n ? x->st->menu_sel : (int)n - 1;
    const int top = sel >= in.h ? sel - in.h + 1 : 0;

    for (int i = top; i < (int)n && i - top < in.h; i++) {
        const int y = i - top;
        const bool off = c[i].why[0] != '\0';

        (void)ui_put_cut(&in, y, 1, 6, off ? UI_OFF : UI_KEY, c[i].key->name);
        (void)ui_put_cut(&in, y, 8, in.w - 8, off ? UI_OFF : UI_TEXT, c[i].key->help);
        if (off) {
            const int at = 9 + ui_cols(c[i].key->help);

            (void)ui_put(&in, y, at, UI_OFF, "- off: ");
            (void)ui_put_cut(&in, y, at + 7, in.w - at - 7, UI_OFF, c[i].why);
        }
        if (i == sel) {
            ui_tint(&in, y, 0, in.w, UI_SELECT);
            ui_cursor(&in, y, 1);
        }
    }
}

void ui_layers_draw(const struct ui_ctx *x, const struct ui_area *a)
{
    const struct ui_area box = ui_is_strip(a->cv) ? *a : ui_area_sub(a, 1, 0, a->h - 2, a->w);

    if (x->st->layer == UI_LAYER_HELP || x->st->layer == UI_LAYER_LOG) {
        ui_fill(&box, UI_TEXT);
        (void)(x->st->layer == UI_LAYER_HELP ? ui_help_draw(x, &box) : ui_log_draw(x, &box));
    } else if (x->st->layer == UI_LAYER_MENU) {
        ui_menu_draw(x, &box);
    } else if (x->st->layer == UI_LAYER_DIALOG) {
        /* The first line, class and set, stays in sight. */
        const struct ui_area rest = ui_is_strip(a->cv) ? *a : ui_area_sub(a, 1, 0, a->h - 1, a->w);

        ui_dialog_draw(x, &rest);
    }
}
