/* SPDX-License-Identifier: Apache-2.0
 * The order of the questions of discovery.h, and what their answers mean.
 *
 * Each question is a probe kept in a named place; advance() looks after every input which of them
 * can now be asked. The result is computed from the probes, never stored. */
#include "stun/discovery.h"

#include "base/address.h"
#include "base/alloc.h"
#include "base/time.h"
#include "stun/prober.h"

#include <linnet/error.h>

#include <string.h>

enum socket_name {
    SOCKET_MAPPING,
    SOCKET_BOTH,   /* asks for an answer from another address and port */
    SOCKET_PORT,   /* from another port */
    SOCKET_TARGET, /* hairpin: is sent to */
    SOCKET_SENDER, /* and sends */
    SOCKET_SIZES,
    SOCKET_ALARM, /* lifetime: asks for answers to the mappings of those that wait */
    SOCKET_WAITS,
};

/* Lifetimes that people meet: RFC 4787, REQ-5 wants two minutes at least. */
static const ln_duration waits[] = { LN_SECONDS(15), LN_SECONDS(30), LN_SECONDS(60),
                                     LN_SECONDS(120), LN_SECONDS(240) };
#define WAITS (sizeof waits / sizeof *waits)

/* Of whole packets: Ethernet, PPPoE, tunnels, IPv6's minimum, what we send (1200), IPv4's. */
static const uint16_t sizes[] = { 1500, 1492, 1472, 1452, 1428, 1400, 1380,
                                  1360, 1320, 1280, 1228, 1000, 576 };
#define SIZES (sizeof sizes / sizeof *sizes)

struct ln_stun_discovery {
    const struct ln_env *env;
    struct ln_stun_discovery_config config; /* servers: below */
    struct ln_address servers[LN_STUN_DISCOVERY_SERVERS_MAX];
    struct ln_stun_prober prober;
    bool begun;
    const struct ln_stun_probe *basic[LN_STUN_DISCOVERY_SERVERS_MAX];
    const struct ln_stun_probe *primary; /* the answered one that everything else is asked of */
    const struct ln_stun_probe *other_address, *other_both; /* mapping */
    const struct ln_stun_probe *from_both, *from_port;      /* filtering */
    const struct ln_stun_probe *target, *hairpin;
    const struct ln_stun_probe *sized[SIZES];
    const struct ln_stun_probe *waiting[WAITS], *alarm[WAITS];
    size_t wait_count; /* of waits that are asked for */
    ln_time wait_from;
};

static const char *const names[] = {
    "unknown",
    "none",
    "endpoint-independent",
    "address-dependent",
    "address- and port-dependent",
    "address-dependent or more",
};

const char *ln_nat_behavior_name(enum ln_nat_behavior behavior)
{
    return names[behavior];
}

int ln_stun_discovery_create(struct ln_stun_discovery **ret_discovery,
                             const struct ln_stun_discovery_config *config,
                             const struct ln_env *env)
{
    struct ln_stun_discovery *d;

    if (config->server_count == 0 || config->server_count > LN_STUN_DISCOVERY_SERVERS_MAX)
        return LN_ERR_INVALID_ARGUMENT;
    for (size_t i = 0; i < config->server_count; i++)
        if (config->servers[i].family != config->local.family || config->servers[i].port == 0)
            return LN_ERR_INVALID_ARGUMENT;
    d = ln_alloc_zero(env->allocator, sizeof *d);
    if (!d)
        return LN_ERR_NOMEM;
    d->env = env;
    d->config = *config;
    memcpy(d->servers, config->servers, config->server_count * sizeof *config->servers);
    d->config.servers = d->servers;
    ln_stun_prober_init(&d->prober, env, &config->local);
    d->prober.sockets[SOCKET_SIZES].dont_fragment = true;
    while (d->wait_count < WAITS && waits[d->wait_count] <= config->lifetime)
        d->wait_count++;
    *ret_discovery = d;
    return 0;
}

void ln_stun_discovery_free(struct ln_stun_discovery *d)
{
    if (d)
        ln_free(d->env->allocator, d);
}

/* --- questions ----------------------------------------------------------------------------- */

static const struct ln_stun_probe *ask(struct ln_stun_discovery *d, ln_time now,
                                       struct ln_stun_probe probe)
{
    /* An answer that is likely to come is asked for four times, 4.5 s in all. */
    if (probe.timing.rc == 0)
        probe.timing = (struct ln_stun_timing){ LN_STUN_RTO, 4, 2, 0 };
    return ln_stun_prober_ask(&d->prober, now, &probe);
}

static bool answered(const struct ln_stun_probe *probe)
{
    return probe && probe->state == LN_STUN_PROBE_ANSWERED && probe->mapped.family != 0;
}

/* An answer that is missing is what is to be found out: three times, 2.5 s in all. */
static const struct ln_stun_timing doubtful = { LN_STUN_RTO, 3, 2, 0 };

static void ask_servers(struct ln_stun_discovery *d, ln_time now)
{
    for (size_t i = 0; i < d->config.server_count; i++)
        d->basic[i] = ask(d, now,
                          (struct ln_stun_probe){ .socket = SOCKET_MAPPING, .to = d->servers[i] });
}

static bool has_two_addresses(const struct ln_stun_probe *probe)
{
    return answered(probe) && probe->other.family == probe->to.family &&
           !ln_address_equal_ip(&probe->other, &probe->to) && probe->other.port != probe->to.port;
}

/* The first with two addresses at once; any other one only when all have had their time. */
static const struct ln_stun_probe *choose_primary(const struct ln_stun_discovery *d)
{
    const struct ln_stun_probe *any = NULL;
    bool all_over = true;

    for (size_t i = 0; i < d->config.server_count; i++) {
        if (has_two_addresses(d->basic[i]))
            return d->basic[i];
        if (answered(d->basic[i]) && !any)
            any = d->basic[i];
        all_over = all_over && d->basic[i] && ln_stun_probe_over(d->basic[i]);
    }
    return all_over ? any : NULL;
}

static void ask_behavior(struct ln_stun_discovery *d, ln_time now)
{
    const struct ln_stun_probe *primary = d->primary;
    struct ln_address same_port = primary->other;

    same_port.port = primary->to.port;
    d->other_address = ask(d, now,
                           (struct ln_stun_probe){ .socket = SOCKET_MAPPING, .to = same_port });
    d->other_both = ask(d, now,
                        (struct ln_stun_probe){ .socket = SOCKET_MAPPING, .to = primary->other });
    d->from_both = ask(d, now,
                       (struct ln_stun_probe){ .socket = SOCKET_BOTH,
                                               .to = primary->to,
                                               .change_ip = true,
                                               .change_port = true,
                                               .timing = doubtful });
    d->from_port = ask(
        d, now,
        (struct ln_stun_probe){
            .socket = SOCKET_PORT, .to = primary->to, .change_port = true, .timing = doubtful });
}

static void ask_sizes(struct ln_stun_discovery *d, ln_time now)
{
    uint16_t headers = d->config.local.family == LN_FAMILY_IPV4 ? 28 : 48;

    for (size_t i = 0; i < SIZES; i++)
        d->sized[i] = ask(d, now,
                          (struct ln_stun_probe){ .socket = SOCKET_SIZES,
                                                  .to = d->primary->to,
                                                  .bytes = (uint16_t)((sizes[i] - headers) & ~3),
                                                  .timing = doubtful });
}

static void ask_lifetimes(struct ln_stun_discovery *d, ln_time now)
{
    d->wait_from = now;
    for (size_t i = 0; i < d->wait_count; i++)
        d->waiting[i] = ask(
            d, now,
            (struct ln_stun_probe){ .socket = (uint8_t)(SOCKET_WAITS + i), .to = d->primary->to });
}

static void ask_primary(struct ln_stun_discovery *d, ln_time now)
{
    if (has_two_addresses(d->primary))
        ask_behavior(d, now);
    else
        d->wait_count = 0; /* RESPONSE-PORT comes with OTHER-ADDRESS (RFC 5780, 7.5) */
    if (d->config.hairpin)
        d->target = ask(d, now,
                        (struct ln_stun_probe){ .socket = SOCKET_TARGET, .to = d->primary->to });
    if (d->config.mtu)
        ask_sizes(d, now);
    if (d->wait_count > 0)
        ask_lifetimes(d, now);
}

static ln_time alarm_at(const struct ln_stun_discovery *d, size_t i)
{
    return answered(d->waiting[i]) && !d->alarm[i] ? d->wait_from + waits[i] : LN_TIME_NEVER;
}

/* Asks whatever can be asked by now. */
static void advance(struct ln_stun_discovery *d, ln_time now)
{
    if (!d->begun)
        return;
    if (!d->primary && (d->primary = choose_primary(d)))
        ask_primary(d, now);
    if (answered(d->target) && !d->hairpin)
        d->hairpin = ask(d, now,
                         (struct ln_stun_probe){ .socket = SOCKET_SENDER,
                                                 .to = d->target->mapped,
                                                 .timing = doubtful });
    for (size_t i = 0; i < d->wait_count; i++)
        if (now >= alarm_at(d, i))
            d->alarm[i] = ask(d, now,
                              (struct ln_stun_probe){ .socket = SOCKET_ALARM,
                                                      .to = d->primary->to,
                                                      .response_port = d->waiting[i]->mapped.port,
                                                      .timing = doubtful });
}

/* --- endpoint ------------------------------------------------------------------------------ */

static void discovery_receive(void *object, ln_time now, struct ln_packet *packet)
{
    struct ln_stun_discovery *d = object;

    ln_stun_prober_receive(&d->prober, now, packet);
    advance(d, now);
}

static void discovery_on_timeout(void *object, ln_time now)
{
    struct ln_stun_discovery *d = object;

    if (!d->begun) {
        d->begun = true;
        ask_servers(d, now);
    }
    ln_stun_prober_on_timeout(&d->prober, now);
    advance(d, now);
}

static ln_time discovery_next_timeout(const void *object)
{
    const struct ln_stun_discovery *d = object;
    ln_time next = d->begun ? ln_stun_prober_next_timeout(&d->prober) : LN_TIME_IMMEDIATE;

    for (size_t i = 0; i < d->wait_count; i++)
        next = ln_time_min(next, alarm_at(d, i));
    return next;
}

static int discovery_poll_transmit(void *object, ln_time now, struct ln_transmit *out)
{
    struct ln_stun_discovery *d = object;

    return ln_stun_prober_poll_transmit(&d->prober, now, out);
}

static int discovery_poll_request(void *object, struct ln_request *ret_request)
{
    struct ln_stun_discovery *d = object;

    return ln_stun_prober_poll_request(&d->prober, ret_request);
}

static void discovery_answer(void *object, ln_time now, const struct ln_answer *answer)
{
    struct ln_stun_discovery *d = object;

    ln_stun_prober_answer(&d->prober, now, answer);
    advance(d, now);
}

struct ln_endpoint ln_stun_discovery_endpoint(struct ln_stun_discovery *discovery)
{
    static const struct ln_endpoint_ops ops = {
        discovery_receive,       discovery_on_timeout,   discovery_next_timeout,
        discovery_poll_transmit, discovery_poll_request, discovery_answer,
    };

    return (struct ln_endpoint){ &ops, discovery };
}

bool ln_stun_discovery_done(const struct ln_stun_discovery *d)
{
    if (!d->begun)
        return false;
    for (size_t i = 0; i < d->prober.probe_count; i++)
        if (!ln_stun_probe_over(&d->prober.probes[i]))
            return false;
    for (size_t i = 0; i < d->wait_count; i++)
        if (alarm_at(d, i) != LN_TIME_NEVER)
            return false;
    return true;
}

/* --- meaning ------------------------------------------------------------------------------- */

static bool is_own(const struct ln_stun_discovery *d, const struct ln_address *mapped)
{
    return ln_address_equal(&d->prober.sockets[SOCKET_MAPPING].local, mapped);
}

/* RFC 5780, 4.3. */
static enum ln_nat_behavior mapping_by_two_addresses(const struct ln_stun_discovery *d)
{
    if (!answered(d->other_address))
        return LN_NAT_UNKNOWN;
    if (ln_address_equal(&d->primary->mapped, &d->other_address->mapped))
        return LN_NAT_INDEPENDENT;
    if (!answered(d->other_both))
        return LN_NAT_DEPENDENT;
    return ln_address_equal(&d->other_address->mapped, &d->other_both->mapped)
               ? LN_NAT_ADDRESS_DEPENDENT
               : LN_NAT_ADDRESS_AND_PORT_DEPENDENT;
}

static enum ln_nat_behavior mapping_by_two_servers(const struct ln_stun_discovery *d)
{
    enum ln_nat_behavior behavior = LN_NAT_UNKNOWN;

    for (size_t i = 0; i < d->config.server_count; i++) {
        if (!answered(d->basic[i]) || ln_address_equal_ip(&d->basic[i]->to, &d->primary->to))
            continue;
        if (!ln_address_equal(&d->basic[i]->mapped, &d->primary->mapped))
            return LN_NAT_DEPENDENT;
        behavior = LN_NAT_INDEPENDENT;
    }
    return behavior;
}

static enum ln_nat_behavior mapping(const struct ln_stun_discovery *d)
{
    enum ln_nat_behavior behavior;

    if (!d->primary)
        return LN_NAT_UNKNOWN;
    if (is_own(d, &d->primary->mapped))
        return LN_NAT_NONE;
    behavior = mapping_by_two_addresses(d);
    return behavior != LN_NAT_UNKNOWN ? behavior : mapping_by_two_servers(d);
}

/* The server did as asked: a server that knows no CHANGE-REQUEST answers from where it was asked.
 */
static bool from_elsewhere(const struct ln_stun_probe *probe)
{
    return answered(probe) && !ln_address_equal(&probe->from, &probe->to);
}

static bool came_to_nothing(const struct ln_stun_probe *probe)
{
    return probe && probe->state == LN_STUN_PROBE_TIMED_OUT;
}

/* RFC 5780, 4.4. That the other address is alive at all is known from the mapping's probes. */
static enum ln_nat_behavior filtering(const struct ln_stun_discovery *d)
{
    if (from_elsewhere(d->from_both))
        return LN_NAT_INDEPENDENT;
    if (!came_to_nothing(d->from_both) || !answered(d->other_both))
        return LN_NAT_UNKNOWN;
    if (from_elsewhere(d->from_port))
        return LN_NAT_ADDRESS_DEPENDENT;
    return came_to_nothing(d->from_port) ? LN_NAT_ADDRESS_AND_PORT_DEPENDENT : LN_NAT_UNKNOWN;
}

static enum ln_nat_answer hairpin(const struct ln_stun_discovery *d)
{
    if (!d->hairpin || is_own(d, &d->primary->mapped))
        return LN_NAT_NOT_ASKED;
    if (d->prober.sockets[SOCKET_TARGET].asked_from_inside)
        return LN_NAT_YES;
    return ln_stun_probe_over(d->hairpin) ? LN_NAT_NO : LN_NAT_NOT_ASKED;
}

static void set_mtu(const struct ln_stun_discovery *d, struct ln_stun_discovery_result *r)
{
    for (size_t i = SIZES; i-- > 0;)
        if (answered(d->sized[i])) {
            r->mtu = sizes[i];
            r->mtu_asked = sizes[0];
        }
}

/* The answer to an alarm must reach the socket that waited. */
static void set_lifetime(const struct ln_stun_discovery *d, struct ln_stun_discovery_result *r)
{
    for (size_t i = 0; i < d->wait_count; i++) {
        const struct ln_stun_probe *alarm = d->alarm[i];

        if (answered(alarm) && alarm->answered_on == SOCKET_WAITS + i)
            r->lifetime_min = waits[i];
        else if (came_to_nothing(alarm) && r->lifetime_max == 0)
            r->lifetime_max = waits[i];
    }
    if (r->lifetime_max != 0 && r->lifetime_max < r->lifetime_min)
        r->lifetime_max = 0; /* an answer was lost: the later one shows more */
}

static void set_server(const struct ln_stun_discovery *d, size_t i, struct ln_stun_server_result *r)
{
    const struct ln_stun_probe *probe = d->basic[i];

    r->address = d->servers[i];
    if (!probe)
        return;
    r->answered = answered(probe);
    r->code = probe->code;
    r->error = probe->state == LN_STUN_PROBE_UNREACHABLE ? probe->error : 0;
    r->rtt = probe->rtt;
    r->mapped = probe->mapped;
    r->two_addresses = has_two_addresses(probe);
}

void ln_stun_discovery_result(const struct ln_stun_discovery *d,
                              struct ln_stun_discovery_result *ret_result)
{
    struct ln_stun_discovery_result r = { .server_count = d->config.server_count };

    for (size_t i = 0; i < r.server_count; i++)
        set_server(d, i, &r.servers[i]);
    r.mapping = mapping(d);
    r.filtering = filtering(d);
    r.port_preserved = d->primary &&
                       d->primary->mapped.port == d->prober.sockets[SOCKET_MAPPING].local.port;
    r.hairpin = hairpin(d);
    set_mtu(d, &r);
    set_lifetime(d, &r);
    *ret_result = r;
}
