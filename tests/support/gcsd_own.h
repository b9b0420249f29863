/* gcsd_own.h: inside the scripted Google Cloud Storage; only tests/support/gcsd*.c include it. */
#ifndef TEST_GCSD_OWN_H
#define TEST_GCSD_OWN_H

#include <bson/bson.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>

#include "gcsd.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#define GCSD_PAIRS 40
#define GCSD_PLAN 16
#define GCSD_TOKENS 64

struct gpair {
    char *name, *value;
};
struct gcsd_request {
    char method[12];
    char *path, *query_text, *body_text; /* body_text: NUL behind the body */
    size_t body_n;
    struct gpair header[GCSD_PAIRS], query[GCSD_PAIRS];
    size_t n_headers, n_query;
    enum gcsd_kind kind;
    char *name; /* of the object; NULL none */
    bool close;
};
struct gcsd_reply {
    int status;
    struct mst_str head, body;
    bool reset;
};
struct gobject {
    char *name;
    uint8_t *p;
    size_t n;
    uint64_t generation;
    uint32_t crc;
    char word[64], mode[16], until[40], klass[32];
    char tags[300];            /* of its metadata, as JSON: ,"team":"db" */
    bool hold, by_event, gone; /* gone: a generation that is not the live one */
};
struct gsession {
    unsigned id;
    char *name, word[64], klass[32], mode[16], until[40], tags[300];
    struct mst_buf have;
    bool done;
    uint64_t generation; /* of what it became */
};
struct gplan {
    struct gcsd_fault f;
    unsigned seen, hit;
};
struct gtoken {
    char text[64];
    int64_t until_s;
};
struct gcsd {
    char bucket[80], host[40], url[60];
    unsigned page_max;
    pthread_mutex_t mu;
    pthread_t acceptor;
    int listen_fd;
    atomic_bool stopping;
    atomic_int n_conns;
    EVP_PKEY *key;
    int64_t life_s, ahead_s;
    bool command_ok;
    struct gtoken token[GCSD_TOKENS];
    unsigned n_tokens, next_session, struck, counts[GCSD_KINDS];
    uint64_t next_generation;
    struct gobject **o; /* by name */
    size_t n_o, cap_o;
    bool versioned, no_retention, may_delete, overwrites;
    struct gobject **old; /* by name and generation */
    size_t n_old, cap_old;
    struct gsession **s;
    size_t n_s, cap_s;
    struct gplan plan[GCSD_PLAN];
    size_t n_plan;
    struct mst_str complaints;
};

const char *gcsd_header(const struct gcsd_request *q, const char *name); /* "" none */
const char *gcsd_query(const struct gcsd_request *q, const char *name);  /* "" none */
char *gcsd_unescape(const char *p, size_t n);
/* An error as the API says it; a mistake of the client is kept when complain is true. */
void gcsd_error(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r, int status,
                const char *reason, const char *message, bool complain);
int64_t gcsd_now_s(const struct gcsd *g);
/* ---- gcsd_login.c: with the lock held ---- */
void gcsd_login(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r);
bool gcsd_allowed(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r);
/* ---- gcsd_api.c: with the lock held ---- */
void gcsd_api(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r,
              const struct gcsd_fault *f);
/* ---- gcsd_keep.c ---- */
bool gcsd_permissions(struct gcsd *g, const struct gcsd_request *q, struct gcsd_reply *r);
void gcsd_forget(struct gcsd *g, const struct gobject *o);
void gcsd_drop(struct gcsd *g, size_t at);
void gcsd_session_free(struct gsession *s);
uint32_t gcsd_crc(const uint8_t *p, size_t n);
void gcsd_crc_text(uint32_t crc, char out[16]);
void gcsd_forget_all(struct gcsd *g);
struct gobject *gcsd_find(struct gcsd *g, const char *name, size_t *at);
struct gobject *gcsd_add(struct gcsd *g, const char *name, const void *p, size_t n);

#endif
