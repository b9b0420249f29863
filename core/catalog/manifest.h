/* manifest.h: what is in a backup: objects, namespaces, members; a stream of records in a container
 * of segment.h, written and read in bounded memory. Every record is one BSON document whose first
 * field "k" is its kind; docs/formats.md has the fields.
 *
 * Order: begin, members, objects, namespaces, end. Objects are numbered from 0 in order of their
 * records; extents name them by that number.
 */
#ifndef MST_CATALOG_MANIFEST_H
#define MST_CATALOG_MANIFEST_H

#include <bson/bson.h>

#include "catalog/segment.h"

#define MST_UUID_LEN 16
#define MST_MANIFEST_OBJECTS_MAX 1000000U
#define MST_MANIFEST_NS_MAX 1000000U
#define MST_NS_EXTENTS_MAX 200000U

struct mst_man_object {
    char key[96]; /* below the attempt: "d/0001-0", "oplog-0000" */
    enum mst_segment_role role;
    uint32_t number, part;
    uint64_t bytes; /* stored */
    uint8_t sha[MST_SHA256_LEN];
    uint64_t data_bytes, documents; /* content of all its frames */
    struct mst_optime first, last;  /* oplog objects: of their entries */
};

enum mst_ns_state {
    MST_NS_SCANNED,  /* its documents are in the extents */
    MST_NS_DROPPED,  /* listed, then dropped before its scan ended: the oplog has the drop */
    MST_NS_LEFT_OUT, /* left out by name */
    MST_NS_VIEW      /* no documents of its own; options has viewOn and pipeline */
};
const char *mst_ns_state_word(enum mst_ns_state s);

/* Everything but numbers is borrowed: from the caller when writing, from the reader (until the next
 * record) when reading. */
struct mst_man_ns {
    char db[64];
    char coll[256];
    char type[16]; /* collection, view, timeseries */
    enum mst_ns_state state;
    bool has_uuid;
    uint8_t uuid[MST_UUID_LEN];
    const uint8_t *options; /* BSON document as listCollections gave it; never NULL when read */
    uint32_t options_len;
    const uint8_t *id_index; /* NULL: none (views, clustered, autoIndexId false) */
    uint32_t id_index_len;
    const uint8_t *indexes; /* BSON array as listIndexes gave it, with _id_; never NULL when read */
    uint32_t indexes_len;
    uint32_t n_indexes;
    uint64_t documents, data_bytes; /* scanned, double reads included */
    struct mst_sum256 sum;          /* of SHA-256 of every document scanned */
    uint32_t n_extents;             /* in the order of the scan */
    const struct mst_extent *extents;
    const char *problem; /* "" or why it is not whole; sanitised */
};

struct mst_man_begin {
    char id[MST_ID_MAX];
    char attempt[17];
    char kind[16];
    char set[128];
};

struct mst_man_end {
    uint32_t members, objects, namespaces;
    uint64_t documents, data_bytes, stored_bytes;
};

/* Writing: straight into the object. Order as above is asserted. */
struct mst_manw;
enum mst_rc mst_manw_open(struct mst_store *store, const char *key, const struct mst_man_begin *b,
                          const struct mst_sealing *sealing, struct mst_manw **out,
                          struct mst_err *err) MST_MUST_CHECK;
/* One member's facts: any document with its name in "name". */
enum mst_rc mst_manw_member(struct mst_manw *w, const bson_t *facts,
                            struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_manw_object(struct mst_manw *w, const struct mst_man_object *o,
                            struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_manw_ns(struct mst_manw *w, const struct mst_man_ns *ns,
                        struct mst_err *err) MST_MUST_CHECK;
/* Writes the end record with its own counts; *bytes and SHA-256 of the object. Consumes w. */
enum mst_rc mst_manw_finish_take(struct mst_manw *w, uint64_t *bytes, uint8_t sha[MST_SHA256_LEN],
                                 struct mst_man_end *end, struct mst_err *err) MST_MUST_CHECK;
void mst_manw_abort_take(struct mst_manw *w);

/* Reading. */
enum mst_man_kind {
    MST_MAN_BEGIN,
    MST_MAN_MEMBER,
    MST_MAN_OBJECT,
    MST_MAN_NS,
    MST_MAN_END /* its counts were compared with what was read; nothing follows */
};
struct mst_man_rec {
    enum mst_man_kind kind;
    struct mst_man_begin begin;
    bson_t member; /* static view, borrowed until the next record */
    struct mst_man_object object;
    struct mst_man_ns ns;
    struct mst_man_end end;
};
struct mst_manr;
struct mst_man_where {
    struct mst_store *store;
    const char *key;
    const char *backup, *attempt;      /* what its first frame must name; NULL: any */
    const struct mst_sealing *sealing; /* NULL: not sealed; else backup and attempt are needed */
    const uint8_t *sha;                /* non-NULL: at its end the stored bytes must have this */
    uint64_t bytes;                    /* SHA-256 and this size */
};
enum mst_rc mst_manr_open(const struct mst_man_where *at, struct mst_manr **out,
                          struct mst_err *err) MST_MUST_CHECK;
/* MST_E_INTEGRITY for anything that does not fit, MST_E_LIMIT past a ceiling. After MST_MAN_END
 * the call is not allowed. rec is overwritten. */
enum mst_rc mst_manr_next(struct mst_manr *r, struct mst_man_rec *rec,
                          struct mst_err *err) MST_MUST_CHECK;
void mst_manr_free(struct mst_manr *r);

/* One record from one BSON document; pure, for fuzzing and the reader. ext is scratch space that
 * ns.extents points into. */
enum mst_rc mst_man_parse(const uint8_t *p, uint32_t n, struct mst_man_rec *rec,
                          struct mst_buf *ext, struct mst_err *err) MST_MUST_CHECK;

#endif
