/* types.h: a backup as front ends see it. Plain data; every text is sanitised. */
#ifndef MST_CATALOG_TYPES_H
#define MST_CATALOG_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ts.h"
#include "topo/topo.h"

#define MST_ID_MAX 64 /* backup id: "2026-11-22T22-30-00Z-full" */

enum mst_backup_state {
    MST_BK_COMPLETE,   /* COMMIT exists and its hashes fit what was read */
    MST_BK_PARTIAL,    /* complete, but collections were left out by name */
    MST_BK_INCOMPLETE, /* no COMMIT: running or interrupted */
    MST_BK_DAMAGED,    /* COMMIT, header, manifest or the objects' sizes do not fit */
    MST_BK_NEWER,      /* format newer than this program */
    MST_BK_UNSIGNED,   /* nobody signed it, and the configuration says who must have */
    MST_BK_FORGED,     /* its signature is not of somebody who is trusted */
    MST_BK_FOREIGN,    /* objects that are not ours */
    MST_BK_ARCHIVED,   /* in an archive tier: what it is cannot be read before it is thawed */
    MST_BK_UNREAD      /* refused, or no answer: what it is, is not known */
};
const char *mst_backup_state_word(enum mst_backup_state s);

enum mst_signed {
    MST_SIGNED_NOT,
    MST_SIGNED_UNCHECKED, /* there is a signature; nobody is named whose it could be */
    MST_SIGNED_GOOD,
    MST_SIGNED_FORGED
};
/* UNSIGNED, "signed, not checked", signed, FORGED */
const char *mst_signed_word(enum mst_signed s);

struct mst_backup {
    char id[MST_ID_MAX];
    char kind[16]; /* "full" */
    enum mst_backup_state state;
    char problem[200]; /* when damaged, newer, foreign, incomplete: what and what to do */
    int64_t started_wall_ms, finished_wall_ms;
    struct mst_optime first, last; /* consistent at last */
    uint64_t data_bytes, stored_bytes, documents;
    uint32_t namespaces, left_out;
    char source[MST_HOST_MAX];
    char server_version[40], fcv[16];
    bool sealed, is_signed, unproven; /* is_signed: by somebody who is trusted */
    enum mst_signed signature;
    char signer[100];         /* "db1 (id)"; "" not signed */
    char key_id[33];          /* of its data key; "" not sealed */
    char chain[200];          /* "" or what is missing before it, or that the store went back */
    uint64_t counter;         /* of its COMMIT; 0 not signed */
    int verified_level;       /* 0 none, 1 its manifest was read, 2 read back */
    int64_t verified_wall_ms; /* 0 never */
    bool verified_ok;
    char verified_text[200];
    char attempt[17];      /* that COMMIT names; "" none */
    char header_sha[65];   /* hex; equal in two stores: copies of one backup */
    int64_t hold_until_ms; /* wall clock; 0 not held, MST_HOLD_EVER until it is released */
    char hold_text[120];   /* why */
    char hold_by[64];      /* who */
    char copied_to[160];   /* stores that marks here say it was copied to: "vault, far" */
    uint32_t leftovers;    /* objects that no COMMIT names, of dead runs */
    uint32_t foreign;      /* objects below it that muster did not write */
    /* As its store's listing has it. */
    char storage_class[32];  /* of its objects; "mixed"; "" not said */
    uint32_t archived;       /* objects in an archive tier; of them: */
    uint32_t thawing;        /* asked for, on their way, as far as the listing says */
    uint32_t thawed;         /* with a readable copy, the same */
    int64_t thawed_until_ms; /* the first of those copies goes then; 0 not known */
};
#define MST_HOLD_EVER INT64_MAX

/* "sealed, signed by db1 (id)", "UNSEALED, UNSIGNED"; "" while its header is not known. Pure. */
char *mst_backup_trust_words(const struct mst_backup *b, char out[160]);
/* "GLACIER, archived: 12 objects, 3 on the way"; "" the class is not known. Pure. */
char *mst_backup_class_words(const struct mst_backup *b, char out[160]);
/* What the newest verification was worth: "read back", "hashed, not opened". Pure. */
const char *mst_backup_level_words(const struct mst_backup *b);

/* What is not as it was in an older listing. */
enum mst_change_kind { MST_CHANGE_APPEARED, MST_CHANGE_VANISHED, MST_CHANGE_STATE };
struct mst_backup_change {
    char id[MST_ID_MAX];
    enum mst_change_kind kind;
    enum mst_backup_state was; /* of what appeared: as it is now */
};

struct mst_backup_ns {
    char ns[256];  /* "shop.orders" */
    char type[16]; /* collection, view, timeseries */
    uint64_t documents, data_bytes;
    uint32_t indexes;
    bool left_out;
};

struct mst_object { /* as stored */
    char key[256];  /* below the set's prefix */
    uint64_t bytes;
    int64_t modified_wall_ms;
    char storage_class[32]; /* "" the store's own, or it has none */
    /* asked: what follows is known. Of an archive tier: no readable copy; one is on its way; there
     * is one until then. */
    bool asked, archived, thawing;
    int64_t thawed_until_ms;
};

#endif
