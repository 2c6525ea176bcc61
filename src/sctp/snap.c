/* SPDX-License-Identifier: Apache-2.0
 * An association without a handshake: the INIT chunks of both sides travel in the descriptions
 * (draft-hancke-tsvwg-snap-00, SCTP considerations).
 *
 * The handshake keeps strangers out and agrees on tags, numbers and extensions. Inside DTLS there
 * are no strangers, and the INITs alone say the rest. Until the peer has been heard under our tag,
 * its own INIT in a packet is answered as if we had not begun: who did not take our word falls back
 * to the handshake, and comes to the same association. */
#include "sctp/association.h"

#include "base/alloc.h"

size_t ln_sctp_own_init(struct ln_sctp *s, uint8_t *out, size_t cap)
{
    struct ln_writer w;

    if (s->state != LN_ASSOCIATION_IDLE)
        return 0;
    ln_writer_init(&w, out, cap);
    ln_handshake_write_init(s, &w);
    return w.ok ? w.len : 0;
}

static bool read_init(const struct ln_sctp *s, const uint8_t *data, size_t len,
                      struct ln_sctp_init *ret_init)
{
    struct ln_chunk chunk;
    struct ln_reader r;

    if (len > LN_SCTP_INIT_BYTES_MAX)
        return false;
    ln_reader_init(&r, data, len);
    if (ln_chunk_read(&r, &chunk) <= 0 || chunk.type != LN_CHUNK_INIT || ln_reader_left(&r) > 0 ||
        ln_sctp_init_read(chunk.value, ret_init) != 0)
        return false;
    return ret_init->tag != 0 && ret_init->tag != s->local_tag && ret_init->outgoing > 0 &&
           ret_init->incoming > 0 && ret_init->window >= LN_SCTP_WINDOW_MIN;
}

bool ln_sctp_init_acceptable(const struct ln_sctp *s, const uint8_t *data, size_t len)
{
    struct ln_sctp_init init;

    return read_init(s, data, len, &init);
}

int ln_sctp_set_peer_init(struct ln_sctp *s, const uint8_t *data, size_t len)
{
    struct ln_sctp_init init;

    if (s->state != LN_ASSOCIATION_IDLE)
        return LN_ERR_INVALID_STATE;
    if (!read_init(s, data, len, &init)) {
        s->stats.dropped_malformed++;
        return LN_ERR_MALFORMED;
    }
    if (!s->agreed)
        s->agreed = ln_alloc_zero(s->env->allocator, sizeof *s->agreed);
    if (!s->agreed)
        return LN_ERR_NOMEM;
    ln_handshake_describe(s, &init, s->agreed);
    return 0;
}

bool ln_snap_start(struct ln_sctp *s, ln_time now)
{
    struct ln_cookie *agreed = s->agreed;

    if (!agreed)
        return false;
    s->agreed = NULL;
    s->snap = s->unheard = true;
    ln_handshake_agree(s, now, agreed);
    ln_free(s->env->allocator, agreed);
    return true;
}
