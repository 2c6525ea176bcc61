/* SPDX-License-Identifier: Apache-2.0
 * Codes: making, reading and writing them. */
#include "transfer/code.h"

#include "base/rng.h"
#include "transfer/words.h"

#include <linnet/error.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define SEPARATORS " \t\r\n-,._"

void ln_code_renumber(struct ln_code *code, struct ln_env *env)
{
    code->number = (uint16_t)(LN_CODE_NUMBER_MIN +
                              ln_rng_below(env->rng, LN_CODE_NUMBER_MAX - LN_CODE_NUMBER_MIN + 1));
}

void ln_code_make(struct ln_code *ret_code, struct ln_env *env)
{
    ln_code_renumber(ret_code, env);
    for (size_t i = 0; i < LN_CODE_WORDS; i++)
        ret_code->words[i] = (uint16_t)ln_rng_below(env->rng, LN_TRANSFER_WORDS);
}

/* The next word of *at in lower case, or its first letters if it is longer than any; "" at the end.
 */
static void next_word(const char **at, char word[LN_CODE_TEXT_MAX])
{
    size_t len;

    *at += strspn(*at, SEPARATORS);
    len = strcspn(*at, SEPARATORS);
    for (size_t i = 0; i < len && i < LN_CODE_TEXT_MAX - 1; i++)
        word[i] = (char)tolower((unsigned char)(*at)[i]);
    word[len < LN_CODE_TEXT_MAX - 1 ? len : LN_CODE_TEXT_MAX - 1] = '\0';
    *at += len;
}

static bool read_number(const char *word, uint16_t *ret_number)
{
    unsigned number = 0;

    if (!word[0] || strlen(word) > 4 || strspn(word, "0123456789") != strlen(word))
        return false;
    for (; *word; word++)
        number = number * 10 + (unsigned)(*word - '0');
    *ret_number = (uint16_t)number;
    return number >= LN_CODE_NUMBER_MIN;
}

static bool find_word(const char *word, uint16_t *ret_index)
{
    size_t len = strlen(word);

    if (len < LN_TRANSFER_WORD_PREFIX || len > LN_TRANSFER_WORD_MAX)
        return false;
    for (uint16_t i = 0; i < LN_TRANSFER_WORDS; i++)
        if (strncmp(ln_transfer_words[i], word, len) == 0) {
            *ret_index = i;
            return true;
        }
    return false;
}

int ln_code_parse(const char *text, struct ln_code *ret_code, char ret_word[LN_CODE_TEXT_MAX])
{
    char words[LN_CODE_WORDS][LN_CODE_TEXT_MAX], word[LN_CODE_TEXT_MAX];
    struct ln_code code;

    next_word(&text, word);
    if (!read_number(word, &code.number))
        return LN_ERR_SYNTAX;
    for (size_t i = 0; i < LN_CODE_WORDS; i++)
        next_word(&text, words[i]);
    next_word(&text, word);
    if (!words[LN_CODE_WORDS - 1][0] || word[0])
        return LN_ERR_SYNTAX;
    for (size_t i = 0; i < LN_CODE_WORDS; i++)
        if (!find_word(words[i], &code.words[i])) {
            memcpy(ret_word, words[i], LN_CODE_TEXT_MAX);
            return LN_ERR_NOT_FOUND;
        }
    *ret_code = code;
    return 0;
}

char *ln_code_secret(const struct ln_code *code, char text[LN_CODE_TEXT_MAX])
{
    snprintf(text, LN_CODE_TEXT_MAX, "%s-%s-%s", ln_transfer_words[code->words[0]],
             ln_transfer_words[code->words[1]], ln_transfer_words[code->words[2]]);
    return text;
}

char *ln_code_text(const struct ln_code *code, char text[LN_CODE_TEXT_MAX])
{
    char secret[LN_CODE_TEXT_MAX];

    snprintf(text, LN_CODE_TEXT_MAX, "%u-%.28s", code->number, ln_code_secret(code, secret));
    return text;
}

char *ln_code_room(const struct ln_code *code, char text[LN_CODE_ROOM_MAX])
{
    snprintf(text, LN_CODE_ROOM_MAX, "transfer-%u", code->number);
    return text;
}
