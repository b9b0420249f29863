/* query.h: filters, sorts, projections and updates, pure on documents.
 *
 * Whatever is not modelled is an error that names it: a filter is checked before it is used, so a
 * misspelt operator never matches everything.
 */
#ifndef SBX_QUERY_QUERY_H
#define SBX_QUERY_QUERY_H

#include "value/value.h"

/* A refusal as the server words it. */
struct sbx_why {
    int code; /* 0: none */
    char msg[400];
};

bool sbx_why(struct sbx_why *why, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4))); /* always false */

/* Is the filter one that sbx_match understands? Code 2 (or the server's own) when not. */
bool sbx_match_check(struct sbx_doc filter, struct sbx_why *why);
/* Only after sbx_match_check said yes. */
bool sbx_match(struct sbx_doc filter, struct sbx_doc doc);
/* Does one value satisfy an operator document ({$gt: 1}) or equal a plain value? For $pull. */
bool sbx_match_value(struct sbx_val cond, struct sbx_val v);
/* The value that the filter demands of a field by equality, or SBX_EOO. */
struct sbx_val sbx_match_equal(struct sbx_doc filter, const char *field);
/* $jsonSchema: type, required, properties and a few bounds. */
bool sbx_schema_check(struct sbx_doc schema, struct sbx_why *why);
bool sbx_schema_match(struct sbx_doc schema, struct sbx_doc doc);
bool sbx_regex_match(const char *pattern, const char *options, const char *text);
bool sbx_regex_check(const char *pattern, struct sbx_why *why);

/* Order of two documents by a sort pattern; arrays sort by their least (or greatest) element. */
int sbx_sort_cmp(struct sbx_doc pattern, struct sbx_doc a, struct sbx_doc b);
bool sbx_sort_check(struct sbx_doc pattern, struct sbx_why *why);

bool sbx_project_check(struct sbx_doc spec, struct sbx_why *why);
void sbx_project(struct sbx_doc spec, struct sbx_doc doc, struct sbx_out *out);

/* ---- updates ---- */
struct sbx_change {
    struct sbx_out doc; /* the document after */
    struct sbx_out
        log;   /* the entry's o in the 4.2 form: {$v: 1, $set ...}, or the whole document */
    bool noop; /* equal bytes: nothing is logged */
    bool replaced;
};

void sbx_change_release(struct sbx_change *c);
bool sbx_update_is_replace(struct sbx_doc u);
/* Apply u to doc. insert: an upsert's new document ($setOnInsert counts). filters: arrayFilters,
 * not served: code 9 when one is used. */
bool sbx_update(struct sbx_doc u, struct sbx_doc doc, struct sbx_doc query, bool insert,
                struct sbx_change *c, struct sbx_why *why);
/* The document that an upsert starts with: the query's equalities. */
bool sbx_upsert_base(struct sbx_doc query, struct sbx_out *out, struct sbx_why *why);
/* The newer profile's diff {u, i, d, s<field>} from a to b; false when they are equal. */
bool sbx_diff_make(struct sbx_doc a, struct sbx_doc b, struct sbx_out *out);
bool sbx_diff_apply(struct sbx_doc doc, struct sbx_doc diff, struct sbx_out *out,
                    struct sbx_why *why);

#endif
