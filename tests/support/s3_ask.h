/* s3_ask.h: a request of the tests' own to an S3 server, signed with nothing of muster. */
#ifndef TEST_S3_ASK_H
#define TEST_S3_ASK_H

#include "base/str.h"

struct s3_asked {
    int status; /* 0: the connection ended without an answer */
    struct mst_str head, body;
};
/* A request of a test: headers are "name: value" lines in any order, ended by NULL or absent. */
struct s3_ask {
    const char *method, *target; /* target in its canonical form already */
    int port;
    const char *const *headers;
    const void *body;
    size_t n;
    const char *access, *secret, *region; /* NULL: those of s3d.h */
    long long at_s;                       /* 0: now */
    const char *hash;                     /* NULL: the body's */
    const char *spoil;                    /* a header to send with a blank more than was signed */
};
void s3_ask(const struct s3_ask *q, struct s3_asked *a);
/* Bytes as they are; what comes until the peer closes or the answer is whole. */
void s3_ask_raw(int port, const void *p, size_t n, struct s3_asked *a);
void s3_asked_release(struct s3_asked *a);
/* A header of the answer, "" none. */
const char *s3_asked_header(const struct s3_asked *a, const char *name, char *out, size_t size);

#endif
