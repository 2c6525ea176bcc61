/* SPDX-License-Identifier: Apache-2.0
 * The applications of call.h: set-up, events, what happens when. */
#include "tests/sim/call.h"

#include "base/bytes.h"
#include "base/time.h"
#include "crypto/crypto.h"
#include "tests/sim/call_internal.h"
#include "tests/support/test.h"
#include "tests/support/virtual_clock.h"

#include <stdio.h>
#include <stdlib.h>

#define STUN_SERVER "203.0.113.1"

/* In a lenient call an error makes the party give up; else it fails the test. */
bool call_fine(struct party *party, int error)
{
    if (error == 0)
        return true;
    if (!party->call->lenient) {
        fprintf(stderr, "%s\n", ln_error_sentence(error));
        CHECK(!"an API call failed");
    }
    party->call->lenient_errors++;
    party->gave_up = true;
    return false;
}

/* --- events */

static void on_state(struct party *party, enum ln_peer_connection_state state)
{
    ln_time now = party->call->net.now;

    CHECK(ln_peer_connection_connection_state(party->pc) == state);
    party->state = state;
    if (state == LN_PEER_CONNECTION_STATE_CONNECTED)
        party->connected = ln_time_min(party->connected, now);
    if (state == LN_PEER_CONNECTION_STATE_DISCONNECTED)
        party->disconnected = ln_time_min(party->disconnected, now);
    if (state == LN_PEER_CONNECTION_STATE_FAILED)
        party->failed = ln_time_min(party->failed, now);
}

static void on_open(struct party *party, ln_data_channel *channel)
{
    struct flow *flow = ln_data_channel_user_data(channel);

    CHECK(ln_data_channel_ready_state(channel) == LN_DATA_CHANNEL_STATE_OPEN);
    CHECK(!flow->open);
    flow->open = true;
}

/* What --verbose shows. */
static void tell(const struct party *party, const struct ln_event *event)
{
    const char *what = NULL, *value = "";

    switch (event->kind) {
    case LN_EVENT_SIGNALING_STATE_CHANGE:
        what = ln_signaling_state_name(event->u.signaling_state);
        break;
    case LN_EVENT_ICE_CONNECTION_STATE_CHANGE:
        what = "ice";
        value = ln_ice_connection_state_name(event->u.ice_connection_state);
        break;
    case LN_EVENT_CONNECTION_STATE_CHANGE:
        what = "connection";
        value = ln_peer_connection_state_name(event->u.connection_state);
        break;
    case LN_EVENT_DTLS_TRANSPORT_STATE_CHANGE:
        what = "dtls";
        value = ln_dtls_transport_state_name(event->u.dtls_transport_state);
        break;
    case LN_EVENT_SCTP_TRANSPORT_STATE_CHANGE:
        what = "sctp";
        value = ln_sctp_transport_state_name(event->u.sctp_transport_state);
        break;
    case LN_EVENT_NEGOTIATION_NEEDED:
        what = "negotiation needed";
        break;
    case LN_EVENT_SELECTED_CANDIDATE_PAIR_CHANGE:
        what = "another pair";
        break;
    case LN_EVENT_ICE_CANDIDATE:
        what = event->u.ice_candidate.candidate.candidate;
        break;
    case LN_EVENT_OPEN:
        what = "open";
        value = ln_data_channel_label(event->u.channel);
        break;
    case LN_EVENT_CLOSE:
        what = "close";
        value = ln_data_channel_label(event->u.channel);
        break;
    case LN_EVENT_OPERATION_DONE:
        what = event->u.operation.error.error ? "failed" : NULL;
        value = event->u.operation.error.message ? event->u.operation.error.message : "";
        break;
    default:
        break;
    }
    if (what)
        fprintf(stderr, "%8.3f  %d  %s %s\n", (double)party->call->net.now / 1e9 - 1, party->index,
                what, value);
}

static void on_event(struct party *party, const struct ln_event *event)
{
    if (sim_verbose)
        tell(party, event);
    switch (event->kind) {
    case LN_EVENT_OPERATION_DONE:
        call_on_operation(party, event);
        break;
    case LN_EVENT_NEGOTIATION_NEEDED:
        if (party->negotiates)
            call_offer(party);
        break;
    case LN_EVENT_ICE_CANDIDATE:
        call_send_candidate(party, event);
        break;
    case LN_EVENT_ICE_GATHERING_STATE_CHANGE:
        if (event->u.ice_gathering_state == LN_ICE_GATHERING_STATE_COMPLETE &&
            party->call->scenario->no_trickle)
            call_send_description(party);
        break;
    case LN_EVENT_CONNECTION_STATE_CHANGE:
        on_state(party, event->u.connection_state);
        break;
    case LN_EVENT_DATA_CHANNEL:
        call_new_flow(party, event->u.channel);
        break;
    case LN_EVENT_OPEN:
        on_open(party, event->u.channel);
        break;
    case LN_EVENT_CLOSE:
        ((struct flow *)ln_data_channel_user_data(event->u.channel))->closed = true;
        break;
    case LN_EVENT_MESSAGE:
        call_on_message(party, event);
        break;
    default:
        call_media_event(party, event);
        break;
    }
}

static bool flows_open(const struct party *party)
{
    for (size_t i = 0; i < party->flow_count; i++)
        if (!party->flows[i].open)
            return false;
    return party->flow_count > 0;
}

static void take_events(struct call *call)
{
    struct ln_event event;

    for (int i = 0; i < 2; i++) {
        struct party *party = &call->parties[i];

        if (call->net.hosts[i].stopped)
            continue;
        while (ln_peer_connection_poll_event(party->pc, &event) == 1)
            on_event(party, &event);
        CHECK(ln_peer_connection_poll_event(party->pc, &event) == 0);
        call_media_poll(party);
        if (party->opened == LN_TIME_NEVER && flows_open(party))
            party->opened = call->net.now;
    }
}

/* --- what happens when */

static void tell_datagram(const struct call *call, int host, const char *what, const uint8_t *data,
                          size_t len)
{
    static const char *const kinds[] = { "stun", "dtls", "channel data", "rtp", "rtcp", "unknown" };

    fprintf(stderr, "%8.3f  %d    %s %s, %zu bytes: %02x %02x .. %02x\n",
            (double)call->net.now / 1e9 - 1, host, what, kinds[ln_packet_classify(data, len)], len,
            data[0], data[1], data[len > 13 ? 13 : len - 1]);
}

static void tell_arrival(void *context, int host, const uint8_t *data, size_t len)
{
    tell_datagram(context, host, "gets", data, len);
}

static bool drops(void *context, int host, const uint8_t *data, size_t len)
{
    struct call *call = context;
    uint64_t n, at = call->drop_at;

    if (sim_verbose)
        tell_datagram(call, host, "sends", data, len);
    if (host > 1)
        return false;
    n = ++call->datagrams[host];
    switch (call->scenario->drop) {
    case DROP_NTH:
        return host == (int)(call->seed & 1) && n == at;
    case DROP_RUN:
        return host == (int)(call->seed & 1) && n >= at && n < at + 3;
    case DROP_BOTH:
        return n == at;
    default:
        return false;
    }
}

static void move(struct call *call, int host)
{
    char ip[LN_ADDRESS_TEXT_MAX];
    struct ln_address old = call->net.hosts[host].interfaces[0].address;

    ln_address_format_ip(&old, ip);
    net_remove_interface(&call->net, host, ip);
    net_add_interface(&call->net, host, host == 0 ? "10.0.9.1" : "10.0.9.2");
}

static void perform(struct call *call, const struct act *act)
{
    struct net_host *hosts = call->net.hosts;

    switch (act->kind) {
    case ACT_LINES:
        hosts[1 - act->host].up = act->line;
        hosts[act->host].up = act->line;
        break;
    case ACT_LINE:
        hosts[act->host].up = act->line;
        break;
    case ACT_DOWN:
    case ACT_UP:
        hosts[act->host].up.down = hosts[act->host].down.down = act->kind == ACT_DOWN;
        break;
    case ACT_RESTART:
        ln_peer_connection_restart_ice(call->parties[act->host].pc);
        break;
    case ACT_SILENCE:
    case ACT_WAKE:
        hosts[act->host].stopped = act->kind == ACT_SILENCE;
        break;
    case ACT_MOVE:
        move(call, act->host);
        break;
    case ACT_REBIND:
        net_rebind_nat(&call->net, act->host);
        break;
    case ACT_RESET:
        net_reset_streams(&call->net, act->host);
        break;
    case ACT_MARK:
        call->mark = call->net.now;
        call->figures_at_mark = hosts[0].up_figures;
        hosts[0].up_figures.longest_queue = 0;
        break;
    case ACT_CLOSE:
        ln_peer_connection_close(call->parties[act->host].pc);
        break;
    case ACT_NONE:
        break;
    }
}

static const struct act *next_act(const struct call *call)
{
    const struct act *act = &call->scenario->acts[call->next_act];

    return call->opened != LN_TIME_NEVER && call->next_act < SCENARIO_ACTS && act->kind ? act
                                                                                        : NULL;
}

/* Everything the applications do at this moment. */
static void act_now(struct call *call)
{
    const struct act *act;

    call_take_notes(call);
    while ((act = next_act(call)) != NULL && call->opened + act->at <= call->net.now) {
        call->next_act++;
        perform(call, act);
    }
    call_send_messages(call);
    for (int i = 0; i < 2; i++)
        if (!call->net.hosts[i].stopped)
            call_media_send(&call->parties[i]);
}

static void turn(void *context)
{
    take_events(context);
    act_now(context);
}

static ln_time next_action(void *context)
{
    struct call *call = context;
    const struct note *n = call_first_note(call);
    const struct act *act = next_act(call);
    ln_time next = n ? n->at : LN_TIME_NEVER;

    if (act)
        next = ln_time_min(next, call->opened + act->at);
    if (call->opened != LN_TIME_NEVER && !call->all_sent)
        next = ln_time_min(next, call->next_message);
    for (int i = 0; i < 2; i++)
        next = ln_time_min(next, call_media_next(&call->parties[i]));
    return ln_time_max(next, call->net.now);
}

static bool (*awaited)(struct call *call);

static bool stop(void *context)
{
    return awaited && awaited(context);
}

bool call_run(struct call *call, ln_duration limit, bool (*done)(struct call *call))
{
    awaited = done;
    return net_run(&call->net, call->net.now + limit, stop);
}

bool call_open(struct call *call)
{
    return call->parties[0].opened != LN_TIME_NEVER && call->parties[1].opened != LN_TIME_NEVER &&
           call->parties[0].flow_count == call->parties[1].flow_count;
}

bool call_failed(struct call *call)
{
    return call->parties[0].failed != LN_TIME_NEVER && call->parties[1].failed != LN_TIME_NEVER;
}

/* --- the whole */

/* Kinds for which a path exists: not both dependent on the remote in a way that the other's filter
 * refuses. A symmetric NAT reaches one that filters at most by address. */
static bool is_reachable(const struct net_nat nats[2])
{
    for (int i = 0; i < 2; i++) {
        const struct net_nat *a = &nats[i], *b = &nats[1 - i];

        if (a->mapping == NET_INDEPENDENT)
            continue;
        /* a's port towards b is another one than STUN showed: b must let it in. */
        if (b->mapping != NET_INDEPENDENT || b->filtering == NET_ADDRESS_AND_PORT)
            return false;
    }
    return true;
}

static struct net_nat any_nat(struct call *call)
{
    return (struct net_nat){ .mapping = ln_rng_below(&call->net.chance, 3),
                             .filtering = ln_rng_below(&call->net.chance, 3),
                             .lifetime = call->scenario->nat_lifetime };
}

static void put_one_behind_a_nat(struct call *call, int host)
{
    struct net_nat any = any_nat(call), open = { .mapping = NET_INDEPENDENT };

    net_set_nat(&call->net, host, &any, "198.51.100.1");
    net_set_nat(&call->net, 1 - host, &open, "203.0.113.1");
}

static void put_client_behind_a_nat(struct call *call)
{
    struct net_nat any = any_nat(call);

    net_set_nat(&call->net, 0, &any, "198.51.100.1");
}

static void put_pair_behind_nats(struct call *call)
{
    static const char *const outside[] = { "198.51.100.1", "198.51.100.2" };

    call->kinds[0] = (enum net_kind)(call->seed / NET_KINDS % NET_KINDS);
    call->kinds[1] = (enum net_kind)(call->seed % NET_KINDS);
    for (int i = 0; i < 2; i++)
        net_set_nat(&call->net, i, &net_kinds[call->kinds[i]], outside[i]);
}

static void put_behind_nats_of_tcp(struct call *call)
{
    enum net_kind first = call->scenario->nat == NAT_TCP_443 ? net_only_443 : net_udp_blocked;

    net_set_nat(&call->net, 0, &net_kinds[first], "198.51.100.1");
    net_set_nat(&call->net, 1, &net_kinds[net_udp_blocked], "198.51.100.2");
}

static void put_behind_nats(struct call *call)
{
    struct net_nat nats[2];
    bool filtered = call->scenario->nat == NAT_FILTERED;
    bool wanted = call->scenario->nat == NAT_REACHABLE || filtered;
    bool firewalls = call->scenario->nat == NAT_FIREWALLS || call->scenario->nat == NAT_NO_UDP;

    do {
        for (int i = 0; i < 2; i++) {
            nats[i] = any_nat(call);
            if (filtered) {
                nats[i].mapping = NET_INDEPENDENT;
                nats[i].filtering = NET_ADDRESS_AND_PORT;
            }
            if (call->scenario->nat == NAT_UNREACHABLE)
                nats[i].filtering = NET_ADDRESS_AND_PORT;
            if (firewalls) {
                nats[i].firewall_only = true;
                nats[i].mapping = NET_INDEPENDENT;
                nats[i].udp_blocked = call->scenario->nat == NAT_NO_UDP;
            }
        }
    } while (!firewalls && is_reachable(nats) != wanted);
    net_set_nat(&call->net, 0, &nats[0], "198.51.100.1");
    net_set_nat(&call->net, 1, &nats[1], "198.51.100.2");
}

/* Each of its troubles between none and the whole. */
static void vary(struct call *call, struct net_line *line)
{
    struct ln_rng *chance = &call->net.chance;

    line->delay = (ln_duration)((double)line->delay * ln_rng_unit(chance));
    line->jitter = (ln_duration)((double)line->jitter * ln_rng_unit(chance));
    line->loss *= ln_rng_unit(chance);
    line->burst_loss *= ln_rng_unit(chance);
    line->reorder *= ln_rng_unit(chance);
    line->duplicate *= ln_rng_unit(chance);
}

static void lay_lines(struct call *call)
{
    static const struct net_line perfect;
    const struct scenario *s = call->scenario;

    for (int i = 0; i < 2; i++) {
        struct net_line up = i == 0 && s->line0.delay ? s->line0 : s->line, down = perfect;

        if (s->vary)
            vary(call, &up);
        down.duplicate = up.duplicate; /* duplicates are made where the packet comes down */
        net_set_line(&call->net, i, &up, &down);
        call->net.hosts[i].lateness = s->lateness;
    }
    if (s->nat != NAT_NONE) {
        if (s->nat == NAT_PAIRS)
            put_pair_behind_nats(call);
        else if (s->nat == NAT_TCP || s->nat == NAT_TCP_443)
            put_behind_nats_of_tcp(call);
        else if (s->nat == NAT_CLIENT)
            put_client_behind_a_nat(call);
        else if (s->nat == NAT_FIRST || s->nat == NAT_SECOND)
            put_one_behind_a_nat(call, s->nat == NAT_SECOND);
        else
            put_behind_nats(call);
        if (s->server)
            call->server = s->server->create(&call->net, STUN_SERVER);
        else
            call->stun = stun_host_create(&call->net, test_env(), STUN_SERVER);
    }
}

static int create_parties(struct call *call)
{
    static const char *const urls[] = { "stun:" STUN_SERVER ":3478" };
    struct ln_ice_server servers[2] = { { .urls = urls, .url_count = 1 } };
    struct ln_configuration configuration;
    int error = 0;

    ln_configuration_init(&configuration);
    configuration.network.ice_tcp = call->scenario->ice_tcp;
    if (call->scenario->nat != NAT_NONE) {
        configuration.ice_servers = servers;
        configuration.ice_server_count = 1;
        if (call->scenario->server)
            servers[configuration.ice_server_count++] = call->scenario->server->ice;
    }
    for (int i = 0; i < 2 && !error; i++) {
        struct party *party = &call->parties[i];

        party->call = call;
        party->index = i;
        party->opened = party->connected = party->disconnected = party->failed = LN_TIME_NEVER;
        if (call->scenario->server_of_first && i == 1)
            configuration.ice_server_count = 1;
        configuration.ice_lite = call->scenario->lite >> i & 1;
        party->negotiates = i == 0 || call->scenario->glare;
        error = ln_peer_connection_create(&configuration, test_env(), &party->pc);
        if (!error)
            net_add_host(&call->net, ln_peer_connection_endpoint(party->pc),
                         i == 0 ? "10.0.0.1" : "10.0.0.2");
    }
    return error;
}

int call_init(struct call *call, const struct scenario *scenario, uint64_t seed, bool lenient)
{
    struct ln_env *env = test_env();
    int error;

    memset(call, 0, sizeof *call);
    call->scenario = scenario;
    call->seed = seed;
    call->lenient = lenient;
    ln_rng_seed(env->rng, seed);
    virtual_random_seed(seed);
    net_init(&call->net, env, seed);
    call->net.turn = turn;
    call->net.next_action = next_action;
    call->net.context = call;
    call->net.set_clock = virtual_clock_set;
    call->net.drop = drops;
    call->net.tell = sim_verbose ? tell_arrival : NULL;
    call->net.lenient = lenient;
    call->drop_at = 1 + seed / 2;
    call->began = call->net.now;
    call->opened = call->mark = call->ended = LN_TIME_NEVER;
    virtual_clock_set(call->net.now);
    error = ln_crypto_create(&env->crypto, env->allocator);
    if (!error)
        error = create_parties(call);
    CHECK(lenient || error == 0);
    if (error)
        return error;
    lay_lines(call);
    for (int i = 0; i < 2; i++) {
        struct party *party = &call->parties[i];

        call_media_init(party);
        if (i == 0 || scenario->glare)
            call_create_channels(party,
                                 scenario->channels ? scenario->channels : 1u << CHANNEL_ORDERED);
    }
    return 0;
}

void call_free(struct call *call)
{
    struct ln_env *env = test_env();

    for (int i = 0; i < 2; i++) {
        ln_peer_connection_free(call->parties[i].pc);
        call_media_deinit(&call->parties[i]);
    }
    stun_host_free(call->stun);
    if (call->server)
        call->scenario->server->free(call->server);
    for (size_t i = 0; i < call->note_count; i++)
        free(call->notes[i].text);
    net_deinit(&call->net);
    ln_crypto_free(env->crypto);
    env->crypto = NULL;
}

static bool never(struct call *call)
{
    (void)call;
    return false;
}

static bool both_connected(struct call *call)
{
    return call->parties[0].state == LN_PEER_CONNECTION_STATE_CONNECTED &&
           call->parties[1].state == LN_PEER_CONNECTION_STATE_CONNECTED;
}

void call_converse(struct call *call)
{
    const struct scenario *s = call->scenario;

    call->opened = call->net.now;
    call->next_message = call->opened;
    if (s->length > 0)
        call_run(call, s->length, never);
    if (!s->may_lose_messages && s->messages > 0)
        CHECK(call_run(call, LN_SECONDS(120), call_delivered));
    call->ended = call->net.now;
    /* Where packets are lost, the signs of life that are missing at the very end come later. */
    if (!s->may_disconnect)
        CHECK(call_run(call, LN_SECONDS(20), both_connected));
}

void call_check(struct call *call)
{
    const struct scenario *s = call->scenario;

    for (int p = 0; p < 2; p++) {
        const struct party *party = &call->parties[p];

        for (size_t i = 0; i < party->flow_count; i++) {
            const struct flow *flow = &party->flows[i];

            if (!call_is_reliable(flow) || s->may_lose_messages)
                continue;
            CHECK_EQUAL(flow->sent, s->messages);
            CHECK_EQUAL(flow->received, s->messages);
        }
    }
    if (s->holds)
        s->holds(call);
}
