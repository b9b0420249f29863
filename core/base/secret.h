/* secret.h: a password or key from the moment it is read. It has no print function; release wipes
 * it. */
#ifndef MST_BASE_SECRET_H
#define MST_BASE_SECRET_H

#include <stddef.h>

#include "base/err.h"

#define MST_SECRET_MAX 4096

struct mst_secret {
    char *p; /* NUL-terminated for libraries; NULL when unset */
    size_t len;
};

void mst_secret_set(struct mst_secret *s, const char *p, size_t n);
void mst_secret_release(struct mst_secret *s); /* wipes; NULL and twice allowed */
void mst_wipe(void *p, size_t n);              /* not optimised away */
/* Where secrets live from now on: fresh gives n bytes and never NULL, back wipes and takes also
 * what malloc gave. Before any thread. */
void mst_secret_memory(void *(*fresh)(size_t n), void (*back)(void *p, size_t n));
/* First line of a file that only its owner may read (0600 or stricter, owner or root); MST_E_CONFIG
 * names the file and what is wrong with it. */
enum mst_rc mst_secret_from_file(struct mst_secret *s, const char *path,
                                 struct mst_err *err) MST_MUST_CHECK;

#endif
