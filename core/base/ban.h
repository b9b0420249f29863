/* ban.h: force-included in every file; names that must not be used stop the build.
 *
 * The system headers that declare them come first, because a poisoned name may not even be declared
 * afterwards.
 */
#ifndef MST_BASE_BAN_H
#define MST_BASE_BAN_H

#include <alloca.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#undef alloca
#undef strncpy
#pragma GCC poison sprintf vsprintf strcpy strcat strncpy strncat strtok atoi atol atof
#pragma GCC poison localtime gmtime asctime ctime system popen srand alloca tmpnam mktemp
/* OpenSSL's headers name parameters so: only the call is banned. */
#define rand() mst_rand_is_banned

#endif
