/* asleep.h: backups in archive tiers: which of their objects cannot be read before the store has
 * made a readable copy of them, and the asking for that.
 *
 * What the class of an object is comes with a listing; whether it is thawed, and until when, is
 * asked for each object of such a class. Calls block: worker threads only.
 */
#ifndef MST_CATALOG_ASLEEP_H
#define MST_CATALOG_ASLEEP_H

#include "catalog/catalog.h"

#define MST_THAW_DAYS 7 /* where nobody says how many */

/* What a listing tells of the objects of one backup; zeroed to begin with. */
struct mst_classes {
    char one[32];
    bool mixed;
    uint32_t objects, asleep, coming, awake; /* coming, awake: of those in an archive tier */
    int64_t until_ms;                        /* the first readable copy goes then; 0 not known */
};
void mst_classes_see(struct mst_classes *c, const struct mst_store_item *item);
void mst_classes_say(const struct mst_classes *c, struct mst_backup *b);

/* Objects of one backup; bytes beside them. */
struct mst_asleep {
    uint64_t objects, bytes;
    uint64_t asleep, asleep_bytes; /* cannot be read now */
    uint64_t coming, coming_bytes; /* of these: asked for, on their way */
    uint64_t awake;                /* in an archive tier, with a readable copy now */
    int64_t until_ms;              /* the first of those copies goes then; 0 none */
    uint64_t asked, asked_bytes;   /* by this call: MST_ASLEEP_ASK */
    char storage_class[32];        /* of what cannot be read, "mixed"; "" nothing is */
};
/* One object of an archive tier, as it was found; wanted: it is one of those that cannot be read
 * and nobody asked for yet. */
typedef enum mst_rc mst_asleep_fn(void *arg, const char *key, const struct mst_store_info *info,
                                  bool wanted, struct mst_err *err);
/* How it stands with the objects that a reader of this backup needs (id no "latest"). fn may be
 * NULL. MST_E_NOTFOUND: there is nothing of that name. */
enum mst_rc mst_catalog_asleep(const struct mst_catalog *c, const char *id, struct mst_task *task,
                               mst_asleep_fn *fn, void *arg, struct mst_asleep *out,
                               struct mst_err *err) MST_MUST_CHECK;
/* The same, and each object that nobody asked for yet is asked for, for so many days. When it fails
 * in the middle, out says how far it came. */
enum mst_rc mst_catalog_thaw(const struct mst_catalog *c, const char *id, int days,
                             struct mst_task *task, struct mst_asleep *out,
                             struct mst_err *err) MST_MUST_CHECK;
/* Can everything of it be read? MST_E_PRECOND with a sentence that says how many objects cannot,
 * and what asks for them. id may be "latest"; the one that is meant goes into resolved. */
enum mst_rc mst_catalog_readable(const struct mst_catalog *c, const char *id, struct mst_task *task,
                                 char resolved[MST_ID_MAX], struct mst_err *err) MST_MUST_CHECK;
/* A reader failed: when an object went to sleep under it, err becomes that sentence. Returns
 * err->rc. */
enum mst_rc mst_catalog_fell_asleep(const struct mst_catalog *c, const char *id,
                                    struct mst_task *task, struct mst_err *err);

#endif
