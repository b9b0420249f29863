/* json.h: one JSON object on one line, member by member. Absent facts are null, never 0. */
#ifndef CMD_JSON_H
#define CMD_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

void js_begin(struct mst_str *s, const char *type,
              int64_t wall_ms); /* {"type":T,"v":1,"time":..} */
void js_end(struct mst_str *s); /* } and a newline */
void js_text(struct mst_str *s, const char *name, const char *value); /* "" is null */
void js_int(struct mst_str *s, const char *name, int64_t value);
void js_known(struct mst_str *s, const char *name, int64_t value); /* negative is null */
void js_num(struct mst_str *s, const char *name, double value);    /* negative is null */
void js_bool(struct mst_str *s, const char *name, bool value);
void js_time(struct mst_str *s, const char *name, int64_t wall_ms);              /* 0 is null */
void js_age(struct mst_str *s, const char *name, int64_t now_ms, int64_t at_ms); /* at 0 is null */
void js_open(struct mst_str *s, const char *name, char bracket); /* '[' or '{'; name may be NULL */
void js_close(struct mst_str *s, char bracket);

#endif
