/* SPDX-License-Identifier: Apache-2.0
 * The list, and the map that finds clashes: every name and every folder that a name implies stands
 * in it by a digest of what file systems without case see of it. */
#include "transfer/manifest.h"

#include "base/alloc.h"
#include "crypto/hash.h"

#include <linnet/error.h>

#include <string.h>

#define KEY_LEN 16u /* of the digest: nobody finds two names with the same one */

enum name_kind { IS_FILE, IS_FOLDER, IS_IMPLIED };

struct name {
    const char *spelling;
    size_t len;
    enum name_kind kind;
};

void ln_manifest_init(struct ln_manifest *m, struct ln_env *env)
{
    memset(m, 0, sizeof *m);
    m->allocator = env->allocator;
    ln_arena_init(&m->arena, env->allocator, LN_MANIFEST_BYTES_MAX);
    ln_map_init(&m->names, env, (size_t)LN_MANIFEST_ENTRIES_MAX * 4);
}

void ln_manifest_deinit(struct ln_manifest *m)
{
    ln_map_deinit(&m->names);
    ln_arena_deinit(&m->arena);
    ln_free(m->allocator, m->entries);
    m->entries = NULL;
    m->count = m->capacity = 0;
}

static void key_of(const char *name, size_t len, uint8_t key[KEY_LEN])
{
    char folded[LN_NAME_BYTES_MAX];
    uint8_t digest[LN_SHA256_LEN];

    ln_hash_once(LN_HASH_SHA256, folded, ln_name_fold(name, len, folded), digest);
    memcpy(key, digest, KEY_LEN);
}

static int remember(struct ln_manifest *m, const uint8_t key[KEY_LEN], const char *spelling,
                    size_t len, enum name_kind kind)
{
    struct name *name = ln_arena_alloc(&m->arena, sizeof *name);

    if (!name)
        return LN_ERR_NOMEM;
    name->spelling = spelling;
    name->len = len;
    name->kind = kind;
    return ln_map_set(&m->names, key, KEY_LEN, name);
}

/* A name, or the folder of one: `kind` is what it is. */
static int claim(struct ln_manifest *m, const char *spelling, size_t len, enum name_kind kind,
                 const char **ret_problem)
{
    uint8_t key[KEY_LEN];
    struct name *known;

    key_of(spelling, len, key);
    known = ln_map_get(&m->names, key, KEY_LEN);
    if (!known)
        return remember(m, key, spelling, len, kind);
    if (known->len != len || memcmp(known->spelling, spelling, len) != 0) {
        *ret_problem = "differs from another by case only";
    } else if (kind == IS_IMPLIED) {
        if (known->kind != IS_FILE)
            return 0;
        *ret_problem = "lies below a file";
    } else if (known->kind == IS_IMPLIED && kind == IS_FOLDER) {
        known->kind = IS_FOLDER;
        return 0;
    } else {
        *ret_problem = "comes twice";
    }
    return LN_ERR_INVALID_ARGUMENT;
}

static int claim_all(struct ln_manifest *m, const char *name, size_t len, enum name_kind kind,
                     const char **ret_problem)
{
    for (size_t at = 0; at < len; at++) {
        int error = name[at] == '/' ? claim(m, name, at, IS_IMPLIED, ret_problem) : 0;

        if (error)
            return error;
    }
    return claim(m, name, len, kind, ret_problem);
}

static void count_bytes(struct ln_manifest *m, uint64_t size)
{
    if (size == LN_TRANSFER_SIZE_UNKNOWN || m->bytes == LN_TRANSFER_SIZE_UNKNOWN ||
        size > LN_TRANSFER_SIZE_MAX - (m->bytes < LN_TRANSFER_SIZE_MAX ? m->bytes : 0))
        m->bytes = LN_TRANSFER_SIZE_UNKNOWN;
    else
        m->bytes += size;
}

int ln_manifest_add(struct ln_manifest *m, const struct ln_transfer_entry *entry,
                    const char **ret_problem)
{
    const char *problem = ln_name_problem((const char *)entry->name.data, entry->name.len);
    bool is_file = entry->kind == LN_KIND_FILE;
    char *name;
    int error;

    if (problem) {
        *ret_problem = problem;
        return LN_ERR_INVALID_ARGUMENT;
    }
    if (m->count == LN_MANIFEST_ENTRIES_MAX)
        return LN_ERR_LIMIT;
    error = ln_grow(m->allocator, &m->entries, sizeof *m->entries, m->count, &m->capacity,
                    LN_MANIFEST_ENTRIES_MAX);
    if (error)
        return error;
    name = ln_arena_text(&m->arena, (const char *)entry->name.data, entry->name.len);
    if (!name)
        return LN_ERR_NOMEM;
    error = claim_all(m, name, entry->name.len, is_file ? IS_FILE : IS_FOLDER, ret_problem);
    if (error)
        return error;
    m->entries[m->count] = *entry;
    m->entries[m->count++].name.data = (const uint8_t *)name;
    m->files += is_file;
    count_bytes(m, entry->size);
    return 0;
}
