/* load.h: the reader of one file; private to cfg. */
#ifndef MST_CFG_LOAD_H
#define MST_CFG_LOAD_H

#include "cfg/cfg.h"

/* Fill cfg (defaults are there already) from path; every problem is a line "file:line: text" in
 * problems. MST_E_CONFIG with the first one when there is any. */
enum mst_rc mst_cfg_read(struct mst_cfg *cfg, const char *path, struct mst_str *problems,
                         struct mst_err *err) MST_MUST_CHECK;

#endif
