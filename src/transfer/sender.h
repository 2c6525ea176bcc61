/* SPDX-License-Identifier: Apache-2.0
 * The sending end of a transfer to one receiver, on a channel whose ends are proven
 * (transfer/auth.h). Knows no file and no channel: it asks its owner to read and to send
 * (docs/transfer.md).
 *
 *   while (ln_sender_poll(sender, &action))      whenever something came, and while the channel
 * takes switch (action.kind) { ... }             more; READ is answered before the next poll
 *
 * The receiver asks for files one after another, and says what it has of each; at most its window
 * of bytes is under way. Memory is one chunk and the questions not yet answered. */
#ifndef LN_TRANSFER_SENDER_H
#define LN_TRANSFER_SENDER_H

#include "base/ring.h"
#include "transfer/manifest.h"

#define LN_TRANSFER_GETS_MAX 64u /* questions not yet answered */

enum ln_sender_action_kind {
    LN_SENDER_SEND,      /* message: borrowed until the next call */
    LN_SENDER_READ,      /* file, offset: read up to `cap` bytes to `data`, then ln_sender_read() or
                            ln_sender_missing() */
    LN_SENDER_READY,     /* the receiver took the manifest */
    LN_SENDER_DONE,      /* it has all it wants */
    LN_SENDER_CANCELLED, /* by the other side: reason, sentence (borrowed until the next call) */
};

struct ln_sender_action {
    enum ln_sender_action_kind kind;
    struct ln_bytes message;
    uint32_t file;
    uint64_t offset;
    uint8_t *data;
    size_t cap;
    enum ln_transfer_reason reason;
    const char *sentence;
};

struct ln_sender;

/* The manifest is borrowed. Returns 0 or LN_ERR_NOMEM. */
LN_NODISCARD int ln_sender_create(struct ln_sender **ret_sender, const struct ln_manifest *manifest,
                                  struct ln_env *env);
void ln_sender_free(struct ln_sender *sender); /* NULL is fine */

/* A message of the receiver. What makes no sense cancels the transfer: see poll. */
void ln_sender_receive(struct ln_sender *sender, const uint8_t *data, size_t len);
/* 1 and an action, or 0: nothing to do until a message comes. */
int ln_sender_poll(struct ln_sender *sender, struct ln_sender_action *ret_action);

/* Answers READ: len bytes were read; fewer than `cap` mean the end of the file. */
void ln_sender_read(struct ln_sender *sender, size_t len);
/* Answers READ: it cannot be read; the sentence goes to the receiver. */
void ln_sender_missing(struct ln_sender *sender, const char *sentence);

/* Ends it: the next polls send CANCEL, and nothing else. */
void ln_sender_cancel(struct ln_sender *sender, enum ln_transfer_reason reason,
                      const char *sentence);

struct ln_sender_figures {
    uint64_t bytes_taken;   /* of chunks, on this channel, as the receiver said */
    uint64_t bytes_skipped; /* that the receiver had already */
    uint32_t file;          /* the present one, or the last */
    uint32_t files_served;
    bool ended; /* done or cancelled, by whomever */
};
void ln_sender_get_figures(const struct ln_sender *sender, struct ln_sender_figures *ret_figures);

#endif
