/* SPDX-License-Identifier: Apache-2.0
 * The start-up self-test (self_test.h): a client of a few lines on blocking sockets, with a
 * deadline for each step, as nothing else runs on this thread yet. A listener on all addresses is
 * asked at the address it relays from, else at loopback. */
#include "cli/self_test.h"

#include "base/address.h"
#include "base/alloc.h"
#include "base/rng.h"
#include "crypto/crypto.h"
#include "crypto/session.h"
#include "io/sockaddr.h"
#include "stun/message.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STEP_LIMIT LN_SECONDS(2)
#define ASK_AGAIN  LN_MILLISECONDS(500) /* by UDP */
#define BYTES_MAX  16640u               /* of a record */
#define DAY_MS     INT64_C(86400000)
#define SOON_DAYS  14

static ln_time clock_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return LN_SECONDS((int64_t)t.tv_sec) + t.tv_nsec;
}

/* ---- one exchange ---- */

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

/* ---- ports ---- */

static const struct {
    const char *name;
    bool stream, secure;
    const char *remedy;
} ways[] = {
    { "udp", false, false, "does a firewall drop UDP to this port?" },
    { "tcp", true, false, "does a firewall drop TCP to this port?" },
    { "tls", true, true, "look at the certificate and its key" },
    { "dtls", false, true, "look at the certificate and its key" },
};

/* The address to ask for a listener. */
static struct ln_address target_of(const struct self_test *test, size_t i)
{
    struct ln_turn_relay relays[LN_TURN_RELAYS_MAX];
    size_t count = ln_turn_service_relays(test->service, relays);
    struct ln_address address = ln_turn_service_listening(test->service, i);
    uint16_t port = address.port;

    if (!ln_address_is_unspecified(&address))
        return address;
    for (size_t k = 0; k < count; k++)
        if (relays[k].bind.family == address.family) {
            address = relays[k].bind;
            address.port = port;
            return address;
        }
    (void)!ln_address_parse(address.family == LN_FAMILY_IPV6 ? "::1" : "127.0.0.1", &address);
    address.port = port;
    return address;
}

/* A Binding over this way. With `verify`, only a certificate that this machine trusts for `name`
 * will do. *ret_facts is of what the server showed, if it showed one. */
static bool try_way(const struct ln_env *env, const struct ln_address *target,
                    enum self_test_kind kind, const char *name,
                    struct ln_certificate_facts *ret_facts)
{
    static const char *const alpn[] = { "stun.turn" };
    struct ln_session_config config = { .is_client = true,
                                        .is_datagram = !ways[kind].stream,
                                        .alpn = alpn,
                                        .alpn_count = 1,
                                        .server_name = name,
                                        .verify = name ? LN_SESSION_VERIFY_CHAIN
                                                       : LN_SESSION_VERIFY_REQUIRE };
    struct ln_stun_message message;
    struct exchange x;
    bool ok;

    begin(&x, env, ways[kind].stream);
    ok = connect_to(&x, NULL, target);
    if (ok && ways[kind].secure) {
        ok = ln_session_create(&x.session, &config, env->crypto, env) == 0;
        if (ok) {
            ln_session_start(x.session, clock_now());
            flush(&x);
        }
    }
    ok = ok && converse(&x, &message);
    if (ok && ret_facts)
        ok = ln_certificate_read_facts(ln_session_peer_certificate(x.session), ret_facts) == 0;
    end(&x);
    return ok;
}

static bool check_way(const struct self_test *test, const struct ln_env *env, size_t i,
                      enum self_test_kind kind, struct ln_certificate_facts *ret_facts)
{
    struct self_test_result r = { .kind = kind, .address = target_of(test, i) };

    if (try_way(env, &r.address, kind, NULL, ret_facts)) {
        snprintf(r.text, sizeof r.text, "answers");
    } else {
        r.verdict = SELF_TEST_FAILED;
        snprintf(r.text, sizeof r.text, "does not answer; %s", ways[kind].remedy);
    }
    test->tell(test->ctx, &r);
    return r.verdict == SELF_TEST_OK;
}

/* ---- the certificate ---- */

static void judge_certificate(struct self_test_result *r, const struct ln_certificate_facts *facts,
                              bool trusted)
{
    struct timespec wall;
    int64_t now_ms, days;

    clock_gettime(CLOCK_REALTIME, &wall);
    now_ms = (int64_t)wall.tv_sec * 1000;
    days = (facts->expires_ms - now_ms) / DAY_MS;
    r->verdict = SELF_TEST_WARNING;
    if (facts->expires_ms <= now_ms || facts->begins_ms > now_ms) {
        r->verdict = SELF_TEST_FAILED;
        snprintf(r->text, sizeof r->text,
                 "is not valid now; no client will take it. Get a new one, then SIGHUP");
    } else if (days < SOON_DAYS) {
        snprintf(r->text, sizeof r->text, "ends in %lld days; renew it, then SIGHUP",
                 (long long)days);
    } else if (!trusted) {
        snprintf(r->text, sizeof r->text,
                 "is not trusted by this machine; clients take it only if they know its issuer");
    } else {
        r->verdict = SELF_TEST_OK;
        snprintf(r->text, sizeof r->text, "is trusted, for %lld days", (long long)days);
    }
}

static bool check_certificate(const struct self_test *test, const struct ln_env *env,
                              const struct ln_address *target,
                              const struct ln_certificate_facts *facts)
{
    struct self_test_result r = { .kind = SELF_TEST_CERTIFICATE, .address = *target };

    snprintf(r.name, sizeof r.name, "%s", facts->name);
    r.expires_ms = facts->expires_ms;
    judge_certificate(&r, facts,
                      facts->name[0] && try_way(env, target, SELF_TEST_TLS, facts->name, NULL));
    test->tell(test->ctx, &r);
    return r.verdict != SELF_TEST_FAILED;
}

/* ---- the address that is told ---- */

static bool resolve(const char *text, uint8_t family, struct ln_address *ret_address)
{
    struct addrinfo hints = { .ai_family = family == LN_FAMILY_IPV6 ? AF_INET6 : AF_INET,
                              .ai_socktype = SOCK_DGRAM };
    struct addrinfo *list = NULL;
    const char *colon = strrchr(text, ':');
    char host[256];
    bool found;

    if (ln_address_parse(text, ret_address) == 0) {
        ret_address->port = ret_address->port ? ret_address->port : (uint16_t)LN_STUN_PORT;
        return ret_address->family == family;
    }
    snprintf(host, sizeof host, "%.*s", (int)(colon ? colon - text : (ptrdiff_t)strlen(text)),
             text);
    found = getaddrinfo(host, colon ? colon + 1 : "3478", &hints, &list) == 0;
    if (found)
        ln_sockaddr_get((const union ln_sockaddr *)(const void *)list->ai_addr, ret_address);
    if (list)
        freeaddrinfo(list);
    return found;
}

/* What the outside server sees of this relay address. */
static bool look_from_outside(const struct self_test *test, const struct ln_env *env,
                              const struct ln_address *bind, struct ln_address *ret_seen)
{
    struct ln_stun_message message;
    struct ln_address server;
    struct exchange x;
    bool ok;

    if (!resolve(test->outside, bind->family, &server))
        return false;
    begin(&x, env, false);
    ok = connect_to(&x, bind, &server) && converse(&x, &message) &&
         ln_stun_find_mapped(&message, ret_seen);
    end(&x);
    return ok;
}

/* Whether nobody elsewhere could ask it anything. */
static bool is_local(const struct self_test *test)
{
    for (size_t i = 0; i < test->listen_count; i++) {
        struct ln_address address = ln_turn_service_listening(test->service, i);

        if (!ln_address_is_loopback(&address))
            return false;
    }
    return true;
}

/* Nobody was asked: what the address is says something too. */
static void judge_unasked(const struct self_test *test, struct self_test_result *r)
{
    enum ln_turn_class kind = ln_turn_classify(&r->address);

    if (kind == LN_TURN_CLASS_PUBLIC) {
        snprintf(r->text, sizeof r->text, "is public; no STUN server was given to compare with");
        return;
    }
    if (kind == LN_TURN_CLASS_LOOPBACK && is_local(test)) {
        snprintf(r->text, sizeof r->text, "is of this machine alone, as the server is");
        return;
    }
    r->verdict = SELF_TEST_WARNING;
    snprintf(r->text, sizeof r->text,
             "is %s; peers elsewhere cannot reach it. Behind a 1:1 NAT give --relay ADDR=EXTERNAL",
             ln_turn_class_text(kind));
}

static void judge_seen(struct self_test_result *r, const struct ln_turn_relay *relay)
{
    char bind[LN_ADDRESS_TEXT_MAX], seen[LN_ADDRESS_TEXT_MAX];

    if (memcmp(r->seen.ip, r->address.ip, sizeof r->seen.ip) == 0) {
        snprintf(r->text, sizeof r->text, "is what the outside sees");
        return;
    }
    r->verdict = SELF_TEST_FAILED;
    snprintf(r->text, sizeof r->text, "is not what the outside sees, %s; give --relay %s=%s",
             ln_address_format_ip(&r->seen, seen), ln_address_format_ip(&relay->bind, bind), seen);
}

static bool check_external(const struct self_test *test, const struct ln_env *env,
                           const struct ln_turn_relay *relay)
{
    struct self_test_result r = { .kind = SELF_TEST_EXTERNAL };

    r.address = relay->external.family ? relay->external : relay->bind;
    if (!test->outside) {
        judge_unasked(test, &r);
    } else if (look_from_outside(test, env, &relay->bind, &r.seen)) {
        judge_seen(&r, relay);
    } else {
        r.verdict = SELF_TEST_WARNING;
        snprintf(r.text, sizeof r.text, "could not be compared: %.100s does not answer over %s",
                 test->outside, r.address.family == LN_FAMILY_IPV6 ? "IPv6" : "IPv4");
    }
    test->tell(test->ctx, &r);
    return r.verdict != SELF_TEST_FAILED;
}

/* ---- all of it ---- */

static size_t check_listener(const struct self_test *test, const struct ln_env *env, size_t i,
                             bool *certificate_told)
{
    bool stream = test->listen[i].stream;
    enum self_test_kind sealed = stream ? SELF_TEST_TLS : SELF_TEST_DTLS;
    struct ln_certificate_facts facts;
    struct ln_address target = target_of(test, i);
    size_t failures = !check_way(test, env, i, stream ? SELF_TEST_TCP : SELF_TEST_UDP, NULL);

    if (!test->secure)
        return failures;
    if (!check_way(test, env, i, sealed, &facts))
        return failures + 1;
    if (stream && !*certificate_told) {
        *certificate_told = true;
        failures += !check_certificate(test, env, &target, &facts);
    }
    return failures;
}

size_t self_test_run(const struct self_test *test, const struct ln_env *env)
{
    struct ln_turn_relay relays[LN_TURN_RELAYS_MAX];
    size_t count = ln_turn_service_relays(test->service, relays), failures = 0;
    struct ln_env own = *env;
    bool certificate_told = false;

    if (ln_crypto_create(&own.crypto, own.allocator) != 0)
        return 1;
    for (size_t i = 0; i < test->listen_count; i++)
        failures += check_listener(test, &own, i, &certificate_told);
    for (size_t i = 0; i < count && test->relays; i++)
        failures += !check_external(test, &own, &relays[i]);
    ln_crypto_free(own.crypto);
    return failures;
}

void self_test_print(FILE *out, const struct self_test_result *result)
{
    static const char *const verdicts[] = { "", "WARNING ", "FAILED " };
    char text[LN_ADDRESS_TEXT_MAX], until[32];
    time_t expires = (time_t)(result->expires_ms / 1000);
    struct tm parts;

    fprintf(out, "  check  %s", verdicts[result->verdict]);
    switch (result->kind) {
    case SELF_TEST_CERTIFICATE:
        gmtime_r(&expires, &parts);
        strftime(until, sizeof until, "%Y-%m-%d", &parts);
        fprintf(out, "the certificate of %s, until %s, %s\n",
                result->name[0] ? result->name : "nobody", until, result->text);
        break;
    case SELF_TEST_EXTERNAL:
        fprintf(out, "the relay's address %s %s\n", ln_address_format_ip(&result->address, text),
                result->text);
        break;
    default:
        fprintf(out, "%s %s %s\n", ways[result->kind].name,
                ln_address_format(&result->address, text), result->text);
    }
}
