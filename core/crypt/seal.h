/* seal.h: sealed bytes: AES-256-GCM in numbered chunks, with a key that is committed to and bound
 * to where the bytes belong. docs/formats.md has it byte for byte.
 *
 * The construction is C2SP "chunked-encryption" (AES-256-GCM, SHA-512) under a label of our own:
 * a data key of 32 bytes and a context give one key, one base nonce and one commitment for each
 * salt; chunk i is sealed under base nonce XOR i; every chunk but the last holds exactly
 * MST_SEAL_CHUNK bytes, the last always fewer (also none), so an object that was cut is noticed.
 * What was swapped, renamed or belongs to another backup, set or key does not open.
 *
 * A sealer or an opener belongs to one thread. Keys are wiped when they are freed.
 */
#ifndef MST_CRYPT_SEAL_H
#define MST_CRYPT_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define MST_DATA_KEY_LEN 32
#define MST_SEAL_CHUNK 16384U /* bytes of content in every chunk but the last */
#define MST_SEAL_TAG 16U
#define MST_SEAL_SALT 24U
#define MST_SEAL_HEAD 64U /* "MUSTERE1", salt, commitment */
#define MST_SEAL_CHUNKS_MAX (1ULL << 32)

struct mst_data_key { /* of one backup; in locked memory when the system gives any */
    uint8_t *p;       /* MST_DATA_KEY_LEN bytes; NULL when unset */
};
/* A fresh random one. MST_E_IO when the system has no randomness. */
enum mst_rc mst_data_key_new(struct mst_data_key *k, struct mst_err *err) MST_MUST_CHECK;
void mst_data_key_set(struct mst_data_key *k, const uint8_t bytes[MST_DATA_KEY_LEN]);
void mst_data_key_release(struct mst_data_key *k); /* wipes; twice allowed */
/* Names a data key without giving it away: hex of the first 16 bytes of a derived value. */
void mst_data_key_id(const struct mst_data_key *k, char out[33]);

/* What the bytes are: each text is put in with its length, so no two contexts have the same bytes.
 */
void mst_seal_context(struct mst_buf *out, const char *set, const char *backup, const char *attempt,
                      const char *role, uint32_t number, uint32_t part);

struct mst_sealer;
/* salt NULL: a random one (always, but in tests). head is what the object begins with. */
enum mst_rc mst_sealer_new(const struct mst_data_key *key, const void *context, size_t n,
                           const uint8_t *salt, uint8_t head[MST_SEAL_HEAD],
                           struct mst_sealer **out, struct mst_err *err) MST_MUST_CHECK;
/* Append to out what can be sealed by now. */
enum mst_rc mst_sealer_add(struct mst_sealer *s, const void *p, size_t n, struct mst_buf *out,
                           struct mst_err *err) MST_MUST_CHECK;
/* The last chunk; nothing may be added after it. */
enum mst_rc mst_sealer_end(struct mst_sealer *s, struct mst_buf *out,
                           struct mst_err *err) MST_MUST_CHECK;
void mst_sealer_free(struct mst_sealer *s);

struct mst_opener;
/* MST_E_INTEGRITY: not sealed bytes, or sealed with another key or for another place (the text says
 * which of the two it can be). */
enum mst_rc mst_opener_new(const struct mst_data_key *key, const void *context, size_t n,
                           const uint8_t head[MST_SEAL_HEAD], struct mst_opener **out,
                           struct mst_err *err) MST_MUST_CHECK;
/* One chunk, in any order: n stored bytes with their tag, at most MST_SEAL_CHUNK + MST_SEAL_TAG.
 * plain has room for n - MST_SEAL_TAG. The last chunk is the one that is short. MST_E_INTEGRITY. */
enum mst_rc mst_opener_chunk(struct mst_opener *o, uint64_t index, const uint8_t *stored, size_t n,
                             uint8_t *plain, size_t *plain_n, struct mst_err *err) MST_MUST_CHECK;
void mst_opener_free(struct mst_opener *o);

/* Bytes of a sealed object for so many of content, with head and tags. */
uint64_t mst_seal_stored(uint64_t content);
/* And back; false when no content has this size. */
bool mst_seal_content(uint64_t stored, uint64_t *content);

#endif
