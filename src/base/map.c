/* SPDX-License-Identifier: Apache-2.0
 * Linear probing with backward-shift deletion; at most three quarters full. */
#include "base/map.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/rng.h"

#include <linnet/error.h>

#include <assert.h>
#include <string.h>

struct entry {
    uint64_t hash;
    void *value; /* NULL: free */
    uint8_t key_len;
    uint8_t key[];
};

#define ROTATE(x, n) (((x) << (n)) | ((x) >> (64 - (n))))

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = ROTATE(v[1], 13) ^ v[0];
    v[0] = ROTATE(v[0], 32);
    v[2] += v[3];
    v[3] = ROTATE(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = ROTATE(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = ROTATE(v[1], 17) ^ v[2];
    v[2] = ROTATE(v[2], 32);
}

static uint64_t load_little(const uint8_t *p, size_t len)
{
    uint64_t value = 0;
    size_t i;

    for (i = 0; i < len; i++)
        value |= (uint64_t)p[i] << (8 * i);
    return value;
}

uint64_t ln_siphash(const uint64_t key[2], const void *data, size_t len)
{
    uint64_t v[4] = { key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
                      key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u };
    const uint8_t *p = data;
    size_t left = len;
    uint64_t word;
    int i;

    for (; left >= 8; left -= 8, p += 8) {
        word = load_little(p, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = load_little(p, left) | ((uint64_t)len << 56);
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void ln_map_init(struct ln_map *map, const struct ln_env *env, size_t limit)
{
    memset(map, 0, sizeof *map);
    map->allocator = env->allocator;
    map->limit = limit;
    ln_rng_bytes(env->rng, map->secret, sizeof map->secret);
}

void ln_map_deinit(struct ln_map *map)
{
    ln_free(map->allocator, map->entries);
    map->entries = NULL;
    map->capacity = map->count = 0;
}

static struct entry *entry_at(const struct ln_map *map, size_t i)
{
    return (struct entry *)(void *)(map->entries + i * map->entry_len);
}

/* The entry with the key, or the free one where it would go. */
static struct entry *find(const struct ln_map *map, uint64_t hash, const void *key, size_t key_len)
{
    size_t at = (size_t)hash & (map->capacity - 1);

    for (;; at = (at + 1) & (map->capacity - 1)) {
        struct entry *e = entry_at(map, at);

        if (!e->value)
            return e;
        if (e->hash == hash && e->key_len == key_len && memcmp(e->key, key, key_len) == 0)
            return e;
    }
}

void *ln_map_get(const struct ln_map *map, const void *key, size_t key_len)
{
    if (map->count == 0)
        return NULL;
    return find(map, ln_siphash(map->secret, key, key_len), key, key_len)->value;
}

static size_t length_for(size_t key_len)
{
    return (offsetof(struct entry, key) + key_len + 7) / 8 * 8;
}

/* Makes room for one more, with a key of this length. */
static int grow(struct ln_map *map, size_t key_len)
{
    struct ln_map old = *map;

    if (map->count + 1 > map->capacity / 4 * 3)
        map->capacity = old.capacity ? old.capacity * 2 : 8;
    if (map->entry_len < length_for(key_len))
        map->entry_len = length_for(key_len);
    if (map->capacity == old.capacity && map->entry_len == old.entry_len)
        return 0;
    map->entries = ln_alloc_array(map->allocator, map->capacity, map->entry_len);
    if (!map->entries) {
        *map = old;
        return LN_ERR_NOMEM;
    }
    for (size_t i = 0; i < old.capacity; i++) {
        const struct entry *e = entry_at(&old, i);

        if (e->value)
            memcpy(find(map, e->hash, e->key, e->key_len), e, old.entry_len);
    }
    ln_free(map->allocator, old.entries);
    return 0;
}

int ln_map_set(struct ln_map *map, const void *key, size_t key_len, void *value)
{
    uint64_t hash = ln_siphash(map->secret, key, key_len);
    struct entry *e;
    int error;

    assert(value && key_len <= LN_MAP_KEY_MAX);
    if (map->capacity > 0) {
        e = find(map, hash, key, key_len);
        if (e->value) {
            e->value = value;
            return 0;
        }
    }
    if (map->count >= map->limit)
        return LN_ERR_LIMIT;
    error = grow(map, key_len);
    if (error)
        return error;
    e = find(map, hash, key, key_len);
    e->hash = hash;
    e->key_len = (uint8_t)key_len;
    memcpy(e->key, key, key_len);
    e->value = value;
    map->count++;
    return 0;
}

void *ln_map_remove(struct ln_map *map, const void *key, size_t key_len)
{
    size_t mask = map->capacity - 1, hole, at;
    struct entry *e;
    void *value;

    if (map->count == 0)
        return NULL;
    e = find(map, ln_siphash(map->secret, key, key_len), key, key_len);
    value = e->value;
    if (!value)
        return NULL;
    hole = (size_t)((uint8_t *)e - map->entries) / map->entry_len;
    /* Entries after the hole move back unless they stand between their home and the hole. */
    for (at = (hole + 1) & mask; entry_at(map, at)->value; at = (at + 1) & mask) {
        size_t home = (size_t)entry_at(map, at)->hash & mask;

        if (((at - home) & mask) >= ((at - hole) & mask)) {
            memcpy(entry_at(map, hole), entry_at(map, at), map->entry_len);
            hole = at;
        }
    }
    memset(entry_at(map, hole), 0, map->entry_len);
    map->count--;
    return value;
}

static void u64_key(uint64_t key, uint8_t bytes[8])
{
    ln_store64(bytes, key);
}

void *ln_map_get_u64(const struct ln_map *map, uint64_t key)
{
    uint8_t bytes[8];

    u64_key(key, bytes);
    return ln_map_get(map, bytes, sizeof bytes);
}

int ln_map_set_u64(struct ln_map *map, uint64_t key, void *value)
{
    uint8_t bytes[8];

    u64_key(key, bytes);
    return ln_map_set(map, bytes, sizeof bytes, value);
}

void *ln_map_remove_u64(struct ln_map *map, uint64_t key)
{
    uint8_t bytes[8];

    u64_key(key, bytes);
    return ln_map_remove(map, bytes, sizeof bytes);
}

void *ln_map_next(const struct ln_map *map, size_t *cursor)
{
    while (*cursor < map->capacity) {
        void *value = entry_at(map, (*cursor)++)->value;

        if (value)
            return value;
    }
    return NULL;
}

void ln_address_key(const struct ln_address *address, uint8_t key[LN_ADDRESS_KEY_LEN])
{
    key[0] = address->family;
    memcpy(key + 1, address->ip, 16);
    ln_store16(key + 17, address->port);
    ln_store32(key + 19, address->scope);
}
