/* SPDX-License-Identifier: Apache-2.0
 * Two ends of a transfer in memory: a store of files for each, and a channel that carries a number
 * of messages and then breaks. */
#ifndef TEST_TRANSFER_ENDS_H
#define TEST_TRANSFER_ENDS_H

#include "transfer/receiver.h"
#include "transfer/sender.h"

#define STORE_FILES 64

struct stored {
    char name[64];
    uint8_t *data;
    size_t len;
    bool part, unreadable;
};

struct store {
    struct stored files[STORE_FILES];
    size_t count;
};

/* The content is made from the seed. */
void store_add(struct store *store, const char *name, size_t len, uint32_t seed);
void store_put(struct store *store, const char *name, const void *data, size_t len, bool part);
struct stored *store_find(struct store *store, const char *name, bool part);
void store_free(struct store *store);
/* Whether both have the same complete files. */
bool store_same(const struct store *a, const struct store *b);

struct ends {
    struct store *from, *to;
    struct ln_manifest *manifest;
    bool force;           /* what differs is replaced */
    size_t messages_left; /* then the channel breaks */
    size_t queue_max;     /* messages under way to the receiver, at most */
    struct ln_sender *sender;
    struct ln_receiver *receiver;
    /* what happened */
    bool sender_done, receiver_done, sender_cancelled, receiver_cancelled, broken;
    enum ln_transfer_reason reason;
    char sentence[LN_TRANSFER_SENTENCE_MAX + 1];
    size_t same, differs, missing, folders, refused, most_queued;
    uint64_t most_under_way, written, kept;
};

/* All files of the store, with their sizes. */
void ends_list(struct ln_manifest *manifest, struct store *store);
/* Runs one channel from its beginning to its end. */
void ends_run(struct ends *ends, uint64_t window);

#endif
