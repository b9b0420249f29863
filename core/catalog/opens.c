/* Who can open a backup, as its key objects say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "catalog/keyobj.h"

#define OBJECTS 8U /* of one attempt, the newest first */

/* "ops", the id without a name, "passphrase", or the program. */
static void name_of(const struct mst_wrap_slot *w, char out[80])
{
    if (w->kind == MST_WRAP_SCRYPT) {
        (void)mst_copy(out, 80, "passphrase");
    } else if (w->kind == MST_WRAP_COMMAND) {
        (void)snprintf(out, 80, "program %.63s", w->label);
    } else if (w->label[0]) {
        (void)snprintf(out, 80, "%.63s", w->label);
    } else {
        (void)snprintf(out, 80, "%.8s", w->recipient);
    }
    mst_text_sanitise(out);
}

/* Each once, in the order of the slots; one that has no room is counted. */
static void add(char names[][80], size_t max, size_t *n, const char *name)
{
    for (size_t i = 0; i < *n && i < max; i++) {
        if (strcmp(names[i], name) == 0) {
            return;
        }
    }
    if (*n < max) {
        (void)mst_copy(names[*n], 80, name);
    }
    (*n)++;
}

enum mst_rc mst_keyobj_opens(const struct mst_catalog *c, const struct mst_header *h,
                             struct mst_task *task, char *out, size_t size, struct mst_err *err)
{
    char names[MST_WRAP_SLOTS][80], name[80];
    struct mst_key_object *k = mst_xcalloc(1, sizeof(*k));
    struct mst_buf raw = {0};
    struct mst_err one = {0};
    size_t n = 0, found = 0, read = 0;
    unsigned *v = NULL;
    enum mst_rc rc = mst_keyobj_numbers(c, h->id, h->attempt, task, &v, &n, err);

    out[0] = '\0';
    for (size_t i = 0; rc == MST_OK && i < n && i < OBJECTS; i++) {
        if (mst_keyobj_read(c, h, v[i], k, &raw, &one) != MST_OK) {
            continue;
        }
        read++;
        for (size_t s = 0; s < k->n; s++) {
            name_of(&k->slots[s], name);
            add(names, MST_COUNT(names), &found, name);
        }
    }
    if (rc == MST_OK && read == 0) {
        rc = n ? mst_err_set(err, one.rc, "%s", one.msg)
               : mst_err_set(err, MST_E_INTEGRITY, "%s has no key object: nobody can open it",
                             h->id);
    }
    for (size_t i = 0; rc == MST_OK && i < found && i < MST_COUNT(names); i++) {
        const size_t at = strlen(out);

        (void)snprintf(out + at, size - at, "%s%s", i ? ", " : "", names[i]);
    }
    if (found > MST_COUNT(names)) {
        const size_t at = strlen(out);

        (void)snprintf(out + at, size - at, ", %zu more", found - MST_COUNT(names));
    }
    mst_buf_release(&raw);
    free(v);
    free(k);
    return rc;
}
