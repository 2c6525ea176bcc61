/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sctp/victim.h"

#include "base/bytes.h"
#include "sctp/packet.h"

void victim_tell_raw(struct victim *v, uint32_t tag, const uint8_t *chunks, size_t len)
{
    uint8_t packet[2048];

    ln_store16(packet, 5000);
    ln_store16(packet + 2, 5000);
    ln_store32(packet + 4, tag);
    memcpy(packet + 12, chunks, len);
    pipe_checksum(packet, 12 + len);
    ln_sctp_receive(v->sctp, v->now, packet, 12 + len);
}

void victim_tell(struct victim *v, const char *hex)
{
    uint8_t chunks[2000];

    victim_tell_raw(v, v->tag, chunks, test_hex(hex, chunks, sizeof chunks));
}

bool victim_hear(struct victim *v)
{
    v->out_len = ln_sctp_poll_transmit(v->sctp, v->now, v->out, sizeof v->out);
    return v->out_len > 0;
}

void victim_hush(struct victim *v)
{
    while (victim_hear(v))
        ;
}

struct ln_sctp_stats victim_stats(const struct victim *v)
{
    struct ln_sctp_stats stats;

    ln_sctp_stats(v->sctp, &stats);
    return stats;
}

void victim_create(struct victim *v, struct ln_sctp_config *config)
{
    memset(v, 0, sizeof *v);
    v->now = LN_SECONDS(1);
    config->initial_tsn_fixed = true;
    config->initial_tsn = TSN;
    CHECK(ln_sctp_create(&v->sctp, config, test_env()) == 0);
}

void victim_connect(struct victim *v, struct ln_sctp_config *config)
{
    uint8_t chunks[600];
    struct ln_bytes cookie;
    size_t len;

    victim_create(v, config);
    len = test_hex("01 00 0020 00000007 00100000 ffff ffff 000003e8"
                   "c000 0004 8008 0006 c082 0000",
                   chunks, sizeof chunks);
    victim_tell_raw(v, 0, chunks, len);
    CHECK(victim_hear(v) && v->out[12] == LN_CHUNK_INIT_ACK);
    v->tag = ln_load32(v->out + 16);
    /* The cookie is the third parameter: after 20 bytes, 4 and 8. */
    CHECK_EQUAL(ln_load16(v->out + 12 + 32), LN_PARAMETER_STATE_COOKIE);
    cookie = (struct ln_bytes){ v->out + 12 + 36, ln_load16(v->out + 12 + 34) - 4u };
    chunks[0] = LN_CHUNK_COOKIE_ECHO;
    chunks[1] = 0;
    ln_store16(chunks + 2, (uint16_t)(cookie.len + 4));
    memcpy(chunks + 4, cookie.data, cookie.len);
    victim_tell_raw(v, v->tag, chunks, cookie.len + 4);
    CHECK(ln_sctp_state(v->sctp) == LN_SCTP_CONNECTED);
    CHECK(victim_hear(v) && v->out[12] == LN_CHUNK_COOKIE_ACK);
    victim_hush(v);
}

void victim_default(struct victim *v)
{
    struct ln_sctp_config config;

    ln_sctp_config_init(&config);
    config.heartbeat_interval = 0;
    victim_connect(v, &config);
}

void victim_tell_data(struct victim *v, uint32_t tsn, uint8_t flags, uint16_t stream, uint16_t ssn,
                      const void *data, size_t len)
{
    uint8_t chunk[1400] = { LN_CHUNK_DATA, flags };

    ln_store16(chunk + 2, (uint16_t)(16 + len));
    ln_store32(chunk + 4, tsn);
    ln_store16(chunk + 8, stream);
    ln_store16(chunk + 10, ssn);
    ln_store32(chunk + 12, 53);
    memcpy(chunk + 16, data, len);
    victim_tell_raw(v, v->tag, chunk, (16 + len + 3) & ~(size_t)3);
}

size_t victim_messages(struct victim *v)
{
    struct ln_sctp_event event;
    size_t count = 0;

    while (ln_sctp_poll_event(v->sctp, &event))
        count += event.kind == LN_SCTP_EVENT_MESSAGE;
    return count;
}

uint32_t victim_acknowledged(struct victim *v)
{
    uint32_t tsn = 0;

    v->now += LN_MILLISECONDS(60);
    if (ln_sctp_next_timeout(v->sctp) <= v->now)
        ln_sctp_on_timeout(v->sctp, v->now);
    while (victim_hear(v))
        if (v->out[12] == LN_CHUNK_SACK)
            tsn = ln_load32(v->out + 16);
    return tsn;
}
