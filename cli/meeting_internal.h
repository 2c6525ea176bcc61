/* SPDX-License-Identifier: Apache-2.0
 * What meeting.c and link.c share: the meeting and its links. */
#ifndef LN_CLI_MEETING_INTERNAL_H
#define LN_CLI_MEETING_INTERNAL_H

#include "base/list.h"
#include "cli/meeting.h"
#include "client/ice_servers.h"
#include "client/loop_driver.h"
#include "client/room_session.h"
#include "client/wire.h"
#include "io/thread.h"

#include <linnet/linnet.h>

enum link_state { LINK_OPENING, LINK_OPEN, LINK_CLOSING, LINK_DEAD };

struct link {
    struct ln_list in_meeting;
    struct meeting *meeting;
    char id[64];
    enum link_state state;
    ln_peer_connection *pc;
    struct ln_loop_endpoint *handle;
    ln_data_channel *channel;
    ln_op_id remote_op, local_op;
    struct ln_loop_timer timer; /* to open in time, to end the silence, to be reaped */
    enum ln_peer_connection_state connection;
    void *user_data;
};

struct meeting {
    struct meeting_config config;
    char *url, *name, *token;
    struct ln_driver *driver;
    struct ln_loop *loop;
    struct ln_http_loop *control;
    struct ln_thread control_thread;
    bool control_running;
    ln_certificate *certificate;
    struct ln_wire *wire;
    struct ln_room_session session;
    bool in_room, left;
    struct ln_loop_timer timer; /* of the session */
    struct ln_ice_servers ice;
    struct ln_list links;
    size_t link_count;
};

/* The living link to a participant, or NULL. */
struct link *link_find(struct meeting *meeting, const char *id);
/* An offer of a participant came; it replaces what there was with it. */
void link_take_offer(struct meeting *meeting, const char *from, const char *sdp);
void link_take_answer(struct link *link, const char *sdp);
void link_take_candidate(struct link *link, const struct ln_ice_candidate_init *candidate);
/* At once, without a farewell. */
void link_free(struct link *link);

#endif
