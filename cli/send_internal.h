/* SPDX-License-Identifier: Apache-2.0
 * What send.c and send_guest.c share: the command, and its guests: those who came to receive. */
#ifndef LN_CLI_SEND_INTERNAL_H
#define LN_CLI_SEND_INTERNAL_H

#include "cli/meeting.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/proxy.h"
#include "cli/source.h"
#include "cli/transfer_exit.h"
#include "cli/url.h"
#include "transfer/auth.h"
#include "transfer/sender.h"

#define RECEIVERS_MAX 8

struct send_arguments {
    const char *to, *token, *name, *proxy;
    long receivers, expires;
    bool insecure, loopback, relay, no_qr, ice_tcp;
};

struct guest {
    struct send *send;
    struct link *link; /* NULL: this place is free */
    struct ln_auth auth;
    struct ln_sender *sender; /* once the code is proven */
    struct source_reader reader;
    bool waits_for_input; /* a READ of standard input is out */
    struct ln_sender_action input;
    size_t input_len;
    ln_time since, moved_at; /* opened; something was taken last */
    uint64_t taken;
};

struct send {
    struct send_arguments arguments;
    struct source source;
    struct meeting *meeting;
    struct ln_loop *loop;
    struct ln_loop_watch *signal_watch, *input_watch;
    struct ln_loop_timer tick;
    struct progress progress;
    struct ln_code code;
    char url[CLI_URL_MAX];
    bool entered, announced, occupied, ending, pump_posted;
    unsigned rooms_tried, tries;
    long finished;
    ln_time started, expires_at, end_at;
    uint64_t input_at; /* bytes of standard input that were read */
    struct guest guests[RECEIVERS_MAX + LN_AUTH_TRIES];
    int exit_code;
};

/* A sentence on standard error: the format has a place for the argument. */
void send_say(struct send *s, const char *format, const char *argument);
/* Ends the program once the last words are said. */
void send_end(struct send *s, int exit_code);

/* How many are being served. */
size_t send_active(const struct send *s);
struct guest *send_free_place(struct send *s); /* NULL: none */
/* Frees what a guest has; its place is free then. The link is the caller's. */
void send_forget(struct guest *g);
/* The same once the last word was said. */
void send_dismiss(struct guest *g);
void send_tell_cancel(struct guest *g, enum ln_transfer_reason reason, const char *sentence);
/* A message of somebody whose code is not proven yet. */
void send_prove(struct guest *g, const uint8_t *data, size_t len);
/* As much as the channel takes, and not too much at a time. */
void send_pump(struct guest *g);

#endif
