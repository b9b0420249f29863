/* mongo.h: one direct connection to one member; the only module that includes libmongoc.
 *
 * A connection belongs to one thread. Every blocking call has a deadline and ends within
 * milliseconds of mst_task_cancel(). A connection that failed with a network error is thrown away
 * by its owner (mst_conn_free) and made anew; it never reconnects behind the caller's back.
 *
 * Each member has a name (as in the configuration) and a dial address. TLS and SNI check the name.
 * After connecting, hello.me must be the name, else MST_E_PRECOND and the connection is not used.
 */
#ifndef MST_MONGO_MONGO_H
#define MST_MONGO_MONGO_H

#include <bson/bson.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/ts.h"
#include "conc/task.h"

/* Commands carry no session of their own: no lsid is added, so a cursor is bound to no session and
 * does not die with one (cursors idle for 10 minutes still die unless noCursorTimeout is set). A
 * caller that needs a session puts lsid into the command itself and keeps it alive with
 * mst_conn_refresh(). $db and $readPreference (primaryPreferred, so secondaries answer) are added
 * when absent. */

/* Once, in main, before the first thread; logs of the driver go to mst_log. */
void mst_mongo_init(void);
void mst_mongo_cleanup(void);

enum mst_mech {
    MST_MECH_NONE,
    MST_MECH_SCRAM,
    MST_MECH_SCRAM_SHA_1,
    MST_MECH_SCRAM_SHA_256,
    MST_MECH_X509
};

struct mst_cred {
    enum mst_mech mech; /* SCRAM: negotiate */
    char user[256];     /* x.509: "" takes the certificate's subject */
    char source[128];   /* authSource; "" means admin, or $external for x.509 */
    struct mst_secret password;
};

struct mst_tls {
    bool on;
    char ca_file[512];   /* "" means the system's */
    char cert_file[512]; /* certificate and key in one PEM; "" none */
    struct mst_secret cert_password;
};

#define MST_ADDR_MAX 272 /* "host:port" or a bracketed address */

struct mst_conn_opts {
    char name[MST_ADDR_MAX];     /* "host:port" as in the configuration; SNI and hello.me */
    char dial[MST_ADDR_MAX];     /* "" means name */
    bool check_me;               /* refuse when hello.me differs from name */
    const char *set_name;        /* NULL or "": any */
    struct mst_tls tls;          /* secrets are borrowed for the life of the connection */
    const struct mst_cred *cred; /* NULL: unauthenticated (hello to arbiters) */
    int64_t connect_ms;          /* deadline of connect, TLS, hello and login; 0: 5000 */
    const char *app;             /* appName; NULL: "muster" */
    struct mst_task *task;       /* cancels blocking calls; may be NULL */
};

struct mst_conn;

/* err->detail of a failed open, beside the code. A refused server check (MST_E_PRECOND) has one of
 * the last six, a TLS failure (MST_E_TLS) one of the first; others are errno or server codes. */
enum {
    MST_CD_TLS_OTHER = 20001, /* handshake failed: not TLS, protocol, client certificate refused */
    MST_CD_TLS_CA,            /* the chain does not lead to the CA */
    MST_CD_TLS_EXPIRED,       /* expired or not yet valid */
    MST_CD_TLS_HOSTNAME,      /* the certificate is for another name */
    MST_CD_TLS_FILE,          /* our own CA or certificate file */
    MST_CD_WRONG_MEMBER,      /* hello.me is another one */
    MST_CD_WRONG_SET,
    MST_CD_NOT_REPLSET, /* standalone */
    MST_CD_MONGOS,
    MST_CD_UNINIT,  /* a member without a configuration, or removed from it */
    MST_CD_PROTOCOL /* not the wire protocol, or malformed (MST_E_INTEGRITY) */
};

enum mst_rc mst_conn_open(const struct mst_conn_opts *o, struct mst_conn **out,
                          struct mst_err *err) MST_MUST_CHECK;
void mst_conn_free(struct mst_conn *c);
/* The reply of the first hello; borrowed until free. */
const bson_t *mst_conn_hello(const struct mst_conn *c);
const char *mst_conn_name(const struct mst_conn *c);
int mst_conn_wire(const struct mst_conn *c);             /* maxWireVersion */
bool mst_conn_broken(const struct mst_conn *c);          /* a network error happened: free it */
int64_t mst_conn_rtt_us(const struct mst_conn *c);       /* of the last command */
uint32_t mst_conn_max_bson(const struct mst_conn *c);    /* maxBsonObjectSize */
uint32_t mst_conn_max_message(const struct mst_conn *c); /* maxMessageSizeBytes */
uint32_t mst_conn_max_batch(const struct mst_conn *c);   /* maxWriteBatchSize */
/* Wait between commands; returns early, with the connection broken, when the peer closes it, and
 * early when the task is cancelled or *wake_fd (may be -1) becomes readable. */
void mst_conn_idle(struct mst_conn *c, int64_t ms, int wake_fd);
/* Commands that follow are not cut by a cancel of the task, only by their deadline: for steps that
 * belong together. Returns what was set before. */
bool mst_conn_hold_cancel(struct mst_conn *c, bool hold);

/* One command. reply is initialised in every case (bson_destroy it). A server that says ok:0 is
 * MST_E_SERVER (or AUTH for 13 and 18, PRECOND for not-primary codes) with err->detail the code and
 * a message that holds its errmsg; writeErrors and writeConcernError do not count here: see
 * mst_reply_write_error. ms is the deadline; MST_E_TIMEOUT past it. */
enum mst_rc mst_conn_command(struct mst_conn *c, const char *db, const bson_t *cmd, int64_t ms,
                             bson_t *reply, struct mst_err *err) MST_MUST_CHECK;
/* The same for a command that is only its name, {name: 1}. */
enum mst_rc mst_conn_ask(struct mst_conn *c, const char *db, const char *name, int64_t ms,
                         bson_t *reply, struct mst_err *err) MST_MUST_CHECK;
/* serverStatus without the large sections that nobody here reads; with those of the oplog and the
 * counters when `all`, else little more than what it says of the replica set. */
enum mst_rc mst_conn_server_status(struct mst_conn *c, bool all, int64_t ms, bson_t *reply,
                                   struct mst_err *err) MST_MUST_CHECK;
/* The position of the first (direction 1) or last (-1) entry of its oplog; *there false when it has
 * none. */
enum mst_rc mst_conn_oplog_end(struct mst_conn *c, int direction, int64_t ms, struct mst_ts *ts,
                               bool *there, struct mst_err *err) MST_MUST_CHECK;
/* mst_conn_command with a document sequence (OP_MSG kind 1): field is "documents", "updates",
 * "deletes", docs are n bytes of whole BSON documents, sent as they are: nothing is added, checked
 * or changed in them. Together at most mst_conn_max_message() - 16 KiB, else MST_E_LIMIT before
 * anything is sent. */
enum mst_rc mst_conn_command_docs(struct mst_conn *c, const char *db, const bson_t *cmd,
                                  const char *field, const void *docs, size_t n, int64_t ms,
                                  bson_t *reply, struct mst_err *err) MST_MUST_CHECK;
/* Failures inside an ok:1 reply of a write: first writeError, else writeConcernError; MST_OK when
 * none. */
enum mst_rc mst_reply_write_error(const bson_t *reply, struct mst_err *err) MST_MUST_CHECK;

/* Server codes that callers branch on (source: the server's error_codes). */
enum {
    MST_SC_UNAUTHORIZED = 13,
    MST_SC_AUTH_FAILED = 18,
    MST_SC_NS_NOT_FOUND = 26,
    MST_SC_CURSOR_NOT_FOUND = 43,
    MST_SC_NS_EXISTS = 48,
    MST_SC_CMD_NOT_FOUND = 59,
    MST_SC_WC_TIMEOUT = 64,
    MST_SC_NO_REPLICATION = 76,
    MST_SC_NOT_INIT = 94,
    MST_SC_CAPPED_LOST = 136,
    MST_SC_VIEW_UNSUPPORTED = 166,
    MST_SC_DUP_KEY = 11000,
    MST_SC_NOT_PRIMARY = 10107,
    MST_SC_OUT_OF_DISK = 14031
};

/* {refreshSessions: [lsid]} for a session the caller put into its commands; lsid is {id: UUID}. */
enum mst_rc mst_conn_refresh(struct mst_conn *c, const bson_t *lsid, int64_t ms,
                             struct mst_err *err) MST_MUST_CHECK;

/* A cursor by hand: find or aggregate or listX as cmd, then getMore; kills the server's cursor on
 * release. Documents are borrowed until the next call. */
struct mst_cursor;
enum mst_rc mst_cursor_open(struct mst_conn *c, const char *db, const bson_t *cmd, int64_t ms,
                            struct mst_cursor **out, struct mst_err *err) MST_MUST_CHECK;
/* MST_OK with *doc set, or *doc NULL at the end (for a tailable one: nothing new within await_ms).
 */
enum mst_rc mst_cursor_next(struct mst_cursor *cur, const bson_t **doc,
                            struct mst_err *err) MST_MUST_CHECK;
void mst_cursor_batch(struct mst_cursor *cur,
                      int32_t batch_docs);                       /* of each getMore; 0: server's */
void mst_cursor_await(struct mst_cursor *cur, int64_t await_ms); /* tailable awaitData */
bool mst_cursor_at_batch_end(const struct mst_cursor *cur);      /* next() would ask the server */
bool mst_cursor_dead(const struct mst_cursor *cur);              /* id 0 and nothing left */
int64_t mst_cursor_id(const struct mst_cursor *cur);
const char *mst_cursor_ns(const struct mst_cursor *cur);       /* as the server named it */
const bson_t *mst_cursor_resume(const struct mst_cursor *cur); /* postBatchResumeToken; NULL none */
void mst_cursor_free(struct mst_cursor *cur);

/* Small readers of replies: dotted path, false or the default when absent or of another type. */
bool mst_bson_ts(const bson_t *b, const char *path, struct mst_ts *out);
bool mst_bson_optime(const bson_t *b, const char *path, struct mst_optime *out); /* {ts, t} */
int64_t mst_bson_i64(const bson_t *b, const char *path, int64_t otherwise); /* any number type */
double mst_bson_f64(const bson_t *b, const char *path, double otherwise);
bool mst_bson_bool(const bson_t *b, const char *path, bool otherwise); /* numbers count */
int64_t mst_bson_date(const bson_t *b, const char *path, int64_t otherwise);
/* Sanitised copy; "" when absent. Returns whether it was there. */
bool mst_bson_text(const bson_t *b, const char *path, char *out, size_t size);
bool mst_bson_doc(const bson_t *b, const char *path, bson_t *out); /* static view, do not destroy */

/* Data-bearing members that have not what was written at this point, for a sentence:
 * "b:27017 (no answer), c:27017 (SECONDARY, 4 s behind)"; "" when none is known. */
void mst_conn_who_lags(struct mst_conn *c, struct mst_ts at, char *out, size_t size);

#endif
