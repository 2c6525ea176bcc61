/* SPDX-License-Identifier: Apache-2.0
 * What a guest shows: one line for each participant, rewritten in place on a terminal, appended
 * elsewhere; or JSON lines. Texts of others are shown without control characters. */
#ifndef LN_CLI_GUEST_VIEW_H
#define LN_CLI_GUEST_VIEW_H

#include "cli/guest.h"

#include <stdio.h>

struct guest_view {
    enum guest_output output;
    bool rewrites;      /* standard output is a terminal, and nobody types there */
    unsigned rows;      /* of figures that stand at the bottom of the terminal */
    ln_time next_lines; /* when figures are appended again, without a terminal */
};

void guest_view_init(struct guest_view *view, enum guest_output output, bool chat);

void guest_view_state(struct guest_view *view, enum ln_room_state state, int error,
                      const char *sentence);
/* event: "joined" or "left". */
void guest_view_presence(struct guest_view *view, const ln_participant *participant,
                         const char *event);
void guest_view_message(struct guest_view *view, const ln_participant *from, const char *text,
                        size_t len);
void guest_view_snapshot(struct guest_view *view, const ln_participant *participant,
                         const char *path, int error);
/* New figures of one participant came; shows all of the room. */
void guest_view_figures(struct guest_view *view, ln_room *room, const ln_participant *participant,
                        ln_time now);

#endif
