/* SPDX-License-Identifier: Apache-2.0
 * What receive.c and receive_link.c share: the command, and its link to the sender. */
#ifndef LN_CLI_RECEIVE_INTERNAL_H
#define LN_CLI_RECEIVE_INTERNAL_H

#include "cli/meeting.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/proxy.h"
#include "cli/target.h"
#include "cli/transfer_exit.h"
#include "cli/url.h"
#include "transfer/auth.h"
#include "transfer/receiver.h"

struct receive_arguments {
    const char *to, *token, *output, *proxy;
    bool force, insecure, loopback, relay, ice_tcp;
};

struct receive {
    struct receive_arguments arguments;
    struct ln_code code;
    struct target target;
    struct meeting *meeting;
    struct ln_loop *loop;
    struct ln_loop_watch *signal_watch;
    struct ln_loop_timer tick;
    struct progress progress;
    char url[CLI_URL_MAX];
    char sender[64]; /* its id; "": not there */
    struct link *link;
    struct ln_auth auth;
    struct ln_receiver *receiver; /* once the code is proven */
    bool entered, was_proven, busy_told, ending, done, work_posted;
    unsigned broken_proofs;
    size_t failures; /* files that are not as the sender has them */
    ln_time started, dial_at, give_up_at, opened_at, end_at, proven_at, heard_at;
    uint64_t bytes; /* of connections before */
    int exit_code;
};

/* A sentence on standard error: the format has a place for the argument. */
void receive_say(struct receive *r, const char *format, const char *argument);
/* Ends the program once the last words are said. */
void receive_end(struct receive *r, int exit_code);

/* Connects to the sender, unless that is done or nobody is there. */
void receive_dial(struct receive *r, ln_time now);
/* Frees what belongs to the link; what came over it is kept. The link is the caller's. */
void receive_forget_link(struct receive *r);
/* The link broke: it is made anew for as long as the sender may come back. */
void receive_lost(struct receive *r, const char *sentence);
/* A message of the sender while the code is not proven yet. */
void receive_prove(struct receive *r, const uint8_t *data, size_t len);
void receive_not_proven(struct receive *r);
/* Tells the sender that we stop. */
void receive_tell_stop(struct receive *r);
/* The progress, once there is a receiver. */
void receive_show(struct receive *r, ln_time now);
/* All that follows from a message; reading what is there already is done in pieces. */
void receive_work(struct receive *r);

#endif
