/* SPDX-License-Identifier: Apache-2.0
 * Where what is received goes: below one folder, never elsewhere. Every folder on the way to a file
 * is opened by itself, from that folder down, and never through a link; unfinished files are NAME
 * with
 * ".linnet.part" behind it, and get their name when they are whole.
 *
 * Names come from a manifest, so they are clean (transfer/name.h). Each function that can fail
 * writes a sentence. */
#ifndef LN_CLI_TARGET_H
#define LN_CLI_TARGET_H

#include "transfer/receiver.h"

#define TARGET_SENTENCE_MAX 400

struct target_file {
    uint32_t file; /* TARGET_NONE: none */
    int fd;
};
#define TARGET_NONE UINT32_MAX

struct target {
    int folder;
    bool force;
    const struct ln_manifest *manifest; /* borrowed */
    struct target_file found, part;     /* read, written */
    int parent;                         /* of the entry that was last asked for */
    size_t parent_len;                  /* its name, in the entry's */
    uint32_t parent_of;
    char sentence[TARGET_SENTENCE_MAX];
};

/* Opens the folder, which is made if it is not there. Returns 0, or -1 with a sentence. */
int target_open(struct target *target, const char *folder, bool force);
void target_close(struct target *target);
/* From now on entries are those of this manifest. */
void target_set_manifest(struct target *target, const struct ln_manifest *manifest);

/* Whether bytes more fit: 0, or -1 with a sentence. Unknown counts as fitting. */
int target_room(struct target *target, uint64_t bytes);

/* Makes a folder. 0, or -1. */
int target_make_folder(struct target *target, uint32_t file);
/* What is there of a file; REFUSED with a sentence. */
enum ln_receiver_found target_look(struct target *target, uint32_t file, uint64_t *ret_bytes);
/* Reads what target_look() found: the bytes, fewer than cap at the end. */
size_t target_read(struct target *target, uint32_t file, uint64_t offset, uint8_t *data,
                   size_t cap);
/* Writes to the unfinished file; at offset 0 it begins anew. 0, or -1. */
int target_write(struct target *target, uint32_t file, uint64_t offset, const uint8_t *data,
                 size_t len);
/* It is whole: mode and time are set, and it gets its name. 0, or -1: it stays unfinished. */
int target_finish(struct target *target, uint32_t file, uint64_t size);
/* All is there: folders get their modes and times, the innermost first. */
void target_finish_folders(struct target *target);

#endif
