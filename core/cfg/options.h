/* options.h: the table of options; private to cfg. */
#ifndef MST_CFG_OPTIONS_H
#define MST_CFG_OPTIONS_H

#include "cfg/cfg.h"

enum mst_option_type {
    MST_OPT_TEXT,
    MST_OPT_WORD, /* one of words */
    MST_OPT_PATH, /* relative to the directory of the file */
    MST_OPT_INT,  /* min to max */
    MST_OPT_BOOL,
    MST_OPT_TEXTS, /* array of texts, at most max */
    MST_OPT_WORDS  /* array of words */
};

struct mst_option {
    const char *name;
    enum mst_option_type type;
    size_t offset, size; /* inside the section; size of a text */
    int64_t otherwise, min, max;
    const char *otherwise_text;
    const char *const *words; /* ended by NULL */
    bool secret;              /* never shown */
    bool needed;              /* every group of a list has it */
    const char *of_type;      /* "s3" or "s3 or gcs": only groups of these have it; NULL all */
    const char *doc;
};

struct mst_section {
    const char *path;     /* "set.tls" */
    size_t base;          /* inside struct mst_cfg */
    size_t elem;          /* a list of groups: size of one, else 0 */
    size_t n_offset, max; /* of a list */
    size_t type_offset;   /* of the word that of_type is compared with; 0 none */
    size_t set_offset;    /* of a bool that says the section is there; 0 none */
    const struct mst_option *opts;
    size_t n_opts;
    const char *doc;
};

const struct mst_section *mst_cfg_sections(size_t *n);
#define MST_CFG_STORE_OPTS 36
extern const struct mst_option mst_cfg_store_opts[MST_CFG_STORE_OPTS];
/* What is wrong with a store as a whole: one call for each. */
typedef void mst_cfg_say_fn(void *arg, const char *text);
void mst_cfg_check_store(const struct mst_cfg *cfg, const struct mst_cfg_store *s,
                         mst_cfg_say_fn *say, void *arg);
/* ---- place.c; NULL: nothing is wrong with it. The endpoint has a "://". ---- */
const char *mst_cfg_endpoint_fault(const struct mst_cfg_store *s);
const char *mst_cfg_bucket_fault(const struct mst_cfg_store *s);
const char *mst_cfg_prefix_fault(const struct mst_cfg_store *s);
bool mst_cfg_of_type(const struct mst_section *sec, const struct mst_option *o, const void *base);
void mst_cfg_defaults(struct mst_cfg *cfg);

#endif
