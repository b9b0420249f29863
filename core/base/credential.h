/* credential.h: a secret file that is named "credential:NAME" is one that the service manager gave
 * to this process: NAME in the directory of CREDENTIALS_DIRECTORY (systemd: LoadCredential=). Other
 * names are paths. */
#ifndef MST_BASE_CREDENTIAL_H
#define MST_BASE_CREDENTIAL_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/err.h"

#define MST_CREDENTIAL_PATH 4096

bool mst_credential_is(const char *named);
/* Where the file is. MST_E_CONFIG: this process was given no credentials, or NAME is none. */
enum mst_rc mst_credential_path(const char *named, char out[MST_CREDENTIAL_PATH],
                                struct mst_err *err) MST_MUST_CHECK;
/* Can nobody but its owner read it? A credential shows the right that its service has by an access
 * list as one of its group (0440, of root). */
bool mst_credential_private(const char *named, const struct stat *st);

#endif
