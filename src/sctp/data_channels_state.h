/* SPDX-License-Identifier: Apache-2.0
 * The data channels from within: shared by data_channels.c (the owner's calls) and
 * data_channels_events.c (what the association tells). */
#ifndef LN_SCTP_DATA_CHANNELS_STATE_H
#define LN_SCTP_DATA_CHANNELS_STATE_H

#include "sctp/channel_table.h"
#include "sctp/dcep.h"

#define LN_EARLY_MESSAGES_MAX 64u
#define LN_EARLY_BYTES_MAX    (512u << 10)

/* A message for an id that nobody opened here yet. */
struct ln_early_message {
    struct ln_sctp_message *message;
    const uint8_t *data;
    size_t len;
    uint64_t id;
    uint32_t ppid;
    uint16_t stream;
};

struct ln_data_channels {
    const struct ln_env *env;
    struct ln_sctp *sctp;
    uint64_t trace_object; /* of the configuration */
    size_t send_buffer_bytes;
    uint16_t streams;
    struct ln_channel_table table;
    struct ln_list news;                   /* channels with something to tell */
    struct ln_channel_object *told_closed; /* stays until the next event is asked for */
    bool role_known, client;
    bool connected, ended;
    bool tell_connected, tell_ended;
    int end_error;
    uint64_t remote_max_message;
    struct ln_early_message *early; /* an array made at need */
    size_t early_count, early_bytes;
    struct ln_sctp_message *lent; /* an early message in the owner's hands */
    struct ln_data_channels_stats stats;
    ln_time now; /* the last moment seen, for the trace only */
};

void ln_channels_set_state(struct ln_data_channels *d, struct ln_channel_object *channel,
                           enum ln_channel_state state, int error);
void ln_channels_tell(struct ln_data_channels *d, struct ln_channel_object *channel, uint8_t what);
/* Asks for the reset of our side of the channel's stream. */
void ln_channels_begin_closing(struct ln_data_channels *d, struct ln_channel_object *channel);
void ln_channels_end_all(struct ln_data_channels *d, int error);
void ln_channels_drop_early(struct ln_data_channels *d, uint16_t stream, bool all);
bool ln_channels_text_ppid(uint32_t ppid);
bool ln_channels_user_ppid(uint32_t ppid);
/* How its messages are sent. */
struct ln_sctp_send_options ln_channels_send_options(const struct ln_channel_object *channel);
/* A DCEP message came whole. */
void ln_channels_on_dcep(struct ln_data_channels *d, const struct ln_sctp_event *event);
/* A part of a message came, or the end of one in its middle. Returns 1 when ret_event was filled.
 */
int ln_channels_on_part(struct ln_data_channels *d, const struct ln_sctp_event *event,
                        struct ln_data_channels_event *ret_event);
int ln_channels_on_abandoned(struct ln_data_channels *d, const struct ln_sctp_event *event,
                             struct ln_data_channels_event *ret_event);

#endif
