/* rules.c: the one table of fates, and who looks things up in it. Rows are tried from the top. */
#include "oplog/oplog.h"

#include <string.h>

#include "base/mem.h"

#define C MST_FATE_CARRIED
#define T MST_FATE_TRANSLATED
#define S MST_FATE_SKIPPED
#define F MST_FATE_FATAL

/* ns patterns: "*" any; a trailing '*' is a prefix; a leading "*." is any database. */
static const struct mst_oplog_rule table[] = {
    {"noop", "n", "*", NULL, S, "says nothing about data"},
    {"local", "", "local.*", NULL, S, "belongs to one member, not to the set"},
    {"reshard", "", "config.reshardingOperations", NULL, F,
     "resharding moves data behind the oplog"},
    {"reshard", "", "config.localReshardingOperations.*", NULL, F,
     "resharding moves data behind the oplog"},
    {"config", "", "config.*", NULL, S, "sessions, transactions and images of the running set"},
    {"internal-db", "", "__mdb_internal*", NULL, S, "the server's own"},
    {"fcv", "iud", "admin.system.version", "featureCompatibilityVersion", F,
     "the feature compatibility version changed while the backup ran"},
    {"version", "", "admin.system.version", NULL, S, "set by the target itself"},
    {"accounts", "", "admin.system.users", NULL, S, "users are not part of this version's backup"},
    {"accounts", "", "admin.system.roles", NULL, S, "roles are not part of this version's backup"},
    {"admin-system", "", "admin.system.*", NULL, S, "keys and internals of the running set"},
    {"buckets", "", "*.system.buckets.*", NULL, F, "time series are not carried by this version"},
    {"views-drop", "c", "*.system.views", "drop", T, "every view of the database goes"},
    {"views-make", "c", "*.system.views", NULL, S, "made by the server with the first view"},
    {"views", "iud", "*.system.views", NULL, T,
     "kept as view definitions; views are created at the swap"},
    {"profile", "", "*.system.profile", NULL, S, "the profiler's, belongs to one member"},
    {"js", "", "*.system.js", NULL, C, "stored functions, as data"},
    {"resharding-temp", "", "*.system.resharding.*", NULL, F,
     "resharding moves data behind the oplog"},
    {"system-other", "", "*.system.*", NULL, F, "a system collection this version does not know"},
    {"own", "iud", "*.mst.s.*", NULL, S, "staging of a restore"},
    {"own", "iud", "*.mst.o.*", NULL, S, "kept aside by a restore"},
    {"own-swap", "c", "*.mst.s.*", "renameCollection", F,
     "a restore swapped collections while the backup ran"},
    {"own-swap", "c", "*.mst.o.*", "renameCollection", F,
     "a restore put an old collection back while the backup ran"},
    {"own", "c", "*.mst.s.*", NULL, S, "staging of a restore"},
    {"own", "c", "*.mst.o.*", NULL, S, "kept aside by a restore"},
    {"insert", "i", "*", NULL, C, "by UUID; an existing _id is replaced"},
    {"update", "u", "*", NULL, C,
     "by UUID; a missing document is accepted inside the window and counted"},
    {"delete", "d", "*", NULL, C, "by UUID; a missing document is accepted"},
    {"create-ts", "c", "*", "create timeseries", F, "time series are not carried by this version"},
    {"create", "c", "*", "create", C, "by UUID under a staging name, with its options"},
    {"drop", "c", "*", "drop", C, "by UUID"},
    {"dropDatabase", "c", "*", "dropDatabase", T, "drops of each of its collections"},
    {"rename", "c", "*", "renameCollection", T,
     "the UUID gets another name; the swap uses the last one"},
    {"createIndexes", "c", "*", "createIndexes", T,
     "kept in the list of indexes, built after replay"},
    {"commitIndexBuild", "c", "*", "commitIndexBuild", T,
     "kept in the list of indexes, built after replay"},
    {"dropIndexes", "c", "*", "dropIndexes", T, "removed from the list of indexes"},
    {"dropIndexes", "c", "*", "deleteIndexes", T, "removed from the list of indexes"},
    {"collMod", "c", "*", "collMod", T, "options and list of indexes follow"},
    {"emptycapped", "c", "*", "emptycapped", T, "the staging collection is made anew, empty"},
    {"applyOps", "c", "*", "applyOps", T, "each operation inside is judged and replayed by itself"},
    {"transaction", "c", "*", "commitTransaction", T, "its operations, at its place"},
    {"transaction", "c", "*", "abortTransaction", T, "its operations are dropped"},
    {"startIndexBuild", "c", "*", "startIndexBuild", S, "counts when it is committed"},
    {"abortIndexBuild", "c", "*", "abortIndexBuild", S, "counts when it is committed"},
    {"dbCheck", "c", "*", "dbCheck", S, "a check of the members, changes nothing"},
    {"multikey", "c", "*", "setMultikeyMetadata", S, "found again when the index is built"},
    {"ident", "c", "*", "dropIdent", S, "files of one member"},
    {"sharding", "c", "*", "createDatabaseMetadata", S, "routing of a sharded cluster"},
    {"sharding", "c", "*", "dropDatabaseMetadata", S, "routing of a sharded cluster"},
    {"convertToCapped", "c", "*", "convertToCapped", F,
     "written by servers before 4.2 only; what it kept is not in the oplog"},
    {"import", "c", "*", "importCollection", F, "its documents are not in the oplog"},
    {"viewless-ts", "c", "*", "upgradeDowngradeViewlessTimeseries", F,
     "time series are not carried by this version"},
    {"other-command", "c", "*", NULL, F, "a command this version does not know"},
    {"other-op", "", "*", NULL, F, "a kind of entry this version does not know"},
};

#undef C
#undef T
#undef S
#undef F

_Static_assert(MST_COUNT(table) <= MST_OPLOG_RULES_MAX, "a report counts every row");

const char *mst_fate_word(enum mst_fate f)
{
    static const char *const words[] = {"carried", "translated", "skipped and counted", "fatal"};

    return words[f];
}

static bool tail_matches(const char *pattern, const char *s)
{
    size_t n = strlen(pattern);

    if (n && pattern[n - 1] == '*') {
        return strncmp(s, pattern, n - 1) == 0;
    }
    return strcmp(s, pattern) == 0;
}

static bool ns_matches(const char *pattern, const char *ns)
{
    if (strcmp(pattern, "*") == 0) {
        return true;
    }
    if (pattern[0] == '*' && pattern[1] == '.') {
        const char *dot = strchr(ns, '.');

        return dot && tail_matches(pattern + 2, dot + 1);
    }
    return tail_matches(pattern, ns);
}

/* "featureCompatibilityVersion" names the _id; "create timeseries" an option of the command. */
static bool cmd_matches(const char *want, const struct mst_oplog_entry *e)
{
    bson_iter_t it;

    if (strcmp(want, "create timeseries") == 0) {
        return strcmp(e->cmd, "create") == 0 && bson_iter_init_find(&it, &e->o, "timeseries");
    }
    if (e->op == 'c') {
        return strcmp(want, e->cmd) == 0;
    }
    if (bson_iter_init_find(&it, e->has_o2 ? &e->o2 : &e->o, "_id") && BSON_ITER_HOLDS_UTF8(&it)) {
        return strcmp(want, bson_iter_utf8(&it, NULL)) == 0;
    }
    return false;
}

static const struct mst_oplog_rule *look(const struct mst_oplog_entry *e, const char *ns)
{
    size_t i;

    for (i = 0; i < MST_COUNT(table) - 1; i++) {
        const struct mst_oplog_rule *r = &table[i];

        if (r->ops[0] && (!e->op || !strchr(r->ops, e->op))) {
            continue;
        }
        if (ns_matches(r->ns, ns) && (!r->cmd || cmd_matches(r->cmd, e))) {
            return r;
        }
    }
    return &table[MST_COUNT(table) - 1];
}

static int weight(enum mst_fate f)
{
    switch (f) {
    case MST_FATE_FATAL:
        return 3;
    case MST_FATE_CARRIED:
        return 2;
    case MST_FATE_TRANSLATED:
        return 1;
    case MST_FATE_SKIPPED:
        break;
    }
    return 0;
}

static const struct mst_oplog_rule *judge(const struct mst_oplog_entry *e, int depth);

/* The worst of what is inside; an array that cannot be read is fatal. */
static const struct mst_oplog_rule *judge_inner(const struct mst_oplog_entry *e, int depth)
{
    const struct mst_oplog_rule *worst = NULL, *bad = &table[MST_COUNT(table) - 1];
    bson_iter_t it, ops;

    if (depth > 10 || !bson_iter_init_find(&it, &e->o, "applyOps") ||
        !bson_iter_recurse(&it, &ops)) {
        return bad;
    }
    while (bson_iter_next(&ops)) {
        struct mst_oplog_entry in;
        const struct mst_oplog_rule *r;
        struct mst_err err = {0};
        const uint8_t *p = NULL;
        uint32_t n = 0;
        bson_t doc;

        if (!BSON_ITER_HOLDS_DOCUMENT(&ops)) {
            return bad;
        }
        bson_iter_document(&ops, &n, &p);
        if (!bson_init_static(&doc, p, n) ||
            mst_oplog_parse_inner(&doc, e->at, &in, &err) != MST_OK) {
            return bad;
        }
        r = judge(&in, depth + 1);
        if (!worst || weight(r->fate) > weight(worst->fate)) {
            worst = r;
        }
    }
    return worst;
}

static const struct mst_oplog_rule *judge(const struct mst_oplog_entry *e, int depth)
{
    char ns[MST_NS_MAX];
    const struct mst_oplog_rule *inner;
    bson_iter_t it;

    if (e->op == 'c' && strcmp(e->cmd, "applyOps") == 0) {
        inner = judge_inner(e, depth);
        if (inner) {
            return inner->fate == MST_FATE_CARRIED ? look(e, "*") : inner;
        }
        return look(e, "*");
    }
    if (!mst_oplog_cmd_ns(e, ns)) {
        return &table[MST_COUNT(table) - 1];
    }
    /* A rename into a system or staging name is as bad as one out of it. */
    if (e->op == 'c' && strcmp(e->cmd, "renameCollection") == 0 &&
        bson_iter_init_find(&it, &e->o, "to") && BSON_ITER_HOLDS_UTF8(&it)) {
        const struct mst_oplog_rule *to = look(e, bson_iter_utf8(&it, NULL));

        if (to->fate == MST_FATE_FATAL) {
            return to;
        }
    }
    return look(e, ns);
}

const struct mst_oplog_rule *mst_oplog_judge(const struct mst_oplog_entry *e)
{
    return judge(e, 0);
}

const struct mst_oplog_rule *mst_oplog_judge_ns(const char *ns)
{
    struct mst_oplog_entry e;

    memset(&e, 0, sizeof e);
    e.op = 'i';
    e.ns = ns;
    bson_init_static(&e.o, (const uint8_t *)"\5\0\0\0\0", 5);
    return look(&e, ns);
}

size_t mst_oplog_rules(const struct mst_oplog_rule **rows)
{
    *rows = table;
    return MST_COUNT(table);
}

size_t mst_oplog_rule_index(const struct mst_oplog_rule *row)
{
    return (size_t)(row - table);
}

void mst_oplog_rules_doc(struct mst_str *out)
{
    size_t i;

    mst_str_add(out, "| row | op | namespace | command or _id | fate | what is done, or why not |\n"
                     "|---|---|---|---|---|---|\n");
    for (i = 0; i < MST_COUNT(table); i++) {
        const struct mst_oplog_rule *r = &table[i];

        mst_str_addf(out, "| %s | %s | `%s` | %s%s%s | %s | %s |\n", r->id,
                     r->ops[0] ? r->ops : "any", r->ns, r->cmd ? "`" : "", r->cmd ? r->cmd : "any",
                     r->cmd ? "`" : "", mst_fate_word(r->fate), r->why);
    }
}
