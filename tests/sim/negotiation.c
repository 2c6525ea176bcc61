/* SPDX-License-Identifier: Apache-2.0
 * The random driver of negotiation.h. */
#include "tests/sim/negotiation.h"

#include "base/time.h"
#include "crypto/crypto.h"
#include "tests/support/test.h"
#include "tests/support/virtual_clock.h"

#include <linnet/linnet.h>

#include <stdio.h>
#include <stdlib.h>

#define STEPS         70u
#define DESCRIPTIONS  12u
#define CANDIDATES    16u
#define CHANNELS_KEPT 8u
#define SENDERS_KEPT  8u

struct kept_description {
    enum ln_sdp_type type;
    char *sdp;
};

struct actor {
    int index;
    ln_peer_connection *pc;
    bool closed;
    enum ln_signaling_state signaling; /* of the last event */
    ln_op_id last_ended, last_begun;
    struct kept_description made[DESCRIPTIONS]; /* what createOffer, createAnswer gave */
    size_t made_count;
    char *candidates[CANDIDATES];
    size_t candidate_count;
    ln_data_channel *channels[CHANNELS_KEPT];
    size_t channel_count;
    ln_rtp_sender *senders[SENDERS_KEPT];
    size_t sender_count;
};

static struct {
    struct net net;
    struct actor actors[2];
} world;

static uint32_t below(uint32_t bound)
{
    return ln_rng_below(&world.net.chance, bound);
}

/* W3C 4.3.3, figure 2: what may follow what. Closed is told by no event. */
static bool may_follow(enum ln_signaling_state from, enum ln_signaling_state to)
{
    switch (to) {
    case LN_SIGNALING_STATE_STABLE:
        return from != LN_SIGNALING_STATE_STABLE;
    case LN_SIGNALING_STATE_HAVE_LOCAL_OFFER:
    case LN_SIGNALING_STATE_HAVE_REMOTE_OFFER:
        return from == LN_SIGNALING_STATE_STABLE ||
               /* An implicit rollback makes way for the other side's offer. */
               (from == LN_SIGNALING_STATE_HAVE_LOCAL_OFFER &&
                to == LN_SIGNALING_STATE_HAVE_REMOTE_OFFER);
    case LN_SIGNALING_STATE_HAVE_LOCAL_PRANSWER:
        return from == LN_SIGNALING_STATE_HAVE_REMOTE_OFFER;
    case LN_SIGNALING_STATE_HAVE_REMOTE_PRANSWER:
        return from == LN_SIGNALING_STATE_HAVE_LOCAL_OFFER;
    default:
        return false;
    }
}

static void keep(struct actor *a, const struct ln_session_description *description)
{
    struct kept_description *place = &a->made[a->made_count++ % DESCRIPTIONS];

    free(place->sdp);
    place->type = description->type;
    place->sdp = strdup(description->sdp);
}

static void on_event(struct actor *a, const struct ln_event *event)
{
    CHECK(!a->closed); /* nothing is told after close() */
    switch (event->kind) {
    case LN_EVENT_SIGNALING_STATE_CHANGE:
        CHECK(may_follow(a->signaling, event->u.signaling_state));
        CHECK(ln_peer_connection_signaling_state(a->pc) == event->u.signaling_state);
        a->signaling = event->u.signaling_state;
        break;
    case LN_EVENT_OPERATION_DONE:
        CHECK(event->u.operation.op > a->last_ended); /* once, and in order */
        CHECK(event->u.operation.op <= a->last_begun);
        a->last_ended = event->u.operation.op;
        if (event->u.operation.description.sdp)
            keep(a, &event->u.operation.description);
        break;
    case LN_EVENT_ICE_CANDIDATE:
        if (!event->u.ice_candidate.last && a->candidate_count < CANDIDATES)
            a->candidates[a->candidate_count++] = strdup(
                event->u.ice_candidate.candidate.candidate);
        break;
    case LN_EVENT_DATA_CHANNEL:
        if (a->channel_count < CHANNELS_KEPT)
            a->channels[a->channel_count++] = event->u.channel;
        break;
    default:
        break;
    }
}

/* Now and then only some events are taken. */
static void take_events(struct actor *a)
{
    uint32_t limit = below(4) == 0 ? below(3) : UINT32_MAX;
    struct ln_event event;

    while (limit-- > 0 && ln_peer_connection_poll_event(a->pc, &event) == 1)
        on_event(a, &event);
}

static void turn(void *context)
{
    (void)context;
    for (int i = 0; i < 2; i++)
        take_events(&world.actors[i]);
}

/* --- what an application may do; errors are fine, what they must not do is harm */

static void begun(struct actor *a, int error, const ln_op_id *ret_op)
{
    ln_op_id op = *ret_op;

    if (error) {
        CHECK(error < 0);
        CHECK(!a->closed || error == LN_ERR_INVALID_STATE || error == LN_ERR_INVALID_ARGUMENT);
        return;
    }
    CHECK(!a->closed && op > a->last_begun);
    a->last_begun = op;
}

static void create(struct actor *a)
{
    struct ln_offer_options options = { sizeof options, below(4) == 0 };
    ln_op_id op = 0;

    if (below(2))
        begun(a, ln_peer_connection_create_offer(a->pc, below(2) ? &options : NULL, &op), &op);
    else
        begun(a, ln_peer_connection_create_answer(a->pc, &op), &op);
}

static void set_local(struct actor *a)
{
    struct ln_session_description description = { LN_SDP_TYPE_ROLLBACK, NULL };
    bool implicit = below(4) > 0;
    ln_op_id op = 0;

    if (!implicit && a->made_count > 0 && below(3)) {
        const struct kept_description *made = &a->made[below(
            (uint32_t)(a->made_count < DESCRIPTIONS ? a->made_count : DESCRIPTIONS))];

        description.type = made->type;
        description.sdp = made->sdp;
        if (made->type == LN_SDP_TYPE_ANSWER && below(3) == 0)
            description.type = LN_SDP_TYPE_PRANSWER;
    }
    begun(a, ln_peer_connection_set_local_description(a->pc, implicit ? NULL : &description, &op),
          &op);
}

/* The other side's present description, an old one, or a damaged one. */
static void set_remote(struct actor *a)
{
    struct actor *other = &world.actors[1 - a->index];
    struct ln_session_description description = { LN_SDP_TYPE_ROLLBACK, NULL };
    char *text = NULL;
    ln_op_id op = 0;

    if (below(8) > 0) {
        if (!ln_peer_connection_local_description(other->pc, &description))
            return;
        text = strdup(description.sdp);
        if (below(10) == 0 && strlen(text) > 10)
            text[below((uint32_t)strlen(text))] = (char)(' ' + below(90));
        if (description.type == LN_SDP_TYPE_ANSWER && below(6) == 0)
            description.type = LN_SDP_TYPE_PRANSWER;
        description.sdp = text;
    }
    begun(a, ln_peer_connection_set_remote_description(a->pc, &description, &op), &op);
    free(text);
}

static void add_candidate(struct actor *a)
{
    struct actor *other = &world.actors[1 - a->index];
    struct ln_ice_candidate_init candidate = { "", "0", -1, NULL };
    ln_op_id op = 0;

    if (other->candidate_count > 0)
        candidate.candidate = other->candidates[below((uint32_t)other->candidate_count)];
    begun(a, ln_peer_connection_add_ice_candidate(a->pc, below(9) ? &candidate : NULL, &op), &op);
}

static void add_media(struct actor *a)
{
    static const char *const streams[] = { "one", "two" };
    enum ln_media_kind kind = below(2) ? LN_MEDIA_AUDIO : LN_MEDIA_VIDEO;
    ln_rtp_transceiver *transceiver;
    ln_media_stream_track *track;
    ln_rtp_sender *sender;
    int error;

    CHECK(ln_media_stream_track_create(test_env(), kind, NULL, &track) == 0);
    if (below(2)) {
        error = ln_peer_connection_add_track(a->pc, track, streams, below(3), &sender);
        if (error == 0 && a->sender_count < SENDERS_KEPT)
            a->senders[a->sender_count++] = sender;
    } else {
        error = ln_peer_connection_add_transceiver(a->pc, kind, below(2) ? track : NULL, NULL,
                                                   &transceiver);
    }
    CHECK(error == 0 || a->closed);
    ln_media_stream_track_unref(track);
}

static void change_transceiver(struct actor *a)
{
    size_t count = ln_peer_connection_transceiver_count(a->pc);
    ln_rtp_transceiver *t;
    ln_op_id op = 0;

    if (count == 0)
        return;
    t = ln_peer_connection_transceiver(a->pc, below((uint32_t)count));
    switch (below(5)) {
    case 0:
        (void)!ln_rtp_transceiver_stop(t);
        break;
    case 1:
        begun(a, ln_rtp_sender_replace_track(ln_rtp_transceiver_sender(t), NULL, &op), &op);
        break;
    case 2:
        if (a->sender_count > 0)
            (void)!ln_peer_connection_remove_track(a->pc,
                                                   a->senders[below((uint32_t)a->sender_count)]);
        break;
    default:
        (void)!ln_rtp_transceiver_set_direction(t, (enum ln_rtp_transceiver_direction)below(4));
    }
}

static void use_channel(struct actor *a)
{
    ln_data_channel *channel;
    uint32_t i;

    if (a->channel_count == 0 || below(4) == 0) {
        int error = ln_peer_connection_create_data_channel(a->pc, "random", NULL, &channel);

        /* No id is left, or the association has ended. */
        if (error != LN_ERR_OPERATION && error != LN_ERR_INVALID_STATE && error != LN_ERR_CLOSED)
            CHECK_EQUAL(error, 0);
        if (error == 0 && a->channel_count < CHANNELS_KEPT)
            a->channels[a->channel_count++] = channel;
        return;
    }
    i = below((uint32_t)a->channel_count);
    channel = a->channels[i];
    switch (below(6)) {
    case 0:
        ln_data_channel_close(channel);
        break;
    case 1:
        ln_data_channel_release(channel); /* without waiting for its end */
        a->channels[i] = a->channels[--a->channel_count];
        break;
    default:
        (void)!ln_data_channel_send_text(channel, "message", 7);
    }
}

static void ask(struct actor *a)
{
    struct ln_session_description description;
    struct ln_configuration configuration;
    ln_op_id op = 0;

    begun(a, ln_peer_connection_get_stats(a->pc, NULL, &op), &op);
    (void)ln_peer_connection_pending_remote_description(a->pc, &description);
    (void)ln_peer_connection_current_local_description(a->pc, &description);
    (void)ln_peer_connection_sctp(a->pc);
    ln_peer_connection_get_configuration(a->pc, &configuration);
}

static void do_anything(struct actor *a)
{
    switch (below(16)) {
    case 0:
    case 1:
        create(a);
        break;
    case 2:
    case 3:
    case 4:
        set_local(a);
        break;
    case 5:
    case 6:
    case 7:
    case 8:
        set_remote(a);
        break;
    case 9:
    case 10:
        add_candidate(a);
        break;
    case 11:
        add_media(a);
        break;
    case 12:
        change_transceiver(a);
        break;
    case 13:
        use_channel(a);
        break;
    case 14:
        if (below(4) == 0)
            ln_peer_connection_restart_ice(a->pc);
        break;
    default:
        ask(a);
    }
    if (below(150) == 0 && !a->closed) {
        ln_peer_connection_close(a->pc);
        a->closed = true;
        CHECK(ln_peer_connection_signaling_state(a->pc) == LN_SIGNALING_STATE_CLOSED);
    }
}

static void begin(uint64_t seed)
{
    struct ln_env *env = test_env();

    memset(&world, 0, sizeof world);
    ln_rng_seed(env->rng, seed);
    virtual_random_seed(seed);
    net_init(&world.net, env, seed);
    world.net.turn = turn;
    world.net.set_clock = virtual_clock_set;
    virtual_clock_set(world.net.now);
    CHECK(ln_crypto_create(&env->crypto, env->allocator) == 0);
    for (int i = 0; i < 2; i++) {
        struct net_line line = { .delay = LN_MILLISECONDS(2) };

        world.actors[i].index = i;
        CHECK(ln_peer_connection_create(NULL, env, &world.actors[i].pc) == 0);
        net_add_host(&world.net, ln_peer_connection_endpoint(world.actors[i].pc),
                     i == 0 ? "10.0.0.1" : "10.0.0.2");
        net_set_line(&world.net, i, &line, &line);
    }
}

static void end(void)
{
    struct ln_env *env = test_env();

    for (int i = 0; i < 2; i++) {
        struct actor *a = &world.actors[i];

        ln_peer_connection_free(a->pc);
        for (size_t k = 0; k < DESCRIPTIONS; k++)
            free(a->made[k].sdp);
        for (size_t k = 0; k < a->candidate_count; k++)
            free(a->candidates[k]);
    }
    net_deinit(&world.net);
    ln_crypto_free(env->crypto);
    env->crypto = NULL;
}

void negotiation_run(uint64_t seed, struct outcome *ret)
{
    begin(seed);
    for (unsigned step = 0; step < STEPS; step++) {
        do_anything(&world.actors[below(2)]);
        /* Half the time nothing happens between two calls: calls pile up. */
        if (below(2))
            net_run(&world.net, world.net.now + LN_MILLISECONDS(below(3) ? below(20) : below(400)),
                    NULL);
    }
    net_run(&world.net, world.net.now + LN_SECONDS(1), NULL);
    for (int i = 0; i < 2; i++) {
        struct actor *a = &world.actors[i];
        struct ln_event event;

        while (ln_peer_connection_poll_event(a->pc, &event) == 1)
            on_event(a, &event);
        CHECK(a->closed || a->last_ended == a->last_begun); /* every operation has ended */
    }
    ret->hash = world.net.hash;
    ret->steps = world.net.steps;
    end();
}
