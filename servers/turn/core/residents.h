/* SPDX-License-Identifier: Apache-2.0
 * Residents: transport addresses (UDP) behind which stands an endpoint of this very program, as
 * clients name them, each with the number of the box that takes its parcels (handover.c).
 *
 * A client's data to such an address never sees a socket; what the resident sends to a relayed
 * address does not either. The policy has no say in it, as it has none in relays of other clients
 * (but on loopback), and it has all the say in every other port of that IP address. Residents come
 * and go while the workers run: who comes or goes writes under a flag, and the workers, who ask for
 * each datagram, read without one. A reader that met a writer looks again. */
#ifndef LN_TURN_RESIDENTS_H
#define LN_TURN_RESIDENTS_H

#include <linnet/address.h>

#include <stdatomic.h>

#define LN_TURN_RESIDENTS_MAX          32u  /* endpoints, each with a box */
#define LN_TURN_RESIDENT_ADDRESSES_MAX 64u  /* of all of them together */
#define LN_TURN_RESIDENT_SLOTS         256u /* a power of two, four times as many */

struct ln_turn_residents {
    _Atomic uint32_t count;
    _Atomic uint32_t version; /* odd while it is written */
    struct {
        _Atomic uint64_t ip[2];
        _Atomic uint64_t rest; /* family, port and box + 1; 0: free */
    } slots[LN_TURN_RESIDENT_SLOTS];
    atomic_flag writing; /* holds also what follows */
    struct {
        struct ln_address address;
        unsigned box;
    } entries[LN_TURN_RESIDENT_ADDRESSES_MAX];
};

void ln_turn_residents_init(struct ln_turn_residents *residents);

/* Any thread. From now on the address is that of a resident. Returns 0, LN_ERR_INVALID_ARGUMENT (no
 * port, or none that a client may name), LN_ERR_ADDRESS_IN_USE or LN_ERR_LIMIT. */
LN_NODISCARD int ln_turn_residents_enter(struct ln_turn_residents *residents,
                                         const struct ln_address *address, unsigned box);
/* From now on it is an address like any other. Harmless when it is one already. */
void ln_turn_residents_leave(struct ln_turn_residents *residents, const struct ln_address *address);

/* Whether a resident stands behind exactly this address. */
bool ln_turn_residents_find(const struct ln_turn_residents *residents,
                            const struct ln_address *address, unsigned *ret_box);
/* Whether one stands behind any port of it. */
bool ln_turn_residents_at(struct ln_turn_residents *residents, const struct ln_address *address);

#endif
