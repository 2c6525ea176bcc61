/* SPDX-License-Identifier: Apache-2.0
 * The words of codes: those of web/words.txt, made into C by tools/words. In order; the first four
 * letters tell them apart. */
#ifndef LN_TRANSFER_WORDS_H
#define LN_TRANSFER_WORDS_H

#define LN_TRANSFER_WORDS       512u
#define LN_TRANSFER_WORD_MAX    8u
#define LN_TRANSFER_WORD_PREFIX 4u

extern const char ln_transfer_words[LN_TRANSFER_WORDS][LN_TRANSFER_WORD_MAX + 1];

#endif
