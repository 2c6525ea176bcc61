/* SPDX-License-Identifier: Apache-2.0
 * One question to a STUN server (self_probe.h), on a socket that does not block, with a deadline.
 */
#include "cli/self_probe.h"

#include "base/rng.h"
#include "crypto/session.h"
#include "io/sockaddr.h"
#include "stun/message.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STEP_LIMIT LN_SECONDS(2)
#define ASK_AGAIN  LN_MILLISECONDS(500) /* by UDP */
#define BYTES_MAX  16640u               /* of a record */

static ln_time clock_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return LN_SECONDS((int64_t)t.tv_sec) + t.tv_nsec;
}

struct exchange {
    const struct ln_env *env;
    int fd;
    bool stream;
    ln_time end;
    struct ln_session *session; /* NULL: plain */
    struct ln_stun_id id;
    uint8_t request[LN_STUN_HEADER_LEN];
    uint8_t answer[2048];
    size_t answer_len;
};

static bool wait_for(const struct exchange *x, short events, ln_time until)
{
    struct pollfd p = { .fd = x->fd, .events = events };
    ln_time left = (until < x->end ? until : x->end) - clock_now();

    return left > 0 && poll(&p, 1, (int)(left / LN_MILLISECONDS(1)) + 1) > 0;
}

static bool connect_to(struct exchange *x, const struct ln_address *from,
                       const struct ln_address *to)
{
    union ln_sockaddr name;
    socklen_t len = ln_sockaddr_set(&name, to), size = sizeof(int);
    int error = 0, type = x->stream ? SOCK_STREAM : SOCK_DGRAM;

    x->fd = socket(name.any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (x->fd < 0)
        return false;
    if (from) {
        union ln_sockaddr own;
        socklen_t own_len = ln_sockaddr_set(&own, from);

        if (bind(x->fd, &own.any, own_len) != 0)
            return false;
    }
    if (connect(x->fd, &name.any, len) == 0)
        return true;
    return errno == EINPROGRESS && wait_for(x, POLLOUT, x->end) &&
           getsockopt(x->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

static bool send_all(const struct exchange *x, const uint8_t *data, size_t len)
{
    return send(x->fd, data, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static void flush(struct exchange *x)
{
    uint8_t out[2048];
    int len;

    while ((len = ln_session_poll_output(x->session, out, sizeof out)) > 0)
        (void)send_all(x, out, (size_t)len);
}

static void ask(struct exchange *x)
{
    uint8_t out[256];
    int len;

    if (!x->session) {
        (void)send_all(x, x->request, sizeof x->request);
        return;
    }
    len = ln_session_wrap(x->session, clock_now(), x->request, sizeof x->request, out, sizeof out);
    if (len > 0)
        (void)send_all(x, out, (size_t)len);
    flush(x);
}

static void keep(struct exchange *x, const uint8_t *data, size_t len)
{
    if (!x->stream)
        x->answer_len = 0; /* a datagram is whole */
    if (len > sizeof x->answer - x->answer_len)
        len = sizeof x->answer - x->answer_len;
    memcpy(x->answer + x->answer_len, data, len);
    x->answer_len += len;
}

static void take(struct exchange *x, const uint8_t *data, size_t len)
{
    static uint8_t plain[BYTES_MAX];
    struct ln_bytes packet = { data, len };
    enum ln_session_state before;
    int got;

    if (!x->session) {
        keep(x, data, len);
        return;
    }
    do {
        before = ln_session_state(x->session);
        got = ln_session_unwrap(x->session, clock_now(), &packet, plain, sizeof plain);
        if (got > 0)
            keep(x, plain, (size_t)got);
    } while (got > 0 || (packet.len > 0 && ln_session_state(x->session) != before));
    flush(x);
}

static bool answered(const struct exchange *x, struct ln_stun_message *ret_message)
{
    return ln_stun_parse(x->answer, x->answer_len, ret_message) == 0 &&
           ret_message->kind == LN_STUN_SUCCESS && ln_stun_id_equal(&ret_message->id, &x->id);
}

/* Reads what came. False when the stream is over. */
static bool read_some(struct exchange *x)
{
    static uint8_t data[BYTES_MAX];
    ssize_t len = recv(x->fd, data, sizeof data, 0);

    if (len > 0)
        take(x, data, (size_t)len);
    return len > 0 || (len < 0 && !x->stream) || errno == EAGAIN;
}

static bool is_ready(const struct exchange *x)
{
    return !x->session || ln_session_state(x->session) == LN_SESSION_ESTABLISHED;
}

/* Shakes hands, asks, and waits for the answer. */
static bool converse(struct exchange *x, struct ln_stun_message *ret_message)
{
    ln_time next = 0;
    bool asked = false;

    while (clock_now() < x->end && !answered(x, ret_message)) {
        ln_time now = clock_now(), until = now + ASK_AGAIN;

        if (is_ready(x) && now >= next && !(x->stream && asked)) {
            ask(x);
            asked = true;
            next = now + ASK_AGAIN;
        }
        if (x->session && ln_session_next_timeout(x->session) < until)
            until = ln_session_next_timeout(x->session);
        if (wait_for(x, POLLIN, until)) {
            if (!read_some(x))
                return false;
        } else if (x->session) {
            ln_session_on_timeout(x->session, clock_now());
            flush(x);
        }
        if (x->session && ln_session_state(x->session) > LN_SESSION_ESTABLISHED)
            return false;
    }
    return answered(x, ret_message);
}

static void begin(struct exchange *x, const struct ln_env *env, bool stream)
{
    struct ln_stun_builder b;

    memset(x, 0, sizeof *x);
    x->env = env;
    x->fd = -1;
    x->stream = stream;
    x->end = clock_now() + STEP_LIMIT;
    ln_rng_bytes(env->rng, x->id.bytes, sizeof x->id.bytes);
    ln_stun_begin(&b, x->request, sizeof x->request, LN_STUN_REQUEST, LN_STUN_BINDING, &x->id);
    (void)!ln_stun_finish(&b);
}

static void end(struct exchange *x)
{
    if (x->session) {
        ln_session_close(x->session, clock_now());
        flush(x);
    }
    ln_session_free(x->session);
    if (x->fd >= 0)
        close(x->fd);
}

static bool shake_hands(struct exchange *x, const struct self_probe *probe)
{
    static const char *const alpn[] = { "stun.turn" };
    struct ln_session_config config = { .is_client = true,
                                        .is_datagram = !probe->stream,
                                        .alpn = alpn,
                                        .alpn_count = 1,
                                        .server_name = probe->name,
                                        .verify = probe->name ? LN_SESSION_VERIFY_CHAIN
                                                              : LN_SESSION_VERIFY_REQUIRE };

    if (ln_session_create(&x->session, &config, x->env->crypto, x->env) != 0)
        return false;
    ln_session_start(x->session, clock_now());
    flush(x);
    return true;
}

bool self_probe_ask(const struct self_probe *probe, const struct ln_env *env,
                    struct ln_address *ret_seen, struct ln_certificate_facts *ret_facts)
{
    struct ln_stun_message message;
    struct exchange x;
    bool ok;

    begin(&x, env, probe->stream);
    ok = connect_to(&x, probe->from, &probe->target);
    if (ok && probe->secure)
        ok = shake_hands(&x, probe);
    ok = ok && converse(&x, &message);
    if (ok && ret_seen)
        ok = ln_stun_find_mapped(&message, ret_seen);
    if (ok && ret_facts)
        ok = ln_certificate_read_facts(ln_session_peer_certificate(x.session), ret_facts) == 0;
    end(&x);
    return ok;
}
