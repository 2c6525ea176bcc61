/* SPDX-License-Identifier: Apache-2.0
 * Codes as "4711-anchor-velvet-otter": a number that names a room of the signalling server, and
 * three words that it never learns (docs/transfer.md). */
#ifndef LN_TRANSFER_CODE_H
#define LN_TRANSFER_CODE_H

#include <linnet/env.h>

#define LN_CODE_WORDS      3u
#define LN_CODE_NUMBER_MIN 1000u
#define LN_CODE_NUMBER_MAX 9999u
#define LN_CODE_TEXT_MAX   40u /* with its NUL */
#define LN_CODE_ROOM_MAX   24u

struct ln_code {
    uint16_t number;
    uint16_t words[LN_CODE_WORDS]; /* indices into the list */
};

/* A new one; all of it comes from env's generator. */
void ln_code_make(struct ln_code *ret_code, struct ln_env *env);
/* Another room for the same words. */
void ln_code_renumber(struct ln_code *code, struct ln_env *env);

/* Reads what people type: upper or lower case, words separated by "-", blanks, commas or dots, and
 * cut short after four letters if they like. Returns 0, LN_ERR_SYNTAX (no number and three words)
 * or LN_ERR_NOT_FOUND: ret_word is set to the word that is none of the list. */
LN_NODISCARD int ln_code_parse(const char *text, struct ln_code *ret_code,
                               char ret_word[LN_CODE_TEXT_MAX]);

/* "4711-anchor-velvet-otter"; "anchor-velvet-otter", the secret; "transfer-4711", the room. Each
 * returns its argument. */
char *ln_code_text(const struct ln_code *code, char text[LN_CODE_TEXT_MAX]);
char *ln_code_secret(const struct ln_code *code, char text[LN_CODE_TEXT_MAX]);
char *ln_code_room(const struct ln_code *code, char text[LN_CODE_ROOM_MAX]);

#endif
