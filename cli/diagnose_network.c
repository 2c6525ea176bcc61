/* SPDX-License-Identifier: Apache-2.0
 * Steps before any packet is sent: the names of the servers, our interfaces, and whether there is a
 * way to the servers over IPv4 and IPv6. */
#include "base/address.h"
#include "cli/diagnose.h"
#include "io/sockaddr.h"

#include <linnet/error.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAMES_WITHIN  LN_SECONDS(15) /* a resolver that is dead takes 10 s to say so */
#define SLOW_LOOKUP   LN_SECONDS(1)
#define INTERFACES_ID 0x100u

/* --- an endpoint that only asks */

struct asker {
    struct diagnosis *d;
    size_t asked, answered;
    bool watch_asked, watch_answered;
    ln_time begun;
};

static void asker_receive(void *object, ln_time now, struct ln_packet *packet)
{
    (void)object;
    (void)now;
    (void)packet;
}

static void asker_on_timeout(void *object, ln_time now)
{
    (void)object;
    (void)now;
}

static ln_time asker_next_timeout(const void *object)
{
    (void)object;
    return LN_TIME_NEVER;
}

static int asker_poll_transmit(void *object, ln_time now, struct ln_transmit *out)
{
    (void)object;
    (void)now;
    (void)out;
    return 0;
}

static int asker_poll_request(void *object, struct ln_request *ret_request)
{
    struct asker *a = object;

    if (a->asked < a->d->server_count) {
        *ret_request = (struct ln_request){ .kind = LN_REQUEST_RESOLVE,
                                            .id = (uint32_t)a->asked,
                                            .name = a->d->servers[a->asked].url.host };
        a->asked++;
        return 1;
    }
    if (!a->watch_asked) {
        a->watch_asked = true;
        *ret_request = (struct ln_request){ .kind = LN_REQUEST_WATCH_INTERFACES,
                                            .id = INTERFACES_ID };
        return 1;
    }
    return 0;
}

static void take_addresses(struct diagnose_server *server, const struct ln_answer *answer)
{
    for (size_t i = 0; i < answer->address_count; i++) {
        if (server->address_count == DIAGNOSE_ADDRESSES_MAX)
            return;
        server->addresses[server->address_count] = answer->addresses[i];
        server->addresses[server->address_count++].port = server->url.port;
    }
}

static void asker_answer(void *object, ln_time now, const struct ln_answer *answer)
{
    struct asker *a = object;
    struct diagnosis *d = a->d;

    if (answer->id == INTERFACES_ID) {
        a->watch_answered = true;
        for (size_t i = 0; i < answer->interface_count && i < DIAGNOSE_INTERFACES_MAX; i++)
            d->interfaces[i] = answer->interfaces[i];
        d->interface_count = answer->interface_count < DIAGNOSE_INTERFACES_MAX
                                 ? answer->interface_count
                                 : DIAGNOSE_INTERFACES_MAX;
    } else if (answer->id < d->server_count) {
        struct diagnose_server *server = &d->servers[answer->id];

        a->answered++;
        server->lookup_time = now - a->begun;
        server->error = answer->kind == LN_ANSWER_RESOLVED ? 0 : answer->error;
        if (!server->error)
            take_addresses(server, answer);
    }
}

static bool asker_done(void *ctx)
{
    struct asker *a = ctx;

    return a->watch_answered && a->answered == a->d->server_count;
}

/* --- names */

static bool is_literal(const struct diagnose_server *server)
{
    struct ln_address address;

    return ln_address_parse(server->url.host, &address) == 0;
}

static bool named_before(const struct diagnosis *d, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(d->servers[k].url.host, d->servers[i].url.host) == 0)
            return true;
    return false;
}

static void report_name(struct diagnosis *d, const struct diagnose_server *server)
{
    char text[DIAGNOSE_ADDRESSES_MAX * LN_ADDRESS_TEXT_MAX] = "", one[LN_ADDRESS_TEXT_MAX];
    bool slow = server->lookup_time > SLOW_LOOKUP;
    json_t *list = json_array();

    for (size_t i = 0; i < server->address_count; i++) {
        ln_address_format_ip(&server->addresses[i], one);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? ", " : "", one);
        json_array_append_new(list, json_string(one));
    }
    if (server->address_count > 0)
        report_step(&d->report, "name", slow ? VERDICT_WARN : VERDICT_OK,
                    json_pack("{s:s, s:o, s:f}", "name", server->url.host, "addresses", list, "ms",
                              (double)server->lookup_time / 1e6),
                    slow ? "use a name server that is nearer, each call waits for this one" : NULL,
                    "%s is %s (%.0f ms)", server->url.host, text,
                    (double)server->lookup_time / 1e6);
    else
        report_step(&d->report, "name", VERDICT_FAIL,
                    json_pack("{s:s, s:o}", "name", server->url.host, "addresses", list),
                    server->error == LN_ERR_NOT_FOUND
                        ? "correct the server's name; nobody knows this one"
                        : "set a name server that answers (/etc/resolv.conf), or give an address",
                    "%s: %s", server->url.host,
                    server->error ? ln_error_sentence(server->error)
                                  : "no answer from the name server");
}

void diagnose_names(struct diagnosis *d)
{
    static const struct ln_endpoint_ops ops = {
        asker_receive,       asker_on_timeout,   asker_next_timeout,
        asker_poll_transmit, asker_poll_request, asker_answer,
    };
    struct ln_loop *loop = ln_driver_loop(d->driver);
    struct asker asker = { .d = d, .begun = ln_loop_now(loop) };
    struct ln_loop_endpoint *handle;

    if (ln_loop_add_endpoint(loop, (struct ln_endpoint){ &ops, &asker }, NULL, NULL, &handle) != 0)
        return;
    diagnose_wait(d, asker_done, &asker, NAMES_WITHIN);
    ln_loop_remove_endpoint(handle);
    for (size_t i = 0; i < d->server_count; i++)
        if (!is_literal(&d->servers[i]) && !named_before(d, i))
            report_name(d, &d->servers[i]);
}

/* --- ways */

/* What the system would send from; no packet leaves. */
static bool source_towards(const struct ln_address *to, struct ln_address *ret_source)
{
    union ln_sockaddr name;
    socklen_t len = ln_sockaddr_set(&name, to);
    int fd = socket(ln_address_system_family(to), SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool found = fd >= 0 && connect(fd, &name.any, len) == 0;

    len = sizeof name;
    found = found && getsockname(fd, &name.any, &len) == 0;
    if (fd >= 0)
        close(fd);
    if (found) {
        ln_sockaddr_get(&name, ret_source);
        ret_source->port = 0;
    }
    return found;
}

static const struct ln_interface *interface_of(const struct diagnosis *d,
                                               const struct ln_address *address)
{
    for (size_t i = 0; i < d->interface_count; i++)
        if (ln_address_equal_ip(&d->interfaces[i].address, address))
            return &d->interfaces[i];
    return NULL;
}

static bool has_address(const struct diagnosis *d, uint8_t family)
{
    for (size_t i = 0; i < d->interface_count; i++)
        if (d->interfaces[i].up && !d->interfaces[i].loopback &&
            d->interfaces[i].address.family == family &&
            !ln_address_is_link_local(&d->interfaces[i].address))
            return true;
    return false;
}

/* The first server of the family, or an address that only a default route leads to. */
static struct ln_address destination(const struct diagnosis *d, uint8_t family,
                                     struct diagnose_family *f)
{
    struct ln_address anywhere;

    for (size_t i = 0; i < d->server_count; i++)
        for (size_t k = 0; k < d->servers[i].address_count; k++)
            if (d->servers[i].addresses[k].family == family) {
                f->any_server = true;
                return d->servers[i].addresses[k];
            }
    (void)!ln_address_parse(family == LN_FAMILY_IPV4 ? "192.0.2.1:9" : "[2001:db8::1]:9",
                            &anywhere);
    return anywhere;
}

static void report_way(struct diagnosis *d, const char *step, const struct diagnose_family *f)
{
    const struct ln_interface *interface = interface_of(d, &f->source);
    char text[LN_ADDRESS_TEXT_MAX];

    ln_address_format_ip(&f->source, text);
    report_step(
        &d->report, step, VERDICT_OK,
        json_pack("{s:s, s:s*}", "address", text, "interface", interface ? interface->name : NULL),
        NULL, "%s%s%s%s", text, interface ? " on " : "", interface ? interface->name : "",
        ln_address_is_private(&f->source) ? ", a private address" : "");
}

static void look_at_family(struct diagnosis *d, uint8_t family, struct diagnose_family *f)
{
    const char *step = family == LN_FAMILY_IPV4 ? "ipv4" : "ipv6";
    struct ln_address to = destination(d, family, f);

    if (source_towards(&to, &f->source)) {
        report_way(d, step, f);
        return;
    }
    f->source.family = LN_FAMILY_NONE;
    if (f->any_server && !(family == LN_FAMILY_IPV6 ? d->ipv4.any_server : false))
        report_step(&d->report, step, VERDICT_FAIL, NULL,
                    has_address(d, family) ? "set a default route: there is an address, but no way "
                                             "to the servers"
                                           : "connect the machine to a network",
                    "there is no way to the servers");
    else
        report_step(&d->report, step, VERDICT_NOTE, NULL, NULL,
                    family == LN_FAMILY_IPV6 ? "none: calls use IPv4" : "none: calls use IPv6");
}

void diagnose_families(struct diagnosis *d)
{
    look_at_family(d, LN_FAMILY_IPV4, &d->ipv4);
    look_at_family(d, LN_FAMILY_IPV6, &d->ipv6);
}
