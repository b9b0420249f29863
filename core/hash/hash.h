/* hash.h: SHA-256, streamed or at once, and the order-free sum of many of them.
 *
 * A struct mst_sha256 belongs to one thread and is reused for millions of digests: after
 * mst_sha256_final() it is ready for the next one. The sum is the number mod 2^256 that one gets by
 * adding the digests as big-endian integers; equal multisets of documents have equal sums.
 */
#ifndef MST_HASH_HASH_H
#define MST_HASH_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MST_SHA256_LEN 32
#define MST_SHA256_HEX 65 /* with its NUL */

struct mst_sha256 {
    void *ctx; /* NULL while not initialised */
};

void mst_sha256_init(struct mst_sha256 *h);
void mst_sha256_release(struct mst_sha256 *h);
void mst_sha256_add(struct mst_sha256 *h, const void *p, size_t n);
/* The digest of what was added; h starts anew. */
void mst_sha256_final(struct mst_sha256 *h, uint8_t out[MST_SHA256_LEN]);
/* One digest with a reused context: what was added before is forgotten. */
void mst_sha256_one(struct mst_sha256 *h, const void *p, size_t n, uint8_t out[MST_SHA256_LEN]);
void mst_sha256_of(const void *p, size_t n, uint8_t out[MST_SHA256_LEN]);

/* SHA-1, for names that another program makes of it; it proves nothing. */
#define MST_SHA1_LEN 20
void mst_sha1_of(const void *p, size_t n, uint8_t out[MST_SHA1_LEN]);

/* Lower-case hex; out has 2 * n + 1 bytes. Returns out. */
char *mst_hex(const uint8_t *p, size_t n, char *out);
/* Exactly n bytes from 2 * n hex digits of either case, and nothing after them. */
bool mst_unhex(const char *hex, uint8_t *out, size_t n);

struct mst_sum256 {
    uint64_t w[4]; /* least significant first */
};

void mst_sum256_add(struct mst_sum256 *s, const uint8_t digest[MST_SHA256_LEN]);
void mst_sum256_sub(struct mst_sum256 *s, const uint8_t digest[MST_SHA256_LEN]);
void mst_sum256_join(struct mst_sum256 *s, const struct mst_sum256 *other);
bool mst_sum256_equal(const struct mst_sum256 *a, const struct mst_sum256 *b);
void mst_sum256_put(const struct mst_sum256 *s, uint8_t out[MST_SHA256_LEN]); /* big-endian */
void mst_sum256_get(struct mst_sum256 *s, const uint8_t in[MST_SHA256_LEN]);
char *mst_sum256_hex(const struct mst_sum256 *s, char out[MST_SHA256_HEX]);

#endif
