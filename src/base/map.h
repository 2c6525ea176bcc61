/* SPDX-License-Identifier: Apache-2.0
 * A hash map from short byte strings (or 64-bit numbers) to pointers. Open addressing, keyed hash
 * (SipHash-1-3 with a key from the rng, so that a peer cannot choose collisions), a limit on
 * entries. Keys are copied, each entry is as long as the longest of them; values are not owned. */
#ifndef LN_BASE_MAP_H
#define LN_BASE_MAP_H

#include <linnet/address.h>
#include <linnet/env.h>

#define LN_MAP_KEY_MAX 64u

struct ln_map {
    struct ln_allocator *allocator;
    uint64_t secret[2];
    uint8_t *entries;
    size_t entry_len; /* bytes; 0 before the first */
    size_t capacity;  /* 0 or a power of two */
    size_t count, limit;
};

void ln_map_init(struct ln_map *map, const struct ln_env *env, size_t limit);
void ln_map_deinit(struct ln_map *map);

void *ln_map_get(const struct ln_map *map, const void *key, size_t key_len);
/* Adds or replaces; value is not NULL, key_len at most LN_MAP_KEY_MAX. Returns 0, LN_ERR_LIMIT or
 * LN_ERR_NOMEM. */
LN_NODISCARD int ln_map_set(struct ln_map *map, const void *key, size_t key_len, void *value);
/* Removes and returns the value, or NULL. */
void *ln_map_remove(struct ln_map *map, const void *key, size_t key_len);

void *ln_map_get_u64(const struct ln_map *map, uint64_t key);
LN_NODISCARD int ln_map_set_u64(struct ln_map *map, uint64_t key, void *value);
void *ln_map_remove_u64(struct ln_map *map, uint64_t key);

/* Walks all values: start with *cursor 0; NULL at the end. The map must not change meanwhile. */
void *ln_map_next(const struct ln_map *map, size_t *cursor);

/* SipHash-1-3 of a byte string under a 128-bit key. */
uint64_t ln_siphash(const uint64_t key[2], const void *data, size_t len);

/* An address as a map key: family, ip, port, scope in 23 bytes. */
#define LN_ADDRESS_KEY_LEN 23u
void ln_address_key(const struct ln_address *address, uint8_t key[LN_ADDRESS_KEY_LEN]);

#endif
