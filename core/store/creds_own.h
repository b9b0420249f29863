/* creds_own.h: where keys come from that are lent; private to store. */
#ifndef MST_STORE_CREDS_OWN_H
#define MST_STORE_CREDS_OWN_H

#include "store/creds.h"

/* Each: MST_E_NOTFOUND when this host has no such source. */
enum mst_rc mst_creds_web_identity(const struct mst_cfg_store *cfg, struct mst_login *out,
                                   struct mst_task *task, struct mst_err *err);
enum mst_rc mst_creds_container(struct mst_login *out, struct mst_task *task, struct mst_err *err);
enum mst_rc mst_creds_instance(struct mst_login *out, struct mst_task *task, struct mst_err *err);
/* Exchange base for the role of the configuration. */
enum mst_rc mst_creds_assume(const struct mst_cfg_store *cfg, const struct mst_login *base,
                             struct mst_login *out, struct mst_task *task, struct mst_err *err);
const char *mst_creds_env(const char *name); /* NULL when it is not set or empty */
/* The answer of a metadata service, JSON. */
enum mst_rc mst_creds_json(const void *p, size_t n, struct mst_login *out, struct mst_err *err);
/* The answer of STS, XML. */
enum mst_rc mst_creds_sts(const void *p, size_t n, struct mst_login *out, struct mst_err *err);

#endif
