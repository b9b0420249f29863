/* testset.h: the one replica set of a test: the simulator in this process, or real servers when
 * MUSTER_MONGOD names a mongod. A test says what it needs; what a real set cannot give skips the
 * test by name (exit 77, "SKIP design ...").
 */
#ifndef MST_TEST_TESTSET_H
#define MST_TEST_TESTSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TESTSET_PARTITION = 1, /* partition, heal */
    TESTSET_LAG = 2,       /* a settable lag */
    TESTSET_70 = 4,        /* the 7.0 profile */
    TESTSET_REFUSALS = 8,  /* error 13 on request */
    TESTSET_INSIDE = 16    /* looks into the simulator itself */
};

struct testset_opts {
    const char *name; /* of the test, for the skip line */
    unsigned needs;
    size_t members; /* 0: 3 */
    bool arbiter;
    uint64_t seed;
};

struct sbx_world;
struct sbx_real;

struct testset {
    struct sbx_world *world; /* NULL on a real set */
    struct sbx_real *real;
    char dir[64]; /* of the real servers; "" else */
    size_t n;
};

/* Exits the program with 77 when the set cannot give what is needed, fails the test when it does
 * not start. The simulator runs with --fast. */
void testset_start(struct testset *s, const struct testset_opts *o);
void testset_stop(struct testset *s);
/* "mongodb://..." into buf. */
void testset_uri(struct testset *s, char *buf, size_t n);
int testset_port(const struct testset *s, size_t i);
/* Index of the writable primary within ms, -1 none; `not_member` is not accepted (-1: any is). */
int testset_primary(struct testset *s, int not_member, int64_t ms);
/* kill start stop cont; and partition heal lag on the simulator. b may be NULL. */
void testset_verb(struct testset *s, const char *verb, size_t member, const char *b);

#endif
