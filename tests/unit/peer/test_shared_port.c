/* SPDX-License-Identifier: Apache-2.0
 * A peer connection on a port that it may share with others (linnet/shared_port.h). That many do is
 * tested with agents, in tests/unit/ice/test_mux.c. */
#include "base/time.h"
#include "tests/unit/peer/pair.h"

static struct pair pair; /* large */
static ln_shared_port *port;

/* The pair's calls on its connection are seen here, as an owner would touch it. */
static void on_timeout(void *object, ln_time now)
{
    ln_shared_port_touch(object, pair.sides[0].pc);
    ln_shared_port_endpoint(object).ops->on_timeout(ln_shared_port_endpoint(object).object, now);
}

static ln_time next_timeout(const void *object)
{
    struct ln_endpoint endpoint = ln_shared_port_endpoint(port);
    ln_time next = endpoint.ops->next_timeout(endpoint.object);

    (void)object;
    return pair.sides[0].pc ? ln_time_min(next, ln_peer_connection_next_timeout(pair.sides[0].pc))
                            : next;
}

static void receive(void *object, ln_time now, struct ln_packet *packet)
{
    struct ln_endpoint endpoint = ln_shared_port_endpoint(object);

    endpoint.ops->receive(endpoint.object, now, packet);
}

static int poll_transmit(void *object, ln_time now, struct ln_transmit *out)
{
    struct ln_endpoint endpoint = ln_shared_port_endpoint(object);

    return endpoint.ops->poll_transmit(endpoint.object, now, out);
}

static int poll_request(void *object, struct ln_request *ret_request)
{
    struct ln_endpoint endpoint = ln_shared_port_endpoint(object);

    return endpoint.ops->poll_request(endpoint.object, ret_request);
}

static void answer(void *object, ln_time now, const struct ln_answer *given)
{
    struct ln_endpoint endpoint = ln_shared_port_endpoint(object);

    endpoint.ops->answer(endpoint.object, now, given);
}

static void connect(bool tcp)
{
    static const struct ln_endpoint_ops ops = { receive,       on_timeout,   next_timeout,
                                                poll_transmit, poll_request, answer };
    struct ln_shared_port_options options;
    struct ln_configuration configuration;
    ln_data_channel *channel;

    ln_configuration_init(&configuration);
    configuration.network.ice_tcp = tcp;
    pair_init(&pair, &configuration);
    ln_shared_port_options_init(&options);
    options.udp_port = 5349;
    options.tcp_port = 443;
    options.tcp = tcp;
    port = NULL;
    CHECK(ln_shared_port_create(&options, test_env(), &port) == 0);
    CHECK(ln_shared_port_add(port, pair.sides[0].pc, &pair) == 0);
    pair.wire.nodes[0].endpoint = (struct ln_endpoint){ &ops, port };
    pair.sides[0].negotiates = pair.sides[1].negotiates = true;
    CHECK(ln_peer_connection_create_data_channel(pair.sides[0].pc, "chat", NULL, &channel) == 0);
    pair.sides[0].channels[pair.sides[0].channel_count++] = channel;
    if (tcp)
        pair.wire.filter = wire_drop_all;
    CHECK(pair_run(&pair, LN_SECONDS(10), pair_open));
}

static bool got_all(struct pair *p)
{
    return p->sides[1].messages >= 20;
}

static void talk(void)
{
    static char text[20000];

    for (size_t i = 0; i < 20; i++)
        CHECK(ln_data_channel_send_text(pair.sides[0].channels[0], text, 1 + i * 1000) == 0);
    CHECK(pair_run(&pair, LN_SECONDS(20), got_all));
}

static void end(void)
{
    pair_free(&pair); /* frees the connection, which leaves the port */
    pair.sides[0].pc = NULL;
    CHECK_EQUAL(ln_shared_port_connection_count(port), 0);
    ln_shared_port_free(port);
}

LN_TEST(shared_port, a_connection_on_it_talks_as_any_other)
{
    struct ln_address bound;
    bool tcp;

    connect(false);
    talk();
    CHECK(ln_shared_port_bound(port, 0, &bound, &tcp));
    CHECK_EQUAL(bound.port, 5349);
    CHECK(!tcp && ln_shared_port_poll(port) == &pair);
    end();
}

LN_TEST(shared_port, a_connection_over_tcp_comes_through_its_listener)
{
    struct ln_address bound;
    bool tcp = false;
    size_t i;

    connect(true);
    talk();
    for (i = 0; ln_shared_port_bound(port, i, &bound, &tcp) && !tcp; i++)
        ;
    CHECK(tcp);
    CHECK_EQUAL(bound.port, 443);
    end();
}

LN_TEST(shared_port, options_and_owners_are_checked_and_reasons_have_names)
{
    struct ln_shared_port_options options;
    uint64_t count = 7;
    size_t i;

    ln_shared_port_options_init(&options);
    options.connections_max = 70000;
    CHECK_EQUAL(ln_shared_port_create(&options, test_env(), &port), LN_ERR_INVALID_ARGUMENT);
    connect(false);
    CHECK_EQUAL(ln_shared_port_add(port, pair.sides[0].pc, &pair), LN_ERR_INVALID_STATE);
    CHECK_EQUAL(ln_shared_port_add(port, pair.sides[1].pc, NULL), LN_ERR_INVALID_ARGUMENT);
    CHECK_EQUAL(ln_shared_port_connection_count(port), 1);
    for (i = 0; ln_shared_port_drop_reason(port, i, &count); i++)
        CHECK_EQUAL(count, 0);
    CHECK(i > 4);
    end();
}
