/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/turn/secure_client.h"

void secure_open_for(struct secure_client *c, struct rig *rig, const char *from, bool datagram,
                     const char *protocol)
{
    struct ln_session_config config = { .is_client = true,
                                        .is_datagram = datagram,
                                        .alpn = &protocol,
                                        .alpn_count = protocol != NULL };

    memset(c, 0, sizeof *c);
    c->rig = rig;
    c->path.link = datagram ? RIG_LISTENER : rig_open_stream(rig, from);
    c->path.local = rig->listen[0].address;
    c->path.remote = rig_address(from);
    CHECK(ln_session_create(&c->session, &config, rig->crypto, &rig->env) == 0);
    ln_session_start(c->session, rig->now);
}

void secure_open(struct secure_client *c, struct rig *rig, const char *from, bool datagram)
{
    secure_open_for(c, rig, from, datagram, "stun.turn");
}

void secure_take(struct secure_client *c)
{
    for (size_t i = 0; i < c->rig->packet_count; i++) {
        struct rig_packet *p = &c->rig->packets[i];
        struct ln_bytes packet = { p->data, p->len };
        enum ln_session_state before;
        int len;

        if (!ln_address_equal(&p->path.remote, &c->path.remote) || p->path.link != c->path.link)
            continue;
        do {
            before = ln_session_state(c->session);
            len = ln_session_unwrap(c->session, c->rig->now, &packet, c->inbox + c->inbox_len,
                                    sizeof c->inbox - c->inbox_len);
            c->inbox_len += len > 0 ? (size_t)len : 0;
        } while (len > 0 || (packet.len > 0 && ln_session_state(c->session) != before));
    }
}

void secure_pump(struct secure_client *c)
{
    uint8_t out[RIG_PACKET_CAP];
    int len;

    for (int i = 0; i < 16; i++) {
        while ((len = ln_session_poll_output(c->session, out, sizeof out)) > 0) {
            rig_receive(c->rig, &c->path, out, (size_t)len);
            secure_take(c);
        }
    }
}

void secure_say(struct secure_client *c, const void *data, size_t len)
{
    uint8_t out[RIG_PACKET_CAP];
    int sealed = ln_session_wrap(c->session, c->rig->now, data, len, out, sizeof out);

    CHECK(sealed > 0);
    c->inbox_len = 0;
    rig_receive(c->rig, &c->path, out, (size_t)sealed);
    secure_take(c);
}

void secure_call(struct secure_client *c, struct ln_stun_builder *b, const struct ln_bytes *nonce,
                 struct ln_stun_message *ret_answer)
{
    uint8_t key[16];
    int len;

    if (nonce) {
        ln_stun_add_text(b, LN_STUN_USERNAME, "alice");
        ln_stun_add_text(b, LN_STUN_REALM, "example.org");
        ln_stun_add(b, LN_STUN_NONCE, nonce->data, nonce->len);
        ln_stun_long_term_key(test_bytes("alice"), test_bytes("example.org"), test_bytes("secret"),
                              key);
        ln_stun_add_integrity(b, (struct ln_bytes){ key, sizeof key });
    }
    len = ln_stun_finish(b);
    CHECK(len > 0);
    secure_say(c, b->w.data, (size_t)len);
    CHECK(ln_stun_parse(c->inbox, c->inbox_len, ret_answer) == 0);
}
