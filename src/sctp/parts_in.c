/* SPDX-License-Identifier: Apache-2.0
 * A message told in parts is news while it still grows: its node is in the list from its first byte
 * in turn, and what has gathered by the time the owner asks is one part. So parts are as large as
 * the owner is slow, and what it has not asked for holds the window. RFC 9260, 6.9 (the partial
 * delivery that 11.1.7 speaks of).
 *
 * Without interleaving only the run that ends at the cumulative TSN is in turn: all that was sent
 * before it has arrived. */
#include "sctp/parts_in.h"

#include "sctp/interleaved.h"
#include "sctp/streams_in.h"

#include <string.h>

static bool in_turn(const struct ln_reassembly *r, const struct ln_sctp_message *message)
{
    return message->unordered || message->mid == r->streams[message->stream]->next_mid;
}

void ln_parts_offer(struct ln_reassembly *r, struct ln_sctp_message *message)
{
    if (message->len == 0 || message->too_big || !in_turn(r, message) ||
        !(message->handed || ln_parts_wanted(r, message->stream)))
        return;
    message->news.kind = LN_SCTP_EVENT_PART;
    ln_news_tell(r->news, &message->news);
}

void ln_parts_offer_run(struct ln_reassembly *r, uint64_t cumulative)
{
    struct ln_sctp_message *run;

    if (r->part_streams == 0 || r->interleaving)
        return;
    run = ln_reassembly_open_run(r, cumulative);
    if (run && run->begin)
        ln_parts_offer(r, run);
}

int ln_parts_set(struct ln_reassembly *r, uint16_t id, bool parts, uint64_t cumulative)
{
    struct ln_in_stream *stream;

    if (!parts && !ln_parts_wanted(r, id))
        return 0;
    if (ln_in_stream_reserve(r, id, false, 0) != 0)
        return LN_ERR_NOMEM;
    stream = r->streams[id];
    if (stream->parts != parts)
        r->part_streams += parts ? 1 : (size_t)-1;
    stream->parts = parts;
    ln_parts_offer_run(r, cumulative);
    ln_interleaved_offer(r, stream);
    return 0;
}

void ln_parts_detach(struct ln_sctp_message *message, struct ln_lent_part *ret_part)
{
    ret_part->data = message->data;
    ret_part->cap = message->cap;
    ret_part->len = message->len;
    message->charge -= message->cap;
    message->last_part = message->len;
    message->handed = true;
    message->data = NULL;
    message->cap = message->start = message->len = 0;
}

void ln_parts_release(struct ln_reassembly *r, struct ln_lent_part *part)
{
    r->used_bytes -= part->cap;
    r->taken_bytes += part->len;
    ln_blocks_put(r->blocks, part->data, part->cap);
    memset(part, 0, sizeof *part);
}

struct ln_sctp_message *ln_parts_take(struct ln_reassembly *r, struct ln_lent_part *part)
{
    struct ln_sctp_message *message;
    size_t own;

    message = ln_blocks_get(r->blocks, sizeof *message, &own);
    if (!message)
        return NULL;
    memset(message, 0, sizeof *message);
    message->allocator = r->allocator;
    message->data = part->data;
    message->cap = part->cap;
    message->own_bytes = own;
    part->data = NULL;
    r->used_bytes -= part->cap;
    part->cap = 0;
    ln_parts_release(r, part);
    return message;
}
