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
