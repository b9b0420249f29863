/* args.h: command line options by table. Nothing here exits or prints an error. */
#ifndef CMD_ARGS_H
#define CMD_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct arg_spec {
    const char *name;  /* without the dashes */
    const char *value; /* "FILE"; NULL: a flag */
    const char *doc;
    bool many; /* may be given several times */
};

#define ARGS_MAX 48

struct args {
    size_t n;
    struct {
        const struct arg_spec *spec;
        const char *value;
    } given[ARGS_MAX];
    size_t n_operands;
    const char *operands[ARGS_MAX];
};

/* Sort argv[0..n-1] into options of the two tables (either may be empty) and operands. "--" ends
 * the options; "--name=value" and "--name value" are the same. MST_E_USAGE names what is wrong and
 * the nearest option. */
enum mst_rc args_parse(struct args *a, int n, char *const *argv,
                       const struct arg_spec *const *specs, struct mst_err *err) MST_MUST_CHECK;
bool args_has(const struct args *a, const char *name);
const char *args_get(const struct args *a, const char *name); /* the last one; NULL when absent */
/* The i-th of an option that may be given several times; NULL past the last. */
const char *args_nth(const struct args *a, const char *name, size_t i);
/* Whole number from low to high, otherwise when absent. */
enum mst_rc args_number(const struct args *a, const char *name, int64_t low, int64_t high,
                        int64_t otherwise, int64_t *out, struct mst_err *err) MST_MUST_CHECK;
/* "64MiB", "1.5GB", "1000": bytes; 0 when absent. */
enum mst_rc args_size(const struct args *a, const char *name, uint64_t *out,
                      struct mst_err *err) MST_MUST_CHECK;
/* One line for each option of a table. */
void args_help(const struct arg_spec *specs, struct mst_str *out);

#endif
