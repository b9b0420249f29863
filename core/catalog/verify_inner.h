/* verify_inner.h: what the two ways of verifying share; private to catalog. */
#ifndef MST_CATALOG_VERIFY_INNER_H
#define MST_CATALOG_VERIFY_INNER_H

#include "catalog/verify.h"

void verify_finding(struct mst_verify_result *res, struct mst_task *task, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Damage is a finding and the walk goes on; everything else ends it. */
enum mst_rc verify_note(struct mst_verify_result *res, struct mst_task *task, const char *where,
                        enum mst_rc rc, struct mst_err *err);
/* The sentence of what was found. */
void verify_sentence(struct mst_verify_result *res);
enum mst_rc verify_mark(const struct mst_catalog *c, const struct mst_verify_opts *o,
                        const struct mst_verify_result *res, const struct mst_commit *commit,
                        struct mst_err *err);
/* Who signed it, and what is missing before it: findings and the warning. */
enum mst_rc verify_signature(const struct mst_catalog *c, const struct mst_bkr *r,
                             struct mst_task *task, struct mst_verify_result *res,
                             struct mst_err *err);
/* What stands beside the data and does not carry it: claim, marks, key objects, and objects of no
 * backup. What is wrong with them is the warning. Behind verify_signature. */
enum mst_rc verify_around(const struct mst_catalog *c, const struct mst_bkr *r,
                          struct mst_task *task, struct mst_verify_result *res,
                          struct mst_err *err);
/* It could not be opened: is there an object beside it that no run writes, such as one that was
 * renamed? Added to the sentence. */
void verify_strangers(const struct mst_catalog *c, const char *id, struct mst_task *task,
                      struct mst_err *err);
/* Result to mark and code. */
enum mst_rc verify_conclude(const struct mst_catalog *c, const struct mst_verify_opts *o,
                            const struct mst_commit *commit, struct mst_verify_result *res,
                            struct mst_err *err);
/* A sealed backup without its key: every stored byte against "sums" and COMMIT. why is the sentence
 * that says why it was not opened. */
enum mst_rc verify_unopened(const struct mst_catalog *c, const struct mst_verify_opts *o,
                            const char *why, struct mst_task *task, struct mst_verify_result *res,
                            struct mst_err *err);

#endif
