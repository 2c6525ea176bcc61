/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"

#include "tests/support/test.h"

LN_TEST(rng, a_seed_repeats_and_another_differs)
{
    struct ln_rng a, b, c;

    ln_rng_seed(&a, 7);
    ln_rng_seed(&b, 7);
    ln_rng_seed(&c, 8);
    for (int i = 0; i < 10; i++) {
        uint64_t x = ln_rng_u64(&a);

        CHECK(x == ln_rng_u64(&b) && x != ln_rng_u64(&c));
    }
}

LN_TEST(rng, below_is_uniform_enough)
{
    unsigned count[3] = { 0 };

    for (int i = 0; i < 30000; i++)
        count[ln_rng_below(test_env()->rng, 3)]++;
    for (int i = 0; i < 3; i++)
        CHECK(count[i] > 9500 && count[i] < 10500);
    CHECK(ln_rng_below(test_env()->rng, 0) == 0);
}

LN_TEST(rng, text_consists_of_ice_characters)
{
    char text[257];

    ln_rng_text(test_env()->rng, text, 256);
    CHECK(strlen(text) == 256);
    CHECK(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") == 256);
}

static unsigned asked;

static void count_up(struct ln_rng *rng, void *data, size_t len)
{
    asked++;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)data)[i] = (uint8_t)(1 + rng->state[0]++ % 251);
}

/* The source counts, so that a byte that is given twice, or one that was never fetched, shows. */
LN_TEST(rng, bytes_fetched_ahead_are_given_once_and_wiped)
{
    struct ln_rng source = { count_up, { 0 } };
    struct ln_rng_ahead ahead;
    uint8_t given[1024], all[251] = { 0 };
    size_t len;

    asked = 0;
    ln_rng_ahead_init(&ahead, &source);
    for (len = 1; len <= 20; len++) { /* 210 bytes in all: no value of the source twice */
        ln_rng_bytes(&ahead.rng, given, len);
        for (size_t i = 0; i < len; i++) {
            CHECK(given[i] > 0 && given[i] <= 251 && all[given[i] - 1] == 0);
            all[given[i] - 1] = 1;
        }
    }
    CHECK(asked == 1 && ahead.left == sizeof ahead.bytes - 210);
    for (size_t i = ahead.left; i < sizeof ahead.bytes; i++)
        CHECK(ahead.bytes[i] == 0);
    ln_rng_bytes(&ahead.rng, given, sizeof ahead.bytes); /* more than is left: fetched anew */
    CHECK(asked == 2 && ahead.left == 0);
    ln_rng_bytes(&ahead.rng, given, sizeof given); /* more than is ever held */
    CHECK(asked == 3 && ahead.left == 0 && source.state[0] == 2 * sizeof ahead.bytes + 1024);
}
