/* SPDX-License-Identifier: Apache-2.0
 * Sound and picture of `linnet peer`: tracks to send and receive, and what became of them. */
#ifndef LN_CLI_PEER_MEDIA_H
#define LN_CLI_PEER_MEDIA_H

#include "client/port.h"

#include <linnet/peer_connection.h>

#include <jansson.h>

struct peer_media;

/* video, audio: "test" or "tone" sends and receives, "recv" receives, "none" or NULL does not ask
 * for anything (what the other side offers is still received). Call before negotiation. Returns 0
 * or an error. */
LN_NODISCARD int peer_media_create(struct peer_media **ret_media, struct ln_loop *loop,
                                   struct ln_env *env, ln_peer_connection *pc,
                                   struct ln_place *place, const char *video, const char *audio);
void peer_media_free(struct peer_media *media); /* before the connection; NULL is fine */

/* Every event of the connection. */
void peer_media_event(struct peer_media *media, ln_time now, const struct ln_event *event);
/* One object a track, of type "linnet-track", for the stats line. */
void peer_media_stats(struct peer_media *media, json_t *array);
#endif
