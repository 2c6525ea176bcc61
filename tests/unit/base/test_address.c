/* SPDX-License-Identifier: Apache-2.0 */
#include "base/address.h"
#include "tests/support/test.h"

static void round_trip(const char *text, const char *expected)
{
    struct ln_address address;
    char out[LN_ADDRESS_TEXT_MAX];

    CHECK(ln_address_parse(text, &address) == 0);
    CHECK_TEXT(address.port ? ln_address_format(&address, out)
                            : ln_address_format_ip(&address, out),
               expected);
}

LN_TEST(address, is_written_as_rfc_5952_says)
{
    round_trip("192.0.2.1", "192.0.2.1");
    round_trip("192.0.2.1:65535", "192.0.2.1:65535");
    round_trip("::", "::");
    round_trip("::1", "::1");
    round_trip("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1");
    round_trip("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1");
    round_trip("2001:db8::", "2001:db8::");
    round_trip("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8");
    round_trip("[2001:db8::1]:80", "[2001:db8::1]:80");
    round_trip("::ffff:192.0.2.1", "::ffff:192.0.2.1");
    round_trip("64:ff9b::192.0.2.33", "64:ff9b::c000:221");
    round_trip("fe80::1%2", "fe80::1%2");
    round_trip("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304");
    round_trip("0:0:3:4:5:6:7:8", "::3:4:5:6:7:8");
}

LN_TEST(address, text_that_is_no_address_is_refused)
{
    static const char *const bad[] = { "",
                                       "1.2.3",
                                       "1.2.3.4.5",
                                       "256.1.1.1",
                                       "1.2.3.4:",
                                       "01.2.3.4",
                                       "1.2.3.4x",
                                       ":::",
                                       "1::2::3",
                                       "1:2:3:4:5:6:7",
                                       "12345::",
                                       "[::1",
                                       "[::1]:",
                                       "::1]:5",
                                       "1.2.3.4:65536",
                                       "g::",
                                       "1:",
                                       ":1",
                                       "fe80::1%",
                                       "::ffff:1.2.3.4%3",
                                       "1:2:3:4:5:6:7:8:9",
                                       "::1:80x",
                                       "[1.2.3.4]:80" };
    struct ln_address address = { .port = 7 };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(ln_address_parse(bad[i], &address) == LN_ERR_SYNTAX);
    CHECK(address.port == 7);
}

LN_TEST(address, knows_its_kind)
{
    struct ln_address a;

#define IS(kind, text) (ln_address_parse(text, &a) == 0 && ln_address_is_##kind(&a))
    CHECK(IS(loopback, "127.9.9.9") && IS(loopback, "::1") && !IS(loopback, "::2"));
    CHECK(IS(link_local, "169.254.1.1") && IS(link_local, "fe80::1") && !IS(link_local, "fec0::1"));
    CHECK(IS(multicast, "224.0.0.251") && IS(multicast, "ff02::fb") && !IS(multicast, "223.1.1.1"));
    CHECK(IS(private, "10.0.0.1") && IS(private, "172.31.0.1") && !IS(private, "172.32.0.1"));
    CHECK(IS(private, "192.168.1.1") && IS(private, "100.64.0.1") && IS(private, "fd00::1"));
    CHECK(IS(mapped, "::ffff:1.2.3.4") && !IS(mapped, "::1.2.3.4"));
    CHECK(IS(unspecified, "0.0.0.0") && IS(unspecified, "::") && !IS(unspecified, "::1"));
    CHECK(IS(broadcast, "255.255.255.255") && IS(site_local, "fec0::1"));
#undef IS
}

LN_TEST(address, is_in_a_prefix_by_its_first_bits)
{
    static const struct {
        const char *address, *prefix;
        unsigned bits;
        bool in;
    } cases[] = {
        { "10.1.2.3", "10.1.2.0", 24, true },       { "10.1.3.3", "10.1.2.0", 24, false },
        { "10.1.3.3", "10.1.2.0", 23, true },       { "10.1.2.3", "10.1.2.3", 32, true },
        { "10.1.2.2", "10.1.2.3", 32, false },      { "10.1.2.2", "10.1.2.3", 200, false },
        { "1.2.3.4", "9.9.9.9", 0, true },          { "fd00::1", "10.0.0.0", 0, false },
        { "fd12:3456::1", "fd00::", 8, true },      { "fe12:3456::1", "fd00::", 8, false },
        { "2001:db8::1", "2001:db8::", 127, true }, { "2001:db8::2", "2001:db8::", 127, false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ln_address address, prefix;

        CHECK(ln_address_parse(cases[i].address, &address) == 0);
        CHECK(ln_address_parse(cases[i].prefix, &prefix) == 0);
        CHECK_EQUAL(ln_address_in_prefix(&address, &prefix, cases[i].bits), cases[i].in);
    }
}
