/* SPDX-License-Identifier: Apache-2.0
 * DNS messages: what is written is read, compressed names, and what must be refused. */
#include "mdns/message.h"
#include "tests/support/test.h"

static int count_items(const uint8_t *data, size_t len, struct ln_dns_item *last)
{
    struct ln_dns_message m;
    int items = 0, result;

    if (ln_dns_parse(data, len, &m) != 0)
        return -1;
    while ((result = ln_dns_next(&m, last)) == 1)
        items++;
    return result < 0 ? -1 : items;
}

LN_TEST(dns, what_is_written_is_read)
{
    struct ln_address v4 = { .family = LN_FAMILY_IPV4, .ip = { 192, 168, 1, 2 } };
    struct ln_address v6 = { .family = LN_FAMILY_IPV6, .ip = { 0xfd, 1 } };
    struct ln_dns_message m;
    struct ln_dns_item item;
    struct ln_writer w;
    uint8_t data[512];

    ln_writer_init(&w, data, sizeof data);
    ln_dns_write_header(&w, 7, LN_DNS_FLAG_RESPONSE | LN_DNS_FLAG_AA, 1, 2, 0);
    ln_dns_write_question(&w, "a-b.local", LN_DNS_A, true);
    ln_dns_write_address(&w, "a-b.local", true, 120, &v4);
    ln_dns_write_address(&w, "c.local", false, 60, &v6);
    CHECK(w.ok && ln_dns_parse(data, w.len, &m) == 0);
    CHECK(m.id == 7 && m.flags == (LN_DNS_FLAG_RESPONSE | LN_DNS_FLAG_AA));
    CHECK(ln_dns_next(&m, &item) == 1 && item.question && item.top_bit && item.type == LN_DNS_A);
    CHECK_TEXT(item.name, "a-b.local");
    CHECK(ln_dns_next(&m, &item) == 1 && !item.question && item.ttl == 120 && item.top_bit);
    CHECK(ln_address_equal(&item.address, &v4) && item.klass == LN_DNS_CLASS_IN);
    CHECK(ln_dns_next(&m, &item) == 1 && ln_address_equal(&item.address, &v6) && !item.top_bit);
    CHECK_TEXT(item.name, "c.local");
    CHECK(ln_dns_next(&m, &item) == 0);
}

LN_TEST(dns, reads_compressed_names)
{
    uint8_t data[256];
    struct ln_dns_item item;
    size_t len = test_hex("0000 8400 0000 0002 0000 0000"
                          "01 78 05 6c6f63616c 00 0001 8001 00000078 0004 c0a80102"
                          "01 79 c00e 0001 8001 00000078 0004 c0a80103",
                          data, sizeof data);

    CHECK_EQUAL(count_items(data, len, &item), 2);
    CHECK_TEXT(item.name, "y.local");
    CHECK_EQUAL(item.address.ip[3], 3);
}

LN_TEST(dns, refuses_loops_and_what_runs_past_the_end)
{
    static const char *const bad[] = {
        "0000 8400 0001 0000 0000 0000 c00c 0001 0001",      /* points at itself */
        "0000 8400 0001 0000 0000 0000 0161 c00c 0001 0001", /* at its own start */
        "0000 8400 0001 0000 0000 0000 c0ff 0001 0001",      /* forwards, past the end */
        "0000 8400 0001 0000 0000 0000 3f61 00",             /* label past the end */
        "0000 8400 0001 0000 0000 0000 80 0001 0001",        /* reserved label kind */
        "0000 8400 0000 0001 0000 0000 0161 00 0001 0001 00000078 ffff c0", /* data past the end */
        "0000 8400 0001 0000 0000 0000 03612e62 00 0001 0001",              /* a dot in a label */
        "0000 8400 ffff ffff ffff ffff 0161 00",                            /* counts that lie */
    };
    struct ln_dns_item item;
    uint8_t data[256];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_EQUAL(count_items(data, test_hex(bad[i], data, sizeof data), &item), -1);
    CHECK_EQUAL(count_items(data, 11, &item), -1);
}

LN_TEST(dns, names_are_judged)
{
    char text[300];

    CHECK(ln_dns_name_is_local("0f6a1f0e-ffff.local") && ln_dns_name_is_local("X.LOCAL"));
    CHECK(!ln_dns_name_is_local("a.b.local") && !ln_dns_name_is_local("local"));
    CHECK(!ln_dns_name_is_local("a.example") && !ln_dns_name_is_local(".local"));
    CHECK(!ln_dns_name_is_local("a b.local") && !ln_dns_name_is_local(""));
    memset(text, 'a', sizeof text);
    strcpy(text + 64, ".local");
    CHECK(!ln_dns_name_is_local(text));
    memset(text, 'a', 63);
    strcpy(text + 63, ".local");
    CHECK(ln_dns_name_is_local(text));
    CHECK(ln_dns_name_equal("ABC.local", "abc.LOCAL") && !ln_dns_name_equal("a", "b"));
}
