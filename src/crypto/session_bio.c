/* SPDX-License-Identifier: Apache-2.0
 * The library's way in and out. Reading takes from the packet that the caller lent for the present
 * call; a datagram session is given one record at a time. Writing fills the caller's memory if some
 * was lent, else a queue; datagram boundaries are kept. */
#include "base/alloc.h"
#include "crypto/session_internal.h"

#include <linnet/error.h>

#include <string.h>

/* What IPv4 and UDP add to a datagram: the link MTU that the library is told includes it. */
#define MTU_OVERHEAD 28

/* Any number that the library does not use itself; nothing looks for it. */
#define BIO_TYPE (BIO_TYPE_SOURCE_SINK | 0xff)

bool ln_block_push(struct ln_block_queue *queue, struct ln_allocator *allocator, const void *data,
                   size_t len)
{
    struct ln_block *block = ln_alloc(allocator, sizeof *block + len);

    if (!block)
        return false;
    block->next = NULL;
    block->len = len;
    block->at = 0;
    memcpy(block->data, data, len);
    if (queue->last)
        queue->last->next = block;
    else
        queue->first = block;
    queue->last = block;
    queue->count++;
    queue->bytes += len;
    return true;
}

/* Behind the last block, which moves. */
static bool append(struct ln_block_queue *queue, struct ln_allocator *allocator, const void *data,
                   size_t len)
{
    struct ln_block **place = &queue->first, *larger;

    while (*place != queue->last)
        place = &(*place)->next;
    larger = ln_realloc(allocator, *place, sizeof *larger + (*place)->len + len);
    if (!larger)
        return false;
    memcpy(larger->data + larger->len, data, len);
    larger->len += len;
    queue->bytes += len;
    *place = queue->last = larger;
    return true;
}

void ln_block_drop(struct ln_block_queue *queue, struct ln_allocator *allocator)
{
    struct ln_block *block = queue->first;

    queue->first = block->next;
    if (!queue->first)
        queue->last = NULL;
    queue->count--;
    queue->bytes -= block->len;
    ln_wipe(block->data, block->len);
    ln_free(allocator, block);
}

void ln_block_clear(struct ln_block_queue *queue, struct ln_allocator *allocator)
{
    while (queue->first)
        ln_block_drop(queue, allocator);
}

/* Our record layer goes on where the library's ends: the numbers are read off its records. */
static void note_records(struct ln_session *s, const void *data, size_t len)
{
    struct ln_bytes datagram = { data, len };
    struct ln_record record;

    while (ln_record_next(&datagram, &record)) {
        if (record.epoch > 1)
            continue;
        s->next_sequence[record.epoch] = record.sequence + 1;
        if (record.epoch == 0)
            continue;
        if (record.body.len >= LN_RECORD_NONCE_LEN) {
            s->next_nonce = 0;
            for (size_t i = 0; i < LN_RECORD_NONCE_LEN; i++)
                s->next_nonce = s->next_nonce << 8 | record.body.data[i];
            s->next_nonce++;
        }
        if (record.type == LN_RECORD_HANDSHAKE && record.whole.len <= sizeof s->finished) {
            memcpy(s->finished, record.whole.data, record.whole.len);
            s->finished_len = record.whole.len;
        }
    }
}

/* The library repeats a flight one record at a time: they share a datagram while they fit, so that
 * the flight is lost or arrives as a whole (RFC 6347, 4.1.1). */
static void put_datagram(struct ln_session *s, const void *data, size_t len)
{
    struct ln_block_queue *out = &s->output;

    if (out->count > 0 && s->state == LN_SESSION_HANDSHAKE && out->last->len + len <= s->mtu)
        (void)append(out, s->env->allocator, data, len);
    else if (out->count < LN_SESSION_OUTPUT_MAX)
        (void)ln_block_push(out, s->env->allocator, data, len);
    /* No room or no memory: as if the network had lost it. */
}

static int put(BIO *bio, const char *data, size_t len, size_t *ret_written)
{
    struct ln_session *s = BIO_get_data(bio);
    size_t direct = 0;

    *ret_written = len;
    if (s->is_datagram) {
        note_records(s, data, len);
        put_datagram(s, data, len);
        return 1;
    }
    if (s->direct && s->output.count == 0) {
        direct = s->direct_cap - s->direct_len < len ? s->direct_cap - s->direct_len : len;
        memcpy(s->direct + s->direct_len, data, direct);
        s->direct_len += direct;
    }
    if (direct < len &&
        (s->output.bytes > LN_SESSION_STREAM_MAX ||
         !ln_block_push(&s->output, s->env->allocator, data + direct, len - direct))) {
        *ret_written = 0;
        return 0;
    }
    return 1;
}

static int get(BIO *bio, char *data, size_t cap, size_t *ret_read)
{
    struct ln_session *s = BIO_get_data(bio);
    struct ln_bytes *input = s->input;
    size_t len;

    BIO_clear_retry_flags(bio);
    if (!input || input->len == 0) {
        BIO_set_retry_read(bio);
        *ret_read = 0;
        return 0;
    }
    len = input->len < cap ? input->len : cap;
    memcpy(data, input->data, len);
    *ret_read = len;
    /* Of a datagram that does not fit the rest is lost, as with a socket. */
    if (s->is_datagram)
        len = input->len;
    input->data += len;
    input->len -= len;
    return 1;
}

static long control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_DGRAM_GET_MTU_OVERHEAD:
        return MTU_OVERHEAD;
    default:
        return 0;
    }
}

BIO_METHOD *ln_session_bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE, "linnet session");

    if (method &&
        (BIO_meth_set_write_ex(method, put) != 1 || BIO_meth_set_read_ex(method, get) != 1 ||
         BIO_meth_set_ctrl(method, control) != 1)) {
        BIO_meth_free(method);
        method = NULL;
    }
    return method;
}
