/* SPDX-License-Identifier: Apache-2.0
 * The candidate-attribute of RFC 8839, 5.1, and what a candidate's address and priority mean.
 *
 * The text is cut into words separated by blanks; each word is judged by itself, so that no index
 * is computed by hand. Nothing is written to the result before all required words were right. */
#include "ice/candidate.h"

#include "base/address.h"

#include <linnet/error.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char *const type_names[] = { "host", "srflx", "prflx", "relay" };
static const char *const protocol_names[] = { "udp", "tcp" };
static const char *const tcp_type_names[] = { "", "active", "passive", "so" };

const char *ln_candidate_type_name(enum ln_candidate_type type)
{
    return (size_t)type < 4 ? type_names[type] : "unknown";
}

const char *ln_candidate_protocol_name(enum ln_candidate_protocol protocol)
{
    return (size_t)protocol < 2 ? protocol_names[protocol] : "unknown";
}

const char *ln_candidate_tcp_type_name(enum ln_candidate_tcp_type tcp_type)
{
    return (size_t)tcp_type < 4 ? tcp_type_names[tcp_type] : "";
}

struct word {
    const char *text;
    size_t len;
};

struct words {
    const char *at, *end;
};

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool next_word(struct words *words, struct word *ret_word)
{
    const char *begin;

    while (words->at < words->end && blank(*words->at))
        words->at++;
    begin = words->at;
    while (words->at < words->end && !blank(*words->at))
        words->at++;
    *ret_word = (struct word){ begin, (size_t)(words->at - begin) };
    return ret_word->len > 0;
}

static bool word_is(struct word word, const char *text)
{
    size_t i;

    if (word.len != strlen(text))
        return false;
    for (i = 0; i < word.len; i++)
        if (tolower((unsigned char)word.text[i]) != text[i])
            return false;
    return true;
}

/* The index of the word in a list of names, or -1. */
static int word_in(struct word word, const char *const *names, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (names[i][0] && word_is(word, names[i]))
            return (int)i;
    return -1;
}

static bool word_number(struct word word, uint64_t max, uint64_t *ret_number)
{
    uint64_t number = 0;
    size_t i;

    if (word.len == 0 || word.len > 10)
        return false;
    for (i = 0; i < word.len; i++) {
        if (word.text[i] < '0' || word.text[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(word.text[i] - '0');
    }
    if (number > max)
        return false;
    *ret_number = number;
    return true;
}

/* ice-char of RFC 8839, 5.1; '=', '-' and '_' too, which some stacks use in ufrags. */
static bool word_text(struct word word, char *text, size_t max)
{
    size_t i;

    if (word.len == 0 || word.len > max)
        return false;
    for (i = 0; i < word.len; i++)
        if (!isalnum((unsigned char)word.text[i]) &&
            (word.text[i] == '\0' || !strchr("+/=-_", word.text[i])))
            return false;
    memcpy(text, word.text, word.len);
    text[word.len] = '\0';
    return true;
}

/* An IP address without port, brackets or scope. */
static bool word_address(struct word word, struct ln_address *ret_address)
{
    char text[LN_ADDRESS_TEXT_MAX];
    struct ln_address address;

    if (word.len == 0 || word.len >= sizeof text)
        return false;
    memcpy(text, word.text, word.len);
    text[word.len] = '\0';
    if (strpbrk(text, "[]%") || ln_address_parse(text, &address) != 0)
        return false;
    if (address.family == LN_FAMILY_IPV4 && strchr(text, ':'))
        return false;
    *ret_address = address;
    return true;
}

static bool word_name(struct word word, char *text)
{
    bool letter = false;
    size_t i;

    if (word.len == 0 || word.len > LN_CANDIDATE_NAME_MAX)
        return false;
    for (i = 0; i < word.len; i++) {
        unsigned char c = (unsigned char)word.text[i];

        if (!isalnum(c) && c != '-' && c != '.' && c != '_')
            return false;
        letter = letter || isalpha(c);
    }
    memcpy(text, word.text, word.len);
    text[word.len] = '\0';
    return letter && text[0] != '.';
}

/* "raddr X", "rport X", "tcptype X", "ufrag X"; all others are passed over. A pair of words that is
 * wrong in an optional place does not cost the candidate. */
static void read_extensions(struct words *words, struct ln_candidate *c)
{
    uint64_t related_port = 0;
    struct word name, value;

    while (next_word(words, &name) && next_word(words, &value)) {
        if (word_is(name, "raddr"))
            (void)word_address(value, &c->related);
        else if (word_is(name, "rport"))
            (void)word_number(value, UINT16_MAX, &related_port);
        else if (word_is(name, "ufrag"))
            (void)word_text(value, c->ufrag, LN_CANDIDATE_UFRAG_MAX);
        else if (word_is(name, "tcptype"))
            c->tcp_type = (uint8_t)(word_in(value, tcp_type_names, 4) > 0
                                        ? word_in(value, tcp_type_names, 4)
                                        : LN_CANDIDATE_TCP_NONE);
    }
    if (c->related.family != LN_FAMILY_NONE)
        c->related.port = (uint16_t)related_port;
}

static struct words open_words(const char *text, size_t len)
{
    struct words words = { text, text + len };

    while (words.end > words.at && (words.end[-1] == '\r' || words.end[-1] == '\n'))
        words.end--;
    if (words.end - words.at >= 2 && memcmp(words.at, "a=", 2) == 0)
        words.at += 2;
    if (words.end - words.at >= 10 && memcmp(words.at, "candidate:", 10) == 0)
        words.at += 10;
    return words;
}

int ln_candidate_parse(const char *text, size_t len, struct ln_candidate *ret_candidate)
{
    struct ln_candidate c = { 0 };
    uint64_t component, priority, port;
    struct words words;
    struct word word[8];
    int protocol, type;
    size_t i;

    if (len > LN_CANDIDATE_TEXT_MAX)
        return LN_ERR_SYNTAX;
    words = open_words(text, len);
    for (i = 0; i < 8; i++)
        if (!next_word(&words, &word[i]))
            return LN_ERR_SYNTAX;
    if (!word_text(word[0], c.foundation, LN_CANDIDATE_FOUNDATION_MAX) ||
        !word_number(word[1], 256, &component) || component == 0 ||
        !word_number(word[3], UINT32_MAX, &priority) || !word_number(word[5], UINT16_MAX, &port) ||
        !word_is(word[6], "typ"))
        return LN_ERR_SYNTAX;
    if (!word_address(word[4], &c.address) && !word_name(word[4], c.name))
        return LN_ERR_SYNTAX;
    protocol = word_in(word[2], protocol_names, 2);
    type = word_in(word[7], type_names, 4);
    if (protocol < 0 || type < 0)
        return LN_ERR_NOT_SUPPORTED;
    c.component = (uint16_t)component;
    c.protocol = (uint8_t)protocol;
    c.type = (uint8_t)type;
    c.priority = (uint32_t)priority;
    c.address.port = (uint16_t)port;
    read_extensions(&words, &c);
    *ret_candidate = c;
    return 0;
}

int ln_candidate_write(const struct ln_candidate *candidate, char *text, size_t cap)
{
    char address[LN_ADDRESS_TEXT_MAX], related[LN_ADDRESS_TEXT_MAX];
    int len, more;

    if (candidate->address.family != LN_FAMILY_NONE)
        ln_address_format_ip(&candidate->address, address);
    len = snprintf(text, cap, "candidate:%s %u %s %lu %s %u typ %s", candidate->foundation,
                   candidate->component, ln_candidate_protocol_name(candidate->protocol),
                   (unsigned long)candidate->priority,
                   candidate->address.family != LN_FAMILY_NONE ? address : candidate->name,
                   candidate->address.port, ln_candidate_type_name(candidate->type));
    if (len < 0 || (size_t)len >= cap)
        return LN_ERR_NO_SPACE;
    if (candidate->related.family != LN_FAMILY_NONE) {
        ln_address_format_ip(&candidate->related, related);
        more = snprintf(text + len, cap - (size_t)len, " raddr %s rport %u", related,
                        candidate->related.port);
        len += more;
        if (more < 0 || (size_t)len >= cap)
            return LN_ERR_NO_SPACE;
    }
    more = snprintf(text + len, cap - (size_t)len, "%s%s%s%s",
                    candidate->tcp_type ? " tcptype " : "",
                    ln_candidate_tcp_type_name(candidate->tcp_type),
                    candidate->ufrag[0] ? " ufrag " : "", candidate->ufrag);
    len += more;
    return more < 0 || (size_t)len >= cap ? LN_ERR_NO_SPACE : len;
}

uint32_t ln_candidate_priority(enum ln_candidate_type type, uint16_t local_preference)
{
    static const uint8_t type_preference[] = { 126, 100, 110, 0 }; /* RFC 8445, 5.1.2.2 */

    return ((uint32_t)type_preference[type] << 24) | ((uint32_t)local_preference << 8) | 255u;
}

uint32_t ln_candidate_tcp_priority(enum ln_candidate_type type, uint16_t local_preference)
{
    static const uint8_t type_preference[] = { 90, 70, 80, 0 };

    return ((uint32_t)type_preference[type] << 24) | ((uint32_t)local_preference << 8) | 255u;
}

uint64_t ln_candidate_pair_priority(uint32_t controlling, uint32_t controlled)
{
    uint64_t low = controlling < controlled ? controlling : controlled;
    uint64_t high = controlling < controlled ? controlled : controlling;

    return (low << 32) + 2 * high + (controlling > controlled);
}

bool ln_candidate_may_check(const struct ln_address *address)
{
    uint16_t port = address->port;

    if (address->family != LN_FAMILY_IPV4 && address->family != LN_FAMILY_IPV6)
        return false;
    if (port == 0 || (port < 1024 && port != 80 && port != 443))
        return false;
    if (address->family == LN_FAMILY_IPV4 && (address->ip[0] == 0 || address->ip[0] >= 240))
        return false; /* "this network" and class E with the broadcast address */
    if (address->family == LN_FAMILY_IPV6 && ln_address_is_link_local(address) &&
        address->scope == 0)
        return false;
    return !ln_address_is_unspecified(address) && !ln_address_is_multicast(address) &&
           !ln_address_is_broadcast(address) && !ln_address_is_mapped(address) &&
           !ln_address_is_site_local(address);
}

bool ln_candidate_is_inside(const struct ln_address *address)
{
    return ln_address_is_private(address) || ln_address_is_link_local(address) ||
           ln_address_is_loopback(address);
}
