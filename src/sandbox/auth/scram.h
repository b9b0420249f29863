/* scram.h: the server's side of SCRAM-SHA-1 and SCRAM-SHA-256 (RFC 5802, RFC 7677).
 *
 * Pure but for chance: what a user's record holds, and one conversation of three steps as a 4.2
 * server holds it (the last one empty). A refusal says nothing: the server tells its clients only
 * that authentication failed.
 */
#ifndef SBX_AUTH_SCRAM_H
#define SBX_AUTH_SCRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SBX_SCRAM_KEY_MAX 32
#define SBX_SCRAM_TEXT_MAX 512

enum sbx_scram_mech { SBX_SCRAM_SHA1, SBX_SCRAM_SHA256, SBX_SCRAM_MECHS };

const char *sbx_scram_name(enum sbx_scram_mech m);
bool sbx_scram_find(const char *name, enum sbx_scram_mech *out);

struct sbx_scram_cred {
    int iterations;
    char salt[64]; /* base64 */
    uint8_t stored_key[SBX_SCRAM_KEY_MAX], server_key[SBX_SCRAM_KEY_MAX];
};

/* Credentials as a server stores them. salt64 NULL makes a salt; iterations 0 takes the server's
 * number. False when the library has no such digest. */
bool sbx_scram_make(struct sbx_scram_cred *cred, enum sbx_scram_mech m, const char *user,
                    const char *password, const char *salt64, int iterations);

enum sbx_scram_step { SBX_SCRAM_FIRST, SBX_SCRAM_FINAL, SBX_SCRAM_EMPTY, SBX_SCRAM_DONE };

struct sbx_scram {
    enum sbx_scram_mech mech;
    enum sbx_scram_step step;
    bool skip_empty; /* the client asked to end after the second step */
    char user[256];
    char first_bare[SBX_SCRAM_TEXT_MAX], server_first[SBX_SCRAM_TEXT_MAX];
    char nonce[SBX_SCRAM_TEXT_MAX];
    struct sbx_scram_cred cred;
};

/* The name in a client's first message, unescaped; false when the message is malformed. */
bool sbx_scram_user(struct sbx_scram *s, const void *msg, size_t n);
/* After sbx_scram_user() and cred were filled: the server's first message. */
bool sbx_scram_first(struct sbx_scram *s, char *out, size_t size);
/* The client's next message; answer in out. False: refused. */
bool sbx_scram_next(struct sbx_scram *s, const void *msg, size_t n, char *out, size_t size);

/* The client's side, for tests and the tiny client: the proof message for a server's first one. */
bool sbx_scram_client_final(enum sbx_scram_mech m, const char *user, const char *password,
                            const char *first_bare, const char *server_first, char *out,
                            size_t size, char *server_final, size_t server_final_size);

#endif
