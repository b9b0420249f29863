/* oplog.h: what an oplog entry is and what becomes of it. Pure over BSON: no clock, no I/O.
 *
 * One table says of every namespace and every command: carried, translated, skipped and counted, or
 * fatal. Backup asks it while it captures (so that a backup that could not be replayed never gets
 * its COMMIT), replay asks it again, and docs/formats.md is generated from it.
 *
 * Nothing is copied: struct mst_oplog_entry borrows from the document it was read from.
 */
#ifndef MST_OPLOG_OPLOG_H
#define MST_OPLOG_OPLOG_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/ts.h"

#define MST_NS_MAX 384 /* "db.collection" with its NUL; servers allow at most 255 bytes + db */
#define MST_OPLOG_RULES_MAX 96
#define MST_OPLOG_ENTRY_MAX (16u * 1024u * 1024u + 16u * 1024u)

enum mst_fate {
    MST_FATE_CARRIED,    /* stored and replayed as it is */
    MST_FATE_TRANSLATED, /* stored; replayed as something else of the same effect */
    MST_FATE_SKIPPED,    /* not replayed; counted and reported by its row */
    MST_FATE_FATAL       /* this version cannot carry it: the backup fails and names it */
};
const char *mst_fate_word(enum mst_fate f);

/* Names of collections that restore makes: "mst.s.<hex8>.<n>" staging, "mst.o.<hex8>.<n>" kept. */
enum mst_own_name { MST_OWN_NOT, MST_OWN_STAGING, MST_OWN_OLD };
/* run gets the eight hex digits and a NUL (9 bytes), n the number; both may be NULL. */
enum mst_own_name mst_oplog_own_name(const char *coll, char *run, unsigned *n);

enum mst_txn_kind { MST_TXN_NONE, MST_TXN_PART, MST_TXN_PREPARE, MST_TXN_COMMIT, MST_TXN_ABORT };

struct mst_oplog_entry {
    struct mst_optime at;
    char op;        /* i u d c n; 0 when it is another (kind holds it) */
    char kind[8];   /* the op as written, sanitised */
    const char *ns; /* as written, may be "" */
    bool has_ui;
    uint8_t ui[16];
    bson_t o, o2; /* static views; o2 is empty when absent */
    bool has_o2, upsert;
    const char *cmd; /* first key of o when op is c, else NULL */
    enum mst_txn_kind txn;
    const uint8_t *lsid; /* bytes of the lsid document; NULL none */
    uint32_t lsid_len;
    int64_t txn_number;
    struct mst_optime prev; /* prevOpTime; zero ts: none */
};

/* MST_E_INTEGRITY when doc has not the shape of an entry (no ts, op, ns or o of their types). */
enum mst_rc mst_oplog_parse(const bson_t *doc, struct mst_oplog_entry *e,
                            struct mst_err *err) MST_MUST_CHECK;
/* The same for an operation inside applyOps, which has no ts of its own. */
enum mst_rc mst_oplog_parse_inner(const bson_t *doc, struct mst_optime at,
                                  struct mst_oplog_entry *e, struct mst_err *err) MST_MUST_CHECK;

struct mst_oplog_rule {
    const char *id;  /* stable word for counts and logs: "noop", "config", "create" ... */
    const char *ops; /* letters it applies to, or "" for any */
    const char *ns;  /* pattern as the table shows it */
    const char *cmd; /* command, or NULL */
    enum mst_fate fate;
    const char *why; /* what is done, or why it cannot be */
};
/* The row that decides about this entry; for applyOps without a transaction, and for the parts of a
 * transaction, the worst row of its inner operations (fatal, then carried). Never NULL. */
const struct mst_oplog_rule *mst_oplog_judge(const struct mst_oplog_entry *e);
/* The row for data in a namespace (a listing asks before it scans). */
const struct mst_oplog_rule *mst_oplog_judge_ns(const char *ns);
size_t mst_oplog_rules(const struct mst_oplog_rule **rows);
size_t mst_oplog_rule_index(const struct mst_oplog_rule *row);
/* The table of docs/formats.md, in Markdown. */
void mst_oplog_rules_doc(struct mst_str *out);

/* "shop.orders" from ns and a command's collection, "shop.$cmd" + "orders"; false when too long. */
bool mst_oplog_cmd_ns(const struct mst_oplog_entry *e, char out[MST_NS_MAX]);
/* Length of the database part of ns. */
size_t mst_oplog_db_len(const char *ns);

#endif
