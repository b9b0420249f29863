#include "engine/rekey_says.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

const char *rekey_why_dead(const struct rekey_store *s)
{
    char lead[96];
    const int n = snprintf(lead, sizeof(lead), "the store %.64s: ", s->name);

    return n > 0 && strncmp(s->err.msg, lead, (size_t)n) == 0 ? s->err.msg + n : s->err.msg;
}

bool rekey_is_dead(const struct rekey_store *s)
{
    return s->err.rc != MST_OK && s->err.rc != MST_E_NOTFOUND;
}

/* --- the plan --------------------------------------------------------------------------------- */

static void step(struct mst_ticket *t, const char *text)
{
    (void)mst_copy(t->steps[t->n_steps++], sizeof(t->steps[0]), text);
}

/* One store among several, in a line. */
static void describe_store(struct mst_ticket *t, const struct rekey_store *s)
{
    char text[200];

    if (rekey_is_dead(s)) {
        (void)snprintf(text, sizeof(text),
                       "%.40s cannot be asked and stays as it is until this is repeated: %.90s",
                       s->name, rekey_why_dead(s));
    } else if (s->err.rc != MST_OK) {
        (void)snprintf(text, sizeof(text), "%.40s: nothing that is meant", s->name);
    } else {
        (void)snprintf(text, sizeof(text), "%.40s: %zu of %zu %s, %zu as asked already%s%.90s",
                       s->name, s->o.done, s->n, mst_text_noun(s->n, "backup", "backups"),
                       s->o.already, s->o.failed ? ", others cannot: " : "", s->o.why);
    }
    step(t, text);
}

/* A removal that will not come to its end yet is told before it is begun. */
static void describe_locked(struct mst_ticket *t, const struct rekey_store *s)
{
    const struct mst_rekey_result *a = &s->o.any;
    char text[200], until[MST_TIME_MAX];

    if (a->locked > 0) {
        (void)snprintf(text, sizeof(text),
                       "%.40s: %zu older key %s %s%s: who is in there reads with %s till then",
                       s->name, a->locked, mst_text_noun(a->locked, "object stays", "objects stay"),
                       a->locked_until_ms ? "locked until " : "held in the store",
                       a->locked_until_ms ? mst_time_iso(a->locked_until_ms, until) : "",
                       mst_text_noun(a->locked, "it", "them"));
        step(t, text);
    }
}

static void describe_others(struct mst_ticket *t, const struct rekey_places *p)
{
    const struct rekey_outcome *o = &p->s[0].o;
    char text[200];

    for (size_t i = 0; p->n > 1 && i < p->n; i++) {
        describe_store(t, &p->s[i]);
    }
    for (size_t i = 0; i < p->n; i++) {
        describe_locked(t, &p->s[i]);
    }
    if (p->n == 1 && (o->already > 0 || o->failed > 0)) {
        (void)snprintf(text, sizeof(text), "%zu of them: as asked already; %zu: cannot, %.100s",
                       o->already, o->failed, o->why);
        step(t, text);
    }
}

/* Does the configuration let this one read new backups? By name or id, as slots are named. */
static bool still_named(const struct mst_cfg *cfg, const char *who, bool *escrow)
{
    const size_t n = strlen(who);

    *escrow = false;
    for (size_t i = 0; i < cfg->seal.recipients.n; i++) {
        char label[64], id[MST_KEY_ID_HEX];
        struct mst_err ignore = {0};
        uint8_t pub[32];

        if (mst_cfg_pub(cfg->seal.recipients.item[i], MST_KEY_RECIPIENT, pub, label, &ignore) !=
            MST_OK) {
            continue;
        }
        mst_key_id_of(pub, id);
        if ((label[0] && strcmp(label, who) == 0) || (n >= 8 && strncmp(id, who, n) == 0)) {
            *escrow = mst_cfg_is_escrow(cfg, label);
            return true;
        }
    }
    return (strcmp(who, "passphrase") == 0 && cfg->seal.passphrase_file[0]) ||
           (strcmp(who, "program") == 0 && cfg->seal.wrap_command.n > 0);
}

/* Backups that exist are one thing, and the next ones another. */
static void describe_next(struct mst_ticket *t, const struct mst_cfg *cfg,
                          const struct mst_rekey *r)
{
    char text[200], id[MST_KEY_ID_HEX];
    bool escrow;

    if (r->what == MST_REKEY_ADD) {
        mst_key_id_of(r->pub, id);
        if (!still_named(cfg, id, &escrow)) {
            step(t, "new backups are not sealed to it before seal.recipients names it too");
        }
    } else if (r->what == MST_REKEY_REMOVE && still_named(cfg, r->who, &escrow)) {
        (void)snprintf(text, sizeof(text),
                       "the configuration still names %.60s%s: the next backup is sealed to it "
                       "again unless that is taken out first",
                       r->who, escrow ? ", an escrow" : "");
        step(t, text);
    }
}

void rekey_describe(struct mst_ticket *t, const struct mst_cfg *cfg, const struct mst_rekey *r,
                    const struct rekey_places *p, size_t n_stores)
{
    struct mst_str what = {0}, all = {0};
    char id[MST_KEY_ID_HEX];

    if (p->n > 1) {
        mst_str_addf(&what, "the sealed backups in %s", p->in);
    } else {
        mst_str_addf(&what, "%zu %s in %s", p->s[0].o.done,
                     mst_text_noun(p->s[0].o.done, "backup", "backups"), p->in);
    }
    mst_key_id_of(r->pub, id);
    if (r->what == MST_REKEY_ADD) {
        mst_str_addf(&all, "let %s (%.8s) read %s", r->label[0] ? r->label : "the key", id,
                     mst_str_c(&what));
        step(t, "write a key object with one slot more; data and older key objects stay");
    } else {
        if (r->what == MST_REKEY_REMOVE) {
            mst_str_addf(&all, "take %.60s out of %s", r->who, mst_str_c(&what));
        } else {
            mst_str_addf(&all, "let only those of the configuration read %s", mst_str_c(&what));
        }
        (void)snprintf(t->phrase, sizeof(t->phrase), "%s %.100s",
                       r->what == MST_REKEY_REMOVE ? "remove" : "rotate",
                       r->what == MST_REKEY_REMOVE ? r->who : "keys");
        step(t, "write a key object without them, read it back, then remove the older ones");
        step(t, "who kept a copy of an older one, and the secret, still reads the backup");
    }
    (void)mst_copy(t->summary, sizeof(t->summary), mst_str_c(&all));
    describe_next(t, cfg, r);
    if (p->n == 1 && n_stores > 1) {
        step(t, "only that store is changed: copies in another one stay as they are");
    }
    describe_others(t, p);
    mst_str_release(&what);
    mst_str_release(&all);
}

/* --- the result ------------------------------------------------------------------------------- */

/* What was done: "2 backups have a new key object in the store local". */
static void said_done(const struct rekey_store *s, char *text, size_t size)
{
    const struct rekey_outcome *o = &s->o;
    const char *others = o->unproven ? ", the others list only those of the configuration, and no "
                                       "key that is here opens them"
                                     : ", the others were as asked";
    size_t n;

    text[0] = '\0';
    if (o->wrote > 0 || o->done == 0) {
        (void)snprintf(text, size, "%zu %s a new key object in the store %s", o->wrote,
                       mst_text_noun(o->wrote, "backup has", "backups have"), s->name);
    }
    n = strlen(text);
    if (o->done > o->wrote) {
        (void)snprintf(text + n, size - n, "%s%zu %s had one already in the store %s",
                       n ? ", " : "", o->done - o->wrote,
                       mst_text_noun(o->done - o->wrote, "backup", "backups"), s->name);
    }
    n = strlen(text);
    (void)snprintf(text + n, size - n, "%s%s", o->already ? others : "",
                   o->hidden ? "; the bucket keeps versions: who may read those has the older key "
                               "objects until they are removed"
                             : "");
}

enum mst_rc rekey_conclude(const struct rekey_store *s, char text[REKEY_CONCLUSION],
                           struct mst_err *err)
{
    const struct rekey_outcome *o = &s->o;
    char locked[MST_KEY_MAX + 120];

    if (rekey_is_dead(s)) {
        (void)snprintf(text, REKEY_CONCLUSION, "the store %s stays as it is: %.200s", s->name,
                       rekey_why_dead(s));
        return mst_err_set(err, s->err.rc, "%s", text);
    }
    said_done(s, text, REKEY_CONCLUSION);
    if (o->failed > 0) {
        return mst_err_set(err, o->done ? MST_E_INCOMPLETE : o->rc, "%s, %zu failed: %s", text,
                           o->failed, o->why);
    }
    if (o->staying > 0 && o->any.locked == o->any.staying) {
        mst_rekey_locked_text(&o->any, locked, sizeof(locked));
        return mst_err_set(err, MST_E_INCOMPLETE,
                           "%s, but %s: who was in there reads with them; the same command again "
                           "removes what is not locked any more",
                           text, locked);
    }
    return o->staying > 0 ? mst_err_set(err, MST_E_INCOMPLETE, "%s, but of %zu older ones stay: %s",
                                        text, o->staying, o->why)
                          : MST_OK;
}
