/* SPDX-License-Identifier: Apache-2.0
 * The bases of local TCP candidates (RFC 6544, 4.1, 4.2 and 5.1): listening sockets, ports,
 * priorities. Derived anew at each run from the addresses that are known, as in gather.c. */
#include "ice/agent.h"

#include "base/address.h"
#include "base/alloc.h"
#include "base/rng.h"
#include "base/time.h"

int ln_ice_tcp_create(struct ln_ice *ice)
{
    ice->tcp = ln_alloc_zero(ice->env->allocator, sizeof *ice->tcp);
    return ice->tcp ? 0 : LN_ERR_NOMEM;
}

void ln_ice_tcp_free(struct ln_ice *ice)
{
    for (size_t i = 0; ice->tcp && i < LN_ICE_TCP_STREAMS_MAX; i++)
        if (ice->tcp->streams[i].state != LN_ICE_TCP_STREAM_FREE)
            ln_ice_tcp_frames_deinit(&ice->tcp->streams[i].frames);
    /* Streams through relays ended with these. */
    if (ice->tcp)
        ln_ice_tcp_free_asks(ice);
    ln_free(ice->env->allocator, ice->tcp);
    ice->tcp = NULL;
}

static bool has_socket(const struct ln_ice_tcp_base *base)
{
    return base->tcp_type != LN_CANDIDATE_TCP_ACTIVE;
}

/* --- making and ending --------------------------------------------------------------------- */

/* RFC 6544, 4.2: the direction (host candidates: active before passive before so), then the
 * address, in the 13 bits that are left: what is known of it is kept, scaled. */
static uint16_t preference_of(enum ln_candidate_tcp_type type, uint16_t of_link)
{
    static const uint8_t direction[] = {
        [LN_CANDIDATE_TCP_ACTIVE] = 6, [LN_CANDIDATE_TCP_PASSIVE] = 4, [LN_CANDIDATE_TCP_SO] = 2
    };
    unsigned top = of_link > 32767 ? 65535 : of_link > 16383 ? 32767 : 16383;

    return (uint16_t)((unsigned)direction[type] * 8192u + top / 8u - (top - of_link));
}

/* That of a relay of UDP begins at 16384, so the direction is 1 or 0. */
uint16_t ln_ice_tcp_relayed_preference(enum ln_candidate_tcp_type type, uint16_t of_relay)
{
    return (uint16_t)((type == LN_CANDIDATE_TCP_ACTIVE ? 8192u : 0u) + of_relay % 8192u);
}

uint16_t ln_ice_tcp_reflexive_preference(enum ln_candidate_tcp_type type, uint16_t of_host)
{
    static const uint8_t direction[] = {
        [LN_CANDIDATE_TCP_ACTIVE] = 4, [LN_CANDIDATE_TCP_PASSIVE] = 2, [LN_CANDIDATE_TCP_SO] = 6
    };

    return (uint16_t)((unsigned)direction[type] * 8192u + of_host % 8192u);
}

static struct ln_ice_tcp_base *base_for(struct ln_ice *ice, const struct ln_address *address,
                                        enum ln_candidate_tcp_type type)
{
    for (size_t i = 0; i < LN_ICE_TCP_BASES_MAX; i++) {
        struct ln_ice_tcp_base *base = &ice->tcp->bases[i];

        if (base->state != LN_ICE_TCP_BASE_FREE && base->generation == ice->current &&
            !base->relay && base->tcp_type == type && ln_address_equal_ip(&base->address, address))
            return base;
    }
    return NULL;
}

struct ln_ice_tcp_base *ln_ice_tcp_new_base(struct ln_ice *ice, enum ln_candidate_tcp_type type)
{
    struct ln_ice_tcp_base *base = NULL;

    for (size_t i = 0; !base && i < LN_ICE_TCP_BASES_MAX; i++)
        if (ice->tcp->bases[i].state == LN_ICE_TCP_BASE_FREE)
            base = &ice->tcp->bases[i];
    if (!base)
        return NULL;
    *base = (struct ln_ice_tcp_base){ .state = LN_ICE_TCP_BASE_WANTED,
                                      .tcp_type = (uint8_t)type,
                                      .generation = ice->current,
                                      .link = LN_ICE_TCP_LINK + ice->tcp->last_link };
    ice->tcp->last_link = (ice->tcp->last_link + 1) & ~LN_ICE_TCP_LINK;
    return base;
}

static void add_base(struct ln_ice *ice, const struct ln_ice_known_address *known, uint16_t of_link,
                     enum ln_candidate_tcp_type type)
{
    struct ln_ice_tcp_base *base = ln_ice_tcp_new_base(ice, type);

    if (!base)
        return;
    base->interface = known->interface;
    base->preference = preference_of(type, of_link);
    base->address = known->address;
    if (ln_ice_port_count(ice) > 0)
        base->first_port = (uint16_t)ln_rng_below(ice->env->rng, (uint32_t)ln_ice_port_count(ice));
    if (!has_socket(base)) {
        base->address.port = LN_ICE_TCP_ACTIVE_PORT;
        base->state = LN_ICE_TCP_BASE_OPEN;
    }
}

static void end_base(struct ln_ice *ice, struct ln_ice_tcp_base *base, enum ln_ice_failure failure)
{
    ln_ice_tcp_end_streams(ice, base, failure);
    ln_ice_tcp_end_asks(ice, base);
    if (base->state == LN_ICE_TCP_BASE_ASKED)
        ln_ice_tcp_close_link(ice, 0, base->request);
    else if (base->listener)
        ln_ice_tcp_close_link(ice, base->listener, base->request);
    base->state = LN_ICE_TCP_BASE_FREE;
}

void ln_ice_tcp_release(struct ln_ice *ice, const struct ln_ice_generation *g)
{
    for (size_t i = 0; ice->tcp && i < LN_ICE_TCP_BASES_MAX; i++)
        if (ice->tcp->bases[i].state != LN_ICE_TCP_BASE_FREE &&
            (!g || ice->tcp->bases[i].generation == g))
            end_base(ice, &ice->tcp->bases[i], LN_ICE_FAILURE_LINK_CLOSED);
}

void ln_ice_tcp_end_relayed(struct ln_ice *ice, const struct ln_ice_relay *relay,
                            enum ln_ice_failure failure)
{
    for (size_t i = 0; ice->tcp && i < LN_ICE_TCP_BASES_MAX; i++)
        if (ice->tcp->bases[i].state != LN_ICE_TCP_BASE_FREE && ice->tcp->bases[i].relay == relay)
            end_base(ice, &ice->tcp->bases[i], failure);
}

/* --- candidates ---------------------------------------------------------------------------- */

static void add_candidate(struct ln_ice *ice, const struct ln_ice_tcp_base *base)
{
    ln_ice_add_host(ice, &(struct ln_ice_local){ .address = base->address,
                                                 .base = base->address,
                                                 .link = base->link,
                                                 .interface = base->interface,
                                                 .preference = base->preference,
                                                 .tcp_type = base->tcp_type });
}

void ln_ice_tcp_gather(struct ln_ice *ice)
{
    struct ln_ice_tcp *tcp = ice->tcp;

    for (size_t i = 0; tcp && i < ice->known_count && i < LN_ICE_TCP_ADDRESSES_MAX; i++)
        for (unsigned type = LN_CANDIDATE_TCP_ACTIVE; type <= LN_CANDIDATE_TCP_SO; type++)
            if ((type == LN_CANDIDATE_TCP_PASSIVE || !ice->config.lite) &&
                !base_for(ice, &ice->known[i].address, type))
                add_base(ice, &ice->known[i], ln_ice_address_preference(&ice->known[i], i), type);
    for (size_t i = 0; tcp && i < LN_ICE_TCP_BASES_MAX; i++)
        if (tcp->bases[i].state == LN_ICE_TCP_BASE_OPEN &&
            tcp->bases[i].generation == ice->current && !tcp->bases[i].relay &&
            !ln_ice_find_host(ice->current, tcp->bases[i].link))
            add_candidate(ice, &tcp->bases[i]);
}

bool ln_ice_tcp_gathered(const struct ln_ice *ice)
{
    for (size_t i = 0; ice->tcp && i < LN_ICE_TCP_BASES_MAX; i++)
        if (ice->tcp->bases[i].generation == ice->current &&
            (ice->tcp->bases[i].state == LN_ICE_TCP_BASE_WANTED ||
             ice->tcp->bases[i].state == LN_ICE_TCP_BASE_ASKED))
            return false;
    return true;
}

const struct ln_ice_tcp_base *ln_ice_tcp_base_of(const struct ln_ice *ice, ln_link link)
{
    for (size_t i = 0; ice->tcp && i < LN_ICE_TCP_BASES_MAX; i++)
        if (ice->tcp->bases[i].state == LN_ICE_TCP_BASE_OPEN && ice->tcp->bases[i].link == link)
            return &ice->tcp->bases[i];
    return NULL;
}

bool ln_ice_tcp_owns(const struct ln_ice *ice, ln_link link)
{
    return ln_ice_tcp_base_of(ice, link) != NULL;
}

/* --- the driver ---------------------------------------------------------------------------- */

void ln_ice_tcp_close_link(struct ln_ice *ice, ln_link link, uint32_t request)
{
    struct ln_ice_tcp *tcp = ice->tcp;

    if (tcp->closing_count == LN_ICE_TCP_CLOSING_MAX) {
        ln_ice_drop(ice, LN_ICE_DROP_LIMIT, 0); /* a driver that never asks */
        return;
    }
    tcp->closing[tcp->closing_count++] = (struct ln_ice_tcp_closing){ link, request };
}

void ln_ice_tcp_close_way(struct ln_ice *ice, struct ln_ice_way *way)
{
    if (way->stream == LN_ICE_STREAM_OPEN)
        ln_ice_tcp_close_link(ice, way->link, 0);
    else if (way->stream == LN_ICE_STREAM_ASKED)
        ln_ice_tcp_close_link(ice, 0, way->request);
    way->stream = LN_ICE_STREAM_NONE;
    way->link = 0;
}

static int poll_base(struct ln_ice *ice, struct ln_ice_tcp_base *base,
                     struct ln_request *ret_request)
{
    if (base->state != LN_ICE_TCP_BASE_WANTED)
        return 0;
    base->state = LN_ICE_TCP_BASE_ASKED;
    base->request = ln_ice_new_request(ice);
    *ret_request = (struct ln_request){ .kind = LN_REQUEST_LISTEN_TCP,
                                        .id = base->request,
                                        .local = base->address,
                                        .name = base->generation->ufrag,
                                        .exclusive = true };
    if (ln_ice_port_count(ice) > 0)
        ret_request->local.port = (uint16_t)(ice->config.port_min +
                                             (base->first_port + base->tries) %
                                                 ln_ice_port_count(ice));
    return 1;
}

int ln_ice_tcp_poll_request(struct ln_ice *ice, struct ln_request *ret_request)
{
    struct ln_ice_tcp *tcp = ice->tcp;

    if (tcp && tcp->closing_count > 0) {
        struct ln_ice_tcp_closing *last = &tcp->closing[--tcp->closing_count];

        *ret_request = (struct ln_request){ .kind = LN_REQUEST_CLOSE,
                                            .link = last->link,
                                            .id = last->request };
        return 1;
    }
    for (size_t i = 0; tcp && i < LN_ICE_TCP_BASES_MAX; i++)
        if (poll_base(ice, &tcp->bases[i], ret_request))
            return 1;
    if (tcp && ln_ice_tcp_asks_poll_request(ice, ret_request))
        return 1;
    return tcp ? ln_ice_tcp_stream_poll_request(ice, ret_request) : 0;
}

static void listen_failed(struct ln_ice *ice, struct ln_ice_tcp_base *base)
{
    base->tries++;
    base->state = base->tries < ln_ice_port_count(ice) && base->tries < LN_ICE_PORT_TRIES_MAX
                      ? LN_ICE_TCP_BASE_WANTED
                      : LN_ICE_TCP_BASE_FAILED;
}

static bool base_answer(struct ln_ice *ice, struct ln_ice_tcp_base *base, ln_time now,
                        const struct ln_answer *answer)
{
    bool asked = base->state == LN_ICE_TCP_BASE_ASKED && base->request == answer->id;
    bool open = base->state == LN_ICE_TCP_BASE_OPEN && base->listener != 0;

    if (answer->kind == LN_ANSWER_FAILED && asked) {
        listen_failed(ice, base);
    } else if (answer->kind == LN_ANSWER_OPENED && asked) {
        base->state = LN_ICE_TCP_BASE_OPEN;
        base->listener = answer->link;
        base->address = answer->local;
    } else if (answer->kind == LN_ANSWER_OPENED && open && base->request == answer->id) {
        ln_ice_tcp_accept(ice, base, now, answer);
    } else if (answer->kind == LN_ANSWER_CLOSED && open && base->listener == answer->link) {
        base->listener = 0;
        end_base(ice, base, LN_ICE_FAILURE_LINK_CLOSED);
        base->state = LN_ICE_TCP_BASE_FAILED;
    } else {
        return false;
    }
    return true;
}

/* It was opened, or accepted, before the driver heard that it is not wanted any more. */
static bool closing_answer(struct ln_ice *ice, const struct ln_answer *answer)
{
    struct ln_ice_tcp *tcp = ice->tcp;

    if (answer->kind != LN_ANSWER_OPENED && answer->kind != LN_ANSWER_FAILED)
        return false;
    for (size_t i = 0; i < tcp->closing_count; i++) {
        if (tcp->closing[i].request == 0 || tcp->closing[i].request != answer->id)
            continue;
        if (tcp->closing[i].link != 0)
            ln_ice_tcp_close_link(ice, answer->link, 0);
        else if (answer->kind == LN_ANSWER_OPENED)
            tcp->closing[i] = (struct ln_ice_tcp_closing){ answer->link, 0 };
        else
            tcp->closing[i] = tcp->closing[--tcp->closing_count];
        return true;
    }
    return false;
}

bool ln_ice_tcp_answer(struct ln_ice *ice, ln_time now, const struct ln_answer *answer)
{
    for (size_t i = 0; ice->tcp && i < LN_ICE_TCP_BASES_MAX; i++)
        if (base_answer(ice, &ice->tcp->bases[i], now, answer))
            return true;
    return ice->tcp && (ln_ice_tcp_stream_answer(ice, now, answer) ||
                        ln_ice_tcp_asks_answer(ice, now, answer) || closing_answer(ice, answer));
}

/* --- time ---------------------------------------------------------------------------------- */

void ln_ice_tcp_run(struct ln_ice *ice, ln_time now)
{
    for (size_t i = 0; ice->tcp && i < LN_ICE_TCP_BASES_MAX; i++)
        if (ice->tcp->bases[i].state != LN_ICE_TCP_BASE_FREE && !ice->tcp->bases[i].relay &&
            !ln_ice_knows(ice, &ice->tcp->bases[i].address))
            end_base(ice, &ice->tcp->bases[i], LN_ICE_FAILURE_ADDRESS_GONE);
    if (ice->tcp) {
        ln_ice_tcp_streams_run(ice, now);
        ln_ice_tcp_asks_run(ice, now);
    }
}

ln_time ln_ice_tcp_next_timeout(const struct ln_ice *ice)
{
    return ice->tcp ? ln_time_min(ln_ice_tcp_streams_next_timeout(ice),
                                  ln_ice_tcp_asks_next_timeout(ice))
                    : LN_TIME_NEVER;
}
