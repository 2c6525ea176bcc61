/* SPDX-License-Identifier: Apache-2.0
 * An association in each state, fed by a peer that knows the tags.
 *
 * The first byte picks the state (low nibble), whether packets come as they are (0x80) or get a
 * right header and checksum, and whether interleaving is agreed on (0x40); then packets follow,
 * each {length 16, bytes}: with the header made, the bytes are chunks. TSNs begin at 1000 on both
 * sides. Channels that the peer opens with a high priority, and every second of ours, are told in
 * parts; ours have a message under way, written on with each packet and now and then given up.
 * Without a handshake (SNAP), the first of them is the INIT of the peer's description. */
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/pool.h"
#include "base/rng.h"
#include "sctp/association.h"
#include "sctp/crc32c.h"
#include "sctp/data_channels.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum {
    STATE_NEW,
    STATE_COOKIE_WAIT,
    STATE_COOKIE_ECHOED,
    STATE_BUSY,
    STATE_ENDED,
    STATE_RESETTING,
    STATE_CLOSING,
    STATE_SNAP,
    STATE_SHUTDOWN_SENT,
    STATE_SHUTDOWN_RECEIVED,
    STATE_SHUTDOWN_ACK_SENT,
    STATES
};

/* Reached before the first packet of the input. */
static const enum ln_association_state reached[STATES] = {
    [STATE_NEW] = LN_ASSOCIATION_IDLE,
    [STATE_COOKIE_WAIT] = LN_ASSOCIATION_COOKIE_WAIT,
    [STATE_COOKIE_ECHOED] = LN_ASSOCIATION_COOKIE_ECHOED,
    [STATE_BUSY] = LN_ASSOCIATION_ESTABLISHED,
    [STATE_ENDED] = LN_ASSOCIATION_ENDED,
    [STATE_RESETTING] = LN_ASSOCIATION_ESTABLISHED,
    [STATE_CLOSING] = LN_ASSOCIATION_SHUTDOWN_PENDING,
    [STATE_SNAP] = LN_ASSOCIATION_IDLE,
    [STATE_SHUTDOWN_SENT] = LN_ASSOCIATION_SHUTDOWN_SENT,
    [STATE_SHUTDOWN_RECEIVED] = LN_ASSOCIATION_SHUTDOWN_RECEIVED,
    [STATE_SHUTDOWN_ACK_SENT] = LN_ASSOCIATION_SHUTDOWN_ACK_SENT,
};

struct world {
    struct ln_data_channels *victim;
    struct ln_sctp *peer;
    ln_time now;
    uint32_t tag; /* that packets to the victim carry */
    unsigned writes;
};

static void drain(struct world *w, bool to_peer)
{
    uint8_t out[1200];
    size_t n;

    for (int i = 0;
         i < 1000 && (n = ln_data_channels_poll_transmit(w->victim, w->now, out, sizeof out)) > 0;
         i++) {
        if (n >= 20 && out[12] == LN_CHUNK_INIT)
            w->tag = ln_load32(out + 16); /* what it wants to see */
        if (to_peer)
            ln_sctp_receive(w->peer, w->now, out, n);
    }
}

/* The peer's output to the victim, the tag noted. */
static void feed(struct world *w)
{
    uint8_t out[1200];
    size_t n;

    while ((n = ln_sctp_poll_transmit(w->peer, w->now, out, sizeof out)) > 0) {
        if (ln_load32(out + 4) != 0)
            w->tag = ln_load32(out + 4);
        ln_data_channels_receive(w->victim, w->now, out, n);
    }
}

static void events(struct world *w)
{
    struct ln_data_channels_event event;

    while (ln_data_channels_poll_event(w->victim, &event)) {
        struct ln_channel_info info;

        if (event.kind == LN_DATA_CHANNELS_PART && event.message % 2)
            ln_sctp_message_free(ln_data_channels_take_message(w->victim));
        if (event.kind != LN_DATA_CHANNELS_INCOMING)
            continue;
        (void)!ln_data_channels_send(w->victim, event.channel, true, "fuzz", 4);
        if (ln_data_channels_get(w->victim, event.channel, &info) &&
            info.priority >= LN_CHANNEL_PRIORITY_HIGH)
            (void)!ln_data_channels_set_parts(w->victim, event.channel, true);
    }
}

/* The messages under way go on. */
static void write_on(struct world *w)
{
    static const uint8_t bytes[3000];
    ln_channel channel = 0;
    size_t taken;

    while ((channel = ln_data_channels_next(w->victim, channel)) != 0) {
        if (w->writes % 11 == 10)
            (void)!ln_data_channels_set_parts(w->victim, channel, w->writes % 2 == 0);
        if (++w->writes % 7 == 0)
            (void)!ln_data_channels_abandon_message(w->victim, channel);
        else if (w->writes % 5 == 0)
            (void)!ln_data_channels_finish_message(w->victim, channel);
        (void)!ln_data_channels_begin_message(w->victim, channel, w->writes % 2);
        (void)!ln_data_channels_write_message(w->victim, channel, bytes, w->writes % sizeof bytes,
                                              &taken);
    }
}

static void one_packet(struct world *w, bool raw, const uint8_t *data, size_t len)
{
    uint8_t packet[4096];

    if (raw) {
        ln_data_channels_receive(w->victim, w->now, data, len);
        return;
    }
    if (len > sizeof packet - 12)
        len = sizeof packet - 12;
    ln_store16(packet, 5000);
    ln_store16(packet + 2, 5000);
    /* INIT (1) travels under tag 0. */
    ln_store32(packet + 4, len > 0 && data[0] == 1 ? 0 : w->tag);
    ln_store32(packet + 8, 0);
    if (len > 0)
        memcpy(packet + 12, data, len);
    ln_store32(packet + 8, __builtin_bswap32(ln_crc32c(0, packet, 12 + len)));
    ln_data_channels_receive(w->victim, w->now, packet, 12 + len);
}

/* RFC 9260, 3.3.8: all that the victim may have sent until then is acknowledged, or nothing. */
static void peer_shuts_down(struct world *w)
{
    uint8_t chunk[8] = { LN_CHUNK_SHUTDOWN, 0, 0, sizeof chunk };

    ln_store32(chunk + 4, 999);
    one_packet(w, false, chunk, sizeof chunk);
}

/* The getter is const for others; this one is ours. */
static struct ln_sctp *association_of(struct world *w)
{
    return (struct ln_sctp *)(uintptr_t)ln_data_channels_association(w->victim);
}

static void reach(struct world *w, unsigned state)
{
    struct ln_channel_options options;
    ln_channel channel;

    if (state == STATE_NEW || state == STATE_SNAP)
        return;
    ln_data_channels_start(w->victim, w->now);
    if (state == STATE_COOKIE_WAIT) {
        drain(w, false);
        return;
    }
    drain(w, true);
    feed(w);
    if (state == STATE_COOKIE_ECHOED)
        return;
    for (int i = 0; i < 4; i++) {
        drain(w, true);
        feed(w);
    }
    if (state == STATE_SHUTDOWN_SENT ||
        state == STATE_SHUTDOWN_ACK_SENT) { /* nothing is to be sent */
        if (state == STATE_SHUTDOWN_SENT)
            ln_sctp_shutdown(association_of(w));
        else
            peer_shuts_down(w);
        drain(w, false);
        return;
    }
    ln_channel_options_init(&options);
    options.unordered = true;
    options.max_retransmits = 0;
    for (int i = 0; i < 3; i++) {
        events(w);
        options.parts = i == 1;
        if (ln_data_channels_open(w->victim, &options, &channel) == 0)
            (void)!ln_data_channels_send(w->victim, channel, false, w, sizeof *w);
    }
    write_on(w);
    if (state == STATE_ENDED)
        ln_data_channels_abort(w->victim);
    if (state == STATE_CLOSING) {
        feed(w);
        drain(w, true);
        write_on(w);
        ln_sctp_shutdown(association_of(w));
    }
    if (state == STATE_SHUTDOWN_RECEIVED) {
        drain(w, false);
        peer_shuts_down(w);
        return;
    }
    if (state == STATE_RESETTING) /* the request is out, no answer has come */
        for (channel = 0; (channel = ln_data_channels_next(w->victim, channel)) != 0;)
            ln_data_channels_close(w->victim, channel);
    drain(w, state != STATE_BUSY && state != STATE_CLOSING); /* busy: all of it stays outstanding */
}

/* Begins with whatever the description has; or, where that is no INIT, with the handshake. */
static void begin_with(struct world *w, const uint8_t *data, size_t len)
{
    uint8_t init[64];

    if (ln_data_channels_own_init(w->victim, init, sizeof init) == 0)
        abort();
    w->tag = ln_load32(init + 4);
    if ((ln_data_channels_set_peer_init(w->victim, data, len) == 0) !=
        ln_data_channels_init_acceptable(w->victim, data, len))
        abort();
    ln_data_channels_start(w->victim, w->now);
    drain(w, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct ln_data_channels_config config;
    struct world w = { NULL, NULL, LN_SECONDS(1), 0, 0 };
    struct ln_rng rng;
    struct ln_pool pool;
    struct ln_env env = { ln_allocator_libc(), &pool, &rng, NULL };
    struct ln_reader r;

    if (len < 1)
        return 0;
    ln_rng_seed(&rng, 3);
    ln_pool_init(&pool, env.allocator, 2048, 0, 16);
    ln_data_channels_config_init(&config);
    config.sctp.initial_tsn_fixed = true;
    config.sctp.initial_tsn = 1000;
    config.sctp.receive_window_bytes = 200000;
    config.sctp.max_message_bytes = 50000;
    config.sctp.interleaving = (data[0] & 0x40) != 0;
    if (ln_data_channels_create(&w.victim, &config, &env) != 0 ||
        ln_sctp_create(&w.peer, &config.sctp, &env) != 0)
        abort();
    ln_data_channels_set_role(w.victim, true);
    reach(&w, (data[0] & 15u) % STATES);
    if (association_of(&w)->state != reached[(data[0] & 15u) % STATES])
        abort();
    ln_reader_init(&r, data + 1, len - 1);
    if ((data[0] & 15u) % STATES == STATE_SNAP && ln_reader_left(&r) >= 2) {
        size_t n = ln_read16(&r), left = ln_reader_left(&r);
        struct ln_bytes bytes = ln_read_bytes(&r, n < left ? n : left);

        begin_with(&w, bytes.data, bytes.len);
    }
    while (ln_reader_left(&r) >= 2) {
        size_t n = ln_read16(&r), left = ln_reader_left(&r);
        struct ln_bytes bytes = ln_read_bytes(&r, n < left ? n : left);
        struct ln_sctp_stats stats;

        one_packet(&w, (data[0] & 0x80) != 0, bytes.data, bytes.len);
        events(&w);
        write_on(&w);
        drain(&w, false);
        w.now += LN_MILLISECONDS(200);
        if (ln_data_channels_next_timeout(w.victim) <= w.now) {
            ln_data_channels_on_timeout(w.victim, w.now);
            if (ln_data_channels_next_timeout(w.victim) <= w.now)
                abort();
            drain(&w, false);
        }
        ln_sctp_stats(ln_data_channels_association(w.victim), &stats);
        if (stats.receive_buffered_bytes > 400000)
            abort();
    }
    ln_data_channels_free(w.victim);
    ln_sctp_free(w.peer);
    ln_pool_deinit(&pool);
    return 0;
}
