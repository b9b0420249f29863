/* Removing objects: one, or up to a thousand in one request. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/text.h"
#include "hash/mac.h"
#include "store/s3_own.h"
#include "store/xml.h"

static enum mst_rc may_write(const struct s3 *s, struct mst_err *err)
{
    return s->write ? MST_OK
                    : mst_err_set(err, MST_E_PRECOND, "the store %s is opened for reading only",
                                  s->base.name);
}

enum mst_rc mst_s3_remove(struct mst_store *store, const char *key, struct mst_err *err)
{
    struct s3 *s = s3_of(store);
    struct s3_req r = {.method = "DELETE",
                       .key = key,
                       .what = "remove",
                       .action = "s3:DeleteObject",
                       .task = mst_store_works_for()};
    struct s3_answer a;
    enum mst_rc rc;

    if (may_write(s, err) != MST_OK) {
        return err->rc;
    }
    rc = mst_s3_call(s, &r, &a, err);
    mst_http_reply_release(&a.reply);
    mst_s3_windows_forget(s, key);
    return rc;
}

/* --- a batch ---------------------------------------------------------------------------------- */

struct batch {
    struct s3 *s;
    const char (*keys)[MST_KEY_MAX];
    size_t n, next; /* next: the answer most likely goes on in our order */
    bool *said;
    struct mst_store_swept *out;
    struct mst_str key, code, message; /* of the entry that is being read */
    bool marker;
};

/* Which of ours is it? n: none that was not answered already. */
static size_t which(const struct batch *b, const char *full)
{
    const size_t skip = *b->s->prefix ? strlen(b->s->prefix) + 1 : 0;

    if (strlen(full) < skip || strncmp(full, b->s->prefix, strlen(b->s->prefix)) != 0) {
        return b->n;
    }
    for (size_t i = 0; i < b->n; i++) {
        const size_t at = (b->next + i) % b->n;

        if (!b->said[at] && strcmp(b->keys[at], full + skip) == 0) {
            return at;
        }
    }
    return b->n;
}

static void refuse(struct batch *b, const char *key)
{
    char code[64], message[160];
    const bool denied = strcmp(mst_str_c(&b->code), "AccessDenied") == 0;

    mst_text_clean(code, sizeof(code), mst_str_c(&b->code), b->code.len);
    mst_text_clean(message, sizeof(message), mst_str_c(&b->message), b->message.len);
    b->out->failed++;
    if (b->out->first.rc != MST_OK) {
        return;
    }
    (void)mst_err_set(&b->out->first, denied ? MST_E_AUTH : MST_E_SERVER, "%s%s%s%s",
                      denied ? "the key may not do that: its policy has to allow s3:DeleteObject: "
                             : "it answered ",
                      code, message[0] ? ", " : "", message);
    mst_err_prefix(&b->out->first, "cannot remove %s in the store %s (%s)", key, b->s->base.name,
                   b->s->base.where);
}

static void end_entry(struct batch *b, bool removed)
{
    const size_t at = which(b, mst_str_c(&b->key));
    const bool gone = removed || strcmp(mst_str_c(&b->code), "NoSuchKey") == 0;

    if (at < b->n) {
        b->said[at] = true;
        b->next = (at + 1) % b->n;
        b->out->gone += gone;
        b->out->markers += gone && b->marker;
        if (!gone) {
            refuse(b, b->keys[at]);
        }
    }
    mst_str_reset(&b->key);
    mst_str_reset(&b->code);
    mst_str_reset(&b->message);
    b->marker = false;
}

static bool take(void *arg, const char *path, const char *text)
{
    struct batch *b = arg;
    const char *leaf = strchr(path, '/');
    const char *field = leaf ? strchr(leaf + 1, '/') : NULL;

    if (!leaf) {
        return true;
    }
    if (!field && strcmp(leaf, "/Deleted") == 0) {
        end_entry(b, true);
    } else if (!field && strcmp(leaf, "/Error") == 0) {
        end_entry(b, false);
    } else if (field && strcmp(field, "/Key") == 0) {
        mst_str_add(&b->key, text);
    } else if (field && strcmp(field, "/Code") == 0) {
        mst_str_add(&b->code, text);
    } else if (field && strcmp(field, "/Message") == 0) {
        mst_str_add(&b->message, text);
    } else if (field && strcmp(field, "/DeleteMarker") == 0) {
        b->marker = strcmp(text, "true") == 0;
    }
    return true;
}

static void body_of(struct batch *b, struct mst_str *out)
{
    struct mst_str full = {0};

    mst_str_add(out, "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (size_t i = 0; i < b->n; i++) {
        mst_str_reset(&full);
        mst_s3_full_key(b->s, b->keys[i], &full);
        mst_str_add(out, "<Object><Key>");
        mst_xml_escape(out, mst_str_c(&full));
        mst_str_add(out, "</Key></Object>");
    }
    mst_str_add(out, "</Delete>");
    mst_str_release(&full);
}

/* What the answer is silent about may still be there. */
static void judge(struct batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        if (!b->said[i]) {
            b->out->failed++;
            if (b->out->first.rc == MST_OK) {
                (void)mst_err_set(&b->out->first, MST_E_UNKNOWN,
                                  "the store %s (%s) does not say what became of %s",
                                  b->s->base.name, b->s->base.where, b->keys[i]);
            }
        }
        mst_s3_windows_forget(b->s, b->keys[i]);
    }
}

static enum mst_rc send_batch(struct batch *b, struct mst_task *task, struct mst_err *err)
{
    struct mst_str text = {0};
    uint8_t md5[MST_MD5_LEN];
    char sum[MST_BASE64_SIZE(MST_MD5_LEN)];
    struct s3_req r = {.method = "POST",
                       .what = "remove objects of",
                       .action = "s3:DeleteObject",
                       .error_in_200 = true,
                       .task = task};
    struct s3_answer a;
    struct mst_err xml = {0};
    enum mst_rc rc;

    body_of(b, &text);
    r.body = text.p;
    r.body_n = text.len;
    mst_md5_of(text.p, text.len, md5);
    mst_s3_ask(&r, "delete", "");
    mst_s3_say(&r, "content-type", "application/xml");
    mst_s3_say(&r, "content-md5", mst_base64(md5, sizeof(md5), sum));
    rc = mst_s3_call(b->s, &r, &a, err);
    if (rc == MST_OK) {
        if (mst_xml_parse(a.reply.body.p, a.reply.body.len, take, b, &xml) != MST_OK &&
            b->out->first.rc == MST_OK) {
            (void)mst_err_set(&b->out->first, MST_E_SERVER, "the store %s (%s) answered with %s",
                              b->s->base.name, b->s->base.where, xml.msg);
        }
        judge(b);
    } else if (a.reply.status == 501 || a.reply.status == 405 ||
               strcmp(a.code, "NotImplemented") == 0 ||
               /* some ask for the right on the whole bucket (versitygw 1.7.0) */
               (a.reply.status == 403 && strcmp(a.code, "AccessDenied") == 0)) {
        rc = mst_err_set(err, MST_E_CONFIG, "the store %s has no batches", b->s->base.name);
    }
    mst_http_reply_release(&a.reply);
    mst_str_release(&text);
    return rc;
}

enum mst_rc mst_s3_remove_many(struct mst_store *store, const char (*keys)[MST_KEY_MAX], size_t n,
                               struct mst_store_swept *out, struct mst_task *task,
                               struct mst_err *err)
{
    struct s3 *s = s3_of(store);
    struct batch b = {.s = s, .keys = keys, .n = n, .out = out};
    enum mst_rc rc;

    if (may_write(s, err) != MST_OK) {
        return err->rc;
    }
    if (s->profile->google || n < 2) {
        return mst_err_set(err, MST_E_CONFIG, "the store %s has no batches", s->base.name);
    }
    b.said = mst_xcalloc(n, sizeof(*b.said));
    rc = send_batch(&b, task ? task : mst_store_works_for(), err);
    mst_str_release(&b.key);
    mst_str_release(&b.code);
    mst_str_release(&b.message);
    free(b.said);
    return rc;
}
