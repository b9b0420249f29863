#include "args.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#define NAMES_MAX 64

static const struct arg_spec *find(const struct arg_spec *const *specs, const char *name, size_t n)
{
    for (; *specs; specs++) {
        for (const struct arg_spec *s = *specs; s->name; s++) {
            if (strlen(s->name) == n && strncmp(s->name, name, n) == 0) {
                return s;
            }
        }
    }
    return NULL;
}

static enum mst_rc unknown(const struct arg_spec *const *specs, const char *arg,
                           struct mst_err *err)
{
    const char *names[NAMES_MAX], *near;
    char name[64];
    size_t n = 0;

    (void)mst_copy(name, sizeof(name), arg);
    name[strcspn(name, "=")] = '\0';
    if (strncmp(name, "pass", 4) == 0 && strncmp(name, "password-f", 10) != 0) {
        return mst_err_set(err, MST_E_USAGE,
                           "a password on the command line can be read by other users: use "
                           "--password-file FILE, or password_command or prompt in the "
                           "configuration");
    }
    for (; *specs; specs++) {
        for (const struct arg_spec *s = *specs; s->name && n < NAMES_MAX; s++) {
            names[n++] = s->name;
        }
    }
    near = mst_text_nearest(name, names, n);
    return near
               ? mst_err_set(err, MST_E_USAGE, "unknown option --%s: did you mean --%s", name, near)
               : mst_err_set(err, MST_E_USAGE, "unknown option --%s: --help lists them", name);
}

enum mst_rc args_parse(struct args *a, int n, char *const *argv,
                       const struct arg_spec *const *specs, struct mst_err *err)
{
    bool options = true;

    for (int i = 0; i < n; i++) {
        const char *arg = argv[i], *name = arg + 2, *eq, *value = NULL;
        const struct arg_spec *s;

        if (a->n == ARGS_MAX || a->n_operands == ARGS_MAX) {
            return mst_err_set(err, MST_E_USAGE, "more than %d arguments", ARGS_MAX);
        }
        if (!options || arg[0] != '-' || arg[1] == '\0') {
            a->operands[a->n_operands++] = arg;
            continue;
        }
        if (strcmp(arg, "--") == 0) {
            options = false;
            continue;
        }
        if (strcmp(arg, "-h") == 0) {
            name = "help";
        } else if (arg[1] != '-') {
            return mst_err_set(err, MST_E_USAGE, "unknown option %s: options start with --", arg);
        }
        eq = strchr(name, '=');
        s = find(specs, name, eq ? (size_t)(eq - name) : strlen(name));
        if (!s) {
            return unknown(specs, name, err);
        }
        if (!s->value && eq) {
            return mst_err_set(err, MST_E_USAGE, "--%s takes no value", s->name);
        }
        if (s->value) {
            value = eq ? eq + 1 : i + 1 < n ? argv[++i] : NULL;
            if (!value || !*value) {
                return mst_err_set(err, MST_E_USAGE, "--%s needs a value: --%s %s", s->name,
                                   s->name, s->value);
            }
        }
        if (!s->many && args_has(a, s->name) && s->value) {
            return mst_err_set(err, MST_E_USAGE, "--%s is given twice", s->name);
        }
        a->given[a->n].spec = s;
        a->given[a->n++].value = value;
    }
    return MST_OK;
}

bool args_has(const struct args *a, const char *name)
{
    for (size_t i = 0; i < a->n; i++) {
        if (strcmp(a->given[i].spec->name, name) == 0) {
            return true;
        }
    }
    return false;
}

const char *args_nth(const struct args *a, const char *name, size_t nth)
{
    for (size_t i = 0; i < a->n; i++) {
        if (strcmp(a->given[i].spec->name, name) == 0 && nth-- == 0) {
            return a->given[i].value;
        }
    }
    return NULL;
}

const char *args_get(const struct args *a, const char *name)
{
    return args_nth(a, name, 0);
}

enum mst_rc args_number(const struct args *a, const char *name, int64_t low, int64_t high,
                        int64_t otherwise, int64_t *out, struct mst_err *err)
{
    const char *v = args_get(a, name);
    char *end;
    long long x;

    *out = otherwise;
    if (!v) {
        return MST_OK;
    }
    errno = 0;
    x = strtoll(v, &end, 10);
    if (errno != 0 || end == v || *end || x < low || x > high) {
        return mst_err_set(err, MST_E_USAGE,
                           "--%s is %s: it must be a whole number from %lld to %lld", name, v,
                           (long long)low, (long long)high);
    }
    *out = x;
    return MST_OK;
}

enum mst_rc args_size(const struct args *a, const char *name, uint64_t *out, struct mst_err *err)
{
    static const struct {
        const char *unit;
        double factor;
    } units[] = {{"", 1},
                 {"B", 1},
                 {"kB", 1e3},
                 {"KB", 1e3},
                 {"MB", 1e6},
                 {"GB", 1e9},
                 {"TB", 1e12},
                 {"KiB", 1024.0},
                 {"K", 1024.0},
                 {"M", 1048576},
                 {"MiB", 1048576},
                 {"G", 1073741824},
                 {"GiB", 1073741824},
                 {"TiB", 1099511627776}};
    const char *v = args_get(a, name);
    char *end;
    double x;

    *out = 0;
    if (!v) {
        return MST_OK;
    }
    x = strtod(v, &end);
    for (size_t i = 0; end != v && isfinite(x) && x >= 0 && i < MST_COUNT(units); i++) {
        if (strcmp(end, units[i].unit) == 0 && x * units[i].factor < 1e15) {
            *out = (uint64_t)(x * units[i].factor);
            return MST_OK;
        }
    }
    return mst_err_set(err, MST_E_USAGE, "--%s is %s: it must be a size such as 500kB, 64MiB, 2GiB",
                       name, v);
}

void args_help(const struct arg_spec *specs, struct mst_str *out)
{
    for (; specs && specs->name; specs++) {
        char left[64];

        if (!specs->doc) {
            continue; /* hidden */
        }
        (void)snprintf(left, sizeof(left), "--%s%s%s", specs->name, specs->value ? " " : "",
                       specs->value ? specs->value : "");
        mst_str_addf(out, "  %-22s %s\n", left, specs->doc);
    }
}
