/* SPDX-License-Identifier: Apache-2.0
 * Records of a datagram session: sorted into the handshake's and, once it is done, opened by our
 * own record layer; alerts, and the last flight that a client asks for again (RFC 6347, 4.2.4). */
#include "base/alloc.h"
#include "base/bytes.h"
#include "crypto/session_internal.h"

#include <linnet/error.h>

#include <assert.h>

#define SMALL_RECORD 256u /* plaintext of an alert or a repeated Finished */
#define FINISHED     20

static void send_record(struct ln_session *s, enum ln_record_type type, const uint8_t *plain,
                        size_t len)
{
    uint8_t record[SMALL_RECORD + LN_SESSION_OVERHEAD_MAX];
    int record_len;

    assert(len <= SMALL_RECORD);
    record_len = ln_record_seal(&s->keys, type, plain, len, record);
    if (record_len > 0 && s->output.count < LN_SESSION_OUTPUT_MAX)
        (void)ln_block_push(&s->output, s->env->allocator, record, (size_t)record_len);
}

/* The client did not get our last flight: ChangeCipherSpec and Finished, with fresh numbers. */
static void repeat_last_flight(struct ln_session *s)
{
    uint8_t flight[LN_RECORD_HEADER_LEN + 1 + LN_FINISHED_MAX + LN_SESSION_OVERHEAD_MAX] = { 0 };
    size_t at = LN_RECORD_HEADER_LEN + 1;
    int len;

    flight[0] = LN_RECORD_CHANGE_CIPHER_SPEC;
    ln_store16(flight + 1, LN_DTLS_1_2);
    ln_store64(flight + 3, s->next_sequence[0]++); /* epoch 0 in the upper 16 bits */
    ln_store16(flight + 11, 1);
    flight[13] = 1;
    len = ln_record_seal(&s->keys, LN_RECORD_HANDSHAKE, s->finished, s->finished_len, flight + at);
    if (len > 0 && s->output.count < LN_SESSION_OUTPUT_MAX)
        (void)ln_block_push(&s->output, s->env->allocator, flight, at + (size_t)len);
    s->counters.retransmissions++;
}

static void count_open_error(struct ln_session *s, int error)
{
    switch (error) {
    case LN_ERR_REPLAY:
        s->counters.replayed++;
        break;
    case LN_ERR_INTEGRITY:
        s->counters.bad_integrity++;
        break;
    case LN_ERR_NO_SPACE:
        s->counters.too_big++;
        break;
    default:
        s->counters.malformed++;
        break;
    }
}

void ln_session_say_close(struct ln_session *s)
{
    static const uint8_t notify[] = { LN_ALERT_WARNING, LN_ALERT_CLOSE_NOTIFY };

    send_record(s, LN_RECORD_ALERT, notify, sizeof notify);
}

static void alert(struct ln_session *s, const uint8_t *plain, int len)
{
    if (len != 2)
        return;
    if (plain[1] == LN_ALERT_CLOSE_NOTIFY) {
        ln_session_say_close(s);
        ln_session_set_state(s, LN_SESSION_CLOSED);
    } else if (plain[0] == LN_ALERT_FATAL) {
        s->counters.alert_received = plain[1];
        ln_session_fail(s, LN_ERR_REFUSED);
    }
}

/* Anything of epoch 1 but application data. */
static void control_record(struct ln_session *s, const struct ln_record *record)
{
    uint8_t plain[SMALL_RECORD];
    int len = ln_record_open(&s->keys, record, plain, sizeof plain);

    if (len < 0) {
        count_open_error(s, len);
    } else if (record->type == LN_RECORD_ALERT) {
        alert(s, plain, len);
    } else if (record->type == LN_RECORD_HANDSHAKE) {
        /* A repeated Finished asks for our last flight; anything else would be renegotiation. */
        if (!s->is_client && len > 0 && plain[0] == FINISHED)
            repeat_last_flight(s);
        else
            s->counters.refused_handshakes++;
    } else {
        s->counters.malformed++;
    }
    ln_wipe(plain, sizeof plain);
}

/* Returns the length of delivered plaintext, or 0. */
static int established_record(struct ln_session *s, const struct ln_record *record, uint8_t *out,
                              size_t cap)
{
    int len;

    if (record->epoch != 1) {
        s->counters.wrong_epoch++;
        s->counters.unauthenticated_alerts += record->type == LN_RECORD_ALERT;
        return 0;
    }
    if (record->type != LN_RECORD_APPLICATION_DATA) {
        control_record(s, record);
        return 0;
    }
    len = ln_record_open(&s->keys, record, out, cap);
    if (len < 0) {
        count_open_error(s, len);
        return 0;
    }
    s->counters.records_received++;
    return len;
}

static int unwrap_held(struct ln_session *s, uint8_t *out, size_t cap)
{
    int len = 0;

    while (len == 0 && s->held.first && s->state == LN_SESSION_ESTABLISHED) {
        struct ln_bytes datagram = { s->held.first->data, s->held.first->len };
        struct ln_record record;

        if (ln_record_next(&datagram, &record))
            len = established_record(s, &record, out, cap);
        if (s->held.first) /* an alert may have ended the session */
            ln_block_drop(&s->held, s->env->allocator);
    }
    return len;
}

int ln_session_unwrap_datagram(struct ln_session *s, ln_time now, struct ln_bytes *packet,
                               uint8_t *out, size_t cap)
{
    struct ln_record record;
    int len;

    if (s->state == LN_SESSION_ESTABLISHED && (len = unwrap_held(s, out, cap)) > 0)
        return len;
    while (s->state <= LN_SESSION_ESTABLISHED && ln_record_next(packet, &record)) {
        if (s->state == LN_SESSION_HANDSHAKE) {
            ln_session_handshake_record(s, now, &record);
            if (s->state != LN_SESSION_HANDSHAKE)
                return 0;
        } else if ((len = established_record(s, &record, out, cap)) > 0) {
            return len;
        }
    }
    if (packet->len > 0)
        s->counters.malformed++;
    *packet = (struct ln_bytes){ NULL, 0 };
    return 0;
}
