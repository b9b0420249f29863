/* resolve.h: names to addresses with a deadline. getaddrinfo() can neither be limited nor
 * cancelled, so it runs on a thread that is left behind when it takes too long. Internal.
 */
#ifndef MST_MONGO_RESOLVE_H
#define MST_MONGO_RESOLVE_H

#include <stddef.h>
#include <sys/socket.h>

#include "base/err.h"
#include "conc/task.h"

#define MST_RESOLVE_MAX 8

struct mst_resolved {
    size_t n;
    struct {
        struct sockaddr_storage sa;
        socklen_t len;
    } at[MST_RESOLVE_MAX];
};

/* MST_E_NET (no such name, or the name service fails), MST_E_TIMEOUT, MST_E_CANCELLED. */
enum mst_rc mst_resolve(const char *host, uint16_t port, int64_t deadline_ms,
                        const struct mst_task *task, struct mst_resolved *out,
                        struct mst_err *err) MST_MUST_CHECK;

/* Tests put a slow or failing name service here; NULL is the system's. */
struct addrinfo;
typedef int mst_getaddrinfo_fn(const char *host, const char *service, const struct addrinfo *hints,
                               struct addrinfo **out);
void mst_resolve_with(mst_getaddrinfo_fn *fn);

#endif
