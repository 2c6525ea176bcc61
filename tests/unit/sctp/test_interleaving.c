/* SPDX-License-Identifier: Apache-2.0
 * Interleaving (RFC 8260), its schedulers, packets without a checksum (RFC 9653), and a peer that
 * knows neither. */
#include "tests/unit/sctp/bottleneck.h"
#include "tests/unit/sctp/pipe.h"

#include "base/bytes.h"
#include "base/time.h"
#include "sctp/interleaved.h"
#include "sctp/send_queue.h"

static uint8_t data[4u << 20];

static struct ln_sctp_stats stats_of(struct pipe *pipe, int end)
{
    struct ln_sctp_stats stats;

    ln_sctp_stats(pipe->end[end], &stats);
    return stats;
}

LN_TEST(sctp_interleaving, an_urgent_message_behind_megabytes_arrives_within_two_round_trips)
{
    static struct bottleneck line;
    const ln_duration rtt = LN_MILLISECONDS(60);
    struct ln_sctp_event event;
    struct ln_sctp_config config;
    ln_time sent;
    bool arrived = false;

    if (pipe_sweeping())
        return;
    bottleneck_init(&line, 20, rtt, 1);
    ln_sctp_config_init(&config);
    config.max_message_bytes = sizeof data;
    bottleneck_add_with(&line, &config);
    line.sending[0] = false;
    bottleneck_run(&line, LN_SECONDS(1));
    CHECK(ln_sctp_send(line.end[0][0], 0, 53, data, sizeof data, NULL) == 0);
    bottleneck_run(&line, LN_SECONDS(1)); /* it is half sent */
    CHECK(ln_sctp_buffered_amount(line.end[0][0], 0) > sizeof data / 4);
    CHECK(ln_sctp_send(line.end[0][0], 1, 53, data, 1024, NULL) == 0);
    sent = line.now;
    line.keep_events = true;
    while (!arrived && line.now < sent + LN_SECONDS(2)) {
        bottleneck_run(&line, LN_MILLISECONDS(5));
        while (ln_sctp_poll_event(line.end[0][1], &event))
            arrived |= event.kind == LN_SCTP_EVENT_MESSAGE && event.stream == 1;
    }
    CHECK(arrived && line.now - sent <= 2 * rtt);
    CHECK(ln_sctp_buffered_amount(line.end[0][0], 0) > 0);
    bottleneck_free(&line);
}

LN_TEST(sctp_interleaving, is_used_only_if_both_sides_have_it)
{
    for (int without = 0; without < 4; without++) {
        struct ln_sctp_config a, b;
        struct ln_sctp_event event;
        struct pipe pipe;

        ln_sctp_config_init(&a);
        ln_sctp_config_init(&b);
        a.interleaving = !(without & 1);
        b.interleaving = !(without & 2);
        pipe_init(&pipe, 1);
        pipe_create(&pipe, &a, &b);
        pipe_connect(&pipe);
        CHECK_EQUAL(stats_of(&pipe, 0).interleaving, without == 0);
        CHECK_EQUAL(stats_of(&pipe, 1).interleaving, without == 0);
        for (int end = 0; end < 2; end++)
            CHECK(ln_sctp_send(pipe.end[end], 3, 53, data, 20000, NULL) == 0);
        pipe_run(&pipe, pipe.now + LN_SECONDS(2), NULL);
        for (int end = 0; end < 2; end++)
            CHECK(pipe_event(&pipe, end, LN_SCTP_EVENT_MESSAGE, &event) && event.len == 20000);
        pipe_free(&pipe);
    }
}

static bool turn_into_data(struct pipe *pipe, int from, uint8_t *packet, size_t *len)
{
    (void)pipe;
    if (from == 0 && packet[12] == LN_CHUNK_IDATA) {
        packet[12] = LN_CHUNK_DATA;
        pipe_checksum(packet, *len);
    }
    return true;
}

LN_TEST(sctp_interleaving, a_chunk_of_the_other_kind_ends_the_association)
{
    struct ln_sctp_event event;
    struct pipe pipe;

    pipe_init(&pipe, 1);
    pipe_create(&pipe, NULL, NULL);
    pipe_connect(&pipe);
    pipe_run(&pipe, pipe.now + LN_MILLISECONDS(100), NULL);
    pipe.filter = turn_into_data;
    CHECK(ln_sctp_send(pipe.end[0], 0, 53, data, 100, NULL) == 0);
    pipe_run(&pipe, pipe.now + LN_SECONDS(1), NULL);
    CHECK(pipe_event(&pipe, 1, LN_SCTP_EVENT_CLOSED, &event) && event.error == LN_ERR_MALFORMED);
    CHECK(pipe_event(&pipe, 0, LN_SCTP_EVENT_CLOSED, &event));
    CHECK_EQUAL(event.cause, LN_CAUSE_PROTOCOL_VIOLATION);
    pipe_free(&pipe);
}

/* Reassembly by hand. */

struct bench {
    struct ln_blocks blocks;
    struct ln_list news;
    struct ln_reassembly r;
};

static void bench_init(struct bench *b, size_t limit)
{
    ln_list_init(&b->news);
    ln_blocks_init(&b->blocks, test_env()->allocator, 0);
    ln_reassembly_init(&b->r, test_env(), &b->blocks, &b->news, limit, 100000);
    b->r.interleaving = true;
}

static void bench_deinit(struct bench *b)
{
    while (!ln_list_empty(&b->news)) {
        struct ln_news *news = LN_CONTAINER(b->news.next, struct ln_news, link);

        ln_list_remove(&news->link);
        if (news->kind == LN_SCTP_EVENT_MESSAGE)
            ln_reassembly_release(&b->r, LN_CONTAINER(news, struct ln_sctp_message, news));
    }
    ln_reassembly_restart(&b->r);
    CHECK_EQUAL(b->r.used_bytes, 0);
    ln_reassembly_deinit(&b->r);
}

static int add(struct bench *b, uint64_t tsn, uint16_t stream, uint32_t mid, uint32_t fsn,
               uint8_t flags, const uint8_t *bytes, size_t len)
{
    struct ln_fragment f = { .tsn = tsn,
                             .ppid = 53,
                             .mid = mid,
                             .fsn = flags & LN_DATA_BEGIN ? 0 : fsn,
                             .stream = stream,
                             .flags = flags,
                             .data = { bytes, len } };

    return ln_reassembly_add(&b->r, &f, 0);
}

LN_TEST(sctp_interleaving, fragments_of_many_messages_in_any_order_make_each_of_them)
{
    enum { MESSAGES = 12, FRAGMENTS = 40 };

    for (uint64_t seed = 1; seed <= (pipe_sweeping() ? 1 : 50); seed++) {
        uint16_t order[MESSAGES * FRAGMENTS];
        struct ln_rng rng;
        struct bench b;
        int got = 0;

        ln_rng_seed(&rng, seed);
        bench_init(&b, 1u << 20);
        for (uint16_t i = 0; i < MESSAGES * FRAGMENTS; i++)
            order[i] = i;
        for (uint32_t i = MESSAGES * FRAGMENTS - 1; i > 0; i--) {
            uint32_t k = ln_rng_below(&rng, i + 1);
            uint16_t kept = order[i];

            order[i] = order[k];
            order[k] = kept;
        }
        for (uint32_t i = 0; i < MESSAGES * FRAGMENTS; i++) {
            uint32_t message = order[i] / FRAGMENTS, fsn = order[i] % FRAGMENTS;
            uint8_t bytes[3] = { (uint8_t)message, (uint8_t)fsn, 7 };
            uint8_t flags = (uint8_t)((fsn == 0 ? LN_DATA_BEGIN : 0) |
                                      (fsn == FRAGMENTS - 1 ? LN_DATA_END : 0) |
                                      (message & 1 ? LN_DATA_UNORDERED : 0));

            CHECK(add(&b, 1 + i, (uint16_t)(message % 3), message / 6, fsn, flags, bytes,
                      sizeof bytes) == 0);
        }
        LN_LIST_EACH (at, &b.news) {
            const struct ln_sctp_message *m = LN_CONTAINER(LN_CONTAINER(at, struct ln_news, link),
                                                           struct ln_sctp_message, news);

            CHECK_EQUAL(m->len, FRAGMENTS * 3);
            for (size_t k = 0; k < FRAGMENTS; k++)
                CHECK(m->data[m->start + k * 3] == m->data[m->start] &&
                      m->data[m->start + k * 3 + 1] == k);
            got++;
        }
        CHECK_EQUAL(got, MESSAGES);
        bench_deinit(&b);
    }
}

LN_TEST(sctp_interleaving, a_number_that_comes_twice_is_thrown_away)
{
    struct bench b;
    const uint8_t one[1] = { 1 };

    bench_init(&b, 100000);
    CHECK(add(&b, 5, 0, 0, 2, 0, one, 1) == 0);
    CHECK(add(&b, 6, 0, 0, 2, 0, one, 1) == 0);
    CHECK(add(&b, 7, 0, 0, 0, LN_DATA_BEGIN, one, 1) == 0);
    CHECK(add(&b, 8, 0, 0, 0, LN_DATA_BEGIN, one, 1) == 0);
    CHECK(add(&b, 9, 0, 0, 0, 0, one, 1) == 0); /* no beginning with number 0 */
    CHECK(add(&b, 10, 0, 0, 1, 0, one, 1) == 0);
    CHECK(add(&b, 11, 0, 0, 3, LN_DATA_END, one, 1) == 0);
    CHECK_EQUAL(b.r.messages, 1);
    CHECK_EQUAL(b.r.dropped_malformed, 3);
    bench_deinit(&b);
}

/* Attack 58 with interleaving: pieces without end, of one message, of very many. */
LN_TEST(sctp_interleaving, pieces_that_are_never_whole_stay_within_the_window)
{
    const size_t limit = 1u << 20;
    const uint8_t one[1] = { 1 };

    for (int many = 0; many < 2; many++) {
        struct bench b;
        uint32_t taken = 0;

        bench_init(&b, limit);
        for (uint32_t i = 1; i < (pipe_sweeping() ? 100 : 60000); i++)
            taken += add(&b, 1 + i, (uint16_t)(many ? i : 0), many ? i / 7 : 0, 2 + i * 3, 0, one,
                         1) == 0;
        CHECK(b.r.used_bytes <= limit + 1024); /* the last one may pass it */
        CHECK(taken > 500 && taken < 12000);
        CHECK(b.r.assemblies.count <= LN_ASSEMBLIES_MAX);
        bench_deinit(&b);
    }
}

LN_TEST(sctp_interleaving, what_was_abandoned_is_skipped_on_both_counts)
{
    struct ln_sctp_send_options brief = LN_SCTP_RELIABLE, loose = LN_SCTP_RELIABLE;
    struct ln_sctp_event event;
    struct ln_sctp_stats stats;
    struct pipe pipe;

    brief.lifetime = loose.lifetime = LN_MILLISECONDS(100);
    loose.unordered = true;
    pipe_init(&pipe, 1);
    pipe_create(&pipe, NULL, NULL);
    pipe_connect(&pipe);
    /* Both begun, their fragments mixed, neither finished before its time. */
    CHECK(ln_sctp_send(pipe.end[0], 1, 53, data, 200000, &brief) == 0);
    CHECK(ln_sctp_send(pipe.end[0], 2, 53, data, 200000, &loose) == 0);
    pipe_step(&pipe, pipe.now + LN_MILLISECONDS(15));
    pipe.loss = 1;
    pipe_run(&pipe, pipe.now + LN_MILLISECONDS(300), NULL);
    pipe.loss = 0;
    CHECK(ln_sctp_send(pipe.end[0], 1, 53, data, 11, NULL) == 0);
    CHECK(ln_sctp_send(pipe.end[0], 2, 53, data, 12, NULL) == 0);
    pipe_run(&pipe, pipe.now + LN_SECONDS(20), NULL);
    for (int i = 0; i < 2; i++)
        CHECK(pipe_event(&pipe, 1, LN_SCTP_EVENT_MESSAGE, &event) && event.len < 20);
    CHECK(!pipe_event(&pipe, 1, LN_SCTP_EVENT_MESSAGE, &event));
    ln_sctp_stats(pipe.end[1], &stats);
    CHECK_EQUAL(stats.receive_buffered_bytes, 0);
    CHECK_EQUAL(stats_of(&pipe, 0).messages_abandoned, 2);
    CHECK_EQUAL(stats_of(&pipe, 0).send_buffered_bytes, 0);
    pipe_free(&pipe);
}

/* More begun messages than the window holds would leave it full of pieces. */
LN_TEST(sctp_interleaving, many_long_messages_at_once_do_not_fill_the_window_with_pieces)
{
    struct ln_sctp_config config;
    struct ln_sctp_event event;
    struct pipe pipe;
    int got = 0;

    if (pipe_sweeping())
        return;
    ln_sctp_config_init(&config);
    config.receive_window_bytes = 300000;
    config.max_message_bytes = 100000;
    pipe_init(&pipe, 1);
    pipe.loss = 0.02;
    pipe_create(&pipe, NULL, &config);
    pipe_connect(&pipe);
    for (uint16_t stream = 0; stream < 40; stream++)
        CHECK(ln_sctp_send(pipe.end[0], stream, 53, data, 90000, NULL) == 0);
    for (ln_time end = pipe.now + LN_SECONDS(60); pipe_step(&pipe, end) && got < 40;)
        while (ln_sctp_poll_event(pipe.end[1], &event))
            got += event.kind == LN_SCTP_EVENT_MESSAGE;
    CHECK_EQUAL(got, 40);
    pipe_free(&pipe);
}

/* Schedulers, over a queue whose fragments go nowhere. */

struct schedule {
    struct ln_blocks blocks;
    struct ln_list news;
    struct ln_send_queue queue;
};

static void schedule_init(struct schedule *s, const struct ln_sctp_scheduler_ops *ops,
                          bool interleaving)
{
    ln_list_init(&s->news);
    ln_blocks_init(&s->blocks, test_env()->allocator, 0);
    CHECK(ln_send_queue_init(&s->queue, test_env()->allocator, &s->blocks, &s->news, 64u << 20,
                             ops) == 0);
    s->queue.interleaving = interleaving;
    s->queue.unfinished_limit = 1u << 30;
}

static void queue_message(struct schedule *s, uint16_t id, uint16_t priority, size_t len)
{
    struct ln_sctp_send_options options = LN_SCTP_RELIABLE;
    struct ln_out_stream *stream = ln_send_queue_make_stream(&s->queue, id);

    CHECK(stream != NULL);
    stream->schedule.priority = priority;
    CHECK(ln_send_queue_push(&s->queue, stream, 53, data, len, &options) == 0);
}

/* Sends the next fragment of 1000 bytes; the stream it is of, -1 when there is none. */
static int send_next(struct schedule *s)
{
    struct ln_outgoing *m = ln_send_queue_next(&s->queue, 0);
    struct ln_part *part;
    size_t bytes;
    int stream;

    if (!m)
        return -1;
    bytes = ln_outgoing_next_bytes(m) < 1000 ? ln_outgoing_next_bytes(m) : 1000;
    stream = m->stream;
    part = m->sending;
    ln_send_queue_assign(&s->queue, m, bytes);
    /* Acknowledged at once. */
    ln_send_queue_release(&s->queue, part);
    return stream;
}

static void schedule_deinit(struct schedule *s)
{
    while (send_next(s) >= 0)
        ;
    ln_send_queue_deinit(&s->queue);
}

LN_TEST(sctp_scheduler, weighted_fair_gives_each_its_weight)
{
    static const uint16_t weights[] = { 128, 256, 512, 1024 };
    struct schedule s;
    int sent[4] = { 0 };

    schedule_init(&s, &ln_sctp_scheduler_weighted_fair, true);
    for (uint16_t i = 0; i < 4; i++)
        queue_message(&s, i, weights[i], 2000000);
    for (int i = 0; i < 1920; i++)
        sent[send_next(&s)]++;
    for (int i = 0; i < 4; i++)
        CHECK(sent[i] >= weights[i] - 4 && sent[i] <= weights[i] + 4);
    queue_message(&s, 9, 128, 500); /* who was silent has its turn soon, though of little weight */
    for (int i = 0, next = -1; next != 9; i++) {
        CHECK(i < 4);
        next = send_next(&s);
    }
    schedule_deinit(&s);
}

LN_TEST(sctp_scheduler, priority_is_strict_and_equals_go_as_they_came)
{
    struct schedule s;

    schedule_init(&s, &ln_sctp_scheduler_priority, true);
    queue_message(&s, 0, 256, 3000);
    queue_message(&s, 1, 512, 2000);
    CHECK_EQUAL(send_next(&s), 1);
    queue_message(&s, 2, 1024, 1000);
    CHECK_EQUAL(send_next(&s), 2);
    queue_message(&s, 3, 512, 1000);
    CHECK_EQUAL(send_next(&s), 1);
    CHECK_EQUAL(send_next(&s), 3);
    CHECK_EQUAL(send_next(&s), 0);
    schedule_deinit(&s);
}

LN_TEST(sctp_scheduler, first_come_is_first_served_over_all_streams)
{
    struct schedule s;

    schedule_init(&s, &ln_sctp_scheduler_first_come, false);
    for (uint16_t i = 0; i < 200; i++)
        queue_message(&s, (uint16_t)(i * 31 % 7), 256, 1000);
    for (uint16_t i = 0; i < 200; i++)
        CHECK_EQUAL(send_next(&s), i * 31 % 7);
    schedule_deinit(&s);
}

LN_TEST(sctp_scheduler, round_robin_turns_by_message_and_with_interleaving_by_fragment)
{
    for (int interleaving = 0; interleaving < 2; interleaving++) {
        struct schedule s;
        int turns = 0, last = -1;

        schedule_init(&s, &ln_sctp_scheduler_round_robin, interleaving);
        for (uint16_t i = 0; i < 3; i++)
            for (int k = 0; k < 2; k++)
                queue_message(&s, i, 256, 4000);
        for (int i = 0; i < 24; i++) {
            int stream = send_next(&s);

            turns += stream != last;
            last = stream;
        }
        CHECK_EQUAL(turns, interleaving ? 24 : 6);
        schedule_deinit(&s);
    }
}

/* Random use of the heap against a plain search. */
LN_TEST(sctp_scheduler, the_heap_always_gives_the_least)
{
    enum { STREAMS = 60 };
    const struct ln_sctp_scheduler_ops *ops = &ln_sctp_scheduler_priority;
    struct ln_schedulable streams[STREAMS];
    uint8_t state[128];
    struct ln_rng rng;

    CHECK(ops->state_bytes <= sizeof state);
    memset(streams, 0, sizeof streams);
    ln_rng_seed(&rng, 3);
    ops->init(state);
    for (int i = 0; i < 5000; i++) {
        struct ln_schedulable *s = &streams[ln_rng_below(&rng, STREAMS)], *least = NULL;

        if (s->waiting) {
            ops->remove(state, s);
        } else {
            s->priority = (uint16_t)ln_rng_below(&rng, 8);
            s->arrival = (uint64_t)i;
            ops->add(state, s);
        }
        s->waiting = !s->waiting;
        for (size_t k = 0; k < STREAMS; k++)
            if (streams[k].waiting &&
                (!least || streams[k].priority > least->priority ||
                 (streams[k].priority == least->priority && streams[k].arrival < least->arrival)))
                least = &streams[k];
        CHECK(ops->next(state) == least);
    }
}

/* Zero checksums. */

struct sums {
    int with[2], without[2];
    bool wrong;
};

static bool note_sum(struct pipe *pipe, int from, uint8_t *packet, size_t *len)
{
    bool zero = ln_load32(packet + 8) == 0;
    struct sums *sums = pipe->context;

    (void)len;
    sums->with[from] += !zero;
    sums->without[from] += zero;
    if (zero && (packet[12] == LN_CHUNK_INIT || packet[12] == LN_CHUNK_INIT_ACK ||
                 packet[12] == LN_CHUNK_COOKIE_ECHO))
        sums->wrong = true;
    return true;
}

LN_TEST(sctp_zero_checksum, is_used_after_the_handshake_towards_who_takes_it)
{
    for (int without = 0; without < 4; without++) {
        struct sums sums = { { 0 }, { 0 }, false };
        struct ln_sctp_config a, b;
        struct pipe pipe;

        ln_sctp_config_init(&a);
        ln_sctp_config_init(&b);
        a.zero_checksum = !(without & 1);
        b.zero_checksum = !(without & 2);
        pipe_init(&pipe, 1);
        pipe.filter = note_sum;
        pipe.context = &sums;
        pipe_create(&pipe, &a, &b);
        pipe_connect(&pipe);
        for (int end = 0; end < 2; end++)
            CHECK(ln_sctp_send(pipe.end[end], 0, 53, data, 20000, NULL) == 0);
        pipe_run(&pipe, pipe.now + LN_SECONDS(2), NULL);
        for (int end = 0; end < 2; end++) {
            CHECK(pipe_event(&pipe, end, LN_SCTP_EVENT_MESSAGE, NULL));
            CHECK((sums.without[end] > 10) == (without == 0));
            CHECK(sums.with[end] >= 2);
        }
        CHECK(!sums.wrong);
        pipe_free(&pipe);
    }
}

/* A peer like Pion 3.1: what it does not know in an INIT makes it throw the packet away. */
static bool drop_what_is_new(struct pipe *pipe, int from, uint8_t *packet, size_t *len)
{
    const size_t bare = 12 + 20 + 4 + 8; /* header, INIT, partial reliability, extensions */

    (void)pipe;
    (void)from;
    return packet[12] != LN_CHUNK_INIT || *len <= bare;
}

LN_TEST(sctp_init, falls_back_to_a_bare_one_when_the_full_one_is_not_answered)
{
    struct ln_sctp_event event;
    struct pipe pipe;

    pipe_init(&pipe, 1);
    pipe.filter = drop_what_is_new;
    pipe_create(&pipe, NULL, NULL);
    pipe_connect(&pipe);
    CHECK(pipe.now < LN_SECONDS(4));
    for (int end = 0; end < 2; end++) {
        CHECK(!stats_of(&pipe, end).interleaving);
        CHECK(!stats_of(&pipe, end).zero_checksum_sent);
    }
    CHECK(ln_sctp_send(pipe.end[0], 0, 53, data, 20000, NULL) == 0);
    pipe_run(&pipe, pipe.now + LN_SECONDS(2), NULL);
    CHECK(pipe_event(&pipe, 1, LN_SCTP_EVENT_MESSAGE, &event) && event.len == 20000);
    pipe_free(&pipe);
}

LN_TEST(sctp_init, falls_back_to_a_bare_one_when_the_full_one_is_refused_and_then_gives_up)
{
    struct ln_sctp_config config;
    struct ln_sctp_event event;
    uint8_t out[1500], abort_packet[16] = { 0x13, 0x88, 0x13, 0x88 };
    size_t first, second;
    struct ln_sctp *sctp;

    ln_sctp_config_init(&config);
    CHECK(ln_sctp_create(&sctp, &config, test_env()) == 0);
    ln_sctp_start(sctp, LN_SECONDS(1));
    first = ln_sctp_poll_transmit(sctp, LN_SECONDS(1), out, sizeof out);
    CHECK_EQUAL(out[12], LN_CHUNK_INIT);
    memcpy(abort_packet + 4, out + 16, 4); /* its own tag */
    abort_packet[12] = LN_CHUNK_ABORT;
    abort_packet[15] = 4;
    pipe_checksum(abort_packet, sizeof abort_packet);
    ln_sctp_receive(sctp, LN_SECONDS(1), abort_packet, sizeof abort_packet);
    second = ln_sctp_poll_transmit(sctp, LN_SECONDS(1), out, sizeof out);
    CHECK_EQUAL(out[12], LN_CHUNK_INIT);
    CHECK(second < first);
    CHECK(memcmp(abort_packet + 4, out + 16, 4) != 0); /* another association's */
    ln_sctp_receive(sctp, LN_SECONDS(1), abort_packet, sizeof abort_packet);
    CHECK(!ln_sctp_poll_event(sctp, &event));
    memcpy(abort_packet + 4, out + 16, 4);
    pipe_checksum(abort_packet, sizeof abort_packet);
    ln_sctp_receive(sctp, LN_SECONDS(1), abort_packet, sizeof abort_packet);
    CHECK(ln_sctp_poll_event(sctp, &event) && event.kind == LN_SCTP_EVENT_CLOSED);
    CHECK_EQUAL(event.error, LN_ERR_REFUSED);
    ln_sctp_free(sctp);
}

/* A bare INIT may cross an answer to a full one: whichever association comes of it, both ends speak
 * the same words in it. */
LN_TEST(sctp_init, both_ends_agree_on_what_they_speak_however_much_is_lost)
{
    size_t bare = 0;

    for (uint64_t seed = 1; seed <= (pipe_sweeping() ? 1u : 300u); seed++) {
        struct pipe pipe;

        pipe_init(&pipe, seed);
        pipe.delay = LN_MILLISECONDS(30);
        pipe.loss = 0.5;
        pipe_create(&pipe, NULL, NULL);
        pipe_connect(&pipe);
        pipe.loss = 0;
        for (int end = 0; end < 2; end++)
            CHECK(ln_sctp_send(pipe.end[end], 0, 53, data, 3000, NULL) == 0);
        pipe_run(&pipe, pipe.now + LN_SECONDS(30), NULL);
        for (int end = 0; end < 2; end++)
            CHECK(pipe_event(&pipe, end, LN_SCTP_EVENT_MESSAGE, NULL));
        CHECK(stats_of(&pipe, 0).interleaving == stats_of(&pipe, 1).interleaving);
        bare += !stats_of(&pipe, 0).interleaving;
        pipe_free(&pipe);
    }
    CHECK(pipe_sweeping() || (bare > 0 && bare < 300)); /* both happened */
}
