/* SPDX-License-Identifier: Apache-2.0
 * A DTLS transport of WebRTC; see dtls.h.
 *
 * Invariants: `session` is set from set_remote() on and, as its certificate check is ours, cannot
 * be established with a peer that does not match. State changes go through set_state() only. */
#include "dtls/dtls.h"

#include "base/alloc.h"
#include "base/ring.h"
#include "base/time.h"
#include "base/trace.h"

#include <linnet/error.h>

#include <assert.h>
#include <string.h>

#define EVENTS_MAX       4u    /* states that can follow each other */
#define EARLY_PACKET_MAX 2048u /* bytes; a handshake datagram is smaller */

struct early {
    uint8_t *data;
    size_t len;
};

struct remote {
    struct ln_fingerprint *fingerprints;
    size_t count, capacity; /* at most LN_DTLS_FINGERPRINTS_MAX */
};

struct ln_dtls {
    const struct ln_env *env;
    struct ln_crypto *crypto;
    struct ln_certificate *certificate;
    uint16_t profiles[LN_SESSION_SRTP_PROFILES_MAX];
    size_t profile_count;
    bool require_srtp, require_extended_master_secret;
    size_t mtu;

    enum ln_dtls_state state;
    enum ln_dtls_role role;
    struct remote remote;
    struct ln_session *session;
    bool writable;
    struct ln_ring early; /* struct early */
    uint64_t early_dropped;

    struct ln_dtls_event events[EVENTS_MAX];
    size_t event_count;
};

static const uint16_t default_profiles[] = {
    LN_SRTP_AEAD_AES_128_GCM,
    LN_SRTP_AES128_CM_HMAC_SHA1_80,
    LN_SRTP_AEAD_AES_256_GCM,
};

const char *ln_dtls_state_text(enum ln_dtls_state state)
{
    static const char *const text[] = { "new", "connecting", "connected", "closed", "failed" };

    return text[state];
}

const char *ln_dtls_role_text(enum ln_dtls_role role)
{
    static const char *const text[] = { "unknown", "client", "server" };

    return text[role];
}

/* ---- life ---- */

int ln_dtls_create(struct ln_dtls **ret_dtls, const struct ln_dtls_config *config,
                   struct ln_crypto *crypto, const struct ln_env *env)
{
    const uint16_t *profiles = config->srtp_profiles;
    size_t count = config->srtp_profile_count;
    struct ln_dtls *d;

    if (!profiles) {
        profiles = default_profiles;
        count = sizeof default_profiles / sizeof *default_profiles;
    }
    if (!config->certificate || count > LN_SESSION_SRTP_PROFILES_MAX)
        return LN_ERR_INVALID_ARGUMENT;
    if (!(d = ln_alloc_zero(env->allocator, sizeof *d)))
        return LN_ERR_NOMEM;
    d->env = env;
    d->crypto = crypto;
    d->certificate = ln_certificate_ref(config->certificate);
    memcpy(d->profiles, profiles, count * sizeof *profiles);
    d->profile_count = count;
    d->require_srtp = config->require_srtp;
    d->require_extended_master_secret = config->require_extended_master_secret;
    d->mtu = config->mtu;
    ln_ring_init(&d->early, env->allocator, sizeof(struct early), LN_DTLS_EARLY_MAX);
    *ret_dtls = d;
    return 0;
}

static void drop_early(struct ln_dtls *d)
{
    struct early early;

    while (ln_ring_pop(&d->early, &early))
        ln_free(d->env->allocator, early.data);
}

static void remote_deinit(struct remote *remote, struct ln_allocator *allocator)
{
    /* One block holds the texts of a fingerprint; it begins at the algorithm. */
    for (size_t i = 0; i < remote->count; i++)
        ln_free(allocator, (char *)(uintptr_t)remote->fingerprints[i].algorithm);
    ln_free(allocator, remote->fingerprints);
    memset(remote, 0, sizeof *remote);
}

void ln_dtls_free(struct ln_dtls *d)
{
    if (!d)
        return;
    ln_session_free(d->session);
    drop_early(d);
    ln_ring_deinit(&d->early);
    remote_deinit(&d->remote, d->env->allocator);
    ln_certificate_unref(d->certificate);
    ln_free(d->env->allocator, d);
}

static void set_state(struct ln_dtls *d, ln_time now, enum ln_dtls_state state, int error)
{
    struct ln_dtls_event *event = &d->events[d->event_count++];

    assert(state > d->state && d->event_count <= EVENTS_MAX);
    ln_trace_emit(d->env->trace, now, LN_TRACE_DTLS_STATE, 0, d->state, state, error, 0);
    d->state = state;
    *event = (struct ln_dtls_event){ state, error, 0, false };
    if (state == LN_DTLS_STATE_FAILED && d->session) {
        const struct ln_session_counters *counters = ln_session_counters(d->session);

        event->alert_was_received = error == LN_ERR_REFUSED;
        event->alert = event->alert_was_received ? counters->alert_received : counters->alert_sent;
    }
    if (state >= LN_DTLS_STATE_CLOSED)
        drop_early(d);
}

/* ---- whom to talk to ---- */

/* Any one of the strongest known hash that is present may match (RFC 8122, 5). */
static bool remote_matches(const struct remote *remote, struct ln_bytes der)
{
    int strongest = 0;
    bool matches = false;

    for (size_t i = 0; i < remote->count; i++) {
        int strength = ln_fingerprint_strength(remote->fingerprints[i].algorithm);

        strongest = strength > strongest ? strength : strongest;
    }
    for (size_t i = 0; i < remote->count && der.len > 0; i++)
        if (ln_fingerprint_strength(remote->fingerprints[i].algorithm) == strongest &&
            ln_fingerprint_matches(der, remote->fingerprints[i].algorithm,
                                   remote->fingerprints[i].value))
            matches = true;
    return matches;
}

static bool accept_certificate(void *context, struct ln_bytes der)
{
    const struct ln_dtls *d = context;

    return remote_matches(&d->remote, der);
}

static int copy_remote(struct remote *remote, const struct ln_fingerprint *fingerprints,
                       size_t count, struct ln_allocator *allocator)
{
    for (size_t i = 0; i < count && remote->count < LN_DTLS_FINGERPRINTS_MAX; i++) {
        size_t a = strlen(fingerprints[i].algorithm) + 1, v = strlen(fingerprints[i].value) + 1;
        char *text;

        if (ln_fingerprint_strength(fingerprints[i].algorithm) == 0)
            continue;
        if (ln_grow(allocator, &remote->fingerprints, sizeof *remote->fingerprints, remote->count,
                    &remote->capacity, LN_DTLS_FINGERPRINTS_MAX) != 0 ||
            !(text = ln_alloc(allocator, a + v)))
            return LN_ERR_NOMEM;
        memcpy(text, fingerprints[i].algorithm, a);
        memcpy(text + a, fingerprints[i].value, v);
        remote->fingerprints[remote->count++] = (struct ln_fingerprint){ text, text + a };
    }
    return remote->count > 0 ? 0 : LN_ERR_NOT_SUPPORTED;
}

static int open_session(struct ln_dtls *d, enum ln_dtls_role role)
{
    struct ln_session_config config = { 0 };

    config.is_client = role == LN_DTLS_ROLE_CLIENT;
    config.is_datagram = true;
    config.certificate = d->certificate;
    config.srtp_profiles = d->profiles;
    config.srtp_profile_count = d->profile_count;
    config.mtu = d->mtu;
    config.verify = LN_SESSION_VERIFY_REQUIRE;
    config.accept = accept_certificate;
    config.accept_context = d;
    config.require_extended_master_secret = d->require_extended_master_secret;
    return ln_session_create(&d->session, &config, d->crypto, d->env);
}

int ln_dtls_set_remote(struct ln_dtls *d, enum ln_dtls_role role,
                       const struct ln_fingerprint *fingerprints, size_t count)
{
    struct remote remote = { .count = 0 };
    int error = 0;

    assert(role == LN_DTLS_ROLE_CLIENT || role == LN_DTLS_ROLE_SERVER);
    if (d->state >= LN_DTLS_STATE_CLOSED)
        return LN_ERR_INVALID_STATE;
    if (d->session && role != d->role)
        return LN_ERR_INVALID_MODIFICATION;
    error = copy_remote(&remote, fingerprints, count, d->env->allocator);
    if (!error && ln_dtls_remote_certificate(d).len > 0 &&
        !remote_matches(&remote, ln_dtls_remote_certificate(d)))
        error = LN_ERR_FINGERPRINT;
    if (!error && !d->session)
        error = open_session(d, role);
    if (error) {
        remote_deinit(&remote, d->env->allocator);
        return error;
    }
    d->role = role;
    remote_deinit(&d->remote, d->env->allocator);
    d->remote = remote;
    return 0;
}

void ln_dtls_set_writable(struct ln_dtls *d, bool writable)
{
    d->writable = writable;
}

/* ---- the handshake ---- */

/* Brings our state up to the session's. */
static void follow(struct ln_dtls *d, ln_time now)
{
    switch (ln_session_state(d->session)) {
    case LN_SESSION_ESTABLISHED:
        if (d->state == LN_DTLS_STATE_CONNECTED)
            return;
        /* The handshake has checked this; nothing may pass if it ever did not. */
        if (!remote_matches(&d->remote, ln_session_peer_certificate(d->session)))
            set_state(d, now, LN_DTLS_STATE_FAILED, LN_ERR_FINGERPRINT);
        else if (d->require_srtp && ln_session_srtp_profile(d->session) == 0)
            set_state(d, now, LN_DTLS_STATE_FAILED, LN_ERR_NOT_SUPPORTED);
        else
            set_state(d, now, LN_DTLS_STATE_CONNECTED, 0);
        if (d->state == LN_DTLS_STATE_FAILED)
            ln_session_close(d->session, now);
        return;
    case LN_SESSION_CLOSED:
        set_state(d, now, LN_DTLS_STATE_CLOSED, 0);
        return;
    case LN_SESSION_FAILED:
        set_state(d, now, LN_DTLS_STATE_FAILED, ln_session_error(d->session));
        return;
    case LN_SESSION_NEW:
    case LN_SESSION_HANDSHAKE:
        return;
    }
}

/* A server listens at once; a client begins when there is a path. */
static bool should_start(const struct ln_dtls *d)
{
    return d->state == LN_DTLS_STATE_NEW && d->session &&
           (d->role == LN_DTLS_ROLE_SERVER || d->writable);
}

static void replay_early(struct ln_dtls *d, ln_time now)
{
    struct early early;

    while (d->state == LN_DTLS_STATE_CONNECTING && ln_ring_pop(&d->early, &early)) {
        struct ln_bytes packet = { early.data, early.len };

        /* No plaintext can come: the peer has not had our half of the handshake. */
        while (packet.len > 0 && ln_session_unwrap(d->session, now, &packet, NULL, 0) == 0 &&
               ln_session_state(d->session) == LN_SESSION_HANDSHAKE)
            ;
        ln_free(d->env->allocator, early.data);
        follow(d, now);
    }
    drop_early(d);
}

static void start_if_due(struct ln_dtls *d, ln_time now)
{
    if (!should_start(d))
        return;
    set_state(d, now, LN_DTLS_STATE_CONNECTING, 0);
    ln_session_start(d->session, now);
    follow(d, now);
    replay_early(d, now);
}

static void keep_early(struct ln_dtls *d, const struct ln_bytes *packet)
{
    struct early early = { NULL, packet->len };

    if (packet->len > 0 && packet->len <= EARLY_PACKET_MAX &&
        (early.data = ln_alloc_copy(d->env->allocator, packet->data, packet->len)) != NULL &&
        ln_ring_push(&d->early, &early) == 0)
        return;
    ln_free(d->env->allocator, early.data);
    d->early_dropped++;
}

size_t ln_dtls_receive(struct ln_dtls *d, ln_time now, struct ln_bytes *packet, uint8_t *out,
                       size_t cap)
{
    int len = 0;

    start_if_due(d, now);
    if (d->state == LN_DTLS_STATE_NEW) {
        keep_early(d, packet);
        *packet = (struct ln_bytes){ NULL, 0 };
        return 0;
    }
    while (d->state == LN_DTLS_STATE_CONNECTING || d->state == LN_DTLS_STATE_CONNECTED) {
        enum ln_dtls_state before = d->state;

        len = ln_session_unwrap(d->session, now, packet, out, cap);
        follow(d, now);
        if (d->state == LN_DTLS_STATE_CONNECTED && len > 0)
            return (size_t)len;
        if (d->state == before && packet->len == 0)
            break;
    }
    *packet = (struct ln_bytes){ NULL, 0 };
    return 0;
}

int ln_dtls_wrap(struct ln_dtls *d, ln_time now, const void *plain, size_t len, uint8_t *out,
                 size_t cap)
{
    if (d->state != LN_DTLS_STATE_CONNECTED)
        return LN_ERR_INVALID_STATE;
    return ln_session_wrap(d->session, now, plain, len, out, cap);
}

size_t ln_dtls_overhead(const struct ln_dtls *d)
{
    return d->session ? ln_session_overhead(d->session) : LN_DTLS_OVERHEAD_MAX;
}

size_t ln_dtls_headroom(const struct ln_dtls *d)
{
    return d->session ? ln_session_headroom(d->session) : LN_DTLS_OVERHEAD_MAX - LN_SESSION_TAG_LEN;
}

int ln_dtls_poll_transmit(struct ln_dtls *d, ln_time now, uint8_t *out, size_t cap)
{
    start_if_due(d, now);
    if (!d->session || !d->writable)
        return 0;
    return ln_session_poll_output(d->session, out, cap);
}

ln_time ln_dtls_next_timeout(const struct ln_dtls *d)
{
    if (should_start(d))
        return LN_TIME_IMMEDIATE;
    if (!d->session || !d->writable)
        return LN_TIME_NEVER;
    return ln_session_next_timeout(d->session);
}

void ln_dtls_on_timeout(struct ln_dtls *d, ln_time now)
{
    start_if_due(d, now);
    if (d->state != LN_DTLS_STATE_CONNECTING || !d->writable)
        return;
    ln_session_on_timeout(d->session, now);
    follow(d, now);
}

void ln_dtls_close(struct ln_dtls *d, ln_time now)
{
    if (d->state >= LN_DTLS_STATE_CLOSED)
        return;
    if (d->session)
        ln_session_close(d->session, now);
    set_state(d, now, LN_DTLS_STATE_CLOSED, 0);
}

bool ln_dtls_poll_event(struct ln_dtls *d, struct ln_dtls_event *ret_event)
{
    if (d->event_count == 0)
        return false;
    *ret_event = d->events[0];
    d->event_count--;
    memmove(d->events, d->events + 1, d->event_count * sizeof *d->events);
    return true;
}

/* ---- what came of it ---- */

enum ln_dtls_state ln_dtls_state(const struct ln_dtls *d)
{
    return d->state;
}

enum ln_dtls_role ln_dtls_role(const struct ln_dtls *d)
{
    return d->role;
}

int ln_dtls_srtp_keys(const struct ln_dtls *d, struct ln_dtls_srtp_keys *ret_keys)
{
    uint8_t block[2 * (sizeof ret_keys->local_key + sizeof ret_keys->local_salt)];
    struct ln_dtls_srtp_keys keys = { 0 };
    bool client = d->role == LN_DTLS_ROLE_CLIENT;
    size_t key_len, salt_len;
    const uint8_t *salts;
    int error;

    if (d->state != LN_DTLS_STATE_CONNECTED)
        return LN_ERR_INVALID_STATE;
    keys.profile = ln_session_srtp_profile(d->session);
    if (keys.profile == 0)
        return LN_ERR_NOT_FOUND;
    key_len = keys.profile == LN_SRTP_AEAD_AES_256_GCM ? 32 : 16;
    salt_len = keys.profile == LN_SRTP_AES128_CM_HMAC_SHA1_80 ? 14 : 12;
    /* client key, server key, client salt, server salt (RFC 5764, 4.2) */
    error = ln_session_export(d->session, "EXTRACTOR-dtls_srtp", block, 2 * (key_len + salt_len));
    if (!error) {
        salts = block + 2 * key_len;
        memcpy(keys.local_key, block + (client ? 0 : key_len), key_len);
        memcpy(keys.remote_key, block + (client ? key_len : 0), key_len);
        memcpy(keys.local_salt, salts + (client ? 0 : salt_len), salt_len);
        memcpy(keys.remote_salt, salts + (client ? salt_len : 0), salt_len);
        *ret_keys = keys;
    }
    ln_wipe(block, sizeof block);
    ln_wipe(&keys, sizeof keys);
    return error;
}

struct ln_bytes ln_dtls_remote_certificate(const struct ln_dtls *d)
{
    return d->session ? ln_session_peer_certificate(d->session) : (struct ln_bytes){ NULL, 0 };
}

struct ln_certificate *ln_dtls_certificate(const struct ln_dtls *d)
{
    return d->certificate;
}

uint16_t ln_dtls_version(const struct ln_dtls *d)
{
    return d->session ? ln_session_version(d->session) : 0;
}

const char *ln_dtls_cipher_name(const struct ln_dtls *d)
{
    return d->session ? ln_session_cipher_name(d->session) : "";
}

const char *ln_dtls_group_name(const struct ln_dtls *d)
{
    return d->session ? ln_session_group_name(d->session) : "";
}

uint16_t ln_dtls_srtp_profile(const struct ln_dtls *d)
{
    return d->session ? ln_session_srtp_profile(d->session) : 0;
}

void ln_dtls_counters(const struct ln_dtls *d, struct ln_dtls_counters *ret_counters)
{
    *ret_counters = (struct ln_dtls_counters){ .early_dropped = d->early_dropped };
    if (d->session)
        ret_counters->session = *ln_session_counters(d->session);
}
