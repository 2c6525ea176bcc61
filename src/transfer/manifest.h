/* SPDX-License-Identifier: Apache-2.0
 * What is transferred: files and folders in the order of the sender, each with a name that is taken
 * (transfer/name.h) and that clashes with no other, also where case does not count.
 *
 * Invariants: no name comes twice; nothing lies below a file; names that differ by case only, as a
 * whole or in a part, do not occur. */
#ifndef LN_TRANSFER_MANIFEST_H
#define LN_TRANSFER_MANIFEST_H

#include "base/arena.h"
#include "base/map.h"
#include "transfer/message.h"
#include "transfer/name.h"

#define LN_MANIFEST_ENTRIES_MAX 250000u
#define LN_MANIFEST_BYTES_MAX   (128u << 20) /* of names and of what finds clashes */

struct ln_manifest {
    struct ln_allocator *allocator;
    struct ln_arena arena;
    struct ln_map names; /* a digest of the folded name: struct name */
    struct ln_transfer_entry *entries;
    size_t count, capacity, files;
    uint64_t bytes; /* of all files; LN_TRANSFER_SIZE_UNKNOWN if one is */
};

void ln_manifest_init(struct ln_manifest *manifest, struct ln_env *env);
void ln_manifest_deinit(struct ln_manifest *manifest);

/* Copies the entry. Returns 0, LN_ERR_INVALID_ARGUMENT (*ret_problem says what is wrong with its
 * name, as ln_name_problem() does), LN_ERR_LIMIT or LN_ERR_NOMEM. */
LN_NODISCARD int ln_manifest_add(struct ln_manifest *manifest,
                                 const struct ln_transfer_entry *entry, const char **ret_problem);

#endif
