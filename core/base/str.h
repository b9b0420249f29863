/* str.h: a growing string, always terminated, with a ceiling set at birth.
 *
 * Zero is a valid, empty string with the default ceiling (16 MiB). Text past the ceiling is dropped
 * and remembered: mst_str_cut() says so. Not thread-safe; the caller owns the storage.
 */
#ifndef MST_BASE_STR_H
#define MST_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct mst_str {
    char *p; /* NULL while empty: use mst_str_c() */
    size_t len, cap;
    size_t max; /* 0: default */
    bool cut;
};

void mst_str_init(struct mst_str *s, size_t max);
void mst_str_release(struct mst_str *s);
void mst_str_reset(struct mst_str *s); /* empty, keeps the memory */
const char *mst_str_c(const struct mst_str *s);
bool mst_str_cut(const struct mst_str *s);
void mst_str_add(struct mst_str *s, const char *text);
void mst_str_addn(struct mst_str *s, const char *text, size_t n);
void mst_str_addc(struct mst_str *s, char c);
void mst_str_addf(struct mst_str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void mst_str_vaddf(struct mst_str *s, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
/* text as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void mst_str_add_json(struct mst_str *s, const char *text);
/* text as one word of a POSIX shell: as it is when nothing in it is special, else in single quotes.
 */
void mst_str_add_shell(struct mst_str *s, const char *text);
char *mst_str_detach(struct mst_str *s); /* caller frees; never NULL; s is empty afterwards */

#endif
