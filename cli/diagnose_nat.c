/* SPDX-License-Identifier: Apache-2.0
 * The STUN steps: UDP out, what servers see, what the NAT is (RFC 4787), hairpin, how long its
 * mappings live, path MTU; and the conclusion. */
#include "base/address.h"
#include "cli/diagnose.h"

#include <linnet/error.h>

#include <stdio.h>
#include <string.h>

#define LONGEST_LIFETIME LN_SECONDS(240)
#define STUN_WITHIN      LN_SECONDS(20)
#define MEDIA_PACKET     1228u         /* what a call sends: 1200 bytes and the headers of IPv4 */
#define KEEPALIVE        LN_SECONDS(6) /* of a call: consent checks (RFC 7675) */

/* --- what people call a NAT */

struct nat_kind {
    enum ln_nat_behavior mapping, filtering;
    enum verdict verdict;
    const char *name, *meaning, *remedy;
};

#define RELAY                                                                                      \
    "give calls a TURN server, or switch the router's NAT from \"symmetric\" or \"strict\" to "    \
    "\"open\" (endpoint-independent)"

/* The first row that fits; UNKNOWN fits everything. */
static const struct nat_kind kinds[] = {
    { LN_NAT_NONE, LN_NAT_INDEPENDENT, VERDICT_OK, "no NAT", "anybody can reach this machine",
      NULL },
    { LN_NAT_NONE, LN_NAT_UNKNOWN, VERDICT_OK, "no NAT, perhaps a firewall",
      "direct calls work with nearly everybody", NULL },
    { LN_NAT_INDEPENDENT, LN_NAT_INDEPENDENT, VERDICT_OK, "full cone",
      "direct calls work with everybody", NULL },
    { LN_NAT_INDEPENDENT, LN_NAT_ADDRESS_DEPENDENT, VERDICT_OK, "address-restricted cone",
      "direct calls work with everybody", NULL },
    { LN_NAT_INDEPENDENT, LN_NAT_ADDRESS_AND_PORT_DEPENDENT, VERDICT_OK, "port-restricted cone",
      "direct calls work with everybody but those behind a symmetric NAT", NULL },
    { LN_NAT_INDEPENDENT, LN_NAT_UNKNOWN, VERDICT_OK, "cone",
      "direct calls work with nearly everybody", NULL },
    { LN_NAT_UNKNOWN, LN_NAT_UNKNOWN, VERDICT_NOTE, "of unknown kind",
      "one server with one address cannot tell",
      "name a second STUN server, or one with two addresses (RFC 5780)" },
};
static const struct nat_kind symmetric = {
    LN_NAT_DEPENDENT,
    LN_NAT_UNKNOWN,
    VERDICT_WARN,
    "symmetric",
    "direct calls work only with those whose filter is open; others need a relay",
    RELAY
};

static const struct nat_kind *kind_of(const struct ln_stun_discovery_result *r)
{
    if (r->mapping == LN_NAT_ADDRESS_DEPENDENT || r->mapping == LN_NAT_DEPENDENT ||
        r->mapping == LN_NAT_ADDRESS_AND_PORT_DEPENDENT)
        return &symmetric;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].mapping == r->mapping &&
            (kinds[i].filtering == r->filtering || kinds[i].filtering == LN_NAT_UNKNOWN))
            return &kinds[i];
    return &kinds[sizeof kinds / sizeof *kinds - 1];
}

static void report_nat(struct diagnosis *d, const struct ln_stun_discovery_result *r)
{
    const struct nat_kind *kind = kind_of(r);

    report_step(&d->report, "nat", kind->verdict,
                json_pack("{s:s, s:s, s:s, s:b}", "kind", kind->name, "mapping",
                          ln_nat_behavior_name(r->mapping), "filtering",
                          ln_nat_behavior_name(r->filtering), "portPreserved", r->port_preserved),
                kind->remedy, "%s: %s (mapping %s, filtering %s)", kind->name, kind->meaning,
                ln_nat_behavior_name(r->mapping), ln_nat_behavior_name(r->filtering));
}

static void report_hairpin(struct diagnosis *d, const struct ln_stun_discovery_result *r)
{
    if (r->hairpin == LN_NAT_NOT_ASKED)
        return;
    report_step(&d->report, "hairpin", r->hairpin == LN_NAT_YES ? VERDICT_OK : VERDICT_NOTE,
                json_pack("{s:b}", "hairpin", r->hairpin == LN_NAT_YES), NULL, "%s",
                r->hairpin == LN_NAT_YES
                    ? "the NAT turns packets to its own public address round"
                    : "none: two behind this NAT meet by their private addresses or by a relay");
}

static void report_mtu(struct diagnosis *d, const struct ln_stun_discovery_result *r)
{
    bool enough = r->mtu >= MEDIA_PACKET;

    if (r->mtu == 0)
        report_step(&d->report, "mtu", VERDICT_WARN, NULL,
                    "look for a firewall that drops large or unfragmented packets",
                    "no packet of 576 bytes or more came through whole");
    else
        report_step(&d->report, "mtu", enough ? VERDICT_OK : VERDICT_FAIL,
                    json_pack("{s:i}", "mtu", (int)r->mtu),
                    enough ? NULL : "raise the MTU of the tunnel or VPN on the way to 1280 or more",
                    "packets of %u bytes pass whole%s", (unsigned)r->mtu,
                    enough ? "" : "; calls send up to 1228");
}

static void report_lifetime(struct diagnosis *d, const struct ln_stun_discovery_result *r)
{
    int min = (int)(r->lifetime_min / LN_SECONDS(1)), max = (int)(r->lifetime_max / LN_SECONDS(1));
    json_t *facts = json_pack("{s:i, s:i}", "minSeconds", min, "maxSeconds", max);

    if (min == 0 && max == 0)
        report_step(&d->report, "lifetime", VERDICT_NOTE, facts,
                    "name a STUN server with two addresses (RFC 5780)", "not known");
    else if (max == 0)
        report_step(&d->report, "lifetime", VERDICT_OK, facts, NULL,
                    "an idle mapping lives longer than %d s", min);
    else
        report_step(&d->report, "lifetime", min >= 30 ? VERDICT_OK : VERDICT_NOTE, facts, NULL,
                    "an idle mapping lives between %d and %d s; a call sends every %d s", min, max,
                    (int)(KEEPALIVE / LN_SECONDS(1)));
}

/* --- servers */

static void report_server(struct diagnosis *d, const struct ln_stun_server_result *s)
{
    char address[LN_ADDRESS_TEXT_MAX], mapped[LN_ADDRESS_TEXT_MAX];
    json_t *facts;

    ln_address_format(&s->address, address);
    if (s->answered) {
        ln_address_format(&s->mapped, mapped);
        facts = json_pack("{s:s, s:s, s:b}", "server", address, "mapped", mapped, "twoAddresses",
                          s->two_addresses);
        if (s->rtt >= 0)
            json_object_set_new(facts, "ms", json_real((double)s->rtt / 1e6));
        report_step(&d->report, "stun", s->rtt < 0 ? VERDICT_WARN : VERDICT_OK, facts,
                    s->rtt < 0 ? "look for loss on the line: Wi-Fi, a full uplink" : NULL,
                    s->rtt < 0 ? "%s sees us as %s; the first request or answer was lost"
                               : "%s sees us as %s (%.1f ms)",
                    address, mapped, (double)s->rtt / 1e6);
        return;
    }
    facts = json_pack("{s:s}", "server", address);
    if (s->code != 0)
        report_step(&d->report, "stun", VERDICT_WARN, facts,
                    "ask who runs the server: it refuses binding requests",
                    "%s answers with error %u", address, (unsigned)s->code);
    else
        report_step(&d->report, "stun", VERDICT_WARN, facts,
                    s->error ? "start the server, or correct its address or port"
                             : "let UDP out to this port, or look whether the server runs",
                    "%s: %s", address, s->error ? ln_error_sentence(s->error) : "no answer");
}

static void report_udp(struct diagnosis *d, const struct diagnose_family *f, const char *name)
{
    size_t answered = 0, refused = 0;

    for (size_t i = 0; i < f->stun.server_count; i++) {
        answered += f->stun.servers[i].answered || f->stun.servers[i].code != 0;
        refused += f->stun.servers[i].error != 0;
    }
    if (answered > 0)
        report_step(&d->report, "udp", VERDICT_OK, json_pack("{s:s}", "family", name), NULL,
                    "UDP goes out and comes back over %s", name);
    else if (refused > 0)
        report_step(&d->report, "udp", VERDICT_WARN, json_pack("{s:s}", "family", name),
                    "start the servers, or correct their addresses",
                    "UDP over %s was turned back: nobody listens there, or a firewall says no",
                    name);
    else
        report_step(&d->report, "udp", VERDICT_WARN, json_pack("{s:s}", "family", name),
                    "let UDP out, or give calls a TURN server over TLS on port 443 "
                    "(turns:HOST:443?transport=tcp)",
                    "nothing comes back over %s: UDP is blocked, or the servers do not run", name);
}

/* --- the step */

static size_t collect(const struct diagnosis *d, uint8_t family,
                      struct ln_address servers[LN_STUN_DISCOVERY_SERVERS_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < d->server_count; i++) {
        const struct diagnose_server *server = &d->servers[i];

        if (server->url.tcp) /* TLS or TCP only */
            continue;
        for (size_t k = 0; k < server->address_count; k++) {
            bool known = server->addresses[k].family != family ||
                         count == LN_STUN_DISCOVERY_SERVERS_MAX;

            for (size_t n = 0; n < count; n++)
                known = known || ln_address_equal(&servers[n], &server->addresses[k]);
            if (!known)
                servers[count++] = server->addresses[k];
        }
    }
    return count;
}

static bool discovery_done(void *ctx)
{
    return ln_stun_discovery_done(ctx);
}

static bool ask(struct diagnosis *d, struct diagnose_family *f, const struct ln_address *servers,
                size_t count)
{
    struct ln_stun_discovery_config config = { .local = f->source,
                                               .servers = servers,
                                               .server_count = count,
                                               .hairpin = true,
                                               .mtu = true,
                                               .lifetime = d->arguments.lifetime ? LONGEST_LIFETIME
                                                                                 : 0 };
    struct ln_loop *loop = ln_driver_loop(d->driver);
    struct ln_stun_discovery *discovery;
    struct ln_loop_endpoint *handle;
    int error = ln_stun_discovery_create(&discovery, &config, ln_driver_env(d->driver));

    if (error)
        return false;
    error = ln_loop_add_endpoint(loop, ln_stun_discovery_endpoint(discovery), NULL, NULL, &handle);
    if (!error) {
        diagnose_wait(d, discovery_done, discovery, config.lifetime + STUN_WITHIN);
        ln_loop_remove_endpoint(handle);
        ln_stun_discovery_result(discovery, &f->stun);
    }
    ln_stun_discovery_free(discovery);
    return !error;
}

void diagnose_nat(struct diagnosis *d, struct diagnose_family *f, const char *name)
{
    struct ln_address servers[LN_STUN_DISCOVERY_SERVERS_MAX];
    size_t count = f->source.family ? collect(d, f->source.family, servers) : 0;

    if (count == 0 || !(f->asked = ask(d, f, servers, count)))
        return;
    report_udp(d, f, name);
    for (size_t i = 0; i < f->stun.server_count; i++) {
        report_server(d, &f->stun.servers[i]);
        f->answered = f->answered || f->stun.servers[i].answered;
    }
    if (!f->answered)
        return;
    report_nat(d, &f->stun);
    report_hairpin(d, &f->stun);
    report_mtu(d, &f->stun);
    if (d->arguments.lifetime)
        report_lifetime(d, &f->stun);
}

/* --- the conclusion */

enum verdict diagnose_conclusion(const struct diagnosis *d, const char **ret_sentence)
{
    const struct ln_stun_discovery_result *r = d->ipv4.answered ? &d->ipv4.stun : &d->ipv6.stun;

    if (d->server_count == 0) {
        *ret_sentence = "no server was asked: give the address of a page, or stun: and turn: URLs";
        return VERDICT_WARN;
    }
    if (!d->ipv4.answered && !d->ipv6.answered) {
        *ret_sentence = d->relay_passes ? "calls work through the relay only"
                                        : "no server was reached: calls work within this network "
                                          "only";
        return d->relay_passes ? VERDICT_WARN : VERDICT_FAIL;
    }
    if (kind_of(r)->verdict == VERDICT_WARN && d->relay_passes) {
        *ret_sentence = "calls work with everybody, with many through the relay";
        return VERDICT_OK;
    }
    if (d->relay_asked && !d->relay_passes) {
        *ret_sentence = "direct calls may work, but no relay does";
        return VERDICT_WARN;
    }
    *ret_sentence = kind_of(r)->meaning;
    return kind_of(r)->verdict == VERDICT_NOTE ? VERDICT_OK : kind_of(r)->verdict;
}
