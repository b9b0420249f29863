/* program.h: run a program of the configuration, without a shell; private to cfg. */
#ifndef MST_CFG_PROGRAM_H
#define MST_CFG_PROGRAM_H

#include "cfg/cfg.h"

#define MST_PROGRAM_INPUT 4096

/* in (NULL: nothing) on its standard input, its standard output into out (less than size bytes),
 * its complaints nowhere; given 10 s. what is "password command". MST_E_CONFIG: it cannot be run;
 * MST_E_AUTH: it failed, took too long or printed too much. */
enum mst_rc mst_cfg_run(const struct mst_cfg_list *cmd, const char *what, const void *in,
                        size_t in_n, char *out, size_t size, size_t *n,
                        struct mst_err *err) MST_MUST_CHECK;

#endif
