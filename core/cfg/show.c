#include <stdio.h>
#include <string.h>

#include "cfg/cfg.h"
#include "cfg/options.h"

static void quote(struct mst_str *out, const char *text)
{
    mst_str_addc(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') {
            mst_str_addc(out, '\\');
        }
        mst_str_addc(out, *text);
    }
    mst_str_addc(out, '"');
}

static void show_list(struct mst_str *out, const struct mst_cfg_list *l)
{
    mst_str_addc(out, '[');
    for (size_t i = 0; i < l->n; i++) {
        mst_str_add(out, i ? ", " : "");
        quote(out, l->item[i]);
    }
    mst_str_addc(out, ']');
}

static void show_option(struct mst_str *out, const struct mst_option *o, const char *base,
                        int indent)
{
    const char *at = base + o->offset;
    const struct mst_cfg_list *list = (const void *)at;
    int64_t n = 0;
    bool yes = false, unset = false;

    switch (o->type) {
    case MST_OPT_TEXT:
    case MST_OPT_WORD:
    case MST_OPT_PATH:
        unset = *at == '\0';
        break;
    case MST_OPT_INT:
        memcpy(&n, at, sizeof(n));
        break;
    case MST_OPT_BOOL:
        memcpy(&yes, at, sizeof(yes));
        break;
    case MST_OPT_TEXTS:
    case MST_OPT_WORDS:
        unset = list->n == 0;
        break;
    }
    mst_str_addf(out, "%*s%s%s = ", indent, "", unset ? "# " : "", o->name);
    if (unset) {
        mst_str_add(out, "(not set)\n");
        return;
    }
    if (o->secret) {
        mst_str_add(out, "\"<redacted>\"");
    } else if (o->type == MST_OPT_INT) {
        mst_str_addf(out, "%lld%s", (long long)n, n > INT32_MAX ? "L" : "");
    } else if (o->type == MST_OPT_BOOL) {
        mst_str_add(out, yes ? "true" : "false");
    } else if (o->type == MST_OPT_TEXTS || o->type == MST_OPT_WORDS) {
        show_list(out, list);
    } else {
        quote(out, at);
    }
    mst_str_add(out, ";\n");
}

static int depth_of(const char *path)
{
    int n = 1;

    for (; *path; path++) {
        n += *path == '.';
    }
    return n;
}

static void show_elements(struct mst_str *out, const struct mst_section *s,
                          const struct mst_cfg *cfg, int indent)
{
    size_t n;

    memcpy(&n, (const char *)cfg + s->n_offset, sizeof(n));
    for (size_t i = 0; i < n; i++) {
        mst_str_addf(out, "%*s%s{\n", indent, "", i ? ", " : "");
        for (size_t o = 0; o < s->n_opts; o++) {
            const char *base = (const char *)cfg + s->base + i * s->elem;

            if (mst_cfg_of_type(s, &s->opts[o], base)) {
                show_option(out, &s->opts[o], base, indent + 4);
            }
        }
        mst_str_addf(out, "%*s}\n", indent, "");
    }
}

static void show_options(struct mst_str *out, const struct mst_section *s,
                         const struct mst_cfg *cfg, int indent)
{
    const char *base = (const char *)cfg + s->base;

    for (size_t o = 0; o < s->n_opts; o++) {
        show_option(out, &s->opts[o], base, indent);
    }
}

static bool absent(const struct mst_section *s, const struct mst_cfg *cfg)
{
    return s->set_offset > 0 && !*((const bool *)(const void *)((const char *)cfg + s->set_offset));
}

void mst_cfg_show(const struct mst_cfg *cfg, struct mst_str *out)
{
    size_t n;
    const struct mst_section *sec = mst_cfg_sections(&n);

    mst_str_addf(out, "# file: %s\n", cfg->path[0] ? cfg->path : "(none)");
    mst_str_addf(out, "# state: %s\n# socket: %s\n", cfg->state_dir, cfg->socket_dir);
    if (cfg->uri[0]) {
        mst_str_addf(out, "# uri: %s (replaces members, set name, user and TLS)\n", cfg->uri);
    }
    for (size_t i = 0; i < n; i++) {
        const int depth = depth_of(sec[i].path), next = i + 1 < n ? depth_of(sec[i + 1].path) : 1;
        const char *dot = strrchr(sec[i].path, '.'), *name = dot ? dot + 1 : sec[i].path;
        const int indent = (depth - 1) * 4;
        bool closed = true; /* lists and absent sections close themselves */

        if (absent(&sec[i], cfg)) {
            mst_str_addf(out, "%*s# %s = (not set)\n", indent, "", name);
        } else if (sec[i].elem) {
            mst_str_addf(out, "%*s%s = (\n", indent, "", name);
            show_elements(out, &sec[i], cfg, indent + 4);
            mst_str_addf(out, "%*s);\n", indent, "");
        } else {
            mst_str_addf(out, "%*s%s = {\n", indent, "", name);
            show_options(out, &sec[i], cfg, indent + 4);
            closed = false;
        }
        for (int d = closed ? depth - 1 : depth; d >= next; d--) {
            mst_str_addf(out, "%*s};\n", (d - 1) * 4, "");
        }
    }
}
