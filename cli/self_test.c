/* SPDX-License-Identifier: Apache-2.0
 * The start-up self-test (self_test.h): what is asked, and what the answers mean. A listener on all
 * addresses is asked at the address it relays from, else at loopback. */
#include "cli/self_test.h"

#include "base/address.h"
#include "cli/self_probe.h"
#include "crypto/crypto.h"
#include "io/sockaddr.h"
#include "stun/message.h"

#include <netdb.h>
#include <string.h>
#include <time.h>

#define DAY_MS    INT64_C(86400000)
#define SOON_DAYS 14

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

/* A Binding over this way; with a name, only a trusted certificate for it will do. */
static bool try_way(const struct ln_env *env, const struct ln_address *target,
                    enum self_test_kind kind, const char *name,
                    struct ln_certificate_facts *ret_facts)
{
    const struct self_probe probe = {
        .target = *target, .stream = ways[kind].stream, .secure = ways[kind].secure, .name = name
    };

    return self_probe_ask(&probe, env, NULL, ret_facts);
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
    struct self_probe probe = { .from = bind };

    return resolve(test->outside, bind->family, &probe.target) &&
           self_probe_ask(&probe, env, ret_seen, NULL);
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
