#include "json.h"

#include <string.h>

#include "base/clock.h"

/* A comma unless something just opened. */
static void name_of(struct mst_str *s, const char *name)
{
    const char last = s->len ? s->p[s->len - 1] : '{';

    if (last != '{' && last != '[') {
        mst_str_addc(s, ',');
    }
    if (name) {
        mst_str_addf(s, "\"%s\":", name);
    }
}

void js_text(struct mst_str *s, const char *name, const char *value)
{
    name_of(s, name);
    if (*value) {
        mst_str_add_json(s, value);
    } else {
        mst_str_add(s, "null");
    }
}

void js_int(struct mst_str *s, const char *name, int64_t value)
{
    name_of(s, name);
    mst_str_addf(s, "%lld", (long long)value);
}

void js_known(struct mst_str *s, const char *name, int64_t value)
{
    if (value < 0) {
        js_text(s, name, "");
    } else {
        js_int(s, name, value);
    }
}

void js_num(struct mst_str *s, const char *name, double value)
{
    if (value < 0) {
        js_text(s, name, "");
    } else {
        name_of(s, name);
        mst_str_addf(s, "%.3f", value);
    }
}

void js_bool(struct mst_str *s, const char *name, bool value)
{
    name_of(s, name);
    mst_str_add(s, value ? "true" : "false");
}

void js_time(struct mst_str *s, const char *name, int64_t wall_ms)
{
    char t[MST_TIME_MAX];

    js_text(s, name, wall_ms ? mst_time_iso_ms(wall_ms, t) : "");
}

void js_age(struct mst_str *s, const char *name, int64_t now_ms, int64_t at_ms)
{
    js_known(s, name, at_ms ? (now_ms > at_ms ? now_ms - at_ms : 0) : -1);
}

void js_open(struct mst_str *s, const char *name, char bracket)
{
    name_of(s, name);
    mst_str_addc(s, bracket);
}

void js_close(struct mst_str *s, char bracket)
{
    mst_str_addc(s, bracket);
}

void js_begin(struct mst_str *s, const char *type, int64_t wall_ms)
{
    mst_str_addc(s, '{');
    js_text(s, "type", type);
    js_int(s, "v", 1);
    js_time(s, "time", wall_ms);
}

void js_end(struct mst_str *s)
{
    mst_str_add(s, "}\n");
}
