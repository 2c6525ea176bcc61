/* SPDX-License-Identifier: Apache-2.0
 * RTCConfiguration: what is refused, and what may be changed later (W3C 4.4.1.6). */
#include "crypto/crypto.h"
#include "peer/peer_connection.h"
#include "tests/unit/peer/steps.h"

#include <linnet/certificate.h>

static struct pair pair; /* large */

static int create(const struct ln_configuration *configuration)
{
    ln_peer_connection *pc = NULL;
    int error;

    error = ln_peer_connection_create(configuration, test_env(), &pc);
    CHECK((error != 0) == (pc == NULL));
    ln_peer_connection_free(pc);
    return error;
}

static int create_with_url(const char *url, const char *username, const char *credential)
{
    struct ln_ice_server server = { &url, 1, username, credential };
    struct ln_configuration configuration;

    ln_configuration_init(&configuration);
    configuration.ice_servers = &server;
    configuration.ice_server_count = 1;
    return create(&configuration);
}

LN_TEST(configuration, urls_of_servers_are_checked)
{
    static const struct {
        const char *url;
        int error;
    } urls[] = {
        { "stun:example.org", 0 },
        { "STUN:example.org:3478", 0 },
        { "stun:[2001:db8::1]:3478", 0 },
        { "stuns:192.0.2.1", 0 },
        { "", LN_ERR_SYNTAX },
        { "stun:", LN_ERR_SYNTAX },
        { "stun:example.org:", LN_ERR_SYNTAX },
        { "stun:example.org:0", LN_ERR_SYNTAX },
        { "stun:example.org:65536", LN_ERR_SYNTAX },
        { "stun:example.org:12x", LN_ERR_SYNTAX },
        { "stun:[2001:db8::1", LN_ERR_SYNTAX },
        { "stun:example.org?transport=udp", LN_ERR_SYNTAX },
        { "stun://example.org", LN_ERR_SYNTAX },
        { "http://example.org", LN_ERR_SYNTAX },
        { "turn:example.org?transport=sctp", LN_ERR_SYNTAX },
    };

    CHECK(ln_crypto_create(&test_env()->crypto, test_env()->allocator) == 0);
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
        CHECK_EQUAL(create_with_url(urls[i].url, NULL, NULL), urls[i].error);
    CHECK_EQUAL(create_with_url("turn:example.org", NULL, NULL), LN_ERR_INVALID_ACCESS);
    CHECK_EQUAL(create_with_url("turn:example.org", "user", NULL), LN_ERR_INVALID_ACCESS);
    CHECK_EQUAL(create_with_url("turns:example.org?transport=tcp", "user", "secret"), 0);
    ln_crypto_free(test_env()->crypto);
    test_env()->crypto = NULL;
}

/* RFC 7064, 3.1; RFC 7065, 3.1: what each form means. */
LN_TEST(configuration, each_form_of_a_url_has_its_host_port_and_transport)
{
    static const struct {
        const char *text, *host;
        unsigned scheme;
        uint16_t port;
        bool tcp;
    } forms[] = {
        { "stun:example.org", "example.org", LN_ICE_URL_STUN, 3478, false },
        { "stun:192.0.2.1:19302", "192.0.2.1", LN_ICE_URL_STUN, 19302, false },
        { "stun:[2001:db8::1]", "2001:db8::1", LN_ICE_URL_STUN, 3478, false },
        { "stun:[2001:db8::1]:1", "2001:db8::1", LN_ICE_URL_STUN, 1, false },
        { "stuns:example.org", "example.org", LN_ICE_URL_STUNS, 5349, true },
        { "StunS:example.org:65535", "example.org", LN_ICE_URL_STUNS, 65535, true },
        { "turn:example.org", "example.org", LN_ICE_URL_TURN, 3478, false },
        { "turn:example.org:80", "example.org", LN_ICE_URL_TURN, 80, false },
        { "turn:example.org?transport=udp", "example.org", LN_ICE_URL_TURN, 3478, false },
        { "turn:example.org:443?transport=tcp", "example.org", LN_ICE_URL_TURN, 443, true },
        { "turn:[2001:db8::1]:443?transport=TCP", "2001:db8::1", LN_ICE_URL_TURN, 443, true },
        { "turns:example.org", "example.org", LN_ICE_URL_TURNS, 5349, true },
        { "turns:example.org?transport=tcp", "example.org", LN_ICE_URL_TURNS, 5349, true },
        { "turns:example.org?transport=udp", "example.org", LN_ICE_URL_TURNS, 5349, false },
        { "TURNS:[::1]:443?Transport=Udp", "::1", LN_ICE_URL_TURNS, 443, false },
    };
    static const char *const wrong[] = {
        "stun:2001:db8::1",
        "stun:[2001:db8::1]x",
        "stun:[]",
        "turn:a:1:2",
        "stun:a b",
        "stun:user@example.org",
        "turn:example.org/",
        "turn:a?transport=",
        "turn:a?transport=udp&x=1",
        "turn:a?x=udp",
        "stuns:a?transport=tcp",
        "stun:a:99999",
        "stun:a:-1",
        "stun:a#b",
        "turn:[2001:db8::1]:",
        "stun:[example]",
        "stun:[192.0.2.1]",
        " stun:a",
    };
    struct ln_ice_url url;

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        CHECK_EQUAL(ln_ice_url_parse(forms[i].text, &url), 0);
        CHECK_TEXT(url.host, forms[i].host);
        CHECK_EQUAL(url.scheme, forms[i].scheme);
        CHECK_EQUAL(url.port, forms[i].port);
        CHECK_EQUAL(url.tcp, forms[i].tcp);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_EQUAL(ln_ice_url_parse(wrong[i], &url), LN_ERR_SYNTAX);
}

LN_TEST(configuration, other_members_are_checked)
{
    struct ln_configuration configuration;
    struct ln_ice_server empty = { NULL, 0, NULL, NULL };
    ln_certificate *certificate;

    CHECK(ln_crypto_create(&test_env()->crypto, test_env()->allocator) == 0);
    ln_configuration_init(&configuration);
    configuration.ice_servers = &empty;
    configuration.ice_server_count = 1;
    CHECK_EQUAL(create(&configuration), LN_ERR_SYNTAX);
    configuration.ice_server_count = 33;
    CHECK_EQUAL(create(&configuration), LN_ERR_LIMIT);
    ln_configuration_init(&configuration);
    configuration.port_min = 2;
    configuration.port_max = 1;
    CHECK_EQUAL(create(&configuration), LN_ERR_INVALID_ARGUMENT);
    ln_configuration_init(&configuration);
    configuration.data_congestion_control = LN_DATA_CONGESTION_CONTROL_RENO + 1;
    CHECK_EQUAL(create(&configuration), LN_ERR_INVALID_ARGUMENT);
    ln_configuration_init(&configuration);
    configuration.size--;
    CHECK_EQUAL(create(&configuration), LN_ERR_INVALID_ARGUMENT);
    ln_configuration_init(&configuration);
    CHECK(ln_peer_connection_generate_certificate(test_env(), LN_KEY_ALGORITHM_ECDSA_P256,
                                                  INT64_C(1600000000) * 1000000000,
                                                  &certificate) == 0);
    configuration.certificates = &certificate;
    configuration.certificate_count = 1;
    configuration.wall_offset = INT64_C(1600000000) * 1000000000;
    CHECK_EQUAL(create(&configuration), 0);
    configuration.wall_offset = INT64_C(1700000000) * 1000000000; /* three years later */
    CHECK_EQUAL(create(&configuration), LN_ERR_INVALID_ACCESS);
    ln_certificate_unref(certificate);
    ln_crypto_free(test_env()->crypto);
    test_env()->crypto = NULL;
}

LN_TEST(configuration, chooses_the_congestion_control_of_data_channels)
{
    static const char *const names[] = { "cubic", "model", "delay", "reno" };

    CHECK(ln_crypto_create(&test_env()->crypto, test_env()->allocator) == 0);
    for (unsigned i = 0; i < 4; i++) {
        struct ln_configuration configuration;
        struct ln_sctp_stats stats;
        ln_peer_connection *pc;
        ln_data_channel *channel;

        ln_configuration_init(&configuration);
        CHECK_EQUAL(configuration.data_congestion_control, LN_DATA_CONGESTION_CONTROL_CUBIC);
        configuration.data_congestion_control = (enum ln_data_congestion_control)i;
        configuration.max_message_size = i == 3 ? 0 : 262144; /* no limit is legal too */
        CHECK_EQUAL(ln_peer_connection_create(&configuration, test_env(), &pc), 0);
        CHECK_EQUAL(ln_peer_connection_create_data_channel(pc, "x", NULL, &channel), 0);
        ln_sctp_stats(ln_data_channels_association(pc->data.channels), &stats);
        CHECK_TEXT(stats.congestion_control, names[i]);
        ln_peer_connection_free(pc);
    }
    ln_crypto_free(test_env()->crypto);
    test_env()->crypto = NULL;
}

LN_TEST(configuration, some_members_may_change_and_some_may_not)
{
    const char *const bad = "stun:";
    struct ln_ice_server server = { &bad, 1, NULL, NULL };
    struct ln_configuration configuration;
    ln_certificate *other;
    ln_peer_connection *pc;

    steps_begin(&pair);
    pc = pair.sides[0].pc;
    ln_configuration_init(&configuration);
    configuration.ice_candidate_pool_size = 3;
    CHECK_EQUAL(ln_peer_connection_set_configuration(pc, &configuration), 0);
    configuration.ice_servers = &server;
    configuration.ice_server_count = 1;
    CHECK_EQUAL(ln_peer_connection_set_configuration(pc, &configuration), LN_ERR_SYNTAX);
    ln_peer_connection_get_configuration(pc, &configuration);
    CHECK_EQUAL(configuration.ice_candidate_pool_size, 3);
    CHECK_EQUAL(configuration.ice_server_count, 0);
    CHECK_EQUAL(configuration.certificate_count, 1);
    CHECK_EQUAL(ln_peer_connection_set_configuration(pc, &configuration), 0); /* its own one */
    CHECK(ln_peer_connection_generate_certificate(test_env(), LN_KEY_ALGORITHM_ECDSA_P256,
                                                  INT64_C(1600000000) * 1000000000, &other) == 0);
    configuration.certificates = &other;
    CHECK_EQUAL(ln_peer_connection_set_configuration(pc, &configuration),
                LN_ERR_INVALID_MODIFICATION);
    ln_certificate_unref(other);
    CHECK_EQUAL(step_local(&pair, 0, LN_SDP_TYPE_OFFER, NULL), 0);
    ln_peer_connection_get_configuration(pc, &configuration);
    configuration.ice_candidate_pool_size = 4; /* too late */
    CHECK_EQUAL(ln_peer_connection_set_configuration(pc, &configuration),
                LN_ERR_INVALID_MODIFICATION);
    ln_peer_connection_close(pc);
    CHECK_EQUAL(ln_peer_connection_set_configuration(pc, &configuration), LN_ERR_INVALID_STATE);
    steps_end(&pair);
}

LN_TEST(configuration, filters_and_external_addresses_are_checked)
{
    static const char *const filter[] = { "eth*", "!10.0.0.0/8" }, *const wrong[] = {
        "10.0.0.0/33"
    };
    static const char *const external[] = { "203.0.113.5=10.0.0.5" }, *const half[] = {
        "10.0.0.5="
    };
    struct ln_configuration configuration;

    CHECK(ln_crypto_create(&test_env()->crypto, test_env()->allocator) == 0);
    ln_configuration_init(&configuration);
    configuration.network = (struct ln_network_options){ .address_filter = filter,
                                                         .address_filter_count = 2,
                                                         .external_addresses = external,
                                                         .external_address_count = 1 };
    CHECK_EQUAL(create(&configuration), 0);
    configuration.network.address_filter = wrong;
    configuration.network.address_filter_count = 1;
    CHECK_EQUAL(create(&configuration), LN_ERR_SYNTAX);
    configuration.network.address_filter_count = 0;
    configuration.network.external_addresses = half;
    CHECK_EQUAL(create(&configuration), LN_ERR_SYNTAX);
    ln_crypto_free(test_env()->crypto);
}
