/* SPDX-License-Identifier: Apache-2.0
 * The INITs of the association in the descriptions (draft-hancke-tsvwg-snap-00, SDP Offer/Answer
 * Procedures).
 *
 * The first agreement on the section decides; from then on our descriptions repeat the value, or
 * never have one. What the other side says later is not looked at: a connection has one association
 * for a section's life. */
#include "base/alloc.h"
#include "base/bytes.h"
#include "peer/data_channel.h"
#include "peer/peer_connection.h"

/* Returns the length, or a negative error for what is no base64. */
static int decode(const char *text, uint8_t init[LN_SCTP_INIT_BYTES_MAX])
{
    return ln_base64_decode(text, strlen(text), init, LN_SCTP_INIT_BYTES_MAX);
}

/* Whether an answer may have ours. */
static bool offer_acceptable(const struct ln_peer_connection *pc,
                             const struct ln_sdp_media *offered)
{
    uint8_t init[LN_SCTP_INIT_BYTES_MAX];
    int len = decode(offered->sctp_init, init);

    return len > 0 && ln_data_channels_init_acceptable(pc->data.channels, init, (size_t)len);
}

static int make_own(struct ln_peer_connection *pc)
{
    uint8_t init[LN_SCTP_INIT_BYTES_MAX];
    size_t len = ln_data_channels_own_init(pc->data.channels, init, sizeof init);

    if (len == 0)
        return 0; /* it has begun already */
    pc->data.own_init = ln_alloc(pc->env.allocator, 4 * ((len + 2) / 3) + 1);
    if (!pc->data.own_init)
        return LN_ERR_NOMEM;
    ln_base64_encode(init, len, pc->data.own_init);
    return 0;
}

int ln_data_own_init(struct ln_peer_connection *pc, const struct ln_sdp_media *offered,
                     const char **ret_init)
{
    struct ln_data *data = &pc->data;
    bool wanted = data->agreed ? data->snap : pc->configuration.public.data_snap;
    int error;

    if (offered && !*offered->sctp_init)
        wanted = false;
    else if (offered && !data->agreed)
        wanted = true;
    *ret_init = NULL;
    if (!wanted)
        return 0;
    error = ln_data_need_channels(pc);
    if (error)
        return error;
    if (offered && !data->agreed && !offer_acceptable(pc, offered))
        return 0;
    if (!data->own_init)
        error = make_own(pc);
    *ret_init = data->own_init;
    return error;
}

int ln_data_snap_agree(struct ln_peer_connection *pc, const struct ln_jsep_agreed *agreed)
{
    uint8_t init[LN_SCTP_INIT_BYTES_MAX];
    int len = decode(agreed->remote_sctp_init, init), error;

    if (len <= 0)
        return 0;
    error = ln_data_channels_set_peer_init(pc->data.channels, init, (size_t)len);
    pc->data.snap = error == 0;
    return error == LN_ERR_NOMEM ? error : 0;
}

void ln_data_snap_forget(struct ln_peer_connection *pc)
{
    ln_free(pc->env.allocator, pc->data.own_init);
    pc->data.own_init = NULL;
    pc->data.snap = false;
}
