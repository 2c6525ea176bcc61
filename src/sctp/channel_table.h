/* SPDX-License-Identifier: Apache-2.0
 * The channels of one association: by handle and by stream id. Part of data_channels. */
#ifndef LN_SCTP_CHANNEL_TABLE_H
#define LN_SCTP_CHANNEL_TABLE_H

#include "base/list.h"
#include "sctp/data_channels.h"

/* News of a channel not yet told, in the order they are told. */
#define LN_CHANNEL_TELL_INCOMING 0x01u
#define LN_CHANNEL_TELL_OPEN     0x02u
#define LN_CHANNEL_TELL_LOW      0x04u
#define LN_CHANNEL_TELL_ROOM     0x08u
#define LN_CHANNEL_TELL_CLOSING  0x10u
#define LN_CHANNEL_TELL_CLOSED   0x20u

struct ln_channel_object {
    struct ln_list news; /* while something is to be told */
    ln_channel handle;
    struct ln_channel_info info; /* texts stand behind this struct */
    uint8_t tell;
    int error;              /* of the closed event */
    bool acknowledged;      /* unordered sending is allowed */
    bool open_queued;       /* our OPEN is with the association */
    bool reset_asked;       /* we asked to reset our side */
    bool out_done, in_done; /* each side's reset */
    size_t dcep_bytes;      /* first on our stream, before user data */
    uint64_t stream_bytes;  /* all ever queued on it for this channel */
    size_t low_threshold;
    bool parts;          /* what comes is told in parts */
    bool open_text;      /* the message being written is text */
    uint64_t open_bytes; /* of it */
};

struct ln_channel_slot {
    struct ln_channel_object *channel; /* NULL: free */
    uint16_t generation;
};

struct ln_channel_table {
    struct ln_allocator *allocator;
    struct ln_channel_slot *slots;
    size_t slot_count, slot_capacity; /* those used so far */
    size_t free_from;                 /* no free slot stands before */
    struct ln_channel_object **by_id;
    size_t id_capacity;
    size_t count, limit;
    uint32_t lowest_free[2]; /* per parity: no free id stands before */
};

void ln_channel_table_init(struct ln_channel_table *table, struct ln_allocator *allocator,
                           size_t limit);
void ln_channel_table_deinit(struct ln_channel_table *table);

/* A new channel with its texts copied, without an id. LN_ERR_LIMIT or LN_ERR_NOMEM. */
LN_NODISCARD int ln_channel_table_add(struct ln_channel_table *table,
                                      const struct ln_channel_options *options,
                                      struct ln_channel_object **ret_channel);
void ln_channel_table_remove(struct ln_channel_table *table, struct ln_channel_object *channel);

struct ln_channel_object *ln_channel_table_get(const struct ln_channel_table *table,
                                               ln_channel handle);
struct ln_channel_object *ln_channel_table_by_id(const struct ln_channel_table *table, uint16_t id);
/* Binds an id that is free. LN_ERR_NOMEM. */
LN_NODISCARD int ln_channel_table_bind(struct ln_channel_table *table,
                                       struct ln_channel_object *channel, uint16_t id);
void ln_channel_table_unbind(struct ln_channel_table *table, struct ln_channel_object *channel);
/* The lowest free id of a parity below `end`; LN_CHANNEL_NO_ID when there is none. */
int32_t ln_channel_table_free_id(struct ln_channel_table *table, unsigned parity, uint32_t end);
/* The first channel at or after the slot; NULL at the end. */
struct ln_channel_object *ln_channel_table_from(const struct ln_channel_table *table, size_t slot);

static inline size_t ln_channel_slot_of(ln_channel handle)
{
    return handle & 0xffffu;
}

#endif
