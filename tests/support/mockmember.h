/* mockmember.h: a scripted server: one listener, a thread per connection, replies by the test.
 *
 * It answers isMaster (OP_QUERY and OP_MSG) from the reply that is set for "isMaster", any other
 * command from the reply set for its name, else from the handler, else with code 59. Faults are
 * switched on per command name, "*" for all of them.
 */
#ifndef MOCKMEMBER_H
#define MOCKMEMBER_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mock_fault {
    MOCK_OK,
    MOCK_SILENT,       /* reads and never answers */
    MOCK_CLOSE,        /* closes instead of answering */
    MOCK_DRIP,         /* one byte every 20 ms */
    MOCK_HALF,         /* half of the answer, then closes */
    MOCK_OP_REPLY,     /* OP_REPLY to whatever */
    MOCK_CHECKSUM,     /* flag bit 0 and four bytes */
    MOCK_MORE_TO_COME, /* flag bit 1 */
    MOCK_TWO_SECTIONS,
    MOCK_SHORT_LENGTH, /* messageLength 15 */
    MOCK_NEGATIVE_LENGTH,
    MOCK_HUGE_LENGTH,
    MOCK_BAD_DOC_LENGTH,
    MOCK_WRONG_RESPONSE_TO,
    MOCK_GARBAGE, /* not the wire protocol */
    MOCK_BAD_BSON /* a string that runs out of its document */
};

struct mock;
struct mock_tls { /* PEM files; ca only to ask for client certificates */
    const char *cert_file, *key_file, *ca_file;
};
/* Fills reply (an empty document) and returns true when it knows the command. cmd has the document
 * sequence folded in as an array. */
typedef bool mock_handler(void *arg, const char *db, const bson_t *cmd, bson_t *reply);

struct mock *mock_start(const struct mock_tls *tls); /* NULL: plain */
void mock_stop(struct mock *m);
int mock_port(const struct mock *m);
const char *mock_addr(const struct mock *m);                               /* "127.0.0.1:port" */
void mock_reply(struct mock *m, const char *command, const bson_t *reply); /* copied */
void mock_reply_json(struct mock *m, const char *command, const char *json);
void mock_handle(struct mock *m, mock_handler *fn, void *arg);
void mock_fault(struct mock *m, const char *command, enum mock_fault fault);
void mock_refuse(struct mock *m, bool on); /* close the listener and every connection; or open it */
void mock_freeze(struct mock *m, bool on); /* accept and say nothing, as a stopped process */
int mock_count(struct mock *m, const char *command);              /* how often it was asked */
int mock_connections(struct mock *m);                             /* open ones */
bool mock_last(struct mock *m, const char *command, bson_t *out); /* copy of the newest request */

#endif
