/* SPDX-License-Identifier: Apache-2.0
 * Serial numbers (RFC 1982 as RFC 9260, 1.6 uses it). TSNs are widened to 64 bits where they enter,
 * beginning at 2^32 plus the initial TSN, and compared as plain numbers from there on. Stream
 * sequence numbers stay 16 bits wide and are compared in a circle; so are the 32 bits of message
 * identifiers, which stand in their place with interleaving (RFC 8260). */
#ifndef LN_SCTP_TSN_H
#define LN_SCTP_TSN_H

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t ln_tsn_first(uint32_t wire)
{
    return (UINT64_C(1) << 32) + wire;
}

/* The number nearest to `reference` whose low 32 bits are `wire`. */
static inline uint64_t ln_tsn_widen(uint64_t reference, uint32_t wire)
{
    int32_t distance = (int32_t)(wire - (uint32_t)reference);

    return reference + (uint64_t)(int64_t)distance;
}

/* How far b is ahead of a, in the circle: negative when it is behind. */
static inline int ln_ssn_distance(uint16_t a, uint16_t b)
{
    return (int16_t)(uint16_t)(b - a);
}

/* The same for the number of a message on its stream, of either kind. */
static inline int32_t ln_mid_distance(bool interleaving, uint32_t a, uint32_t b)
{
    return interleaving ? (int32_t)(b - a) : ln_ssn_distance((uint16_t)a, (uint16_t)b);
}

static inline uint32_t ln_mid_next(bool interleaving, uint32_t mid)
{
    return interleaving ? mid + 1 : (uint16_t)(mid + 1);
}

#endif
