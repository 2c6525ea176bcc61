/* SPDX-License-Identifier: Apache-2.0
 * mDNS: every item of a message is read, and what has a name and an address is written and read
 * again; the message is also fed to a querier that waits for two names and a responder that has
 * one.
 */
#include "mdns/mdns.h"
#include "base/alloc.h"
#include "base/rng.h"
#include "mdns/responder.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void write_again(const struct ln_dns_item *item)
{
    struct ln_dns_message m;
    struct ln_dns_item second;
    struct ln_writer w;
    uint8_t out[512];

    if (item->address.family == LN_FAMILY_NONE || !ln_dns_name_valid(item->name))
        return;
    ln_writer_init(&w, out, sizeof out);
    ln_dns_write_header(&w, 0, LN_DNS_FLAG_RESPONSE, 0, 1, 0);
    ln_dns_write_address(&w, item->name, item->top_bit, item->ttl, &item->address);
    if (!w.ok || ln_dns_parse(out, w.len, &m) != 0 || ln_dns_next(&m, &second) != 1 ||
        !ln_dns_name_equal(second.name, item->name) ||
        !ln_address_equal(&second.address, &item->address))
        abort();
}

static void ask(const uint8_t *data, size_t len)
{
    struct ln_interface interface = { .index = 1, .prefix_len = 8, .up = true };
    uint8_t sent[LN_MDNS_RESPONSE_MAX];
    struct ln_transmit out = { .data = sent, .cap = sizeof sent };
    struct ln_rng rng;
    struct ln_env env = { .allocator = ln_allocator_libc(), .rng = &rng };
    struct ln_packet packet = { .len = len, .path = { .link = 5 } };
    struct ln_mdns_event event;
    struct ln_request request;
    struct ln_endpoint e;
    struct ln_mdns *m;

    ln_rng_seed(&rng, 1);
    if (ln_mdns_create(&m, NULL, &env) != 0)
        return;
    e = ln_mdns_endpoint(m);
    interface.address.family = LN_FAMILY_IPV4;
    interface.address.ip[0] = 10;
    if (ln_mdns_query(m, "x.local", 1) != 0 || ln_mdns_query(m, "y.local", 2) != 0 ||
        ln_mdns_publish(m, "z.local", &interface.address, 3) != 0)
        abort();
    while (e.ops->poll_request(m, &request) == 1) {
        struct ln_answer a = { .id = request.id, .link = 5, .local = request.local };

        a.kind = request.kind == LN_REQUEST_OPEN_UDP ? LN_ANSWER_OPENED : LN_ANSWER_INTERFACES;
        a.interfaces = &interface;
        a.interface_count = 1;
        e.ops->answer(m, 0, &a);
    }
    e.ops->on_timeout(m, 0);
    while (e.ops->poll_transmit(m, 0, &out) == 1)
        ;
    packet.data = malloc(len ? len : 1);
    if (packet.data) {
        memcpy(packet.data, data, len);
        packet.path.remote.family = LN_FAMILY_IPV4;
        packet.path.remote.ip[0] = 10;
        packet.path.remote.port = len % 2 ? LN_MDNS_PORT : 4000;
        e.ops->receive(m, 1, &packet);
        while (e.ops->poll_transmit(m, 1, &out) == 1)
            if (out.len > 4 * len) /* nobody is worth attacking through us */
                abort();
        free(packet.data);
    }
    e.ops->on_timeout(m, LN_SECONDS(5));
    while (ln_mdns_poll_event(m, &event))
        ;
    ln_mdns_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct ln_dns_message m;
    struct ln_dns_item item;

    if (ln_dns_parse(data, len, &m) != 0)
        return 0;
    while (ln_dns_next(&m, &item) == 1)
        write_again(&item);
    ask(data, len);
    return 0;
}
