/* SPDX-License-Identifier: Apache-2.0
 * A participant at the terminal: joins a room, shows who is there with live figures, chats, takes
 * snapshots. `linnet join` is one, and so is the "studio" of `linnet serve --studio`. */
#ifndef LN_CLI_GUEST_H
#define LN_CLI_GUEST_H

#include "cli/network.h"

#include <linnet/client.h>

enum guest_output { GUEST_TEXT, GUEST_JSON, GUEST_QUIET };

struct guest_options {
    const char *command; /* for error sentences: "linnet join" */
    const char *url;     /* "ws://...", or the page's: "http://HOST:PORT/" */
    const char *room, *name, *token;
    enum ln_source_kind video, audio;
    bool chat; /* lines of standard input are sent */
    bool echo; /* each message goes back to its sender */
    bool insecure, loopback;
    const struct cli_network *network; /* NULL: the defaults */
    const char *snapshot;              /* NULL: none */
    long duration;                     /* seconds in the room; 0: no limit */
    enum guest_output output;
};

#define GUEST_EXIT_NOT_JOINED 3 /* the server could not be reached in 30 s */
#define GUEST_EXIT_REFUSED    4 /* by the server: token, room full, name */

/* Stays until stop_fd becomes readable, the duration has passed or the server ends it. Returns the
 * exit code; has written a sentence to standard error when that is not 0. */
int guest_run(const struct guest_options *options, int stop_fd);

/* The studio: test picture and tone, echoes; on a thread of its own, with lines on standard output.
 * Texts are copied. NULL when it could not be started. */
struct studio;
struct studio *studio_start(const char *url, const char *room, bool insecure, bool loopback);
/* It leaves the room; returns when that is done. NULL is fine. */
void studio_stop(struct studio *studio);

#endif
