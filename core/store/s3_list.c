/* Listings: page by page, each handed out when it is whole, each name looked at before it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "log/log.h"
#include "store/s3_own.h"
#include "store/s3_page.h"

#define ITEMS_MAX 10000U /* of a page; stores send 1000 */

/* As stores encode a listing: %XX, and '+' for a blank. */
static void undo_encoding(char *p)
{
    char *o = p;

    for (; *p; p++) {
        uint8_t b;
        char hex[3] = {p[0] == '%' ? p[1] : '\0', p[0] == '%' && p[1] ? p[2] : '\0', '\0'};

        if (*p == '%' && hex[0] && hex[1] && mst_unhex(hex, &b, 1)) {
            *o++ = (char)b;
            p += 2;
        } else {
            *o++ = (char)(*p == '+' ? ' ' : *p);
        }
    }
    *o = '\0';
}

bool mst_s3_page_key(struct s3_page *pg, const char *text, char out[MST_KEY_MAX])
{
    const size_t skip = *pg->s->prefix ? strlen(pg->s->prefix) + 1 : 0;
    struct mst_str key = {0};
    bool ok;

    mst_str_add(&key, text);
    if (pg->encoded && key.p) {
        undo_encoding(key.p);
        key.len = strlen(key.p);
    }
    ok = key.len > skip &&
         (skip == 0 || (strncmp(key.p, pg->s->prefix, skip - 1) == 0 && key.p[skip - 1] == '/')) &&
         mst_store_key_ok(key.p + skip);
    if (ok) {
        (void)mst_copy(out, MST_KEY_MAX, key.p + skip);
    } else if (!(key.len > 0 && key.p[key.len - 1] == '/')) {
        pg->foreign++; /* the "folders" of other programs are not worth a word */
    }
    mst_str_release(&key);
    return ok;
}

static bool take_common(struct s3_page *pg, const char *leaf, const char *text)
{
    if (strcmp(leaf, "IsTruncated") == 0) {
        pg->more = strcmp(text, "true") == 0;
    } else if (strcmp(leaf, "EncodingType") == 0) {
        pg->encoded = strcmp(text, "url") == 0;
    } else if (strcmp(leaf, "NextContinuationToken") == 0 || strcmp(leaf, "NextMarker") == 0 ||
               strcmp(leaf, "NextKeyMarker") == 0) {
        mst_str_reset(&pg->next);
        mst_str_add(&pg->next, text);
    } else if (strcmp(leaf, "NextVersionIdMarker") == 0 ||
               strcmp(leaf, "NextUploadIdMarker") == 0) {
        mst_str_reset(&pg->next_also);
        mst_str_add(&pg->next_also, text);
    } else {
        return false;
    }
    return true;
}

bool mst_s3_page_take(void *arg, const char *path, const char *text)
{
    struct s3_page *pg = arg;
    const size_t root = strlen(pg->root);

    if (strncmp(path, pg->root, root) != 0 || (path[root] && path[root] != '/')) {
        return true;
    }
    pg->seen = true;
    if (!path[root] || take_common(pg, path + root + 1, text)) {
        return true;
    }
    return pg->take(pg, path + root + 1, text);
}

/* Names may be said before it is said how they are encoded: so they are kept raw until the end. */
bool mst_s3_take_object(struct s3_page *pg, const char *leaf, const char *text)
{
    struct s3_raw *now;

    mst_grow((void **)&pg->raw, &pg->cap, pg->n + 1, sizeof(pg->raw[0]));
    now = &pg->raw[pg->n];
    if (!pg->open) {
        memset(now, 0, sizeof(*now));
        pg->open = true;
    }
    if (strcmp(leaf, "Contents/Key") == 0) {
        free(now->key);
        now->key = mst_xstrdup(text);
    } else if (strcmp(leaf, "Contents/Size") == 0) {
        now->item.bytes = strtoull(text, NULL, 10);
    } else if (strcmp(leaf, "Contents/LastModified") == 0) {
        now->item.modified_wall_ms = mst_time_parse(text) > 0 ? mst_time_parse(text) : 0;
    } else if (strcmp(leaf, "Contents/ETag") == 0) {
        mst_text_clean(now->item.etag, sizeof(now->item.etag), text, strlen(text));
    } else if (strcmp(leaf, "Contents/StorageClass") == 0) {
        mst_text_clean(now->item.storage_class, sizeof(now->item.storage_class), text,
                       strlen(text));
    } else if (strcmp(leaf, "Contents/RestoreStatus/IsRestoreInProgress") == 0) {
        now->item.thawing = strcmp(text, "true") == 0;
    } else if (strcmp(leaf, "Contents/RestoreStatus/RestoreExpiryDate") == 0) {
        /* When that is over it is asleep again, whatever is still said. */
        now->item.thawed_until_ms =
            mst_time_parse(text) > mst_clock_utc_ms(NULL) ? mst_time_parse(text) : 0;
    } else if (strcmp(leaf, "Contents") == 0) {
        pg->open = false;
        pg->n += now->key != NULL;
        return pg->n < ITEMS_MAX;
    }
    return true;
}

void mst_s3_page_reset(struct s3_page *pg)
{
    for (size_t i = 0; i < pg->n + pg->open; i++) {
        free(pg->raw[i].key);
    }
    pg->n = 0;
    pg->open = pg->more = pg->encoded = pg->seen = false;
    mst_str_reset(&pg->next);
    mst_str_reset(&pg->next_also);
}

void mst_s3_page_release(struct s3_page *pg)
{
    mst_s3_page_reset(pg);
    free(pg->raw);
    mst_str_release(&pg->next);
    mst_str_release(&pg->next_also);
}

enum mst_rc mst_s3_page_get(struct s3_page *pg, struct s3_req *r, struct mst_err *err)
{
    struct s3_answer a;
    struct mst_err why = {0};
    enum mst_rc rc = mst_s3_call(pg->s, r, &a, err);

    mst_s3_page_reset(pg);
    if (rc == MST_OK &&
        (mst_xml_parse(a.reply.body.p, a.reply.body.len, mst_s3_page_take, pg, &why) != MST_OK ||
         !pg->seen)) {
        const char *type = mst_http_header(&a.reply.headers, "content-type");

        rc = type && strstr(type, "text/html")
                 ? mst_err_set(err, MST_E_SERVER,
                               "cannot list the store %s (%s): a web page came instead of a "
                               "store's answer: is there a proxy or a captive portal",
                               pg->s->base.name, pg->s->base.where)
                 : mst_err_set(err, MST_E_SERVER, "cannot list the store %s (%s): it sent %s",
                               pg->s->base.name, pg->s->base.where,
                               why.rc ? why.msg : "something that is no listing");
    }
    mst_http_reply_release(&a.reply);
    return rc;
}

enum mst_rc mst_s3_page_endless(const struct s3 *s, struct mst_err *err)
{
    return mst_err_set(err, MST_E_SERVER,
                       "cannot list the store %s (%s): it sends the same page again and again",
                       s->base.name, s->base.where);
}

void mst_s3_page_say_foreign(const struct s3 *s, size_t n)
{
    mst_store_leave_out(n);
    if (n > 0) {
        mst_log(MST_LOG_WARN, "store",
                "%zu %s in the store %s (%s) cannot be of muster and %s left alone", n,
                mst_text_noun(n, "name", "names"), s->base.name, s->base.where,
                n == 1 ? "is" : "are");
    }
}

bool mst_s3_cycle(struct s3_cycle *c, const char *token)
{
    if (c->steps > 0 && strcmp(mst_str_c(&c->seen), token) == 0) {
        return true;
    }
    if (++c->steps >= c->keep_at) {
        c->keep_at = 2 * c->steps;
        mst_str_reset(&c->seen);
        mst_str_add(&c->seen, token);
    }
    return false;
}

static void ask_page(const struct s3 *s, struct s3_req *r, const char *prefix, const char *token)
{
    const bool v1 = s->profile->list_v1;

    if (!v1) {
        mst_s3_ask(r, "list-type", "2");
    }
    if (s->profile->thaw_listed) {
        mst_s3_say(r, "x-amz-optional-object-attributes", "RestoreStatus");
    }
    mst_s3_ask(r, "max-keys", "1000");
    mst_s3_ask(r, "prefix", prefix);
    if (!s->profile->list_plain) {
        mst_s3_ask(r, "encoding-type", "url");
    }
    if (*token) {
        mst_s3_ask(r, v1 ? "marker" : "continuation-token", token);
    }
}

/* false: fn has enough. */
static bool hand_out(struct s3_page *pg, bool (*fn)(void *arg, const struct mst_store_item *item),
                     void *arg)
{
    for (size_t i = 0; i < pg->n; i++) {
        if (mst_s3_page_key(pg, pg->raw[i].key, pg->raw[i].item.key) &&
            !fn(arg, &pg->raw[i].item)) {
            return false;
        }
    }
    return true;
}

/* Where the next page begins; v1 without NextMarker: behind the last name. */
static void go_on(const struct s3_page *pg, struct mst_str *token)
{
    mst_str_reset(token);
    if (pg->next.len > 0) {
        mst_str_add(token, mst_str_c(&pg->next));
    } else if (pg->n > 0) {
        mst_str_add(token, pg->raw[pg->n - 1].key);
    }
    if (pg->encoded && pg->s->profile->list_v1 && token->p) {
        undo_encoding(token->p);
        token->len = strlen(token->p);
    }
}

enum mst_rc mst_s3_list(struct mst_store *store, const char *prefix,
                        bool (*fn)(void *arg, const struct mst_store_item *item), void *arg,
                        struct mst_task *task, struct mst_err *err)
{
    struct s3 *s = s3_of(store);
    struct s3_page pg = {.s = s, .root = "ListBucketResult", .take = mst_s3_take_object};
    struct mst_str full = {0}, token = {0}, first = {0};
    struct s3_cycle cycle = {0};
    enum mst_rc rc;

    mst_s3_full_key(s, prefix, &full);
    mst_str_add(&full, *prefix ? "/" : "");
    do {
        struct s3_req r = {
            .method = "GET", .what = "list", .action = "s3:ListBucket", .task = task};

        ask_page(s, &r, mst_str_c(&full), mst_str_c(&token));
        rc = mst_s3_page_get(&pg, &r, err);
        if (rc != MST_OK || (pg.n > 0 && first.len > 0 && strcmp(pg.raw[0].key, first.p) == 0)) {
            rc = rc == MST_OK ? mst_s3_page_endless(s, err) : rc;
            break;
        }
        if (pg.n > 0) {
            mst_str_reset(&first);
            mst_str_add(&first, pg.raw[0].key);
        }
        if (!hand_out(&pg, fn, arg)) {
            break;
        }
        go_on(&pg, &token);
        if (pg.more && (token.len == 0 || mst_s3_cycle(&cycle, mst_str_c(&token)))) {
            rc = mst_s3_page_endless(s, err);
        }
    } while (rc == MST_OK && pg.more && mst_task_check(task, err) == MST_OK);
    mst_s3_page_say_foreign(s, pg.foreign);
    mst_s3_page_release(&pg);
    mst_str_release(&full);
    mst_str_release(&token);
    mst_str_release(&cycle.seen);
    mst_str_release(&first);
    return rc == MST_OK ? mst_task_check(task, err) : rc;
}

static bool absent_from_listing(struct s3 *s, const char *key, struct mst_task *task)
{
    struct s3_page pg = {.s = s, .root = "ListBucketResult", .take = mst_s3_take_object};
    struct s3_req r = {
        .method = "GET", .what = "list", .action = "s3:ListBucket", .tries_max = 2, .task = task};
    struct mst_str full = {0};
    struct mst_err ignore = {0};
    char name[MST_KEY_MAX];
    bool absent;

    mst_s3_full_key(s, key, &full);
    ask_page(s, &r, mst_str_c(&full), "");
    absent = mst_s3_page_get(&pg, &r, &ignore) == MST_OK && !pg.more;
    for (size_t i = 0; absent && i < pg.n; i++) {
        absent = !mst_s3_page_key(&pg, pg.raw[i].key, name) || strcmp(name, key) != 0;
    }
    mst_s3_page_release(&pg);
    mst_str_release(&full);
    return absent;
}

void mst_s3_see_absent(struct s3 *s, const struct s3_req *r, struct s3_answer *a)
{
    const bool looks = strcmp(r->method, "HEAD") == 0 || strcmp(r->method, "GET") == 0;

    if (looks && r->key && !r->outside && r->n_query == 0 && a->reply.status == 403 &&
        (!a->code[0] || strcmp(a->code, "AccessDenied") == 0) &&
        absent_from_listing(s, r->key, r->task)) {
        a->reply.status = 404;
        (void)mst_copy(a->code, sizeof(a->code), "NoSuchKey");
    }
}
