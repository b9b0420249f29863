#include "catalog/rekey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#define NUMBER_MAX 9999U
#define ID_SHOWN 8 /* digits of an id that are enough to name it */

/* --- deciding --------------------------------------------------------------------------------- */

static bool is_called(const struct mst_wrap_slot *w, const char *who)
{
    if (w->kind != MST_WRAP_X25519) {
        return strcmp(who, w->kind == MST_WRAP_SCRYPT ? "passphrase" : "program") == 0;
    }
    return (w->label[0] && strcmp(w->label, who) == 0) ||
           (strlen(who) >= ID_SHOWN && strncmp(w->recipient, who, strlen(who)) == 0);
}

enum mst_rc mst_rekey_decide(const struct mst_key_object *k, const struct mst_rekey *r,
                             bool keep[MST_WRAP_SLOTS], struct mst_err *err)
{
    char id[MST_KEY_ID_HEX];
    size_t left = 0;

    mst_key_id_of(r->pub, id);
    for (size_t i = 0; i < MST_WRAP_SLOTS; i++) {
        keep[i] = i < k->n && r->what != MST_REKEY_ROTATE &&
                  !(r->what == MST_REKEY_REMOVE && is_called(&k->slots[i], r->who));
        left += keep[i];
        if (i < k->n && r->what == MST_REKEY_ADD && k->slots[i].kind == MST_WRAP_X25519 &&
            strcmp(k->slots[i].recipient, id) == 0) {
            return mst_err_set(err, MST_E_EXISTS, "the key %s can read %s already", id, k->id);
        }
    }
    if (r->what == MST_REKEY_ADD && left == MST_WRAP_SLOTS) {
        return mst_err_set(err, MST_E_LIMIT, "all %d slots of %s are taken: remove one first",
                           MST_WRAP_SLOTS, k->id);
    }
    if (r->what == MST_REKEY_REMOVE && left == k->n) {
        return mst_err_set(err, MST_E_NOTFOUND, "nobody who can read %s is called %s", k->id,
                           r->who);
    }
    if (r->what == MST_REKEY_REMOVE && left == 0) {
        return mst_err_set(err, MST_E_PRECOND,
                           "%s is the only one who can read %s: nobody could any more", r->who,
                           k->id);
    }
    return MST_OK;
}

/* --- which there are -------------------------------------------------------------------------- */

enum mst_rc mst_rekey_newest(const struct mst_catalog *c, const struct mst_header *h,
                             struct mst_task *task, struct mst_key_object *out, unsigned *number,
                             unsigned *highest, struct mst_err *err)
{
    struct mst_buf raw = {0};
    unsigned *v = NULL;
    size_t n = 0;
    enum mst_rc rc = mst_keyobj_numbers(c, h->id, h->attempt, task, &v, &n, err);

    if (rc == MST_OK && n == 0) {
        rc = mst_err_set(err, MST_E_INTEGRITY, "%s has no key object: nobody can open it", h->id);
    } else if (rc == MST_OK) {
        *highest = v[0];
        rc = MST_E_INTEGRITY;
        for (size_t i = 0; i < n && mst_catalog_is_none(rc); i++) {
            rc = mst_keyobj_read(c, h, *number = v[i], out, &raw, err);
        }
    }
    mst_buf_release(&raw);
    free(v);
    return rc;
}

/* --- doing ------------------------------------------------------------------------------------ */

/* The slots that stay, and the new ones. */
static enum mst_rc make_object(const struct mst_rekey *r, const struct mst_data_key *key,
                               const bool keep[MST_WRAP_SLOTS], struct mst_key_object *k,
                               struct mst_err *err)
{
    const struct mst_wrap_place place = {k->set, k->id, k->attempt};
    size_t n = 0;

    for (size_t i = 0; i < k->n; i++) {
        if (keep[i]) {
            k->slots[n++] = k->slots[i];
        }
    }
    k->n = n;
    if (r->what == MST_REKEY_ADD) {
        return mst_wrap_to(key, &place, r->pub, r->label, &k->slots[k->n++], err);
    }
    return r->what == MST_REKEY_ROTATE ? mst_keyobj_wrap(k, r->readers, key, err) : MST_OK;
}

/* Written once, and read back as it was written. */
static enum mst_rc write_object(const struct mst_catalog *c, const struct mst_key_object *k,
                                unsigned number, struct mst_err *err)
{
    struct mst_str s = {0};
    struct mst_buf back = {0};
    char key[MST_KEY_MAX];
    enum mst_rc rc;

    mst_keyobj_path(c, k->id, k->attempt, number, key);
    mst_key_object_put(k, &s);
    rc = mst_store_put_all(c->store, key, s.p, s.len, err);
    if (rc == MST_OK) {
        rc = mst_store_read_all(c->store, key, MST_HEADER_MAX, &back, err);
    }
    if (rc == MST_OK && (back.len != s.len || memcmp(back.p, s.p, s.len) != 0)) {
        rc = mst_err_set(err, MST_E_INTEGRITY,
                         "the key object %s is not read back as it was written", key);
    }
    mst_str_release(&s);
    mst_buf_release(&back);
    return rc;
}

/* An older object that is not to be removed: does a lock keep it? */
static void stays_locked(const struct mst_catalog *c, const char *key, struct mst_rekey_result *out)
{
    struct mst_rekey_result one = {.locked = 1};
    struct mst_err why = {0};

    if (mst_store_free_to_go(c->store, key, &one.locked_until_ms, &why) == MST_E_PRECOND) {
        (void)mst_copy(one.locked_key, sizeof(one.locked_key), key);
        mst_rekey_locked_add(out, &one);
    }
}

void mst_rekey_locked_add(struct mst_rekey_result *to, const struct mst_rekey_result *more)
{
    if (more->locked > 0 &&
        (to->locked == 0 || more->locked_until_ms == 0 ||
         (to->locked_until_ms && more->locked_until_ms > to->locked_until_ms))) {
        to->locked_until_ms = more->locked_until_ms;
        (void)mst_copy(to->locked_key, sizeof(to->locked_key), more->locked_key);
    }
    to->locked += more->locked;
}

void mst_rekey_locked_text(const struct mst_rekey_result *res, char *out, size_t size)
{
    char until[MST_TIME_MAX];

    out[0] = '\0';
    if (res->locked > 0) {
        (void)snprintf(out, size, "%zu older key %s, %s%s (%s%s)", res->locked,
                       mst_text_noun(res->locked, "object stays", "objects stay"),
                       res->locked_until_ms ? "locked until " : "held in the store",
                       res->locked_until_ms ? mst_time_iso(res->locked_until_ms, until) : "",
                       res->locked > 1 ? "the last: " : "", res->locked_key);
    }
}

static enum mst_rc not_all_gone(const struct mst_header *h, const struct mst_rekey_result *out,
                                struct mst_err *err)
{
    char locked[MST_KEY_MAX + 120];

    mst_rekey_locked_text(out, locked, sizeof(locked));
    return out->locked == out->staying
               ? mst_err_set(err, MST_E_INCOMPLETE,
                             "%s: who was in there still reads %s; the same command again removes "
                             "what is not locked any more",
                             locked, h->id)
               : mst_err_set(err, MST_E_INCOMPLETE,
                             "%zu older key %s of %s could not be removed, and who was in there "
                             "still reads it: %.200s",
                             out->staying, mst_text_noun(out->staying, "object", "objects"), h->id,
                             out->why);
}

/* Every key object of this backup with a lower number, the oldest first: the one that counted
 * before, which holds whoever is taken out, goes last, so that a later run sees that this one did
 * not come to its end. remove false: what would keep them. */
static enum mst_rc older(const struct mst_catalog *c, const struct mst_header *h, bool remove,
                         struct mst_task *task, struct mst_rekey_result *out, struct mst_err *err)
{
    unsigned *v = NULL;
    size_t n = 0;
    enum mst_rc rc = mst_keyobj_numbers(c, h->id, h->attempt, task, &v, &n, err);

    for (size_t i = n; rc == MST_OK && i-- > 0;) {
        struct mst_err why = {0};
        char key[MST_KEY_MAX];

        if (v[i] >= out->number) {
            continue;
        }
        mst_keyobj_path(c, h->id, h->attempt, v[i], key);
        if (!remove) {
            stays_locked(c, key, out);
        } else if (mst_store_delete(c->store, key, &why) == MST_OK) {
            out->gone++;
            out->hidden += mst_store_caps(c->store)->versions;
        } else {
            out->staying++;
            (void)mst_copy(out->why, sizeof(out->why), why.msg);
            stays_locked(c, key, out);
        }
    }
    free(v);
    return rc == MST_OK && out->staying > 0 ? not_all_gone(h, out, err) : rc;
}

/* What stays must open here: an object that somebody else put there could hold slots that open for
 * nobody, and with the older ones the true slots would go. */
static enum mst_rc prove(const struct mst_catalog *c, const struct mst_key_object *k,
                         struct mst_err *err)
{
    struct mst_data_key key = {0};
    struct mst_err why = {0};
    const enum mst_rc rc = c->unlock ? c->unlock(c->unlock_arg, k, &key, &why) : MST_E_AUTH;

    mst_data_key_release(&key);
    return rc == MST_OK
               ? MST_OK
               : mst_err_set(err, MST_E_PRECOND,
                             "none of the slots of %s that stay opens with a key that is here, so "
                             "nothing is removed: 'muster key rotate' makes all of them anew",
                             k->id);
}

/* Is there an older object with somebody whom the newest, of this number, is without already? An
 * earlier removal did not come to its end then. MST_E_NOTFOUND, and err as it was: there is none.
 */
static enum mst_rc begun_before(const struct mst_catalog *c, const struct mst_header *h,
                                const struct mst_rekey *r, unsigned number, struct mst_task *task,
                                struct mst_err *err)
{
    struct mst_key_object *k = mst_xcalloc(1, sizeof(*k));
    struct mst_buf raw = {0};
    struct mst_err why = {0};
    unsigned *v = NULL;
    size_t n = 0;
    bool keep[MST_WRAP_SLOTS], there = false;
    enum mst_rc rc = mst_keyobj_numbers(c, h->id, h->attempt, task, &v, &n, &why);

    for (size_t i = 0; rc == MST_OK && i < n && !there; i++) {
        struct mst_err ignore = {0};

        if (v[i] >= number) {
            continue;
        }
        rc = mst_keyobj_read(c, h, v[i], k, &raw, &why);
        there = rc == MST_OK && mst_rekey_decide(k, r, keep, &ignore) != MST_E_NOTFOUND;
        rc = mst_catalog_is_none(rc) ? MST_OK : rc;
    }
    if (rc != MST_OK) {
        *err = why;
    }
    mst_buf_release(&raw);
    free(v);
    free(k);
    return rc != MST_OK ? rc : there ? MST_OK : MST_E_NOTFOUND;
}

enum mst_rc mst_rekey_look(const struct mst_catalog *c, const struct mst_header *h,
                           const struct mst_rekey *r, struct mst_task *task,
                           struct mst_rekey_result *out, struct mst_err *err)
{
    struct mst_key_object *k = mst_xcalloc(1, sizeof(*k));
    bool keep[MST_WRAP_SLOTS];
    unsigned from = 0, highest = 0;
    enum mst_rc rc = mst_rekey_newest(c, h, task, k, &from, &highest, err);

    memset(out, 0, sizeof(*out));
    out->wrote = true;
    out->number = highest + 1;
    if (rc == MST_OK && (rc = mst_rekey_decide(k, r, keep, err)) == MST_E_NOTFOUND &&
        r->what == MST_REKEY_REMOVE) {
        rc = begun_before(c, h, r, from, task, err);
        out->wrote = false;
        out->number = from;
    }
    if (rc == MST_OK && r->what != MST_REKEY_ADD) {
        rc = older(c, h, false, task, out, err);
    }
    free(k);
    return rc;
}

/* The rest of an earlier removal. */
static enum mst_rc end_removal(const struct mst_catalog *c, const struct mst_header *h,
                               const struct mst_rekey *r, const struct mst_key_object *newest,
                               struct mst_task *task, struct mst_rekey_result *out,
                               struct mst_err *err)
{
    enum mst_rc rc = begun_before(c, h, r, out->number, task, err);

    if (rc == MST_OK) {
        rc = prove(c, newest, err);
    }
    return rc == MST_OK ? older(c, h, true, task, out, err) : rc;
}

/* Does it list those of the configuration and nobody else? What a passphrase or a program opens
 * does not show for whom it is. */
static bool lists_only(const struct mst_key_object *k, const struct mst_readers *to)
{
    size_t found = 0;

    for (size_t i = 0; i < to->n; i++) {
        char id[MST_KEY_ID_HEX];
        bool listed = false;

        mst_key_id_of(to->to[i].pub, id);
        for (size_t n = 0; n < k->n; n++) {
            listed = listed || (k->slots[n].kind == MST_WRAP_X25519 &&
                                strcmp(k->slots[n].recipient, id) == 0);
        }
        found += listed;
    }
    return !to->phrase && !to->wrap && found == to->n && k->n == to->n;
}

/* It does not open here. When it stands alone and lists who is asked for, that is what an earlier
 * rotation left: MST_E_EXISTS; else err stays as it is. */
static enum mst_rc rotated_before(const struct mst_catalog *c, const struct mst_header *h,
                                  const struct mst_rekey *r, const struct mst_key_object *k,
                                  struct mst_task *task, struct mst_err *err)
{
    struct mst_err ignore = {0};
    unsigned *v = NULL;
    size_t n = 0;

    if (lists_only(k, r->readers) &&
        mst_keyobj_numbers(c, h->id, h->attempt, task, &v, &n, &ignore) == MST_OK && n == 1) {
        (void)mst_err_set(err, MST_E_EXISTS,
                          "%s is listed for those of the configuration only, and no key that is "
                          "here opens it",
                          h->id);
    }
    free(v);
    return err->rc;
}

enum mst_rc mst_rekey_run(const struct mst_catalog *c, const struct mst_header *h,
                          const struct mst_rekey *r, struct mst_task *task,
                          struct mst_rekey_result *out, struct mst_err *err)
{
    struct mst_key_object *k = mst_xcalloc(1, sizeof(*k));
    struct mst_data_key key = {0};
    bool keep[MST_WRAP_SLOTS];
    unsigned from = 0, highest = 0;
    enum mst_rc rc = mst_rekey_newest(c, h, task, k, &from, &highest, err);

    memset(out, 0, sizeof(*out));
    if (rc == MST_OK && highest >= NUMBER_MAX) {
        rc = mst_err_set(err, MST_E_LIMIT,
                         "the numbers of the key objects of %s have come to their end", h->id);
    }
    if (rc == MST_OK && (rc = mst_rekey_decide(k, r, keep, err)) == MST_E_NOTFOUND &&
        r->what == MST_REKEY_REMOVE) {
        out->number = from;
        rc = end_removal(c, h, r, k, task, out, err);
        goto out;
    }
    if (rc == MST_OK) {
        rc = mst_keyobj_open(c, h, task, &key, err);
        rc = rc == MST_E_AUTH && r->what == MST_REKEY_ROTATE ? rotated_before(c, h, r, k, task, err)
                                                             : rc;
    }
    if (rc == MST_OK) {
        rc = make_object(r, &key, keep, k, err);
    }
    if (rc == MST_OK && r->what == MST_REKEY_REMOVE) {
        rc = prove(c, k, err);
    }
    if (rc == MST_OK) {
        out->number = highest + 1;
        rc = write_object(c, k, out->number, err);
        out->wrote = rc == MST_OK;
    }
    if (rc == MST_OK && r->what != MST_REKEY_ADD) {
        rc = older(c, h, true, task, out, err);
    }
out:
    mst_data_key_release(&key);
    free(k);
    return rc;
}
