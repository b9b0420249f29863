/* text.h: UTF-8 from outside: decoding, terminal columns, and making it safe to show.
 *
 * Sanitising replaces, in place, what could move a cursor, recolour or reorder a screen: C0 and DEL
 * become '?', C1 controls, bidirectional marks and overrides, zero-width characters and bytes that
 * are not UTF-8 become '?' (shorter, so the string never grows).
 */
#ifndef MST_BASE_TEXT_H
#define MST_BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Length of the UTF-8 sequence at s (1 to 4), its code point in *cp; 0 when it is not valid. */
size_t mst_text_decode(const char *s, size_t len, uint32_t *cp);
/* Encode; returns the length, out has room for 4 bytes. */
size_t mst_text_encode(uint32_t cp, char *out);
void mst_text_sanitise(char *s);
/* Sanitised copy of bytes that need not be terminated; dst always ends in NUL, cut at a character.
 */
void mst_text_clean(char *dst, size_t size, const char *src, size_t n);
/* Columns a terminal needs: 0 combining, 2 wide, else 1. Does not depend on the locale. */
int mst_text_cp_cols(uint32_t cp);
size_t mst_text_cols(const char *utf8, size_t len);
/* How many bytes of s fit into cols columns. */
size_t mst_text_fit(const char *s, size_t cols);

#define MST_HUMAN_MAX 16
/* "43.7 GiB", "118 MiB", "512 B"; buf has MST_HUMAN_MAX bytes; returned. */
char *mst_text_bytes(uint64_t n, char *buf);
/* "0.3 s", "42 s", "3 m 10 s", "2 h 5 m", "4 d"; negative is "-". */
char *mst_text_duration(int64_t ms, char *buf);
/* The noun that goes with a count: "1 document", "0 documents", "12 indexes". One helper, so that
 * no text says "1 documents"; tests/lint/plurals.sh looks for the others. */
const char *mst_text_noun(uint64_t n, const char *one, const char *many);
/* Nearest candidate to a misspelt word (Damerau-Levenshtein, at most 1/3 of its length wrong), or
 * NULL. */
const char *mst_text_nearest(const char *word, const char *const *candidates, size_t n);

/* Bytes of the mark that some editors put at the begin of a file: 3, or 0. */
size_t mst_text_bom(const void *p, size_t n);

#endif
