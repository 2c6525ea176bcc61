/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/peer/pair.h"

#include "crypto/crypto.h"
#include "tests/support/virtual_clock.h"

#include <stdio.h>
#include <stdlib.h>

static void note(struct side *side, const char *word)
{
    size_t len = strlen(side->log);

    if (len + strlen(word) + 2 < sizeof side->log)
        sprintf(side->log + len, "%s ", word);
}

static struct note *new_note(struct side *from)
{
    struct pair *pair = from->pair;
    struct note *n;

    CHECK(pair->note_count < PAIR_MESSAGES);
    n = &pair->notes[pair->note_count++];
    memset(n, 0, sizeof *n);
    n->at = pair->wire.now + pair->signalling_delay;
    n->to = 1 - from->index;
    return n;
}

static void send_description(struct side *side)
{
    struct ln_session_description description;
    struct note *n;

    CHECK(ln_peer_connection_local_description(side->pc, &description));
    n = new_note(side);
    n->type = description.type;
    n->text = strdup(description.sdp);
}

static void send_candidate(struct side *side, const struct ln_event *event)
{
    const struct ln_ice_candidate *c = &event->u.ice_candidate.candidate;
    struct note *n;

    if (event->u.ice_candidate.last || side->pair->no_trickle || side->pair->drop_candidates)
        return;
    n = new_note(side);
    n->type = LN_SDP_TYPE_IMPLICIT;
    n->text = strdup(c->candidate);
    snprintf(n->mid, sizeof n->mid, "%s", c->sdp_mid ? c->sdp_mid : "");
}

static void offer(struct side *side)
{
    side->making_offer = true;
    CHECK(ln_peer_connection_set_local_description(side->pc, NULL, &side->local_op) == 0);
}

static void on_operation(struct side *side, const struct ln_event *event)
{
    side->last_error = event->u.operation.error.error;
    side->last_rtc_error = event->u.operation.error;
    side->last_rtc_error.message = NULL;
    note(side, event->u.operation.error.error ? "failed" : "done");
    if (event->u.operation.description.sdp) {
        free(side->description);
        side->description = strdup(event->u.operation.description.sdp);
    }
    if (event->u.operation.stats) {
        size_t len = ln_stats_report_json(event->u.operation.stats, NULL, 0);

        free(side->stats);
        side->stats = malloc(len + 1);
        CHECK(side->stats != NULL);
        ln_stats_report_json(event->u.operation.stats, side->stats, len + 1);
    }
    if (event->u.operation.op == side->local_op) {
        side->local_op = 0;
        side->making_offer = false;
        if (!side->last_error && !side->pair->no_trickle)
            send_description(side);
    }
    if (event->u.operation.op == side->remote_offer_op && !side->last_error)
        CHECK(ln_peer_connection_set_local_description(side->pc, NULL, &side->local_op) == 0);
}

static void on_message(struct side *side, const struct ln_event *event)
{
    size_t len = event->u.message.len;

    side->messages++;
    side->bytes += len;
    side->last_len = len;
    side->last_text = event->u.message.text;
    if (len > 0)
        memcpy(side->last_message, event->u.message.data,
               len < sizeof side->last_message ? len : sizeof side->last_message);
    if (side->pair->on_message)
        side->pair->on_message(side, event);
}

static void on_event(struct side *side, const struct ln_event *event)
{
    char word[64];

    if (side->pair->on_event)
        side->pair->on_event(side, event);
    switch (event->kind) {
    case LN_EVENT_OPERATION_DONE:
        on_operation(side, event);
        break;
    case LN_EVENT_NEGOTIATION_NEEDED:
        note(side, "negotiationneeded");
        side->needed = !side->negotiates;
        if (side->negotiates)
            offer(side);
        break;
    case LN_EVENT_ICE_CANDIDATE:
        if (event->u.ice_candidate.last)
            note(side, "last-candidate");
        send_candidate(side, event);
        break;
    case LN_EVENT_SIGNALING_STATE_CHANGE:
        CHECK(ln_peer_connection_signaling_state(side->pc) == event->u.signaling_state);
        note(side, ln_signaling_state_name(event->u.signaling_state));
        break;
    case LN_EVENT_ICE_GATHERING_STATE_CHANGE:
        note(side, ln_ice_gathering_state_name(event->u.ice_gathering_state));
        if (event->u.ice_gathering_state == LN_ICE_GATHERING_STATE_COMPLETE &&
            side->pair->no_trickle)
            send_description(side);
        break;
    case LN_EVENT_ICE_CONNECTION_STATE_CHANGE:
        snprintf(word, sizeof word, "ice-%s",
                 ln_ice_connection_state_name(event->u.ice_connection_state));
        note(side, word);
        break;
    case LN_EVENT_CONNECTION_STATE_CHANGE:
        CHECK(ln_peer_connection_connection_state(side->pc) == event->u.connection_state);
        snprintf(word, sizeof word, "pc-%s",
                 ln_peer_connection_state_name(event->u.connection_state));
        note(side, word);
        break;
    case LN_EVENT_TRACK:
        note(side, "track");
        side->tracks++;
        break;
    case LN_EVENT_MUTE:
        note(side, "mute");
        break;
    case LN_EVENT_UNMUTE:
        note(side, "unmute");
        break;
    case LN_EVENT_ENDED:
        note(side, "ended");
        break;
    case LN_EVENT_DATA_CHANNEL:
        note(side, "datachannel");
        CHECK(side->channel_count < PAIR_CHANNELS);
        side->channels[side->channel_count++] = event->u.channel;
        break;
    case LN_EVENT_OPEN:
        CHECK(ln_data_channel_ready_state(event->u.channel) == LN_DATA_CHANNEL_STATE_OPEN);
        note(side, "open");
        side->opened++;
        break;
    case LN_EVENT_CLOSING:
        note(side, "closing");
        break;
    case LN_EVENT_CLOSE:
        note(side, "close");
        side->closed++;
        break;
    case LN_EVENT_ERROR:
    case LN_EVENT_DTLS_TRANSPORT_ERROR:
        note(side, "error");
        side->errors++;
        side->last_rtc_error = event->u.error.error;
        break;
    case LN_EVENT_BUFFERED_AMOUNT_LOW:
        note(side, "low");
        break;
    case LN_EVENT_MESSAGE:
        on_message(side, event);
        break;
    case LN_EVENT_ENCODER_TARGET:
        if (side->pair->on_target)
            side->pair->on_target(side, event);
        break;
    default:
        break;
    }
}

static void take_events(struct pair *pair)
{
    struct ln_event event;

    for (int i = 0; i < 2; i++)
        while (ln_peer_connection_poll_event(pair->sides[i].pc, &event) == 1)
            on_event(&pair->sides[i], &event);
}

static void turn(struct wire *wire, void *context)
{
    (void)wire;
    take_events(context);
}

/* The peer's endpoint with OpenSSL's clock set before each call. */
static void set_clock(ln_time now)
{
    virtual_clock_set(now);
}

static void receive(void *object, ln_time now, struct ln_packet *packet)
{
    set_clock(now);
    ln_peer_connection_receive(object, now, packet);
}

static void on_timeout(void *object, ln_time now)
{
    set_clock(now);
    ln_peer_connection_on_timeout(object, now);
}

static ln_time next_timeout(const void *object)
{
    return ln_peer_connection_next_timeout(object);
}

static int poll_transmit(void *object, ln_time now, struct ln_transmit *out)
{
    set_clock(now);
    return ln_peer_connection_poll_transmit(object, now, out);
}

static int poll_request(void *object, struct ln_request *ret_request)
{
    return ln_peer_connection_poll_request(object, ret_request);
}

static void answer(void *object, ln_time now, const struct ln_answer *a)
{
    set_clock(now);
    ln_peer_connection_answer(object, now, a);
}

static const struct ln_endpoint_ops clocked = { receive,       on_timeout,   next_timeout,
                                                poll_transmit, poll_request, answer };

void pair_init_with(struct pair *pair, const struct ln_configuration *first,
                    const struct ln_configuration *second)
{
    struct ln_env *env = test_env();

    memset(pair, 0, sizeof *pair);
    virtual_random_seed(1);
    CHECK(ln_crypto_create(&env->crypto, env->allocator) == 0);
    wire_init(&pair->wire, env);
    pair->wire.now = LN_SECONDS(1);
    pair->wire.delay = LN_MILLISECONDS(10);
    pair->wire.turn = turn;
    pair->wire.context = pair;
    pair->signalling_delay = LN_MILLISECONDS(20);
    set_clock(pair->wire.now);
    for (int i = 0; i < 2; i++) {
        struct side *side = &pair->sides[i];
        struct ln_endpoint endpoint = { &clocked, NULL };

        side->pair = pair;
        side->index = i;
        CHECK(ln_peer_connection_create(i == 0 ? first : second, env, &side->pc) == 0);
        endpoint.object = side->pc;
        CHECK(wire_add(&pair->wire, endpoint) == i);
        wire_interface(&pair->wire, i, i == 0 ? "10.0.0.1" : "10.0.0.2");
    }
}

void pair_init(struct pair *pair, const struct ln_configuration *configuration)
{
    pair_init_with(pair, configuration, configuration);
}

void pair_free(struct pair *pair)
{
    struct ln_env *env = test_env();

    for (int i = 0; i < 2; i++) {
        ln_peer_connection_free(pair->sides[i].pc);
        free(pair->sides[i].description);
        free(pair->sides[i].stats);
    }
    for (size_t i = 0; i < pair->note_count; i++)
        free(pair->notes[i].text);
    ln_crypto_free(env->crypto);
    env->crypto = NULL;
}

/* Perfect negotiation (https://www.w3.org/TR/webrtc/#perfect-negotiation-example). */
static int take_description(struct side *side, const struct note *n)
{
    struct ln_session_description description = { n->type, n->text };
    bool stable = ln_peer_connection_signaling_state(side->pc) == LN_SIGNALING_STATE_STABLE;
    bool collision = n->type == LN_SDP_TYPE_OFFER && (side->making_offer || !stable);
    ln_op_id op;
    int error;

    side->ignoring_offer = side->index == 0 && collision;
    if (side->ignoring_offer)
        return 0;
    error = ln_peer_connection_set_remote_description(side->pc, &description, &op);
    if (!error && n->type == LN_SDP_TYPE_OFFER)
        side->remote_offer_op = op;
    return error;
}

static void take_note(struct pair *pair, struct note *n)
{
    struct side *side = &pair->sides[n->to];
    struct ln_ice_candidate_init candidate = { n->text, n->mid, -1, NULL };
    ln_op_id op;
    int error = 0;

    if (n->type != LN_SDP_TYPE_IMPLICIT)
        error = take_description(side, n);
    else if (!side->ignoring_offer)
        error = ln_peer_connection_add_ice_candidate(side->pc, &candidate, &op);
    free(n->text);
    CHECK(error == 0);
}

static void take_notes(struct pair *pair)
{
    while (pair->note_count > 0 && pair->notes[0].at <= pair->wire.now) {
        struct note first = pair->notes[0];

        memmove(pair->notes, pair->notes + 1, --pair->note_count * sizeof first);
        take_note(pair, &first);
    }
}

bool pair_run(struct pair *pair, ln_duration limit, bool (*done)(struct pair *pair))
{
    ln_time end = pair->wire.now + limit, step;

    for (;;) {
        take_events(pair);
        if (done && done(pair))
            return true;
        if (pair->wire.now >= end)
            return !done;
        take_notes(pair);
        step = pair->wire.now + LN_MILLISECONDS(5);
        wire_run(&pair->wire, step < end ? step : end, NULL, NULL);
    }
}

void pair_settle(struct pair *pair)
{
    wire_run(&pair->wire, pair->wire.now, NULL, NULL);
    take_events(pair);
}

bool pair_connected(struct pair *pair)
{
    return ln_peer_connection_connection_state(pair->sides[0].pc) ==
               LN_PEER_CONNECTION_STATE_CONNECTED &&
           ln_peer_connection_connection_state(pair->sides[1].pc) ==
               LN_PEER_CONNECTION_STATE_CONNECTED;
}

bool pair_open(struct pair *pair)
{
    return pair->sides[0].opened > 0 && pair->sides[1].opened > 0;
}
