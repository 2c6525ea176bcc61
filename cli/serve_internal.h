/* SPDX-License-Identifier: Apache-2.0
 * What serve.c and serve_turn.c share: the command's state. serve_turn.c holds all that concerns
 * STUN and TURN, signals included. */
#ifndef LN_CLI_SERVE_INTERNAL_H
#define LN_CLI_SERVE_INTERNAL_H

#include "cli/config.h"
#include "cli/guest.h"
#include "cli/turn_keeper.h"
#include "cli/turn_watch.h"
#include "http/loop.h"

struct serve_arguments {
    bool dev, studio, one_port, check;
    const char *listen, *tls_cert, *tls_key, *config, *stun;
};

struct serving {
    struct serve_arguments arguments;
    struct serve_config config;
    struct ln_address listen, stun_listen, stun_bound;
    bool tls, own_certificate, stun_wanted;
    bool one_port, stun_given; /* STUN and TURN are where the pages are; and elsewhere as well */
    struct ln_rng rng;
    struct ln_env env;
    char *certificate_pem;
    struct turn_redis *redis;     /* users of TURN, if they come from there */
    struct ln_turn_service *turn; /* STUN alone, or TURN as well */
    bool turn_wanted, turn_secure;
    struct ln_turn_listen turn_listen[LN_TURN_LISTEN_MAX];
    size_t turn_listen_count;
    struct serve_config turn_config; /* TURN's, as read last; the rest stays as it was at first */
    char next_secret[LN_TURN_SECRET_MAX + 2];
    struct turn_keeper keeper;
    struct turn_watch watch;
    struct ln_http_timer *drain_timer;
    char turn_secret[LN_TURN_SECRET_MAX + 2];
    uint16_t turn_tcp_port;
    struct studio *studio;
    struct ln_http_loop *loop;
    struct ln_signal_service *service;
    _Atomic(struct ln_signal_service *) door; /* the same, for the threads of TURN; NULL: not yet */
};

/* serve.c: one sentence about what could not be bound, and the exit code. */
int serve_failed(const char *what, const struct ln_address *address, int error, const char *option);

/* serve_turn.c. Both return 0 or the exit code after one sentence. */
int serve_turn_check_config(struct serving *s);
int serve_turn_start(struct serving *s);
/* What participants are told. */
void serve_turn_tell(const struct serving *s, struct ln_signal_config *signal);
/* Returns 0 or an error. */
int serve_turn_watch_signals(struct serving *s);
void serve_turn_view(void *ctx, const char *user, struct ln_signal_turn_view *ret_view);
size_t serve_turn_metrics(void *ctx, char *text, size_t cap);
/* With --dev also credentials to try it with. */
void serve_turn_print(const struct serving *s);
void serve_turn_check(const struct serving *s); /* the self-test */

#endif
