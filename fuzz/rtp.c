/* SPDX-License-Identifier: Apache-2.0
 * RTP: the packet parser with its extensions, and a session with one VP8 and one Opus receiver that
 * gets the input cut into packets (two bytes of length before each). */
#include "base/alloc.h"
#include "base/rng.h"
#include "rtp/session.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The elements of a header written again stand in the new one. */
static void write_again(const struct ln_rtp_packet *packet)
{
    struct ln_rtp_extension_iterator it;
    struct ln_rtp_extension_writer w;
    struct ln_rtp_packet again;
    uint8_t data[12 + 4 * LN_RTP_CSRC_MAX + 4 + 4 * LN_RTP_EXTENSION_BLOCK_MAX];
    size_t size;
    int len;

    ln_rtp_extension_writer_init(&w, packet->header.sequence & 1);
    ln_rtp_extensions_begin(&it, &packet->header);
    while (ln_rtp_extensions_next(&it))
        if (it.id > 0 && it.value.len > 0)
            (void)ln_rtp_extension_writer_add(&w, it.id, it.value.data, it.value.len);
    size = ln_rtp_extension_writer_size(&w);
    len = ln_rtp_header_write(&packet->header, &w, data, sizeof data);
    if (len < 0 || ln_rtp_packet_parse(data, (size_t)len, &again) != 0 ||
        again.header_len != (size_t)len || again.header.ssrc != packet->header.ssrc ||
        again.header.csrc_count != packet->header.csrc_count ||
        (size > 0) != again.header.has_extension)
        abort();
    ln_rtp_extensions_begin(&it, &again.header);
    while (ln_rtp_extensions_next(&it))
        if (!ln_rtp_extension_locate(data, (size_t)len, it.id, &size))
            abort();
}

static void uri(const uint8_t *data, size_t len)
{
    enum ln_rtp_extension extension = ln_rtp_extension_from_uri((const char *)data, len);
    const char *text;

    if (extension >= LN_RTP_EXTENSIONS)
        return;
    text = ln_rtp_extension_uri(extension);
    if (strlen(text) != len || memcmp(text, data, len) != 0)
        abort();
}

static void parse_one(const uint8_t *data, size_t len)
{
    struct ln_rtp_extension_iterator it;
    struct ln_rtp_packet packet;
    size_t sum = 0;

    if (ln_rtp_packet_parse(data, len, &packet) != 0)
        return;
    if (packet.header_len + packet.payload.len + packet.padding != len ||
        ln_rtp_header_len(data, len) != (int)packet.header_len)
        abort();
    ln_rtp_extensions_begin(&it, &packet.header);
    while (ln_rtp_extensions_next(&it))
        sum += it.value.len;
    if (sum > packet.header.extension.len)
        abort();
    write_again(&packet);
}

static void add_receivers(struct ln_rtp_session *s, struct ln_rtp_inbound *in[2])
{
    struct ln_rtp_inbound_config c;

    for (int i = 0; i < 2; i++) {
        memset(&c, 0, sizeof c);
        c.kind = i ? LN_MEDIA_AUDIO : LN_MEDIA_VIDEO;
        strcpy(c.mid, i ? "1" : "0");
        c.active = true;
        c.codecs[0] = (struct ln_rtp_codec){ .codec = i ? LN_CODEC_OPUS : LN_CODEC_VP8,
                                             .payload_type = (uint8_t)(i ? 111 : 96),
                                             .clock_rate_hz = i ? 48000 : 90000,
                                             .rtx_payload_type = (int16_t)(i ? -1 : 97),
                                             .nack = !i,
                                             .pli = !i,
                                             .transport_cc = true };
        c.codec_count = 1;
        for (unsigned k = 0; k < LN_RTP_EXTENSIONS; k++)
            if (ln_rtp_extension_map_set(&c.extensions, (enum ln_rtp_extension)k, k + 1) != 0)
                abort();
        if (ln_rtp_session_add_inbound(s, &c, &in[i]) != 0)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct ln_rtp_session_config config = { 0, 0, true, 0 };
    struct ln_rtp_inbound *in[2];
    struct ln_rtp_session *s;
    struct ln_frame *frame;
    struct ln_pool pool;
    struct ln_rng rng;
    struct ln_env env = { ln_allocator_libc(), &pool, &rng, NULL };
    uint8_t out_data[1300];
    ln_time now = LN_SECONDS(1);
    int64_t last = -1;

    parse_one(data, len);
    uri(data, len);
    ln_rng_seed(&rng, 1);
    ln_pool_init(&pool, env.allocator, 1500, 64, 4096);
    if (ln_rtp_session_create(&s, &config, &env) != 0)
        return 0;
    add_receivers(s, in);
    while (len > 2) {
        size_t n = ln_load16(data) & 0x7ffu;
        struct ln_rtp_out out = { .data = out_data, .cap = sizeof out_data };

        data += 2;
        len -= 2;
        n = n < len ? n : len;
        (void)ln_rtp_session_receive_rtp(s, now, data, n, NULL);
        data += n;
        len -= n;
        now += LN_MILLISECONDS(7);
        ln_rtp_session_on_timeout(s, now);
        if (ln_rtp_session_next_timeout(s) <= now)
            abort();
        while (ln_rtp_session_poll_packet(s, now, &out) == 1)
            ;
        for (int i = 0; i < 2; i++)
            while (ln_rtp_session_poll_frame(s, in[i], now, &frame) == 1) {
                if (i == 0 && frame->frame_id == last)
                    abort();
                last = i == 0 ? frame->frame_id : last;
                ln_frame_unref(frame);
            }
    }
    ln_rtp_session_free(s);
    ln_pool_deinit(&pool);
    return 0;
}
