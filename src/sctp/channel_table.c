/* SPDX-License-Identifier: Apache-2.0
 * A handle is a slot number and the slot's generation, so that a stale one finds nothing. */
#include "sctp/channel_table.h"

#include "base/alloc.h"

#include <assert.h>
#include <string.h>

#define IDS_MAX (LN_CHANNEL_ID_MAX + 1u)

void ln_channel_table_init(struct ln_channel_table *table, struct ln_allocator *allocator,
                           size_t limit)
{
    memset(table, 0, sizeof *table);
    table->allocator = allocator;
    table->limit = limit < LN_CHANNELS_MAX ? limit : LN_CHANNELS_MAX;
    table->lowest_free[1] = 1;
}

void ln_channel_table_deinit(struct ln_channel_table *table)
{
    for (size_t i = 0; i < table->slot_count; i++)
        ln_free(table->allocator, table->slots[i].channel);
    ln_free(table->allocator, table->slots);
    ln_free(table->allocator, table->by_id);
}

static struct ln_channel_object *create(struct ln_allocator *allocator,
                                        const struct ln_channel_options *options)
{
    size_t len = options->label_len + options->protocol_len;
    struct ln_channel_object *channel = ln_alloc_zero(allocator, sizeof *channel + len + 2);
    char *texts;

    if (!channel)
        return NULL;
    texts = (char *)(channel + 1);
    if (options->label_len > 0)
        memcpy(texts, options->label, options->label_len);
    if (options->protocol_len > 0)
        memcpy(texts + options->label_len + 1, options->protocol, options->protocol_len);
    ln_list_init(&channel->news);
    channel->info = (struct ln_channel_info){
        .state = LN_CHANNEL_CONNECTING,
        .label = texts,
        .protocol = texts + options->label_len + 1,
        .label_len = options->label_len,
        .protocol_len = options->protocol_len,
        .unordered = options->unordered,
        .negotiated = options->negotiated,
        .max_lifetime_ms = options->max_lifetime_ms,
        .max_retransmits = options->max_retransmits,
        .id = LN_CHANNEL_NO_ID,
        .priority = options->priority,
    };
    return channel;
}

/* A free slot, made if need be. */
static int free_slot(struct ln_channel_table *table, size_t *ret_slot)
{
    size_t slot = table->free_from;
    int error;

    while (slot < table->slot_count && table->slots[slot].channel)
        slot++;
    table->free_from = slot;
    if (slot == table->slot_count) {
        if (slot == table->slot_capacity) {
            error = ln_grow(table->allocator, &table->slots, sizeof *table->slots, slot,
                            &table->slot_capacity, LN_CHANNELS_MAX);
            if (error)
                return error;
        }
        table->slots[slot] = (struct ln_channel_slot){ NULL, 0 };
        table->slot_count++;
    }
    *ret_slot = slot;
    return 0;
}

int ln_channel_table_add(struct ln_channel_table *table, const struct ln_channel_options *options,
                         struct ln_channel_object **ret_channel)
{
    struct ln_channel_object *channel;
    size_t slot;
    int error;

    if (table->count >= table->limit)
        return LN_ERR_LIMIT;
    error = free_slot(table, &slot);
    if (error)
        return error;
    channel = create(table->allocator, options);
    if (!channel)
        return LN_ERR_NOMEM;
    if (++table->slots[slot].generation == 0)
        table->slots[slot].generation = 1; /* so that no handle is 0 */
    table->slots[slot].channel = channel;
    channel->handle = (ln_channel)table->slots[slot].generation << 16 | (ln_channel)slot;
    table->count++;
    *ret_channel = channel;
    return 0;
}

void ln_channel_table_remove(struct ln_channel_table *table, struct ln_channel_object *channel)
{
    size_t slot = ln_channel_slot_of(channel->handle);

    ln_channel_table_unbind(table, channel);
    ln_list_remove(&channel->news);
    table->slots[slot].channel = NULL;
    if (slot < table->free_from)
        table->free_from = slot;
    table->count--;
    ln_free(table->allocator, channel);
}

struct ln_channel_object *ln_channel_table_get(const struct ln_channel_table *table,
                                               ln_channel handle)
{
    size_t slot = ln_channel_slot_of(handle);

    if (slot >= table->slot_count || table->slots[slot].generation != handle >> 16)
        return NULL;
    return table->slots[slot].channel;
}

struct ln_channel_object *ln_channel_table_by_id(const struct ln_channel_table *table, uint16_t id)
{
    return id < table->id_capacity ? table->by_id[id] : NULL;
}

int ln_channel_table_bind(struct ln_channel_table *table, struct ln_channel_object *channel,
                          uint16_t id)
{
    assert(ln_channel_table_by_id(table, id) == NULL);
    while (id >= table->id_capacity) {
        size_t before = table->id_capacity;
        int error = ln_grow(table->allocator, &table->by_id, sizeof(*table->by_id), before,
                            &table->id_capacity, IDS_MAX);

        if (error)
            return error;
        memset(table->by_id + before, 0, (table->id_capacity - before) * sizeof(*table->by_id));
    }
    table->by_id[id] = channel;
    channel->info.id = id;
    return 0;
}

void ln_channel_table_unbind(struct ln_channel_table *table, struct ln_channel_object *channel)
{
    uint32_t id = (uint32_t)channel->info.id;

    if (channel->info.id == LN_CHANNEL_NO_ID || table->by_id[id] != channel)
        return;
    table->by_id[id] = NULL;
    if (id < table->lowest_free[id & 1])
        table->lowest_free[id & 1] = id;
}

int32_t ln_channel_table_free_id(struct ln_channel_table *table, unsigned parity, uint32_t end)
{
    uint32_t id = table->lowest_free[parity];

    while (id < end && ln_channel_table_by_id(table, (uint16_t)id))
        id += 2;
    table->lowest_free[parity] = id;
    return id < end ? (int32_t)id : LN_CHANNEL_NO_ID;
}

struct ln_channel_object *ln_channel_table_from(const struct ln_channel_table *table, size_t slot)
{
    for (; slot < table->slot_count; slot++)
        if (table->slots[slot].channel)
            return table->slots[slot].channel;
    return NULL;
}
