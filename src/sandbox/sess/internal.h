/* internal.h: between the files of sess. */
#ifndef SBX_SESS_INTERNAL_H
#define SBX_SESS_INTERNAL_H

#include "base/buf.h"
#include "data/data.h"
#include "sess/sess.h"

#define SBX_SESS_BUCKETS 256
#define SBX_SESS_KEY 48 /* id and digest of the owner */

enum sbx_txn_state { SBX_TXN_NONE, SBX_TXN_OPEN, SBX_TXN_COMMITTED, SBX_TXN_ABORTED };

struct sbx_open { /* an open transaction */
    struct sbx_txn pub;
    bson_t **ops;
    size_t n, cap;
    int64_t since_mono;
    bool busy, orphan; /* a call stands in it; it ended meanwhile: the call frees it */
};

struct sbx_session {
    struct sbx_session *next;
    uint8_t key[SBX_SESS_KEY];
    int64_t used_mono;
    bool used;      /* since the last look at config.system.sessions */
    int64_t number; /* newest of a transaction or retryable write, -1 none */
    enum sbx_txn_state state;
    struct sbx_open *open;
    struct mst_optime commit_op;
};

struct sbx_sessions { /* member->sess */
    struct sbx_session *buckets[SBX_SESS_BUCKETS];
    struct sbx_sess_stats stats;
    uint8_t (*ended)[SBX_SESS_KEY]; /* since the last look at config.system.sessions */
    size_t n_ended, cap_ended;
    int64_t look_mono; /* when the next one is due; 0: not known yet */
};

struct sbx_call_state { /* call->sess */
    struct sbx_sess_call pub;
    struct sbx_session *session;
    uint8_t key[SBX_SESS_KEY];
    int64_t start_us;
    bool retried;
};

struct sbx_sessions *sbx_sessions_of(struct sbx_member *m);
struct sbx_call_state *sbx_call_state(const struct sbx_call *c);
void sbx_fail_no_txn(struct sbx_call *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void sbx_open_abort(struct sbx_member *m, struct sbx_session *s);
/* A call of a transaction: sets c->txn or fails the call. */
bool sbx_txn_enter(struct sbx_call *c, struct sbx_session *s, int64_t number, bool start);
void sbx_txn_expire(struct sbx_member *m);
bool sbx_retry_begin(struct sbx_call *c);
/* The session's record in config.transactions; false: none. */
bool sbx_session_record(struct sbx_member *m, const bson_t *lsid, int64_t *number,
                        struct mst_optime *last, bool *committed);
void sbx_lsid_append(const struct sbx_session *s, bson_t *out);
/* The session's record in config.system.sessions goes with the next look. */
void sbx_sess_ended(struct sbx_member *m, const uint8_t key[SBX_SESS_KEY]);
void sbx_session_text(const struct sbx_session *s, char *out, size_t size);

#endif
