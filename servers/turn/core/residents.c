/* SPDX-License-Identifier: Apache-2.0
 * The table of residents (residents.h): entries that only writers see, and slots that are made from
 * them anew at each change, found by hash. Every word of a slot is atomic; the version tells a
 * reader whether what it read belongs together. */
#include "servers/turn/core/residents.h"

#include "base/address.h"
#include "base/bytes.h"

#include <linnet/error.h>

struct key {
    uint64_t ip[2];
    uint64_t rest; /* without the box */
};

#define REST_BOX 32u /* where the box stands in it */

void ln_turn_residents_init(struct ln_turn_residents *residents)
{
    atomic_flag_clear(&residents->writing);
}

static struct key key_of(const struct ln_address *address)
{
    return (struct key){ .ip = { ln_load64(address->ip), ln_load64(address->ip + 8) },
                         .rest = (uint64_t)address->family << 16 | address->port };
}

static size_t slot_of(const struct key *key)
{
    uint64_t mix = (key->ip[0] ^ key->ip[1] * 3 ^ key->rest) * UINT64_C(0x9e3779b97f4a7c15);

    return (size_t)(mix >> 56) % LN_TURN_RESIDENT_SLOTS;
}

/* ---- writing ---- */

static void lock(struct ln_turn_residents *residents)
{
    while (atomic_flag_test_and_set_explicit(&residents->writing, memory_order_acquire))
        ;
}

static void unlock(struct ln_turn_residents *residents)
{
    atomic_flag_clear_explicit(&residents->writing, memory_order_release);
}

static void put(struct ln_turn_residents *residents, const struct ln_address *address, unsigned box)
{
    struct key key = key_of(address);
    size_t at = slot_of(&key);

    while (atomic_load_explicit(&residents->slots[at].rest, memory_order_relaxed) != 0)
        at = (at + 1) % LN_TURN_RESIDENT_SLOTS;
    atomic_store_explicit(&residents->slots[at].ip[0], key.ip[0], memory_order_release);
    atomic_store_explicit(&residents->slots[at].ip[1], key.ip[1], memory_order_release);
    atomic_store_explicit(&residents->slots[at].rest, key.rest | ((uint64_t)box + 1) << REST_BOX,
                          memory_order_release);
}

/* Each store releases the ones before it, so that whoever reads a new word sees the odd version. */
static void write_slots(struct ln_turn_residents *residents, uint32_t count)
{
    uint32_t version = atomic_load_explicit(&residents->version, memory_order_relaxed);

    atomic_store_explicit(&residents->version, version + 1, memory_order_relaxed);
    for (size_t i = 0; i < LN_TURN_RESIDENT_SLOTS; i++)
        atomic_store_explicit(&residents->slots[i].rest, 0, memory_order_release);
    for (uint32_t i = 0; i < count; i++)
        put(residents, &residents->entries[i].address, residents->entries[i].box);
    atomic_store_explicit(&residents->count, count, memory_order_release);
    atomic_store_explicit(&residents->version, version + 2, memory_order_release);
}

static bool is_same(const struct ln_address *a, const struct ln_address *b)
{
    return a->port == b->port && ln_address_equal_ip(a, b);
}

/* Its place among the entries; their count when it is not there. */
static uint32_t place_of(const struct ln_turn_residents *residents, uint32_t count,
                         const struct ln_address *address)
{
    uint32_t i = 0;

    while (i < count && !is_same(&residents->entries[i].address, address))
        i++;
    return i;
}

static int enter(struct ln_turn_residents *residents, const struct ln_address *address,
                 unsigned box)
{
    uint32_t count = atomic_load_explicit(&residents->count, memory_order_relaxed);

    if (place_of(residents, count, address) < count)
        return LN_ERR_ADDRESS_IN_USE;
    if (count == LN_TURN_RESIDENT_ADDRESSES_MAX)
        return LN_ERR_LIMIT;
    residents->entries[count].address = *address;
    residents->entries[count].box = box;
    write_slots(residents, count + 1);
    return 0;
}

int ln_turn_residents_enter(struct ln_turn_residents *residents, const struct ln_address *address,
                            unsigned box)
{
    int error;

    if (address->family == LN_FAMILY_NONE || address->port == 0 ||
        ln_address_is_unspecified(address) || ln_address_is_multicast(address) ||
        ln_address_is_mapped(address) || ln_address_is_link_local(address))
        return LN_ERR_INVALID_ARGUMENT;
    lock(residents);
    error = enter(residents, address, box);
    unlock(residents);
    return error;
}

void ln_turn_residents_leave(struct ln_turn_residents *residents, const struct ln_address *address)
{
    uint32_t count, at;

    lock(residents);
    count = atomic_load_explicit(&residents->count, memory_order_relaxed);
    at = place_of(residents, count, address);
    if (at < count) {
        residents->entries[at] = residents->entries[count - 1];
        write_slots(residents, count - 1);
    }
    unlock(residents);
}

/* ---- reading ---- */

static bool look_up(const struct ln_turn_residents *residents, const struct key *key,
                    unsigned *ret_box)
{
    uint64_t rest;
    size_t at = slot_of(key);

    for (size_t i = 0; i < LN_TURN_RESIDENT_SLOTS; i++) { /* a writer may be at it */
        rest = atomic_load_explicit(&residents->slots[at].rest, memory_order_acquire);
        if (rest == 0)
            return false;
        if ((rest & UINT32_MAX) == key->rest &&
            atomic_load_explicit(&residents->slots[at].ip[0], memory_order_acquire) == key->ip[0] &&
            atomic_load_explicit(&residents->slots[at].ip[1], memory_order_acquire) == key->ip[1]) {
            *ret_box = (unsigned)(rest >> REST_BOX) - 1;
            return true;
        }
        at = (at + 1) % LN_TURN_RESIDENT_SLOTS;
    }
    return false;
}

bool ln_turn_residents_find(const struct ln_turn_residents *residents,
                            const struct ln_address *address, unsigned *ret_box)
{
    struct key key;
    uint32_t version;
    unsigned box = 0;
    bool found;

    if (atomic_load_explicit(&residents->count, memory_order_acquire) == 0)
        return false;
    key = key_of(address);
    do {
        version = atomic_load_explicit(&residents->version, memory_order_acquire);
        found = look_up(residents, &key, &box);
    } while ((version & 1) ||
             atomic_load_explicit(&residents->version, memory_order_relaxed) != version);
    if (found)
        *ret_box = box;
    return found;
}

bool ln_turn_residents_at(struct ln_turn_residents *residents, const struct ln_address *address)
{
    bool found = false;
    uint32_t count;

    if (atomic_load_explicit(&residents->count, memory_order_acquire) == 0)
        return false;
    lock(residents);
    count = atomic_load_explicit(&residents->count, memory_order_relaxed);
    for (uint32_t i = 0; i < count && !found; i++)
        found = ln_address_equal_ip(&residents->entries[i].address, address);
    unlock(residents);
    return found;
}
