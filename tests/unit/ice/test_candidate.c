/* SPDX-License-Identifier: Apache-2.0
 * Candidate lines as browsers write them, priorities, and addresses that may not be checked. */
#include "ice/candidate.h"
#include "tests/support/test.h"

#include <linnet/error.h>

#include <stdlib.h>

static int parse(const char *text, struct ln_candidate *c)
{
    return ln_candidate_parse(text, strlen(text), c);
}

LN_TEST(candidate, lines_of_browsers_are_read)
{
    struct ln_candidate c;

    CHECK(parse("candidate:1853887674 1 udp 2113937151 0e27ac55-11f0-4a3f-a1f8-3d0e1f0a1b2c.local "
                "47820 typ host generation 0 ufrag 9bWb network-cost 999",
                &c) == 0);
    CHECK_TEXT(c.name, "0e27ac55-11f0-4a3f-a1f8-3d0e1f0a1b2c.local");
    CHECK(c.address.family == LN_FAMILY_NONE && c.address.port == 47820);
    CHECK_TEXT(c.ufrag, "9bWb");
    CHECK_TEXT(c.foundation, "1853887674");
    CHECK(parse("a=candidate:0 1 UDP 2122252543 192.168.1.7 51556 typ host\r\n", &c) == 0);
    CHECK(c.protocol == LN_CANDIDATE_UDP && c.priority == 2122252543 && c.component == 1);
    CHECK(parse("candidate:3 1 TCP 2105524479 fd00::1 9 typ host tcptype active", &c) == 0);
    CHECK(c.protocol == LN_CANDIDATE_TCP && c.tcp_type == LN_CANDIDATE_TCP_ACTIVE);
    CHECK(c.address.family == LN_FAMILY_IPV6);
    CHECK(parse("842163049 1 udp 1677729535 203.0.113.5 40000 typ srflx raddr 10.0.0.2 rport 40001 "
                "generation 0 network-id 1",
                &c) == 0);
    CHECK(c.type == LN_CANDIDATE_SRFLX && c.related.port == 40001 && c.related.ip[0] == 10);
    CHECK(parse("candidate:1 1 udp 1 1.2.3.4 5000 typ relay raddr 0.0.0.0 rport 0", &c) == 0);
    CHECK(c.type == LN_CANDIDATE_RELAY);
    CHECK(parse("candidate:H+/=-_ 2 udp 4294967295 1.2.3.4 65535 typ prflx x", &c) == 0);
    CHECK(c.component == 2);
}

LN_TEST(candidate, what_is_written_is_read_the_same)
{
    static const char *const lines[] = {
        "candidate:1 1 udp 2130706431 192.168.1.7 51556 typ host ufrag abcd",
        "candidate:2 1 udp 1694498815 2001:db8::1 5 typ srflx raddr fd00::2 rport 51556",
        "candidate:3 1 tcp 1518280447 10.0.0.1 9 typ host tcptype active ufrag x+/y",
        "candidate:4 1 udp 2113937151 abc-1.local 5000 typ host",
    };
    char text[LN_CANDIDATE_TEXT_MAX];
    struct ln_candidate c;

    for (size_t i = 0; i < 4; i++) {
        CHECK(parse(lines[i], &c) == 0);
        CHECK_EQUAL(ln_candidate_write(&c, text, sizeof text), strlen(lines[i]));
        CHECK_TEXT(text, lines[i]);
        for (size_t cap = 0; cap <= strlen(lines[i]); cap++)
            CHECK_EQUAL(ln_candidate_write(&c, text, cap), LN_ERR_NO_SPACE);
    }
}

LN_TEST(candidate, malformed_lines_are_refused_and_leave_the_result_alone)
{
    static const char *const bad[] = {
        "",
        "candidate:",
        "candidate:1",
        "candidate:1 1 udp 1 1.2.3.4 5000 typ",
        "candidate:1 1 udp 1 1.2.3.4 5000 host",
        "candidate:1 0 udp 1 1.2.3.4 5000 typ host",
        "candidate:1 257 udp 1 1.2.3.4 5000 typ host",
        "candidate:1 x udp 1 1.2.3.4 5000 typ host",
        "candidate:1 1 udp 4294967296 1.2.3.4 5000 typ host",
        "candidate:1 1 udp 99999999999 1.2.3.4 5000 typ host",
        "candidate:1 1 udp -1 1.2.3.4 5000 typ host",
        "candidate:1 1 udp 1 1.2.3.4 65536 typ host",
        "candidate:1 1 udp 1 1.2.3.4:80 5000 typ host",
        "candidate:1 1 udp 1 [::1] 5000 typ host",
        "candidate:1 1 udp 1 fe80::1%3 5000 typ host",
        "candidate:1 1 udp 1 1.2.3 5000 typ host",
        "candidate:1 1 udp 1 999.1.1.1 5000 typ host",
        "candidate:1 1 udp 1 a/b.local 5000 typ host",
        "candidate:123456789012345678901234567890123 1 udp 1 1.2.3.4 5000 typ host",
        "candidate:a?b 1 udp 1 1.2.3.4 5000 typ host",
    };
    struct ln_candidate c, before;

    memset(&before, 0x5a, sizeof before);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        c = before;
        CHECK_EQUAL(parse(bad[i], &c), LN_ERR_SYNTAX);
        CHECK_BYTES(&c, &before, sizeof c);
    }
    CHECK_EQUAL(parse("candidate:1 1 sctp 1 1.2.3.4 5000 typ host", &c), LN_ERR_NOT_SUPPORTED);
    CHECK_EQUAL(parse("candidate:1 1 udp 1 1.2.3.4 5000 typ magic", &c), LN_ERR_NOT_SUPPORTED);
}

LN_TEST(candidate, priorities_follow_the_formulas)
{
    CHECK_EQUAL(ln_candidate_priority(LN_CANDIDATE_HOST, 65535), 2130706431);
    CHECK_EQUAL(ln_candidate_priority(LN_CANDIDATE_SRFLX, 65535), 1694498815);
    CHECK_EQUAL(ln_candidate_priority(LN_CANDIDATE_PRFLX, 65535), 1862270975);
    CHECK_EQUAL(ln_candidate_priority(LN_CANDIDATE_RELAY, 65535), 16777215);
    CHECK_EQUAL(ln_candidate_pair_priority(2, 1), (1ull << 32) + 4 + 1);
    CHECK_EQUAL(ln_candidate_pair_priority(1, 2), (1ull << 32) + 4);
}

/* ATTACKS 10 */
LN_TEST(attack_10, addresses_that_may_not_be_checked)
{
    static const char *const bad[] = {
        "192.168.1.1:0",        "192.168.1.1:1",
        "192.168.1.1:22",       "192.168.1.1:1023",
        "0.0.0.0:5000",         "0.1.2.3:5000",
        "255.255.255.255:5000", "224.0.0.1:5000",
        "240.0.0.1:5000",       "[::]:5000",
        "[ff02::1]:5000",       "[fe80::1]:5000",
        "[fec0::1]:5000",       "[::ffff:10.0.0.1]:5000",
    };
    static const char *const good[] = {
        "192.168.1.1:80", "192.168.1.1:443",     "192.168.1.1:1024",
        "127.0.0.1:5000", "[2001:db8::1]:65535", "[fe80::1%2]:5000",
    };
    struct ln_address a;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK(ln_address_parse(bad[i], &a) == 0);
        CHECK(!ln_candidate_may_check(&a));
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CHECK(ln_address_parse(good[i], &a) == 0);
        CHECK(ln_candidate_may_check(&a));
    }
}

LN_TEST(attack_9, a_line_of_100_kb_is_refused)
{
    size_t len = 100000;
    char *line = malloc(len);
    struct ln_candidate c;

    memset(line, 'a', len);
    memcpy(line, "candidate:1 1 udp 1 1.2.3.4 5000 typ host ufrag ", 48);
    CHECK_EQUAL(ln_candidate_parse(line, len, &c), LN_ERR_SYNTAX);
    free(line);
}
