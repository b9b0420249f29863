/* show.h: the set as text, as sentences and as JSON lines; pure, from a view. */
#ifndef CMD_SHOW_H
#define CMD_SHOW_H

#include "base/str.h"
#include "engine/view.h"

enum show_form { SHOW_TABLE, SHOW_PLAIN, SHOW_JSON };

void show_status(const struct mst_view *v, enum show_form form, bool color, struct mst_str *out);
void show_topology(const struct mst_view *v, enum show_form form, struct mst_str *out);
void show_event(const struct mst_event *e, const struct mst_topo_view *t, enum show_form form,
                struct mst_str *out);
const char *show_event_kind(enum mst_event_kind k); /* its word in JSON */
const char *show_severity(enum mst_severity s);
void show_job(const struct mst_job *j, int64_t now_wall_ms, enum show_form form,
              struct mst_str *out);
/* Exit status of a verdict: 0 healthy, 1 not, 2 wrong thing, 3 unreachable, 4 not authorised. */
int show_exit(enum mst_verdict v);
/* Every member was asked and answered, or failed to. */
bool show_settled(const struct mst_topo_view *t);

/* A switch of the primary: what it is, how far, and its result. */
void show_switch(const struct mst_switch_part *m, int64_t now_wall_ms, enum show_form form,
                 struct mst_str *out);

#endif
