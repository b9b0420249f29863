#include "ui/theme.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

enum { THEME_MAX_BYTES = 64 * 1024 };

/* The text of themes/default.theme; a test compares the two. */
static const char default_text[] =
    "# default: the terminal's own foreground and background, one accent colour.\n"
    "# Blue, yellow and red-pink stay apart for every kind of colour vision.\n"
    "# role = fg [bg] [bold] [reverse] [underline] [dim]; @8 few colours, @light light background\n"
    "text = default\n"
    "dim = default dim\n"
    "stale = default dim\n"
    "off = default dim\n"
    "border = default dim\n"
    "head = default dim\n"
    "hint = default dim\n"
    "class-none = default dim\n"
    "title = default\n"
    "tab = default\n"
    "bar = default\n"
    "button = default\n"
    "field = default underline\n"
    "command = default underline\n"
    "select = default reverse\n"
    "field-focus = default reverse\n"
    "button-focus = default reverse\n"
    "ok = 75 bold\n"
    "run = 75 bold\n"
    "primary = 75 bold\n"
    "title-focus = 75 bold\n"
    "border-focus = 75 bold\n"
    "key = 75 bold\n"
    "tab-on = 75 bold\n"
    "gauge = 75 bold\n"
    "warn = 220 bold underline\n"
    "crit = 197 bold reverse\n"
    "class-prod = 197 bold reverse\n"
    "class-test = 220 underline reverse\n"
    "class-sandbox = 75 bold underline reverse\n"
    "ok@8 = cyan bold\n"
    "run@8 = cyan bold\n"
    "primary@8 = cyan bold\n"
    "title-focus@8 = cyan bold\n"
    "border-focus@8 = cyan bold\n"
    "key@8 = cyan bold\n"
    "tab-on@8 = cyan bold\n"
    "gauge@8 = cyan bold\n"
    "warn@8 = yellow bold underline\n"
    "crit@8 = magenta bold reverse\n"
    "class-prod@8 = magenta bold reverse\n"
    "class-test@8 = yellow underline reverse\n"
    "class-sandbox@8 = cyan bold underline reverse\n"
    "ok@light = 25 bold\n"
    "run@light = 25 bold\n"
    "primary@light = 25 bold\n"
    "title-focus@light = 25 bold\n"
    "border-focus@light = 25 bold\n"
    "key@light = 25 bold\n"
    "tab-on@light = 25 bold\n"
    "gauge@light = 25 bold\n"
    "warn@light = 130 bold underline\n"
    "crit@light = 161 bold reverse\n"
    "class-prod@light = 161 bold reverse\n"
    "class-test@light = 130 underline reverse\n"
    "class-sandbox@light = 25 bold underline reverse\n";

static const char mono_text[] =
    "# mono: attributes only; also what NO_COLOR and terminals without colour get.\n"
    "text = default\n"
    "dim = default dim\n"
    "stale = default dim\n"
    "off = default dim\n"
    "border = default dim\n"
    "head = default dim\n"
    "hint = default dim\n"
    "class-none = default dim\n"
    "title = default\n"
    "tab = default\n"
    "bar = default\n"
    "button = default\n"
    "field = default underline\n"
    "command = default underline\n"
    "select = default reverse\n"
    "field-focus = default reverse\n"
    "button-focus = default reverse\n"
    "ok = default bold\n"
    "run = default bold\n"
    "primary = default bold\n"
    "title-focus = default bold\n"
    "border-focus = default bold\n"
    "key = default bold\n"
    "tab-on = default bold\n"
    "gauge = default bold\n"
    "warn = default bold underline\n"
    "crit = default bold reverse\n"
    "class-prod = default bold reverse\n"
    "class-test = default underline reverse\n"
    "class-sandbox = default bold underline reverse\n";

const char *ui_theme_builtin(const char *name)
{
    if (strcmp(name, "default") == 0) {
        return default_text;
    }
    return strcmp(name, "mono") == 0 ? mono_text : NULL;
}

bool ui_style_same(struct ui_style a, struct ui_style b)
{
    return a.fg == b.fg && a.bg == b.bg && a.attrs == b.attrs;
}

static bool color_of(const char *word, int *out)
{
    static const char *const names[] = {"black", "red",     "green", "yellow",
                                        "blue",  "magenta", "cyan",  "white"};
    char *end;
    long v;

    if (strcmp(word, "default") == 0) {
        *out = -1;
        return true;
    }
    for (size_t i = 0; i < MST_COUNT(names); i++) {
        if (strcmp(word, names[i]) == 0) {
            *out = (int)i;
            return true;
        }
    }
    if (*word < '0' || *word > '9') {
        return false;
    }
    v = strtol(word, &end, 10);
    *out = (int)v;
    return *end == '\0' && v <= 255;
}

static unsigned attr_of(const char *word)
{
    static const char *const names[] = {"bold", "reverse", "underline", "dim"};

    for (unsigned i = 0; i < MST_COUNT(names); i++) {
        if (strcmp(word, names[i]) == 0) {
            return 1U << i;
        }
    }
    return 0;
}

static enum mst_rc parse_style(char *words, struct ui_style *out, const char *name, int line,
                               struct mst_err *err)
{
    char *save = NULL;
    int n_colors = 0;

    *out = (struct ui_style){-1, -1, 0};
    for (char *w = strtok_r(words, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
        int color;

        if (attr_of(w)) {
            out->attrs |= attr_of(w);
        } else if (n_colors < 2 && color_of(w, &color)) {
            *(n_colors++ ? &out->bg : &out->fg) = color;
        } else {
            mst_text_sanitise(w);
            return mst_err_set(err, MST_E_CONFIG, "%s:%d: '%s' is no colour and no attribute", name,
                               line, w);
        }
    }
    return MST_OK;
}

static enum mst_rc find_role(char *word, enum ui_palette *pal, enum ui_role *role, const char *name,
                             int line, struct mst_err *err)
{
    char *at = strchr(word, '@');
    const char *names[UI_ROLE_COUNT];
    const char *near;

    *pal = UI_PAL_256;
    if (at) {
        *at++ = '\0';
        *pal = strcmp(at, "8") == 0 ? UI_PAL_8 : UI_PAL_LIGHT;
        if (*pal == UI_PAL_LIGHT && strcmp(at, "light") != 0) {
            mst_text_sanitise(at);
            return mst_err_set(err, MST_E_CONFIG, "%s:%d: '@%s' is neither @8 nor @light", name,
                               line, at);
        }
    }
    for (int i = 0; i < UI_ROLE_COUNT; i++) {
        names[i] = ui_role_name((enum ui_role)i);
        if (strcmp(word, names[i]) == 0) {
            *role = (enum ui_role)i;
            return MST_OK;
        }
    }
    mst_text_sanitise(word);
    near = mst_text_nearest(word, names, UI_ROLE_COUNT);
    return mst_err_set(err, MST_E_CONFIG, "%s:%d: there is no role '%s'%s%s%s", name, line, word,
                       near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static char *trim(char *s)
{
    size_t n;

    s += strspn(s, " \t\r");
    n = strlen(s);
    while (n > 0 && strchr(" \t\r", s[n - 1])) {
        s[--n] = '\0';
    }
    return s;
}

static enum mst_rc parse_line(struct ui_theme *t, bool (*set)[UI_ROLE_COUNT], char *s,
                              const char *name, int line, struct mst_err *err)
{
    enum ui_palette pal;
    enum ui_role role;
    enum mst_rc rc;
    char *eq;

    s = trim(s);
    if (*s == '\0' || *s == '#') {
        return MST_OK;
    }
    eq = strchr(s, '=');
    if (!eq) {
        return mst_err_set(err, MST_E_CONFIG, "%s:%d: expected 'role = colour ...'", name, line);
    }
    *eq = '\0';
    rc = find_role(trim(s), &pal, &role, name, line, err);
    if (rc != MST_OK) {
        return rc;
    }
    set[pal][role] = true;
    return parse_style(eq + 1, &t->style[pal][role], name, line, err);
}

enum mst_rc ui_theme_parse(struct ui_theme *t, const char *name, const char *text,
                           struct mst_err *err)
{
    bool set[UI_PAL_COUNT][UI_ROLE_COUNT] = {{false}};
    char *copy = mst_xstrdup(text), *next = copy;
    enum mst_rc rc = MST_OK;

    *t = (struct ui_theme){0};
    (void)mst_copy(t->name, sizeof t->name, name);
    for (int line = 1; next && rc == MST_OK; line++) {
        char *s = next;

        next = strchr(s, '\n');
        if (next) {
            *next++ = '\0';
        }
        rc = parse_line(t, set, s, name, line, err);
    }
    free(copy);
    for (int r = 0; r < UI_ROLE_COUNT; r++) {
        if (!set[UI_PAL_256][r]) {
            t->style[UI_PAL_256][r] = set[UI_PAL_256][UI_TEXT] ? t->style[UI_PAL_256][UI_TEXT]
                                                               : (struct ui_style){-1, -1, 0};
        }
        for (int p = UI_PAL_8; p < UI_PAL_COUNT; p++) {
            if (!set[p][r]) {
                t->style[p][r] = t->style[UI_PAL_256][r];
            }
        }
    }
    return rc;
}

enum mst_rc ui_theme_load(struct ui_theme *t, const char *name_or_path, struct mst_err *err)
{
    const char *text = ui_theme_builtin(name_or_path);
    struct mst_buf buf = {0};
    enum mst_rc rc;

    if (text) {
        return ui_theme_parse(t, name_or_path, text, err);
    }
    if (!strchr(name_or_path, '/') && !strstr(name_or_path, ".theme")) {
        return mst_err_set(err, MST_E_USAGE,
                           "there is no theme '%s'; themes are default, mono, or a path of a file",
                           name_or_path);
    }
    rc = mst_file_read(name_or_path, THEME_MAX_BYTES, &buf, err);
    if (rc == MST_OK) {
        mst_buf_add(&buf, "", 1);
        rc = ui_theme_parse(t, name_or_path, (const char *)buf.p, err);
    }
    mst_buf_release(&buf);
    return rc;
}
