/* SPDX-License-Identifier: Apache-2.0
 * Relays reached through an HTTP proxy: tunnels to this tree's own TURN server, and what a proxy
 * may answer instead. */
#include "base/address.h"
#include "tests/support/idle.h"
#include "tests/unit/ice/agents.h"
#include "tests/unit/ice/turn_host.h"

#include <stdio.h>

#define PROXY      "198.51.100.8"
#define PROXY_URL  "http://ann:secret@" PROXY ":3128"
#define CLIENTS    8
#define BUFFER_MAX 65536u

/* ---- a proxy on the wire ---- */

struct tunnel {
    struct ln_path client, server; /* link 0: none */
    char head[2048];
    size_t head_len;
    bool wanted, asked, refused;
    uint8_t data[2][BUFFER_MAX]; /* to the client, to the server */
    size_t len[2];
};

static struct {
    const struct ln_address *target;
    const char *answer; /* NULL: the tunnel is made; "": nothing is said */
    bool asked;
    struct tunnel tunnels[CLIENTS];
} proxy;

static struct agents s;
static struct turn_host host;

static void queue(struct tunnel *t, int way, const void *data, size_t len)
{
    CHECK(t->len[way] + len <= BUFFER_MAX);
    memcpy(t->data[way] + t->len[way], data, len);
    t->len[way] += len;
}

static void proxy_receive(void *object, ln_time now, struct ln_packet *packet)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        struct tunnel *t = &proxy.tunnels[i];

        if (t->server.link == packet->path.link && t->server.link) {
            queue(t, 0, packet->data, packet->len);
        } else if (t->client.link == packet->path.link && t->server.link) {
            queue(t, 1, packet->data, packet->len);
        } else if (t->client.link == packet->path.link) {
            CHECK(t->head_len + packet->len < sizeof t->head);
            memcpy(t->head + t->head_len, packet->data, packet->len);
            t->head_len += packet->len;
            if (!strstr(t->head, "\r\n\r\n"))
                continue;
            t->wanted = proxy.answer == NULL;
            if (proxy.answer)
                queue(t, 0, proxy.answer, strlen(proxy.answer));
        }
    }
}

static int proxy_transmit(void *object, ln_time now, struct ln_transmit *out)
{
    for (size_t i = 0; i < CLIENTS; i++)
        for (int way = 0; way < 2; way++) {
            struct tunnel *t = &proxy.tunnels[i];

            if (t->len[way] == 0)
                continue;
            ln_transmit_begin(out);
            out->path = way ? t->server : t->client;
            out->len = t->len[way];
            memcpy(out->data, t->data[way], t->len[way]);
            t->len[way] = 0;
            return 1;
        }
    return 0;
}

static int proxy_request(void *object, struct ln_request *r)
{
    if (!proxy.asked) {
        proxy.asked = true;
        *r = (struct ln_request){ .kind = LN_REQUEST_LISTEN_TCP, .id = 1 };
        CHECK(ln_address_parse(PROXY ":3128", &r->local) == 0);
        return 1;
    }
    for (size_t i = 0; i < CLIENTS; i++)
        if (proxy.tunnels[i].wanted && !proxy.tunnels[i].asked) {
            proxy.tunnels[i].asked = true;
            *r = (struct ln_request){ .kind = LN_REQUEST_OPEN_TCP,
                                      .id = 10 + (uint32_t)i,
                                      .remote = *proxy.target };
            CHECK(ln_address_parse(PROXY, &r->local) == 0);
            return 1;
        }
    return 0;
}

static void proxy_answer(void *object, ln_time now, const struct ln_answer *answer)
{
    static const char established[] = "HTTP/1.1 200 Connection established\r\nVia: 1.1 x\r\n\r\n";
    struct ln_path path = { answer->link, answer->local, answer->remote };

    if (answer->kind != LN_ANSWER_OPENED || answer->remote.family == LN_FAMILY_NONE)
        return;
    if (answer->id >= 10) {
        proxy.tunnels[answer->id - 10].server = path;
        queue(&proxy.tunnels[answer->id - 10], 0, established, sizeof established - 1);
        return;
    }
    for (size_t i = 0; i < CLIENTS; i++)
        if (!proxy.tunnels[i].client.link) {
            proxy.tunnels[i].client = path;
            return;
        }
}

static const struct ln_endpoint_ops proxy_ops = { proxy_receive,     idle_on_timeout,
                                                  idle_next_timeout, proxy_transmit,
                                                  proxy_request,     proxy_answer };

/* ---- the rest of the world ---- */

static const struct ln_ice_server_address turn_server = {
    .url = "turn:turn.example.org?transport=tcp",
    .host = "turn.example.org",
    .relays = true,
    .transport = LN_ICE_OVER_TCP,
    .username = "alice",
    .password = "secret"
};

/* Nobody here can look up the server's name; the proxy can. */
static void set_up(const char *url, const char *answer)
{
    memset(&proxy, 0, sizeof proxy);
    proxy.answer = answer;
    agents_init(&s);
    s.wire.delay = LN_MILLISECONDS(10);
    s.a.config.servers = s.b.config.servers = &turn_server;
    s.a.config.server_count = s.b.config.server_count = 1;
    s.a.config.policy = s.b.config.policy = LN_ICE_TRANSPORT_POLICY_RELAY;
    s.a.config.http_proxy = s.b.config.http_proxy = url;
    CHECK(agents_create(&s));
    turn_host_start(&host, &s.wire, test_env(), true);
    proxy.target = &host.listen[1].address;
    wire_add(&s.wire, (struct ln_endpoint){ &proxy_ops, &proxy });
    agents_run(&s, LN_MILLISECONDS(1)); /* they listen */
    turn_host_set_nats(&s.wire, s.a.node, s.b.node);
}

static void tear_down(void)
{
    agents_free(&s);
    turn_host_stop(&host);
}

LN_TEST(relay_proxy, carries_a_connection_to_a_server_whose_name_only_the_proxy_knows)
{
    static const size_t pieces[] = { 5, 64, 1400 };

    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        set_up(PROXY_URL, NULL);
        s.wire.stream_piece = pieces[i];
        agents_start(&s);
        CHECK(agents_complete(&s, LN_SECONDS(20)));
        CHECK_TEXT(proxy.tunnels[0].head, "CONNECT turn.example.org:3478 HTTP/1.1\r\n"
                                          "Host: turn.example.org:3478\r\n"
                                          "ALPN: stun.turn\r\n"
                                          "Proxy-Authorization: Basic YW5uOnNlY3JldA==\r\n\r\n");
        agents_run(&s, LN_SECONDS(12)); /* consent on the stream */
        CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
        tear_down();
    }
}

/* The control connection and that of the peer's bytes are two tunnels (RFC 6062, 4.4). */
LN_TEST(relay_proxy, a_relay_of_tcp_has_a_tunnel_for_each_connection)
{
    struct ln_ice_pair_info pair;
    size_t tunnels = 0;

    memset(&proxy, 0, sizeof proxy);
    agents_init(&s);
    s.wire.filter = wire_drop_all;
    s.a.config.tcp = s.b.config.tcp = true;
    s.a.config.servers = &turn_server;
    s.a.config.server_count = 1;
    s.a.config.policy = LN_ICE_TRANSPORT_POLICY_RELAY;
    s.a.config.http_proxy = PROXY_URL;
    CHECK(agents_create(&s));
    turn_host_start_tcp(&host, &s.wire, test_env());
    proxy.target = &host.listen[1].address;
    wire_add(&s.wire, (struct ln_endpoint){ &proxy_ops, &proxy });
    agents_run(&s, LN_MILLISECONDS(1)); /* they listen */
    wire_interface(&s.wire, s.a.node, "10.0.0.2");
    wire_set_nat(&s.wire, s.a.node, 1, WIRE_NAT_SYMMETRIC, "198.51.100.1");
    CHECK(ln_address_parse(PROXY ":3128", &s.wire.nodes[s.a.node].only) == 0);
    wire_interface(&s.wire, s.b.node, "198.51.100.2");
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(20)));
    pair = side_selected(&s.a);
    CHECK(ln_address_equal_ip(&pair.path.local, &host.listen[1].address));
    for (size_t i = 0; i < CLIENTS; i++)
        tunnels += proxy.tunnels[i].server.link != 0;
    CHECK(tunnels >= 3); /* the allocations of UDP and of TCP, and the peer's */
    tear_down();
}

LN_TEST(relay_proxy, whatever_it_answers_instead_is_told_in_words)
{
    static const struct {
        const char *answer, *words;
    } rows[] = {
        { "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic\r\n\r\n", "user name and password" },
        { "HTTP/1.1 403 Filtered\r\n\r\n", "does not let us connect" },
        { "SSH-2.0-OpenSSH\r\n", "makes no sense" },
        { "HTTP/1.1 200 OK\r\n", "did not answer" },
        { "", "did not answer" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        set_up(PROXY_URL, rows[i].answer);
        agents_start(&s);
        agents_run(&s, LN_SECONDS(10));
        CHECK(s.a.gathered && s.a.error_events == 1 && s.a.last_error.error.code == 701);
        CHECK(strstr(s.a.last_error.error.text, "proxy") != NULL);
        CHECK(strstr(s.a.last_error.error.text, rows[i].words) != NULL);
        tear_down();
    }
}

LN_TEST(relay_proxy, that_is_not_there_is_told)
{
    set_up("http://198.51.100.99:3128", NULL);
    agents_start(&s);
    agents_run(&s, LN_SECONDS(10));
    CHECK(strstr(s.a.last_error.error.text, "proxy cannot be reached") != NULL);
    tear_down();
    set_up("http://proxy.invalid:3128", NULL);
    agents_start(&s);
    agents_run(&s, LN_SECONDS(10));
    CHECK(strstr(s.a.last_error.error.text, "proxy's name was not found") != NULL);
    tear_down();
}

LN_TEST(relay_proxy, that_hangs_up_is_told)
{
    set_up(PROXY_URL, "");
    agents_start(&s);
    agents_run(&s, LN_MILLISECONDS(100));
    wire_break_streams(&s.wire);
    agents_run(&s, LN_MILLISECONDS(100));
    CHECK(s.a.gathered);
    CHECK(strstr(s.a.last_error.error.text, "proxy does not let us") != NULL);
    tear_down();
}

/* What was asked from an address that went meanwhile says nothing of the proxy, or of the server.
 */
LN_TEST(relay_proxy, is_not_blamed_for_an_address_that_goes)
{
    set_up(PROXY_URL, "");
    wire_interface(&s.wire, s.a.node, "10.0.0.3");
    agents_start(&s);
    agents_run(&s, LN_SECONDS(1));
    CHECK(proxy.tunnels[2].head_len > 0); /* two of the one agent, one of the other */
    wire_remove_interface(&s.wire, s.a.node, "10.0.0.3");
    agents_run(&s, LN_SECONDS(1));
    CHECK_EQUAL(s.a.error_events, 0);
    agents_run(&s, LN_SECONDS(8));
    CHECK(s.a.gathered && s.a.error_events == 1);
    CHECK(strstr(s.a.last_error.error.text, "proxy did not answer") != NULL);
    tear_down();
}

LN_TEST(relay_proxy, whose_url_is_none_is_an_error_of_the_caller)
{
    struct ln_ice *ice = NULL;
    struct ln_ice_config config;

    ln_ice_config_init(&config);
    config.http_proxy = "proxy:3128";
    CHECK_EQUAL(ln_ice_create(&ice, &config, test_env()), LN_ERR_SYNTAX);
    config.http_proxy = "socks5://proxy";
    CHECK_EQUAL(ln_ice_create(&ice, &config, test_env()), LN_ERR_NOT_SUPPORTED);
    CHECK(ice == NULL);
}
