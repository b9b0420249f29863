/* A switch of the primary as text and as JSON. */
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "json.h"
#include "show.h"

static int64_t took(const struct mst_switch_part *m, const struct mst_switch_line *l)
{
    return (l->to_ms ? l->to_ms : m->at_ms) - l->from_ms;
}

static void as_json(const struct mst_switch_part *m, int64_t now_wall_ms, struct mst_str *out)
{
    js_begin(out, "switch", now_wall_ms);
    js_text(out, "run", m->run);
    js_int(out, "job", (int64_t)m->job);
    js_text(out, "act", m->act);
    js_text(out, "from", m->from);
    js_text(out, "to", m->to);
    js_text(out, "code", m->code);
    js_text(out, "who", m->who);
    js_text(out, "reason", m->reason);
    js_text(out, "state", m->state);
    js_known(out, "exit", m->exit);
    js_text(out, "result", m->text);
    js_time(out, "began", m->begun_wall_ms);
    js_known(out, "write_gap_ms", m->gap_ms);
    js_text(out, "certificate", m->certificate);
    js_text(out, "certificate_text", m->certificate_text);
    js_int(out, "majority_writes", m->probes);
    js_open(out, "states", '[');
    for (size_t i = 0; i < m->n_lines; i++) {
        js_open(out, NULL, '{');
        js_text(out, "state", m->lines[i].state);
        js_int(out, "at_ms", m->lines[i].from_ms - m->begun_ms);
        js_int(out, "took_ms", took(m, &m->lines[i]));
        js_text(out, "detail", m->lines[i].detail);
        js_close(out, '}');
    }
    js_close(out, ']');
    js_open(out, "problems", '[');
    for (size_t i = 0; i < m->n_problems; i++) {
        js_text(out, NULL, m->problems[i]);
    }
    js_close(out, ']');
    js_end(out);
}

void show_switch(const struct mst_switch_part *m, int64_t now_wall_ms, enum show_form form,
                 struct mst_str *out)
{
    char a[MST_HUMAN_MAX], b[MST_HUMAN_MAX];

    if (form == SHOW_JSON) {
        as_json(m, now_wall_ms, out);
        return;
    }
    mst_str_addf(out, "%s %s: %s to %s, by %s%s%s\n", m->act, m->run, m->from,
                 m->to[0] ? m->to : "whoever is elected", m->who, m->reason[0] ? ", " : "",
                 m->reason);
    for (size_t i = 0; i < m->n_lines; i++) {
        mst_str_addf(out, "  %-10s at %8s  took %8s  %s\n", m->lines[i].state,
                     mst_text_duration(m->lines[i].from_ms - m->begun_ms, a),
                     mst_text_duration(took(m, &m->lines[i]), b), m->lines[i].detail);
    }
    if (m->gap_ms >= 0) {
        mst_str_addf(out, "  writes stopped for %s\n", mst_text_duration(m->gap_ms, a));
    }
    if (m->certificate[0]) {
        mst_str_addf(out, "  certificate: %s%s%s\n", m->certificate,
                     m->certificate_text[0] ? ", " : "", m->certificate_text);
    }
    for (size_t i = 0; i < m->n_problems; i++) {
        mst_str_addf(out, "  ! %s\n", m->problems[i]);
    }
}
