/* SPDX-License-Identifier: Apache-2.0
 * Data channels over a virtual link: opening, messages, closing, and what a peer may do wrong
 * (attacks 60 and 61). */
#include "base/bytes.h"
#include "base/time.h"
#include "sctp/data_channels.h"
#include "sctp/dcep.h"
#include "tests/support/test.h"

#define QUEUE 4096

struct packet {
    ln_time at;
    int to;
    size_t len;
    uint8_t data[1200];
};

/* Two ends and a lossless link of 5 ms; events go to a small log. */
struct fixture {
    struct ln_data_channels *d[2];
    ln_time now;
    struct packet *packets;
    size_t head, tail;
    uint32_t drop_every, sent;
    struct {
        int end;
        struct ln_data_channels_event event;
        uint8_t data[64];
    } log[512];
    size_t log_count;
};

static struct packet queue[QUEUE];

static void make(struct fixture *f, const struct ln_data_channels_config *a,
                 const struct ln_data_channels_config *b)
{
    struct ln_data_channels_config config;

    memset(f, 0, sizeof *f);
    f->packets = queue;
    f->now = LN_SECONDS(1);
    ln_data_channels_config_init(&config);
    CHECK(ln_data_channels_create(&f->d[0], a ? a : &config, test_env()) == 0);
    CHECK(ln_data_channels_create(&f->d[1], b ? b : &config, test_env()) == 0);
    ln_data_channels_set_role(f->d[0], true);
    ln_data_channels_set_role(f->d[1], false);
}

static void destroy(struct fixture *f)
{
    ln_data_channels_free(f->d[0]);
    ln_data_channels_free(f->d[1]);
}

static void take_events(struct fixture *f, int end)
{
    struct ln_data_channels_event event;

    while (ln_data_channels_poll_event(f->d[end], &event)) {
        if (f->log_count == 512)
            continue;
        f->log[f->log_count].end = end;
        f->log[f->log_count].event = event;
        if (event.len > 0)
            memcpy(f->log[f->log_count].data, event.data, event.len < 64 ? event.len : 64);
        f->log_count++;
    }
}

static void flush(struct fixture *f)
{
    size_t len;

    for (int i = 0; i < 2; i++) {
        for (;;) {
            struct packet *p = &f->packets[f->tail % QUEUE];

            len = ln_data_channels_poll_transmit(f->d[i], f->now, p->data, sizeof p->data);
            if (len == 0)
                break;
            if (f->drop_every && ++f->sent % f->drop_every == 0)
                continue;
            p->len = len;
            p->to = 1 - i;
            p->at = f->now + LN_MILLISECONDS(5);
            f->tail++;
            CHECK(f->tail - f->head < QUEUE);
        }
    }
}

static void run(struct fixture *f, ln_duration duration)
{
    ln_time until = f->now + duration;

    for (;;) {
        ln_time next = until;

        take_events(f, 0);
        take_events(f, 1);
        flush(f);
        for (int i = 0; i < 2; i++)
            next = ln_time_min(next, ln_data_channels_next_timeout(f->d[i]));
        if (f->head < f->tail)
            next = ln_time_min(next, f->packets[f->head % QUEUE].at);
        if (next >= until)
            break;
        f->now = ln_time_max(f->now, next);
        for (int i = 0; i < 2; i++)
            if (ln_data_channels_next_timeout(f->d[i]) <= f->now)
                ln_data_channels_on_timeout(f->d[i], f->now);
        while (f->head < f->tail && f->packets[f->head % QUEUE].at <= f->now) {
            struct packet *p = &f->packets[f->head++ % QUEUE];

            ln_data_channels_receive(f->d[p->to], f->now, p->data, p->len);
        }
    }
    f->now = until;
}

static void start(struct fixture *f)
{
    ln_data_channels_start(f->d[0], f->now);
    ln_data_channels_start(f->d[1], f->now);
    run(f, LN_SECONDS(1));
}

/* How many of the kind (and state) an end was told, and the last of them. */
static size_t told(const struct fixture *f, int end, enum ln_data_channels_event_kind kind,
                   int state, size_t *ret_last)
{
    size_t count = 0;

    for (size_t i = 0; i < f->log_count; i++) {
        if (f->log[i].end != end || f->log[i].event.kind != kind ||
            (state >= 0 && (int)f->log[i].event.state != state))
            continue;
        count++;
        if (ret_last)
            *ret_last = i;
    }
    return count;
}

static ln_channel open_labelled(struct fixture *f, int end, const char *label)
{
    struct ln_channel_options options;
    ln_channel channel = 0;

    ln_channel_options_init(&options);
    options.label = label;
    options.label_len = strlen(label);
    CHECK(ln_data_channels_open(f->d[end], &options, &channel) == 0);
    return channel;
}

LN_TEST(data_channels, open_before_connecting_and_echo)
{
    struct ln_channel_info info;
    struct fixture f;
    ln_channel here, there;
    size_t at;

    make(&f, NULL, NULL);
    here = open_labelled(&f, 0, "chat");
    CHECK(ln_data_channels_send(f.d[0], here, true, "x", 1) == LN_ERR_INVALID_STATE);
    start(&f);
    CHECK(told(&f, 0, LN_DATA_CHANNELS_STATE, LN_CHANNEL_OPEN, NULL) == 1);
    CHECK(told(&f, 1, LN_DATA_CHANNELS_INCOMING, -1, &at) == 1);
    there = f.log[at].event.channel;
    CHECK(f.log[at + 1].event.kind == LN_DATA_CHANNELS_STATE);
    CHECK(f.log[at + 1].event.state == LN_CHANNEL_OPEN);
    CHECK(ln_data_channels_get(f.d[1], there, &info));
    CHECK(info.label_len == 4 && memcmp(info.label, "chat", 5) == 0);
    CHECK_EQUAL(info.id, 0);
    CHECK(info.incoming);
    CHECK(ln_data_channels_send(f.d[0], here, true, "hello", 5) == 0);
    CHECK(ln_data_channels_send(f.d[0], here, false, NULL, 0) == 0);
    CHECK(ln_data_channels_send(f.d[1], there, true, "", 0) == 0);
    run(&f, LN_SECONDS(1));
    CHECK(told(&f, 1, LN_DATA_CHANNELS_MESSAGE, -1, &at) == 2);
    CHECK(!f.log[at].event.text && f.log[at].event.len == 0);
    CHECK(told(&f, 0, LN_DATA_CHANNELS_MESSAGE, -1, &at) == 1);
    CHECK(f.log[at].event.text && f.log[at].event.len == 0);
    CHECK_EQUAL(ln_data_channels_buffered_amount(f.d[0], here), 0);
    CHECK(ln_data_channels_get(f.d[0], here, &info));
    CHECK_EQUAL(info.messages_sent, 2);
    CHECK_EQUAL(info.bytes_sent, 5);
    CHECK_EQUAL(info.messages_received, 1);
    destroy(&f);
}

LN_TEST(data_channels, ids_follow_the_dtls_role_once_it_is_known)
{
    struct ln_data_channels_config config;
    struct ln_channel_info info;
    struct ln_data_channels *d;
    struct ln_channel_options options;
    ln_channel a, b, c;

    ln_data_channels_config_init(&config);
    CHECK(ln_data_channels_create(&d, &config, test_env()) == 0);
    ln_channel_options_init(&options);
    CHECK(ln_data_channels_open(d, &options, &a) == 0);
    CHECK(ln_data_channels_get(d, a, &info) && info.id == LN_CHANNEL_NO_ID);
    options.negotiated = true;
    options.id = 1;
    CHECK(ln_data_channels_open(d, &options, &b) == 0);
    CHECK(ln_data_channels_open(d, &options, &c) == LN_ERR_OPERATION);
    ln_data_channels_set_role(d, false);
    CHECK(ln_data_channels_get(d, a, &info) && info.id == 3); /* 1 is taken */
    options.negotiated = false;
    options.id = LN_CHANNEL_NO_ID;
    CHECK(ln_data_channels_open(d, &options, &c) == 0);
    CHECK(ln_data_channels_get(d, c, &info) && info.id == 5);
    ln_data_channels_free(d);
}

LN_TEST(data_channels, bad_options_are_refused)
{
    struct ln_data_channels_config config;
    struct ln_channel_options options;
    struct ln_data_channels *d;
    ln_channel channel = 77;

    ln_data_channels_config_init(&config);
    CHECK(ln_data_channels_create(&d, &config, test_env()) == 0);
    ln_channel_options_init(&options);
    options.max_lifetime_ms = options.max_retransmits = 0;
    CHECK(ln_data_channels_open(d, &options, &channel) == LN_ERR_INVALID_ARGUMENT);
    ln_channel_options_init(&options);
    options.negotiated = true;
    CHECK(ln_data_channels_open(d, &options, &channel) == LN_ERR_INVALID_ARGUMENT);
    options.id = 65535;
    CHECK(ln_data_channels_open(d, &options, &channel) == LN_ERR_INVALID_ARGUMENT);
    ln_channel_options_init(&options);
    options.label = "\xff";
    options.label_len = 1;
    CHECK(ln_data_channels_open(d, &options, &channel) == LN_ERR_INVALID_ARGUMENT);
    CHECK_EQUAL(channel, 77);
    ln_data_channels_free(d);
}

LN_TEST(data_channels, closing_resets_both_sides_and_frees_the_id)
{
    struct ln_channel_info info;
    struct fixture f;
    ln_channel here, again;
    size_t at;

    make(&f, NULL, NULL);
    here = open_labelled(&f, 0, "a");
    start(&f);
    for (int i = 0; i < 20; i++)
        CHECK(ln_data_channels_send(f.d[0], here, false, "0123456789", 10) == 0);
    ln_data_channels_close(f.d[0], here);
    CHECK(ln_data_channels_send(f.d[0], here, false, "x", 1) == LN_ERR_INVALID_STATE);
    again = open_labelled(&f, 0, "b"); /* the old id is not free yet */
    CHECK(ln_data_channels_get(f.d[0], again, &info) && info.id == 2);
    run(&f, LN_SECONDS(1));
    CHECK_EQUAL(told(&f, 1, LN_DATA_CHANNELS_MESSAGE, -1, NULL), 20); /* sent before closing */
    CHECK(told(&f, 1, LN_DATA_CHANNELS_STATE, LN_CHANNEL_CLOSED, &at) == 1);
    CHECK_EQUAL(f.log[at].event.error, 0);
    CHECK(told(&f, 0, LN_DATA_CHANNELS_STATE, LN_CHANNEL_CLOSED, &at) == 1);
    CHECK(!ln_data_channels_get(f.d[0], here, &info));
    ln_data_channels_close(f.d[0], here); /* stale handles do nothing */
    for (int round = 0; round < 5; round++) {
        again = open_labelled(&f, 0, "c");
        CHECK(ln_data_channels_get(f.d[0], again, &info) && info.id == 0);
        f.log_count = 0;
        CHECK(ln_data_channels_send(f.d[0], again, true, "new", 3) == 0);
        run(&f, LN_SECONDS(1));
        CHECK(told(&f, 1, LN_DATA_CHANNELS_MESSAGE, -1, &at) == 1);
        CHECK_BYTES(f.log[at].data, "new", 3);
        ln_data_channels_close(f.d[round & 1], round & 1 ? f.log[at].event.channel : again);
        run(&f, LN_SECONDS(1));
    }
    destroy(&f);
}

LN_TEST(data_channels, closing_from_both_sides_at_once_under_loss)
{
    struct fixture f;
    ln_channel here;
    size_t at;

    for (uint32_t drop = 3; drop < 9; drop++) {
        make(&f, NULL, NULL);
        here = open_labelled(&f, 0, "a");
        start(&f);
        CHECK(told(&f, 1, LN_DATA_CHANNELS_INCOMING, -1, &at) == 1);
        f.drop_every = drop;
        CHECK(ln_data_channels_send(f.d[0], here, false, "last", 4) == 0);
        ln_data_channels_close(f.d[0], here);
        ln_data_channels_close(f.d[1], f.log[at].event.channel);
        run(&f, LN_SECONDS(60));
        CHECK_EQUAL(told(&f, 0, LN_DATA_CHANNELS_STATE, LN_CHANNEL_CLOSED, NULL), 1);
        CHECK_EQUAL(told(&f, 1, LN_DATA_CHANNELS_STATE, LN_CHANNEL_CLOSED, NULL), 1);
        destroy(&f);
    }
}

LN_TEST(data_channels, negotiated_ones_meet_and_early_messages_are_kept)
{
    struct ln_channel_options options;
    struct fixture f;
    ln_channel here, there;
    size_t at;

    make(&f, NULL, NULL);
    ln_channel_options_init(&options);
    options.negotiated = true;
    options.id = 7;
    CHECK(ln_data_channels_open(f.d[0], &options, &here) == 0);
    start(&f);
    CHECK(ln_data_channels_send(f.d[0], here, true, "early", 5) == 0);
    run(&f, LN_SECONDS(1));
    CHECK(told(&f, 1, LN_DATA_CHANNELS_MESSAGE, -1, NULL) == 0);
    CHECK(told(&f, 1, LN_DATA_CHANNELS_INCOMING, -1, NULL) == 0);
    CHECK(ln_data_channels_open(f.d[1], &options, &there) == 0);
    run(&f, LN_SECONDS(1));
    CHECK(told(&f, 1, LN_DATA_CHANNELS_MESSAGE, -1, &at) == 1);
    CHECK(f.log[at].event.channel == there);
    CHECK_BYTES(f.log[at].data, "early", 5);
    CHECK(f.log[at - 1].event.state == LN_CHANNEL_OPEN);
    destroy(&f);
}

LN_TEST(data_channels, limits_of_reliability_hold_on_the_accepting_side_too)
{
    struct ln_channel_options options;
    struct ln_channel_info info;
    struct fixture f;
    ln_channel here;
    size_t at;

    make(&f, NULL, NULL);
    ln_channel_options_init(&options);
    options.max_retransmits = 0;
    options.unordered = true;
    options.priority = LN_CHANNEL_PRIORITY_HIGH;
    CHECK(ln_data_channels_open(f.d[0], &options, &here) == 0);
    start(&f);
    CHECK(told(&f, 1, LN_DATA_CHANNELS_INCOMING, -1, &at) == 1);
    CHECK(ln_data_channels_get(f.d[1], f.log[at].event.channel, &info));
    CHECK(info.unordered && info.max_retransmits == 0 && info.max_lifetime_ms == -1);
    CHECK_EQUAL(info.priority, 1024);
    f.drop_every = 1; /* nothing passes */
    CHECK(ln_data_channels_send(f.d[1], f.log[at].event.channel, true, "gone", 4) == 0);
    run(&f, LN_MILLISECONDS(20));
    f.drop_every = 0;
    run(&f, LN_SECONDS(5));
    CHECK(told(&f, 0, LN_DATA_CHANNELS_MESSAGE, -1, NULL) == 0);
    CHECK(ln_data_channels_send(f.d[1], f.log[at].event.channel, true, "here", 4) == 0);
    run(&f, LN_SECONDS(1));
    CHECK(told(&f, 0, LN_DATA_CHANNELS_MESSAGE, -1, NULL) == 1);
    destroy(&f);
}

/* Attack 60. */
LN_TEST(data_channels, messages_above_the_limits_are_refused_on_both_sides)
{
    struct ln_data_channels_config small;
    static uint8_t big[70000];
    struct fixture f;
    ln_channel here;
    size_t at;

    ln_data_channels_config_init(&small);
    small.sctp.max_message_bytes = 1000;
    small.sctp.send_buffer_bytes = 100000;
    make(&f, NULL, &small);
    here = open_labelled(&f, 0, "a");
    start(&f);
    CHECK_EQUAL(ln_data_channels_max_message(f.d[0]), 65536);
    CHECK(ln_data_channels_send(f.d[0], here, false, big, 65537) == LN_ERR_TOO_BIG);
    ln_data_channels_set_remote_max_message(f.d[0], 1000);
    CHECK(ln_data_channels_send(f.d[0], here, false, big, 1001) == LN_ERR_TOO_BIG);
    CHECK(ln_data_channels_send(f.d[0], here, false, big, 1000) == 0);
    ln_data_channels_set_remote_max_message(f.d[0], 0);
    CHECK_EQUAL(ln_data_channels_max_message(f.d[0]), 64 << 20);
    ln_data_channels_set_remote_max_message(f.d[1], 0);
    CHECK_EQUAL(ln_data_channels_max_message(f.d[1]), 100000);
    run(&f, LN_SECONDS(1));
    CHECK(told(&f, 1, LN_DATA_CHANNELS_MESSAGE, -1, NULL) == 1);
    CHECK(ln_data_channels_send(f.d[0], here, false, big, sizeof big) == 0); /* a liar's */
    run(&f, LN_SECONDS(1));
    CHECK(told(&f, 1, LN_DATA_CHANNELS_MESSAGE, -1, NULL) == 1);
    CHECK(told(&f, 1, LN_DATA_CHANNELS_STATE, LN_CHANNEL_CLOSED, &at) == 1);
    CHECK_EQUAL(f.log[at].event.error, LN_ERR_TOO_BIG);
    CHECK(told(&f, 0, LN_DATA_CHANNELS_STATE, LN_CHANNEL_CLOSED, NULL) == 1);
    destroy(&f);
}

LN_TEST(data_channels, sending_stops_at_the_send_buffer_limit_and_low_is_told_once)
{
    struct ln_data_channels_config config;
    static uint8_t block[10000];
    struct fixture f;
    ln_channel here;
    int sent = 0, error;

    ln_data_channels_config_init(&config);
    config.sctp.send_buffer_bytes = 200000;
    make(&f, &config, NULL);
    here = open_labelled(&f, 0, "a");
    start(&f);
    ln_data_channels_set_buffered_low(f.d[0], here, 5000);
    while ((error = ln_data_channels_send(f.d[0], here, false, block, sizeof block)) == 0)
        sent++;
    CHECK_EQUAL(error, LN_ERR_LIMIT);
    CHECK(sent >= 10 && sent <= 20);
    CHECK_EQUAL(ln_data_channels_buffered_amount(f.d[0], here), (size_t)sent * sizeof block);
    run(&f, LN_SECONDS(2));
    CHECK_EQUAL(told(&f, 1, LN_DATA_CHANNELS_MESSAGE, -1, NULL), (size_t)sent);
    CHECK_EQUAL(told(&f, 0, LN_DATA_CHANNELS_BUFFERED_LOW, -1, NULL), 1);
    destroy(&f);
}

/* A bare association as the other end, to say what no honest one says. */
static void liar_exchange(struct ln_data_channels *d, struct ln_sctp *sctp, ln_time *now)
{
    uint8_t out[1200];
    size_t len;
    bool busy = true;

    for (int i = 0; busy && i < 200; i++) {
        busy = false;
        *now += LN_MILLISECONDS(1);
        while ((len = ln_sctp_poll_transmit(sctp, *now, out, sizeof out)) > 0) {
            ln_data_channels_receive(d, *now, out, len);
            busy = true;
        }
        while ((len = ln_data_channels_poll_transmit(d, *now, out, sizeof out)) > 0) {
            ln_sctp_receive(sctp, *now, out, len);
            busy = true;
        }
    }
}

/* Says one thing to a victim (DTLS client), and counts the channels that came of it. */
static size_t lie(struct ln_data_channels *d, struct ln_sctp *sctp, ln_time *now, uint16_t stream,
                  uint32_t ppid, const void *data, size_t len)
{
    struct ln_data_channels_event event;
    size_t incoming = 0;

    CHECK(ln_sctp_send(sctp, stream, ppid, data, len, NULL) == 0);
    liar_exchange(d, sctp, now);
    while (ln_data_channels_poll_event(d, &event))
        if (event.kind == LN_DATA_CHANNELS_INCOMING)
            incoming++;
    liar_exchange(d, sctp, now);
    return incoming;
}

/* Attack 61. */
LN_TEST(data_channels, malformed_opens_open_nothing)
{
    static const struct {
        const char *hex;
        uint16_t stream;
        size_t opened;
    } cases[] = {
        { "03 00 0100 00000000 0002 0000 6162", 1, 1 },
        { "03 00 0100 00000000 0003 0000 6162", 3, 0 }, /* label past the end */
        { "03 00 0100 00000000 0001 0009 6162", 5, 0 }, /* protocol past the end */
        { "03 00 0100 00000000 ffff ffff 6162", 7, 0 },
        { "03 00 0100 00000000 0002 0000 ff62", 9, 0 },  /* not UTF-8 */
        { "03 03 0100 00000000 0002 0000 6162", 11, 0 }, /* reserved type */
        { "03 7f 0100 00000000 0002 0000 6162", 13, 0 },
        { "03 00 0100 00000000 0002 0000 6162", 14, 0 }, /* our parity */
        { "03 00 0100 00000000 0002 0000 6162", 1, 0 },  /* in use */
        { "03 82 ffff ffffffff 0000 0000", 15, 1 },      /* priority and lifetime at their end */
        { "03", 17, 0 },
        { "02", 19, 0 }, /* ACK without OPEN */
        { "00", 21, 0 },
        { "03 00 0100 00000000 0002 0000 6162", 65533, 1 },
    };
    struct ln_data_channels_config config;
    struct ln_data_channels_stats stats;
    struct ln_data_channels *d;
    struct ln_sctp *sctp;
    ln_time now = LN_SECONDS(1);
    uint8_t bytes[64];

    ln_data_channels_config_init(&config);
    CHECK(ln_data_channels_create(&d, &config, test_env()) == 0);
    CHECK(ln_sctp_create(&sctp, &config.sctp, test_env()) == 0);
    ln_data_channels_set_role(d, true);
    ln_sctp_start(sctp, now);
    liar_exchange(d, sctp, &now);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len = test_hex(cases[i].hex, bytes, sizeof bytes);

        CHECK_EQUAL(lie(d, sctp, &now, cases[i].stream, LN_PPID_DCEP, bytes, len), cases[i].opened);
    }
    ln_data_channels_stats(d, &stats);
    CHECK_EQUAL(stats.opened, 3);
    CHECK_EQUAL(stats.dropped_parity, 1);
    CHECK_EQUAL(stats.dropped_in_use, 1);
    CHECK_EQUAL(stats.dropped_malformed, 8);
    CHECK(lie(d, sctp, &now, 1, 9999, "x", 1) == 0); /* attack 60: unknown PPID */
    ln_data_channels_stats(d, &stats);
    CHECK_EQUAL(stats.dropped_unknown, 2);
    ln_data_channels_free(d);
    ln_sctp_free(sctp);
}

LN_TEST(data_channels, a_label_of_64_kib_is_carried)
{
    struct ln_channel_options options;
    struct ln_channel_info info;
    struct fixture f;
    static char label[65535];
    ln_channel here;
    size_t at;

    memset(label, 'l', sizeof label);
    make(&f, NULL, NULL);
    ln_channel_options_init(&options);
    options.label = label;
    options.label_len = sizeof label;
    CHECK(ln_data_channels_open(f.d[0], &options, &here) == 0);
    CHECK_EQUAL(ln_data_channels_buffered_amount(f.d[0], here), 0); /* the OPEN does not count */
    start(&f);
    CHECK(told(&f, 1, LN_DATA_CHANNELS_INCOMING, -1, &at) == 1);
    CHECK(ln_data_channels_get(f.d[1], f.log[at].event.channel, &info));
    CHECK_EQUAL(info.label_len, sizeof label);
    destroy(&f);
}

LN_TEST(data_channels, a_flood_of_opens_stops_at_the_limit)
{
    struct ln_data_channels_config config;
    struct ln_data_channels *d;
    struct ln_sctp *sctp;
    ln_time now = LN_SECONDS(1);
    uint8_t bytes[64];
    size_t len = test_hex("03 00 0100 00000000 0002 0000 6162", bytes, sizeof bytes), opened = 0;

    ln_data_channels_config_init(&config);
    config.max_channels = 50;
    CHECK(ln_data_channels_create(&d, &config, test_env()) == 0);
    CHECK(ln_sctp_create(&sctp, &config.sctp, test_env()) == 0);
    ln_data_channels_set_role(d, true);
    ln_sctp_start(sctp, now);
    liar_exchange(d, sctp, &now);
    for (uint16_t stream = 1; stream < 401; stream = (uint16_t)(stream + 2))
        opened += lie(d, sctp, &now, stream, LN_PPID_DCEP, bytes, len);
    CHECK_EQUAL(opened, 50);
    ln_data_channels_free(d);
    ln_sctp_free(sctp);
}

LN_TEST(data_channels, an_abort_closes_every_channel_before_the_association)
{
    struct fixture f;
    size_t at;
    ln_channel a, b;

    make(&f, NULL, NULL);
    a = open_labelled(&f, 0, "a");
    b = open_labelled(&f, 0, "b");
    start(&f);
    f.log_count = 0;
    ln_data_channels_abort(f.d[0]);
    run(&f, LN_SECONDS(1));
    for (int end = 0; end < 2; end++) {
        CHECK_EQUAL(told(&f, end, LN_DATA_CHANNELS_STATE, LN_CHANNEL_CLOSED, NULL), 2);
        CHECK(told(&f, end, LN_DATA_CHANNELS_CLOSED, -1, &at) == 1);
        CHECK_EQUAL(f.log[at].event.error, end ? LN_ERR_RESET : LN_ERR_ABORT);
    }
    CHECK(ln_data_channels_send(f.d[0], a, true, "x", 1) == LN_ERR_INVALID_STATE);
    CHECK(ln_data_channels_send(f.d[0], b, true, "x", 1) == LN_ERR_INVALID_STATE);
    destroy(&f);
}
