/* Views of stores: several, a dead one, a bucket with everything, nothing known of it. */
#include "fixture.h"

#include <string.h>

#include "base/mem.h"

struct fx *fx_empty_bucket(void)
{
    struct fx *f = fx_healthy();

    f->bucket.n = 0;
    f->bucket.backups_bytes = 0;
    f->bucket.per_day_bytes = f->bucket.days_left = -1;
    return f;
}

static void second_store(struct fx *f)
{
    f->bucket.target = f->vault.target = true;
    f->bucket.as_of_wall_ms = f->vault.as_of_wall_ms = fx_wall() - 12000;
    (void)mst_copy(f->vault.store, sizeof f->vault.store, "vault");
    (void)mst_copy(f->vault.where, sizeof f->vault.where, "directory /mnt/vault");
    f->vault.read_at_ms = FX_MONO - 12000;
    f->vault.backups = f->in_vault;
    f->vault.n = 2;
    f->in_vault[0] = f->backups[0];
    f->in_vault[0].verified_wall_ms = 0;
    f->in_vault[1] = f->backups[1];
    f->v.stores[0] = &f->bucket;
    f->v.stores[1] = &f->vault;
    f->v.n_stores = 2;
}

struct fx *fx_copies(void)
{
    struct fx *f = fx_healthy();

    second_store(f);
    f->in_vault[1].state = MST_BK_DAMAGED;
    (void)mst_copy(f->in_vault[1].problem, sizeof f->in_vault[1].problem,
                   "verify found: d/0001-0: its SHA-256 differs from the manifest's");
    return f;
}

static void seal(struct mst_backup *b)
{
    b->sealed = b->is_signed = true;
    b->signature = MST_SIGNED_GOOD;
    (void)mst_copy(b->signer, sizeof b->signer, "db4 (7c01d2aa)");
}

struct fx *fx_s3(void)
{
    struct fx *f = fx_healthy();
    struct mst_bucket_part *b = &f->bucket;
    struct mst_look_part *l = &f->looks[0];

    fx_detail(f);
    seal(&f->backups[0]);
    seal(&f->backups[1]);
    (void)mst_copy(b->store, sizeof b->store, "offsite");
    (void)mst_copy(b->kind, sizeof b->kind, "s3");
    (void)mst_copy(b->region, sizeof b->region, "eu-west-1");
    (void)mst_copy(b->where, sizeof b->where, "bucket rs0-backups at Amazon S3, single writer");
    b->single_writer = true;
    b->free_bytes = b->total_bytes = 0;
    b->days_left = -1;
    b->foreign = 3;
    f->backups[1].foreign = 3;
    l->versions = 1;
    l->uploads = 2;
    l->since_wall_ms = fx_wall() - 3LL * 86400000;
    (void)mst_copy(l->who, sizeof l->who, "AKIAEXAMPLE (credentials file, section backup)");
    (void)mst_copy(f->info.key_remind, sizeof f->info.key_remind,
                   "no recipient is an escrow: when these keys are lost, so is every backup");
    (void)mst_copy(f->detail.storage_class, sizeof f->detail.storage_class, "mixed");
    for (size_t i = 0; i < f->detail.n_objects; i++) {
        (void)mst_copy(f->objects[i].storage_class, sizeof f->objects[i].storage_class,
                       i < 3 ? "STANDARD_IA" : "STANDARD");
        f->objects[i].modified_wall_ms = fx_wall() - 46000000;
    }
    f->detail.lock_known = true;
    f->detail.locked_until_ms = fx_wall() + 30LL * 86400000;
    (void)mst_copy(f->detail.lock_mode, sizeof f->detail.lock_mode, "GOVERNANCE");
    return f;
}

/* The same store, and nothing could be asked of it. */
struct fx *fx_s3_unknown(void)
{
    struct fx *f = fx_s3();
    struct mst_look_part *l = &f->looks[0];

    f->bucket.single_writer = false;
    f->bucket.allow_unsealed = true;
    l->versions = l->locks = -1;
    l->uploads = -1;
    l->since_wall_ms = 0;
    (void)mst_copy(l->problem, sizeof l->problem,
                   "cannot look at the bucket rs0-backups: HTTP 403 AccessDenied: the key needs "
                   "s3:GetBucketVersioning");
    f->detail.lock_known = false;
    (void)mst_copy(f->detail.lock_why, sizeof f->detail.lock_why, "HTTP 403 AccessDenied");
    return f;
}

struct fx *fx_one_dead(void)
{
    struct fx *f = fx_healthy();

    second_store(f);
    f->vault.n = 0;
    f->vault.as_of_wall_ms = 0;
    (void)mst_copy(f->vault.problem, sizeof f->vault.problem,
                   "the store vault: the directory /mnt/vault does not exist: make it, or mount "
                   "it");
    f->vault.problem_rc = MST_E_CONFIG;
    return f;
}

struct fx *fx_held(void)
{
    struct fx *f = fx_healthy();
    struct mst_backup *b = &f->backups[0];

    second_store(f);
    b->hold_until_ms = fx_wall() + 90LL * 86400000;
    (void)mst_copy(b->hold_text, sizeof b->hold_text, "until the auditors were here");
    (void)mst_copy(b->hold_by, sizeof b->hold_by, "ann");
    b->leftovers = 3;
    return f;
}

struct fx *fx_store_gone(void)
{
    struct fx *f = fx_healthy();

    f->bucket.cached = true;
    f->bucket.as_of_wall_ms = fx_wall() - 11040000;
    f->bucket.free_bytes = f->bucket.total_bytes = 0;
    (void)mst_copy(f->bucket.problem, sizeof f->bucket.problem,
                   "the store local: the directory /srv/backups does not exist: make it, or mount "
                   "it");
    f->bucket.problem_rc = MST_E_CONFIG;
    return f;
}

struct fx *fx_store_unread(void)
{
    struct fx *f = fx_store_gone();

    f->bucket.problem[0] = '\0';
    f->bucket.problem_rc = 0;
    f->bucket.read_at_ms = 0;
    f->bucket.loading = true;
    return f;
}

struct fx *fx_no_store(void)
{
    struct fx *f = fx_healthy();

    f->v.bucket = NULL;
    f->v.n_stores = 0;
    return f;
}
