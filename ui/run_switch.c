/* run_switch.c: a run of a switch in words. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "ui/switch.h"

#define FRESH_MS 3000 /* what a member said longer ago says nothing about now */

bool ui_switch_live(const struct mst_view *v)
{
    return v->move && v->move->live;
}

const struct mst_note *ui_switch_foreign(const struct mst_view *v)
{
    static const char *const acts[] = {"switchover", "stepdown", "failback"};

    for (size_t i = 0; i < v->info->n_notes && i < MST_COUNT(v->info->notes); i++) {
        for (size_t k = 0; k < MST_COUNT(acts); k++) {
            if (strcmp(v->info->notes[i].act, acts[k]) == 0) {
                return &v->info->notes[i];
            }
        }
    }
    return NULL;
}

char *ui_switch_foreign_line(const struct mst_note *n, char out[400])
{
    (void)snprintf(out, 400, "%s%s%.100s by %s on %s", n->act, n->target[0] ? " to " : "",
                   n->target, n->agent, n->host);
    return out;
}

bool ui_switch_stopped(const struct mst_switch_part *m)
{
    bool takes = m->writable_ms > 0;

    for (size_t i = 0; i < m->n_members && i < MST_TOPO_MAX; i++) {
        takes |= m->members[i].writable && m->members[i].at_ms > m->t0_ms &&
                 m->at_ms - m->members[i].at_ms < FRESH_MS;
    }
    return m->live && m->t0_ms > 0 && !takes;
}

static void live_words(const struct mst_switch_part *m, int64_t now_mono_ms, char out[160])
{
    const int64_t since = now_mono_ms - m->t0_ms, left = m->hard_stop_ms - since;
    char a[32], b[32];

    if (m->t0_ms == 0) {
        (void)snprintf(out, 160, "writes go on");
    } else if (ui_switch_stopped(m) && left > 0) {
        (void)snprintf(out, 160, "WRITES STOPPED %s, undo in %s", mst_text_duration(since, a),
                       mst_text_duration(left, b));
    } else if (ui_switch_stopped(m)) {
        (void)snprintf(out, 160, "WRITES STOPPED %s, past the hard stop",
                       mst_text_duration(since, a));
    } else if (m->gap_ms >= 0) {
        (void)snprintf(out, 160, "writes go on, they were stopped for %s",
                       mst_text_duration(m->gap_ms, a));
    } else {
        (void)snprintf(out, 160, "a member says that it takes writes, not proven yet");
    }
}

char *ui_switch_line(const struct mst_switch_part *m, int64_t now_mono_ms, char out[400])
{
    char words[160];

    if (m->live) {
        live_words(m, now_mono_ms, words);
        (void)snprintf(out, 400, "%s %s, %s (%.60s -> %.60s)", m->act, m->state, words, m->from,
                       m->to[0] ? m->to : "any heir");
    } else {
        (void)snprintf(out, 400, "%s %.60s -> %.60s ended with %d: %.200s", m->act, m->from,
                       m->to[0] ? m->to : "any heir", m->exit, m->text);
    }
    return out;
}

const char *ui_switch_next(int exit_status)
{
    switch (exit_status) {
    case 0:
        return "F with \"back to where it was\" goes back later, with all the checks";
    case 10:
        return "nothing was changed: settle what refuses, then F plans again";
    case 11:
    case 12:
        return "nothing of it stays; read the cause, settle it, then F plans again";
    case 13:
        return "the old primary has the seat again: read the cause before F plans again";
    case 14:
        return "the set works, another member won: F plans again if it is to move on";
    case 15:
        return "there is a primary: settle what is listed as missing before the next act";
    case 17:
        return "somebody else acts on this set: wait, or ask whoever is named";
    case 18:
        return "the set moved since it was planned: F makes a new plan";
    default:
        return "look at 1 Dash and 2 Topo before anything else; what was frozen thaws by itself "
               "within a minute";
    }
}
