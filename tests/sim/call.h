/* SPDX-License-Identifier: Apache-2.0
 * Two applications with a peer connection each on a simulated network: they signal to each other
 * (perfect negotiation; party 0 is impolite), open channels, send numbered messages and made-up
 * encoded frames, and check what arrives. */
#ifndef LN_SIM_CALL_H
#define LN_SIM_CALL_H

#include "tests/sim/scenario.h"

#include <linnet/linnet.h>

#define CALL_NOTES        256
#define CALL_CHANNELS     (2 * CHANNEL_KINDS)
#define CALL_MESSAGES_MAX 512
#define CALL_FRAMES_MAX   6000

struct stun_host;

struct flow { /* one channel, as one party sees it */
    ln_data_channel *channel;
    enum channel_kind kind;
    bool open, closed;
    uint32_t sent, received, next_expected;
    uint8_t seen[CALL_MESSAGES_MAX];
};

struct frame_note {
    ln_time sent;     /* when the other side handed it to its peer connection */
    ln_time out;      /* when it left the jitter buffer */
    ln_time play;     /* its play_time */
    ln_time complete; /* its receive_time */
    uint32_t number;
    bool key;
};

struct media_out {
    ln_rtp_sender *sender;
    struct ln_encoder_target target;
    ln_time next_at;
    uint32_t number;
    bool key_wanted;
    int64_t debt; /* bytes that key frames took beyond the rate */
    uint64_t bytes, refused;
};

struct media_in {
    ln_rtp_receiver *receiver;
    struct frame_note *notes;
    size_t count;
    uint64_t lost; /* audio: places to conceal */
    uint32_t last;
};

struct party {
    struct call *call;
    int index;
    ln_peer_connection *pc;
    bool negotiates, making_offer, ignoring_offer;
    ln_op_id local_op, remote_offer_op;
    struct flow flows[CALL_CHANNELS];
    size_t flow_count;
    struct media_out audio_out, video_out;
    struct media_in audio_in, video_in;
    ln_time opened, connected, disconnected, failed; /* first times; LN_TIME_NEVER */
    unsigned restarts_seen;
    enum ln_peer_connection_state state;
    bool gave_up;                     /* lenient: an API call failed */
    struct ln_video_encoder *encoder; /* scenario->codec */
    struct ln_video_decoder *decoder;
};

struct note { /* on its way to the other side */
    ln_time at;
    int to;
    enum ln_sdp_type type; /* IMPLICIT: a candidate */
    char *text;
    char mid[65];
    bool used;
};

struct call {
    const struct scenario *scenario;
    uint64_t seed;
    struct net net;
    struct party parties[2];
    struct note notes[CALL_NOTES];
    size_t note_count;
    ln_time last_note[2];
    struct stun_host *stun;
    void *server;           /* of scenario->server */
    enum net_kind kinds[2]; /* NAT_PAIRS */
    ln_time began, opened, mark, ended;
    struct net_figures figures_at_mark; /* of host 0's uplink; its longest_queue begins anew */
    ln_time next_message;
    size_t next_act;
    bool all_sent, lenient;
    uint64_t datagrams[2]; /* sent by each party */
    uint64_t drop_at;
    double figure;
    bool has_figure;
    int lenient_errors;
};

/* lenient: an API call that fails with out of memory makes its party give up, instead of failing
 * the test. Uses test_env(), whose generator is seeded. Returns 0 or (lenient only) the error. */
int call_init(struct call *call, const struct scenario *scenario, uint64_t seed, bool lenient);
void call_free(struct call *call);
/* Runs until done() or the time has passed; true if done() was. */
bool call_run(struct call *call, ln_duration limit, bool (*done)(struct call *call));
/* From opening to the end, as the scenario says. */
void call_converse(struct call *call);

bool call_open(struct call *call);
bool call_failed(struct call *call);
/* All reliable messages have arrived. */
bool call_delivered(struct call *call);
/* CHECKs what must always hold at the end. */
void call_check(struct call *call);

/* A STUN server as a host of the network. */
struct stun_host *stun_host_create(struct net *net, const struct ln_env *env, const char *ip);
void stun_host_free(struct stun_host *stun);

#endif
