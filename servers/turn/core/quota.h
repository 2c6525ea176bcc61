/* SPDX-License-Identifier: Apache-2.0
 * What the workers of one server share: how much each user holds, how fast he sends, which relay
 * port belongs to whom, and who else lives in this program (residents.h).
 *
 * One worker is one core object on one thread; a user's allocations may lie on any of them. All
 * counters are atomic. The table of users is entered and left under a flag that is held for a few
 * instructions, twice in the life of an allocation; what a packet needs is on the user's entry,
 * which stays in place while he holds an allocation.
 *
 * Bandwidth: a bucket a user, and one for all. A packet above its user's rate is dropped, the rest
 * of his packets pass. Above the rate of all, those are dropped whose user is above an equal share
 * of it, so that one who sends little is not touched by one who sends much. */
#ifndef LN_TURN_QUOTA_H
#define LN_TURN_QUOTA_H

#include "servers/turn/core/residents.h"

#include <linnet/env.h>

#include <stdatomic.h>

#define LN_TURN_USERS_MAX   65536u /* users with an allocation at one time */
#define LN_TURN_RELAYS_MAX  8u     /* relay addresses */
#define LN_TURN_WORKERS_MAX 64u    /* of one server */

struct ln_turn_limits {
    uint32_t allocations;          /* in all */
    uint32_t allocations_per_user; /* 0: no limit, here and below */
    uint64_t bytes_per_second;     /* in all, both ways */
    uint64_t bytes_per_second_per_user;
    uint32_t permissions, permissions_per_user; /* of all allocations */
    uint32_t channels, channels_per_user;
};

enum ln_turn_place { LN_TURN_PLACE_PERMISSION, LN_TURN_PLACE_CHANNEL, LN_TURN_PLACE_KINDS };

struct ln_turn_user {
    uint64_t hash; /* of the name, keyed */
    uint32_t held; /* allocations and reservations; under the flag */
    struct ln_turn_user *next;
    _Atomic int64_t bucket, share; /* when each is empty again */
    _Atomic uint32_t places[LN_TURN_PLACE_KINDS];
};

struct ln_turn_shared;

/* Returns 0 or LN_ERR_NOMEM. The allocator is used by every worker that shares it. */
LN_NODISCARD int ln_turn_shared_create(struct ln_turn_shared **ret_shared, const struct ln_env *env,
                                       const struct ln_turn_limits *limits);
void ln_turn_shared_free(struct ln_turn_shared *shared); /* NULL is fine; no worker is left */
struct ln_turn_residents *ln_turn_shared_residents(struct ln_turn_shared *shared);
/* Any thread. What is held stays, also above a new limit. */
void ln_turn_shared_set_limits(struct ln_turn_shared *shared, const struct ln_turn_limits *limits);

/* Enters one more allocation of the user. Returns 0, LN_ERR_LIMIT (his), LN_ERR_AGAIN (that of
 * all), LN_ERR_NOMEM. */
LN_NODISCARD int ln_turn_user_enter(struct ln_turn_shared *shared, struct ln_bytes name,
                                    struct ln_turn_user **ret_user);
/* The last one out frees the entry. */
void ln_turn_user_leave(struct ln_turn_shared *shared, struct ln_turn_user *user);
uint32_t ln_turn_shared_allocations(const struct ln_turn_shared *shared);
size_t ln_turn_shared_users(const struct ln_turn_shared *shared);

/* Places for permissions and channels. An allocation keeps those that it has, for others when one
 * expires, until it ends. Whether there are so many more for this user, and one of them taken. */
bool ln_turn_user_has_places(const struct ln_turn_shared *shared, const struct ln_turn_user *user,
                             enum ln_turn_place kind, size_t count);
LN_NODISCARD bool ln_turn_user_take_place(struct ln_turn_shared *shared, struct ln_turn_user *user,
                                          enum ln_turn_place kind);
void ln_turn_user_give_places(struct ln_turn_shared *shared, struct ln_turn_user *user,
                              enum ln_turn_place kind, size_t count);

/* Whether a packet of this user may pass now. Takes from the buckets if so. */
bool ln_turn_user_take(struct ln_turn_shared *shared, struct ln_turn_user *user, ln_time now,
                       size_t bytes);

/* For the bytes of a stream, which are not dropped: takes them in any case, and returns when more
 * may be read: `now`, or when what was taken above the burst has been made up for. */
ln_time ln_turn_user_charge(struct ln_turn_shared *shared, struct ln_turn_user *user, ln_time now,
                            size_t bytes);

/* Reserved ports (RFC 8656, 7.2): one may be redeemed at any worker, by the user who reserved it.
 * The port stays claimed and counts as an allocation of the user's. */
LN_NODISCARD int ln_turn_token_put(struct ln_turn_shared *shared, uint64_t token,
                                   struct ln_turn_user *user, size_t relay, uint16_t port);
/* Takes it out; claim and count go over to the caller. False when there is none for this user. */
bool ln_turn_token_take(struct ln_turn_shared *shared, uint64_t token, struct ln_bytes name,
                        struct ln_turn_user **ret_user, size_t *ret_relay, uint16_t *ret_port);
/* Gives up what nobody redeemed: port and count. */
void ln_turn_token_drop(struct ln_turn_shared *shared, uint64_t token);

/* Relay ports: a claim is exclusive among all workers. */
bool ln_turn_port_claim(struct ln_turn_shared *shared, size_t relay, uint16_t port,
                        unsigned worker);
void ln_turn_port_release(struct ln_turn_shared *shared, size_t relay, uint16_t port);
/* A reserved one is redeemed at this worker. */
void ln_turn_port_move(struct ln_turn_shared *shared, size_t relay, uint16_t port, unsigned worker);
/* Whose worker's it is. False when it is nobody's, or of TCP. */
bool ln_turn_port_worker(const struct ln_turn_shared *shared, size_t relay, uint16_t port,
                         unsigned *ret_worker);
/* A claimed port is one of UDP until this is called, and after its release. */
void ln_turn_port_set_stream(struct ln_turn_shared *shared, size_t relay, uint16_t port);
/* Whether it is claimed, for TCP or for UDP as asked. */
bool ln_turn_port_serves(const struct ln_turn_shared *shared, size_t relay, uint16_t port,
                         bool stream);
bool ln_turn_port_claimed(const struct ln_turn_shared *shared, size_t relay, uint16_t port);

#endif
