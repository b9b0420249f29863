/* muster export, muster open: a backup as what mongorestore reads. In this process: what is written
 * belongs to whoever asked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "cmd.h"
#include "engine/takeout.h"
#include "json.h"
#include "work.h"

#define PATTERNS 16

struct work {
    const struct mst_cfg *cfg;
    struct mst_takeout t;
    struct mst_takeout_done done;
    struct mst_takeout_found *found;
    size_t n_found;
    atomic_bool asking;
};

/* ---- options ---- */

static enum mst_rc patterns(const struct cmd_ctx *c, const char *option, const char **out,
                            size_t *n, struct mst_err *err)
{
    const char *v;

    for (*n = 0; (v = args_nth(&c->args, option, *n)) != NULL; (*n)++) {
        if (*n == PATTERNS) {
            return mst_err_set(err, MST_E_USAGE, "--%s is given more than %d times", option,
                               PATTERNS);
        }
        out[*n] = v;
    }
    return MST_OK;
}

static enum mst_rc destination(const struct cmd_ctx *c, const char *dir_option,
                               struct mst_takeout *t, struct mst_err *err)
{
    t->archive = args_get(&c->args, "archive");
    t->dir = args_get(&c->args, dir_option);
    t->gzip = args_has(&c->args, "gzip");
    t->no_oplog = args_has(&c->args, "no-oplog");
    t->tool = "muster " MST_VERSION;
    if (!t->archive == !t->dir) {
        return mst_err_set(err, MST_E_USAGE, "say where to write: --archive FILE or --%s DIR%s",
                           dir_option, t->dir ? ", not both" : "");
    }
    if (t->archive && strcmp(t->archive, "-") == 0 && c->json) {
        return mst_err_set(err, MST_E_USAGE,
                           "stdout cannot have the archive and --json: name a file");
    }
    if (t->archive && strcmp(t->archive, "-") == 0 && c->tty) {
        return mst_err_set(err, MST_E_USAGE,
                           "stdout is a terminal: send the archive to a file or a program");
    }
    return MST_OK;
}

/* ---- what is said ---- */

static void said_json(const struct work *w, struct mst_str *out)
{
    const struct mst_takeout_done *d = &w->done;

    js_begin(out, "export", mst_clock_utc_ms(NULL));
    js_text(out, "backup", d->id);
    js_text(out, "set", d->set);
    js_text(out, "to", w->t.dir ? w->t.dir : w->t.archive);
    js_int(out, "objects_checked", (int64_t)d->objects);
    js_int(out, "collections", (int64_t)d->collections);
    js_int(out, "views", (int64_t)d->views);
    js_int(out, "documents", (int64_t)d->documents);
    js_int(out, "read_twice", (int64_t)d->doubles);
    js_int(out, "data_bytes", (int64_t)d->data_bytes);
    js_bool(out, "oplog", d->oplog);
    js_int(out, "operations", (int64_t)d->ops);
    js_int(out, "open_transactions", (int64_t)d->txn_open);
    js_int(out, "stored_bytes", (int64_t)d->stored_bytes);
    js_bool(out, "partial", d->partial);
    js_bool(out, "sealed", d->sealed);
    js_text(out, "signed_by", d->signed_by);
    js_text(out, "signature", mst_signed_word(d->signature));
    js_text(out, "warning", d->warning);
    js_text(out, "note", d->note);
    js_end(out);
}

/* The command that reads what was written. */
static void said_next(const struct work *w, struct mst_str *out)
{
    const struct mst_takeout_done *d = &w->done;

    mst_str_add(out, "  read it with: mongorestore --uri URI");
    mst_str_add(out, d->oplog ? " --oplogReplay" : "");
    mst_str_add(out, w->t.gzip ? " --gzip" : "");
    if (w->t.dir) {
        mst_str_addc(out, ' ');
        mst_str_add_shell(out, w->t.dir);
    } else if (strcmp(w->t.archive, "-") == 0) {
        mst_str_add(out, " --archive");
    } else {
        mst_str_add(out, " --archive=");
        mst_str_add_shell(out, w->t.archive);
    }
    mst_str_addc(out, '\n');
}

static void said(const struct work *w, struct mst_str *out)
{
    const struct mst_takeout_done *d = &w->done;
    char size[MST_HUMAN_MAX], read[MST_HUMAN_MAX], at[MST_TIME_MAX];

    mst_str_addf(
        out,
        "%s of the set %s: %llu %s and %llu %s, %llu %s, %s\n"
        "  %llu %s (%s) checked against COMMIT before\n",
        d->id, d->set, (unsigned long long)d->collections,
        mst_text_noun(d->collections, "collection", "collections"), (unsigned long long)d->views,
        mst_text_noun(d->views, "view", "views"), (unsigned long long)d->documents,
        mst_text_noun(d->documents, "document", "documents"), mst_text_bytes(d->data_bytes, size),
        (unsigned long long)d->objects, mst_text_noun(d->objects, "object", "objects"),
        mst_text_bytes(d->read_bytes, read));
    mst_str_addf(out, "  %s%s\n", d->trust,
                 d->signature != MST_SIGNED_UNCHECKED ? ""
                 : w->t.folder ? "; --signer WORD says whose signature must be on it"
                               : "; seal.trusted says whose signature must be on it");
    if (d->warning[0]) {
        mst_str_addf(out, "  %s\n", d->warning);
    }
    if (d->partial) {
        mst_str_add(out, "  PARTIAL: collections were left out of the backup by name\n");
    }
    if (d->note[0]) {
        mst_str_addf(out, "  %s\n", d->note);
    }
    if (d->doubles) {
        mst_str_addf(out, "  %llu %s that the scan met twice %s written once\n",
                     (unsigned long long)d->doubles,
                     mst_text_noun(d->doubles, "document", "documents"),
                     d->doubles == 1 ? "is" : "are");
    }
    if (d->oplog) {
        mst_str_addf(out, "  with an oplog of %llu %s, which brings it to %s (oplog %u.%u)\n",
                     (unsigned long long)d->ops, mst_text_noun(d->ops, "operation", "operations"),
                     mst_time_iso((int64_t)d->point.ts.t * 1000, at), d->point.ts.t, d->point.ts.i);
    } else {
        mst_str_add(out, "  without the oplog: the documents are of no one moment\n");
    }
    if (d->txn_open) {
        mst_str_addf(out, "  %llu %s had no end in the backup and %s left out\n",
                     (unsigned long long)d->txn_open,
                     mst_text_noun(d->txn_open, "transaction", "transactions"),
                     d->txn_open == 1 ? "is" : "are");
    }
    said_next(w, out);
}

static enum mst_rc say(const struct cmd_ctx *c, const struct work *w, struct mst_err *err)
{
    struct mst_str out = {0};
    enum mst_rc rc = MST_OK;

    (c->json ? said_json : said)(w, &out);
    if (w->t.archive && strcmp(w->t.archive, "-") == 0) {
        (void)fputs(mst_str_c(&out), stderr);
    } else {
        rc = cmd_out(mst_str_c(&out), err);
    }
    mst_str_release(&out);
    return rc;
}

/* ---- the commands ---- */

/* On the worker's thread; the line of progress stands back. */
static enum mst_rc ask(void *arg, const char *what, struct mst_secret *s, struct mst_err *err)
{
    struct work *w = arg;
    enum mst_rc rc;

    atomic_store(&w->asking, true);
    rc = cmd_ask(NULL, what, s, err);
    atomic_store(&w->asking, false);
    if (rc == MST_E_AUTH && !s->p) {
        (void)mst_err_set(err, MST_E_AUTH,
                          "the %s was not given: name a file with it by --passphrase-file", what);
    }
    return rc;
}

static enum mst_rc do_takeout(void *arg, struct mst_task *task, struct mst_err *err)
{
    struct work *w = arg;

    return mst_takeout_run(w->cfg, &w->t, task, &w->done, err);
}

static enum mst_rc do_list(void *arg, struct mst_task *task, struct mst_err *err)
{
    struct work *w = arg;

    return mst_takeout_list(w->t.folder, task, &w->found, &w->n_found, err);
}

static enum mst_rc take_out(struct cmd_ctx *c, const char *dir_option, struct work *w,
                            struct mst_err *err)
{
    const char *in[PATTERNS], *out[PATTERNS], *signers[PATTERNS];
    enum mst_rc rc = destination(c, dir_option, &w->t, err);

    rc = rc == MST_OK ? patterns(c, "include", in, &w->t.n_include, err) : rc;
    rc = rc == MST_OK ? patterns(c, "exclude", out, &w->t.n_exclude, err) : rc;
    rc = rc == MST_OK ? patterns(c, "signer", signers, &w->t.n_signers, err) : rc;
    w->t.signers = signers;
    w->t.include = in;
    w->t.exclude = out;
    w->t.key_file = args_get(&c->args, "key");
    w->t.passphrase_file = args_get(&c->args, "passphrase-file");
    w->t.ask = ask;
    w->t.ask_arg = w;
    rc = rc == MST_OK ? cmd_work(c, do_takeout, w, &w->asking, err) : rc;
    return rc == MST_OK ? say(c, w, err) : rc;
}

enum mst_rc cmd_export(struct cmd_ctx *c, struct mst_err *err)
{
    struct work *w = mst_xcalloc(1, sizeof(*w));
    enum mst_rc rc;

    w->cfg = c->cfg;
    w->t.backup = c->args.n_operands ? c->args.operands[0] : "latest";
    w->t.store = args_get(&c->args, "store");
    rc = cmd_as_of(c, &w->t.as_of_ms, err);
    rc = rc == MST_OK ? take_out(c, "dir", w, err) : rc;
    free(w);
    return rc;
}

static void list_line(const struct cmd_ctx *c, const struct mst_takeout_found *f,
                      struct mst_str *out)
{
    char size[MST_HUMAN_MAX], at[sizeof(f->at)], trust[160];

    mst_text_clean(at, sizeof(at), f->at, strlen(f->at));
    if (c->json) {
        js_begin(out, "found", mst_clock_utc_ms(NULL));
        js_text(out, "id", f->b.id);
        js_text(out, "set", f->set);
        js_text(out, "folder", at);
        js_text(out, "state", mst_backup_state_word(f->b.state));
        js_text(out, "problem", f->b.problem);
        js_bool(out, "sealed", f->b.sealed);
        js_int(out, "documents", (int64_t)f->b.documents);
        js_int(out, "stored_bytes", (int64_t)f->b.stored_bytes);
        js_end(out);
        return;
    }
    (void)mst_backup_trust_words(&f->b, trust);
    mst_str_addf(out, "%-28s %-10s %-11s %12llu %-9s %9s  %s%s%s%s%s\n", f->b.id[0] ? f->b.id : "-",
                 f->set[0] ? f->set : "-", mst_backup_state_word(f->b.state),
                 (unsigned long long)f->b.documents,
                 mst_text_noun(f->b.documents, "document", "documents"),
                 mst_text_bytes(f->b.stored_bytes, size), at[0] ? at : "./", trust[0] ? ", " : "",
                 trust, f->b.problem[0] ? ": " : "", f->b.problem);
}

static enum mst_rc list(struct cmd_ctx *c, struct work *w, struct mst_err *err)
{
    struct mst_str out = {0};
    enum mst_rc rc = cmd_work(c, do_list, w, &w->asking, err);

    for (size_t i = 0; rc == MST_OK && i < w->n_found; i++) {
        list_line(c, &w->found[i], &out);
        if (w->found[i].b.state == MST_BK_DAMAGED) {
            c->exit_status = mst_rc_exit(MST_E_INTEGRITY);
        }
    }
    rc = rc == MST_OK ? cmd_out(mst_str_c(&out), err) : rc;
    mst_str_release(&out);
    free(w->found);
    return rc;
}

enum mst_rc cmd_open(struct cmd_ctx *c, struct mst_err *err)
{
    struct work *w = mst_xcalloc(1, sizeof(*w));
    enum mst_rc rc;

    w->t.folder = c->args.operands[0];
    w->t.backup = args_get(&c->args, "backup");
    rc = args_has(&c->args, "list") ? list(c, w, err) : take_out(c, "out", w, err);
    free(w);
    return rc;
}
