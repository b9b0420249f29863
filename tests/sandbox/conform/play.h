/* play.h: replay recorded commands against a simulated set. */
#ifndef CONFORM_PLAY_H
#define CONFORM_PLAY_H

#include "compare.h"
#include "run/run.h"
#include "wire/client.h"

#define PLAY_LINES_MAX 128
#define PLAY_MEMBERS 3
#define PLAY_FIRST_PORT 27117

struct play_line {
    bson_t *doc; /* the whole line; NULL: not read */
    bool has_command, is_view, is_note;
    int member; /* port as recorded */
    char db[64], name[64];
    bson_t command, reply, view; /* borrowed from doc */
};

struct play {
    struct conf *conf;
    struct sbx_world *w;
    const char *file;
    struct play_line lines[PLAY_LINES_MAX];
    int n;
    size_t index_of[PLAY_MEMBERS]; /* recorded port - 27117: index in the world */
    struct sbx_client clients[PLAY_MEMBERS];
    bool open[PLAY_MEMBERS];
    const char *user, *password; /* connections log in, or NULL */
    unsigned commands, skipped;
};

/* Read a recording; aborts the test when a line cannot be read. */
void play_load(struct play *p, struct conf *conf, const char *file);
void play_release(struct play *p);
/* Which world it runs on; order[i] is the recorded port of the world's member i. */
void play_on(struct play *p, struct sbx_world *w, const int order[PLAY_MEMBERS]);
/* Run line number `line` (from 1) when it is a command that is not skipped. True when its answer is
 * as recorded. */
bool play_line(struct play *p, int line);
void play_lines(struct play *p, int from, int to);
/* Close the connection to a recorded member: the next command opens a new one. */
void play_hang_up(struct play *p, int port);
struct sbx_client *play_client(struct play *p, int port);
/* Is the line in the list of what is not replayed? */
void play_sent(struct play *p, int line); /* by the test itself: it counts as replayed */
/* Commands of a recording that were neither sent nor stand in the list of those that are not; they
 * are noted in conf. */
unsigned play_unlisted(struct conf *conf, const char *file);
bool play_skipped(const char *file, int line);
/* Log in with SCRAM-SHA-256. */
bool play_login(struct sbx_client *c, const char *user, const char *password);

#endif
