/* SPDX-License-Identifier: Apache-2.0
 * The receiving end of a transfer, on a channel whose ends are proven (transfer/auth.h). Knows no
 * file and no channel: it asks its owner to look, read, write and send (docs/transfer.md).
 *
 * It asks for files in the order of the manifest, several ahead; what is there already of a file
 * (from an earlier try) is read once and told by its chain of digests, so that only the rest comes.
 * Every chunk is verified before it is written. */
#ifndef LN_TRANSFER_RECEIVER_H
#define LN_TRANSFER_RECEIVER_H

#include "transfer/manifest.h"

#define LN_RECEIVER_AHEAD_MAX 32u /* files asked for and not yet complete */

enum ln_receiver_action_kind {
    LN_RECEIVER_SEND,      /* message: borrowed until the next call */
    LN_RECEIVER_MANIFEST,  /* it is complete: ln_receiver_accept() or ln_receiver_cancel() */
    LN_RECEIVER_FOLDER,    /* file: make this folder */
    LN_RECEIVER_LOOK,      /* file: what is there of it? ln_receiver_found() */
    LN_RECEIVER_READ,      /* file, offset, data, cap: of what was found; ln_receiver_read() */
    LN_RECEIVER_WRITE,     /* file, offset, message: its bytes; then ln_receiver_written() */
    LN_RECEIVER_FINISH,    /* file, size: all of it is written */
    LN_RECEIVER_SAME,      /* file: what was found whole is the same */
    LN_RECEIVER_DIFFERS,   /* file: what was found whole is another; ln_receiver_replace() */
    LN_RECEIVER_MISSING,   /* file, sentence: the sender cannot read it */
    LN_RECEIVER_DONE,      /* all files were dealt with */
    LN_RECEIVER_CANCELLED, /* reason, sentence: by the other side, or because of what it sent */
};

struct ln_receiver_action {
    enum ln_receiver_action_kind kind;
    struct ln_bytes message;
    uint32_t file;
    uint64_t offset, size;
    uint8_t *data;
    size_t cap;
    enum ln_transfer_reason reason;
    const char *sentence;
};

enum ln_receiver_found {
    LN_FOUND_NOTHING,
    LN_FOUND_PART,    /* of an earlier try; its whole chunks are used if they are the sender's */
    LN_FOUND_WHOLE,   /* a file of this name */
    LN_FOUND_REFUSED, /* it is not to be received; the owner has said why */
};

struct ln_receiver;

/* window: bytes that may be under way; at least LN_TRANSFER_WINDOW_MIN. Returns 0 or LN_ERR_NOMEM.
 */
LN_NODISCARD int ln_receiver_create(struct ln_receiver **ret_receiver, uint64_t window,
                                    struct ln_env *env);
void ln_receiver_free(struct ln_receiver *receiver); /* NULL is fine */

/* A message of the sender; its bytes are borrowed until the next one, and polled away before it. */
void ln_receiver_receive(struct ln_receiver *receiver, const uint8_t *data, size_t len);
/* 1 and an action, which is answered before the next poll, or 0: nothing to do until a message
 * comes. */
int ln_receiver_poll(struct ln_receiver *receiver, struct ln_receiver_action *ret_action);

const struct ln_manifest *ln_receiver_manifest(const struct ln_receiver *receiver);
void ln_receiver_accept(struct ln_receiver *receiver);
void ln_receiver_found(struct ln_receiver *receiver, enum ln_receiver_found found, uint64_t bytes);
/* len < cap: there is no more. */
void ln_receiver_read(struct ln_receiver *receiver, size_t len);
void ln_receiver_written(struct ln_receiver *receiver);
void ln_receiver_replace(struct ln_receiver *receiver, bool replace);
/* Ends it: the next polls send CANCEL, and nothing else. */
void ln_receiver_cancel(struct ln_receiver *receiver, enum ln_transfer_reason reason,
                        const char *sentence);

struct ln_receiver_figures {
    uint64_t bytes_written; /* that came on this channel */
    uint64_t bytes_kept;    /* that were there before, and verified */
    uint32_t file;          /* that bytes come of, or came of last */
    bool ended;
};
void ln_receiver_get_figures(const struct ln_receiver *receiver,
                             struct ln_receiver_figures *ret_figures);

#endif
