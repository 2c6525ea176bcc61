/* SPDX-License-Identifier: Apache-2.0
 * The exchange on SPAKE2 (RFC 9382): the receiver is A. Identities are the fingerprints of the
 * certificates that DTLS has seen, so a proof holds for this connection only. */
#include "transfer/auth.h"

#include "base/alloc.h"

#include <linnet/error.h>

#include <stdio.h>
#include <string.h>

#define PROTOCOL "linnet transfer 1" /* bound into the password and the confirmations */

static struct ln_bytes text(const char *t)
{
    return (struct ln_bytes){ (const uint8_t *)t, strlen(t) };
}

static void queue(struct ln_auth *auth, const struct ln_transfer_message *message)
{
    auth->out_len = (size_t)ln_transfer_write(message, auth->out, sizeof auth->out);
}

static void identity(struct ln_bytes der, char *to, size_t cap)
{
    char value[LN_FINGERPRINT_TEXT_MAX];

    (void)!ln_fingerprint_format(der, "sha-256", value); /* a hash it knows */
    snprintf(to, cap, "sha-256 %s", value);
}

int ln_auth_init(struct ln_auth *auth, enum ln_auth_role role, const struct ln_code *code,
                 struct ln_bytes ours, struct ln_bytes theirs, struct ln_env *env)
{
    bool receiver = role == LN_AUTH_RECEIVER;
    uint8_t w[LN_SPAKE2_SCALAR_LEN], share[LN_SPAKE2_SHARE_LEN];
    char secret[LN_CODE_TEXT_MAX], number[8];
    int error;

    memset(auth, 0, sizeof *auth);
    auth->role = role;
    identity(receiver ? ours : theirs, auth->receiver, sizeof auth->receiver);
    identity(receiver ? theirs : ours, auth->sender, sizeof auth->sender);
    snprintf(number, sizeof number, "%u", code->number);
    error = ln_spake2_password(text(ln_code_secret(code, secret)), text(number), text(PROTOCOL), w);
    if (!error)
        error = ln_spake2_create(&auth->spake2, receiver ? LN_SPAKE2_A : LN_SPAKE2_B, w, env);
    ln_wipe(w, sizeof w);
    ln_wipe(secret, sizeof secret);
    if (error)
        return error;
    if (receiver) {
        ln_spake2_share(auth->spake2, share);
        queue(auth, &(struct ln_transfer_message){ .type = LN_TRANSFER_HELLO,
                                                   .version = LN_TRANSFER_VERSION,
                                                   .share = share });
    }
    return 0;
}

void ln_auth_deinit(struct ln_auth *auth)
{
    ln_spake2_free(auth->spake2);
    auth->spake2 = NULL;
}

static void queue_confirmation(struct ln_auth *auth)
{
    uint8_t confirmation[LN_SPAKE2_CONFIRMATION_LEN];

    ln_spake2_confirmation(auth->spake2, confirmation);
    queue(auth,
          &(struct ln_transfer_message){ .type = LN_TRANSFER_CONFIRM, .digest = confirmation });
}

static int take_share(struct ln_auth *auth, const struct ln_transfer_message *message)
{
    bool receiver = auth->role == LN_AUTH_RECEIVER;
    uint8_t share[LN_SPAKE2_SHARE_LEN];
    int error;

    if (message->type != (receiver ? LN_TRANSFER_SHARE : LN_TRANSFER_HELLO) ||
        (!receiver && message->version != LN_TRANSFER_VERSION)) {
        auth->state = LN_AUTH_BROKEN;
        return 0;
    }
    error = ln_spake2_finish(auth->spake2, message->share, text(auth->receiver), text(auth->sender),
                             text(PROTOCOL));
    if (error == LN_ERR_MALFORMED)
        auth->state = LN_AUTH_BROKEN;
    if (error)
        return error == LN_ERR_MALFORMED ? 0 : error;
    auth->shared = true;
    if (receiver) {
        queue_confirmation(auth);
    } else {
        ln_spake2_share(auth->spake2, share);
        queue(auth, &(struct ln_transfer_message){ .type = LN_TRANSFER_SHARE, .share = share });
    }
    return 0;
}

int ln_auth_receive(struct ln_auth *auth, const uint8_t *data, size_t len)
{
    struct ln_transfer_message message;

    auth->out_len = 0;
    if (ln_transfer_read(data, len, &message) != 0) {
        auth->state = LN_AUTH_BROKEN;
        return 0;
    }
    if (message.type == LN_TRANSFER_CANCEL) {
        auth->state = LN_AUTH_CANCELLED;
        auth->reason = (enum ln_transfer_reason)message.reason;
        return 0;
    }
    if (!auth->shared)
        return take_share(auth, &message);
    if (message.type != LN_TRANSFER_CONFIRM) {
        auth->state = LN_AUTH_BROKEN;
    } else if (!ln_spake2_confirmed(auth->spake2, message.digest)) {
        auth->state = LN_AUTH_WRONG;
    } else {
        auth->state = LN_AUTH_PROVEN;
        if (auth->role == LN_AUTH_SENDER)
            queue_confirmation(auth);
    }
    return 0;
}

bool ln_auth_poll(struct ln_auth *auth, struct ln_bytes *ret_message)
{
    if (auth->out_len == 0)
        return false;
    *ret_message = (struct ln_bytes){ auth->out, auth->out_len };
    auth->out_len = 0;
    return true;
}
