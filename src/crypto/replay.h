/* SPDX-License-Identifier: Apache-2.0
 * A sliding window over packet numbers that tells what was seen before (RFC 3711 3.3.2, RFC 6347
 * 4.1.2.6): a ring of bits, number n at place n mod LN_REPLAY_WINDOW.
 *
 * Check before the packet is authenticated, mark after: an attacker's number never moves it. */
#ifndef LN_CRYPTO_REPLAY_H
#define LN_CRYPTO_REPLAY_H

#include <linnet/types.h>

#define LN_REPLAY_WINDOW 1024u /* a power of two, a multiple of 64 */

struct ln_replay {
    uint64_t end; /* the highest number marked, plus one; 0: none yet */
    uint64_t seen[LN_REPLAY_WINDOW / 64];
};

/* Whether the number is new and not too old. */
static inline bool ln_replay_is_new(const struct ln_replay *replay, uint64_t number)
{
    if (number >= replay->end)
        return true;
    if (replay->end - number > LN_REPLAY_WINDOW)
        return false;
    return !(replay->seen[number % LN_REPLAY_WINDOW / 64] >> (number % 64) & 1);
}

/* Marks a number for which ln_replay_is_new() holds. */
static inline void ln_replay_mark(struct ln_replay *replay, uint64_t number)
{
    if (number >= replay->end) {
        uint64_t from = replay->end;

        /* Places of the numbers that were jumped over are cleared. */
        if (number - from >= LN_REPLAY_WINDOW)
            from = number - LN_REPLAY_WINDOW + 1;
        for (; from <= number; from++)
            replay->seen[from % LN_REPLAY_WINDOW / 64] &= ~(UINT64_C(1) << (from % 64));
        replay->end = number + 1;
    }
    replay->seen[number % LN_REPLAY_WINDOW / 64] |= UINT64_C(1) << (number % 64);
}

#endif
