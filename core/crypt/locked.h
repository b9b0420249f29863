/* locked.h: memory for keys: locked into RAM, left out of core files, between guard pages, wiped
 * when it is given back. Where the system refuses the lock, that is logged once and the memory is
 * ordinary but for the rest; when there is no more of it, it is ordinary memory, wiped all the
 * same. Any thread. */
#ifndef MST_CRYPT_LOCKED_H
#define MST_CRYPT_LOCKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Zeroed; never NULL. */
void *mst_locked_new(size_t n) __attribute__((malloc, returns_nonnull));
void mst_locked_free(void *p, size_t n); /* NULL allowed */
/* Is what mst_locked_new gives out really locked? */
bool mst_locked_is(void);
/* No core files and nothing in one that is forced, no tracer of the same user: once, where a
 * process starts, before the library of ciphers was used. Passphrases (struct mst_secret) live in
 * this memory from then on, and what the library takes is wiped when it gives it back. */
void mst_locked_process(void);
/* Between these two, the library takes small memory for this thread from here: the table of a key.
 * Not nested, and nothing in between that it keeps for longer. */
void mst_locked_enter(void);
void mst_locked_leave(void);
/* MST_E_IO: the system has no randomness. what names the thing that needs it. */
enum mst_rc mst_random(void *p, size_t n, const char *what, struct mst_err *err) MST_MUST_CHECK;

#endif
