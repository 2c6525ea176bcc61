/* SPDX-License-Identifier: Apache-2.0
 * Codes: made, written, read. */
#include "transfer/code.h"
#include "transfer/words.h"

#include "tests/support/test.h"

LN_TEST(code, comes_back_from_its_text)
{
    char text[LN_CODE_TEXT_MAX], word[LN_CODE_TEXT_MAX];
    struct ln_code code, again;

    for (int i = 0; i < 1000; i++) {
        ln_code_make(&code, test_env());
        CHECK(code.number >= LN_CODE_NUMBER_MIN && code.number <= LN_CODE_NUMBER_MAX);
        CHECK_EQUAL(ln_code_parse(ln_code_text(&code, text), &again, word), 0);
        CHECK_EQUAL(code.number, again.number);
        CHECK_BYTES(code.words, again.words, sizeof code.words);
    }
}

LN_TEST(code, is_room_and_secret_and_they_share_nothing)
{
    char room[LN_CODE_ROOM_MAX], secret[LN_CODE_TEXT_MAX], text[LN_CODE_TEXT_MAX],
        word[LN_CODE_TEXT_MAX];
    struct ln_code code;

    CHECK_EQUAL(ln_code_parse("4711-anchor-velvet-otter", &code, word), 0);
    CHECK_TEXT(ln_code_room(&code, room), "transfer-4711");
    CHECK_TEXT(ln_code_secret(&code, secret), "anchor-velvet-otter");
    CHECK_TEXT(ln_code_text(&code, text), "4711-anchor-velvet-otter");
    ln_code_renumber(&code, test_env());
    CHECK_TEXT(ln_code_secret(&code, secret), "anchor-velvet-otter");
}

LN_TEST(code, is_read_as_people_type_it)
{
    static const char *const texts[] = { "4711 anchor velvet otter", "4711-ANCHOR-Velvet-otter",
                                         "  4711 - anch, velv, otte. ",
                                         "4711_anchor.velvet otter" };
    char text[LN_CODE_TEXT_MAX], word[LN_CODE_TEXT_MAX];
    struct ln_code code;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        CHECK_EQUAL(ln_code_parse(texts[i], &code, word), 0);
        CHECK_TEXT(ln_code_text(&code, text), "4711-anchor-velvet-otter");
    }
}

LN_TEST(code, a_wrong_one_is_told_before_it_costs_a_try)
{
    static const char *const none[] = { "",
                                        "4711",
                                        "anchor-velvet-otter",
                                        "4711-anchor-velvet",
                                        "4711-anchor-velvet-otter-maple",
                                        "471-anchor-velvet-otter",
                                        "47110-anchor-velvet-otter",
                                        "47x1-anchor-velvet-otter" };
    char word[LN_CODE_TEXT_MAX] = "untouched", longest[500];
    struct ln_code code = { .number = 7 };

    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        CHECK_EQUAL(ln_code_parse(none[i], &code, word), LN_ERR_SYNTAX);
    CHECK_TEXT(word, "untouched");
    CHECK_EQUAL(ln_code_parse("4711-anchor-velvit-otter", &code, word), LN_ERR_NOT_FOUND);
    CHECK_TEXT(word, "velvit");
    CHECK_EQUAL(ln_code_parse("4711-anc-velvet-otter", &code, word), LN_ERR_NOT_FOUND);
    CHECK_TEXT(word, "anc");
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    memcpy(longest, "4711 anchor otter ", 18);
    CHECK_EQUAL(ln_code_parse(longest, &code, word), LN_ERR_NOT_FOUND);
    CHECK_EQUAL(code.number, 7);
}

LN_TEST(code, words_are_in_order_and_told_apart_by_four_letters)
{
    for (size_t i = 1; i < LN_TRANSFER_WORDS; i++)
        CHECK(strncmp(ln_transfer_words[i - 1], ln_transfer_words[i], 4) < 0);
}
