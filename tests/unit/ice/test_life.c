/* SPDX-License-Identifier: Apache-2.0
 * After the connection: consent, silence, restart, rollback, repeated nominations; and names. */
#include "ice/consent.h"
#include "stun/message.h"
#include "tests/unit/ice/agents.h"

#include <stdio.h>

static struct agents s;

static void connected(void)
{
    agents_init(&s);
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    wire_interface(&s.wire, s.b.node, "192.168.1.3");
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(2)));
}

static bool is_answer(const uint8_t *data, size_t len)
{
    return len >= 20 && data[0] == 1;
}

static bool drop_answers_to_a(struct wire *wire, int node, const struct ln_path *path,
                              const uint8_t *data, size_t len)
{
    (void)wire;
    (void)path;
    return node == s.b.node && is_answer(data, len);
}

LN_TEST(consent, is_asked_for_every_five_seconds_give_or_take_a_fifth)
{
    uint64_t asked;

    connected();
    agents_run(&s, LN_SECONDS(100));
    asked = side_selected(&s.a).consent_requests_sent;
    CHECK(asked >= 100 / 6 && asked <= 100 / 4);
    CHECK(asked != side_selected(&s.b).consent_requests_sent || asked > 0);
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    CHECK(s.a.state_count <= 3); /* nothing flickered */
    agents_free(&s);
}

/* ATTACKS 13 */
LN_TEST(consent, is_lost_after_30s_although_checks_of_the_other_side_keep_coming)
{
    struct ln_path path;

    connected();
    s.wire.filter = drop_answers_to_a;
    agents_run(&s, LN_SECONDS(23));
    CHECK(ln_ice_send_path(s.a.ice, &path));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED); /* kept alive */
    agents_run(&s, LN_SECONDS(8));
    CHECK(!ln_ice_send_path(s.a.ice, &path));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_FAILED);
    CHECK_EQUAL(ln_ice_state(s.b.ice), LN_ICE_CONNECTION_STATE_COMPLETED); /* is answered by a */
    s.wire.filter = NULL;
    agents_run(&s, LN_SECONDS(60)); /* final: only a restart helps */
    CHECK(!ln_ice_send_path(s.a.ice, &path));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_FAILED);
    agents_free(&s);
}

/* A consent that was granted at 0 and is asked for until `end`, unanswered: the number of checks.
 */
static unsigned checks_until(struct ln_consent *c, ln_time end)
{
    struct ln_stun_id id;
    unsigned checks = 0;

    for (ln_time now = 0; now <= end; now += LN_MILLISECONDS(100)) {
        ln_consent_on_timeout(c, test_env()->rng, now);
        checks += ln_consent_take(c, test_env()->rng, now, &id);
    }
    return checks;
}

LN_TEST(consent, of_a_resting_pair_is_asked_for_later_and_at_the_usual_pace_when_unanswered)
{
    for (int i = 0; i < 20; i++) {
        struct ln_consent c = { 0 };

        ln_consent_renew(&c, 0);
        ln_consent_start(&c, test_env()->rng, 0);
        ln_consent_rest(&c, test_env()->rng, 0);
        CHECK_EQUAL(ln_consent_next_timeout(&c) % LN_CONSENT_STEP, 0); /* many share a wake-up */
        CHECK_EQUAL(checks_until(&c, LN_SECONDS(9)), 0);
        CHECK(checks_until(&c, LN_SECONDS(15)) >= 1);
        CHECK(checks_until(&c, LN_SECONDS(29)) >= 2 && !c.lost);
        (void)checks_until(&c, LN_SECONDS(31));
        CHECK(c.lost);
    }
}

/* The other side nominates a pair whose consent is about to run out. */
LN_TEST(consent, that_is_old_when_its_pair_is_wanted_is_asked_for_at_once)
{
    struct ln_consent c = { 0 };

    ln_consent_renew(&c, 0);
    ln_consent_start(&c, test_env()->rng, LN_SECONDS(29));
    CHECK_EQUAL(ln_consent_next_timeout(&c), LN_SECONDS(29));
}

LN_TEST(consent, of_standby_pairs_is_kept_at_a_slower_pace)
{
    struct ln_ice_pair_info info;
    unsigned standby = 0;

    agents_init(&s);
    s.wire.delay = LN_MILLISECONDS(20);
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    wire_interface(&s.wire, s.a.node, "192.168.1.4");
    wire_interface(&s.wire, s.b.node, "192.168.1.3");
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(2)));
    agents_run(&s, LN_SECONDS(100));
    for (size_t i = 0; ln_ice_pair(s.a.ice, i, &info); i++) {
        if (info.selected)
            continue;
        CHECK(info.consent_requests_sent >= 100 / 15 && info.consent_requests_sent <= 100 / 9);
        standby++;
    }
    CHECK_EQUAL(standby, 1);
    agents_free(&s);
}

LN_TEST(consent, of_other_pairs_that_were_answered_once_ends_too)
{
    struct ln_ice_pair_info info;
    struct ln_path path;
    size_t succeeded = 0;

    agents_init(&s);
    s.wire.delay = LN_MILLISECONDS(20); /* several are answered before one is chosen */
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    wire_interface(&s.wire, s.a.node, "192.168.1.4");
    wire_interface(&s.wire, s.b.node, "192.168.1.3");
    wire_interface(&s.wire, s.b.node, "192.168.1.5");
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(5)));
    for (size_t i = 0; ln_ice_pair(s.a.ice, i, &info); i++)
        succeeded += info.state == LN_ICE_PAIR_SUCCEEDED;
    CHECK(succeeded > 1);
    s.wire.filter = wire_drop_all;
    agents_run(&s, LN_SECONDS(36));
    CHECK(!ln_ice_send_path(s.a.ice, &path));
    CHECK(!ln_ice_send_path(s.b.ice, &path));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_FAILED);
    CHECK_EQUAL(ln_ice_state(s.b.ice), LN_ICE_CONNECTION_STATE_FAILED);
    agents_free(&s);
}

LN_TEST(consent, silence_disconnects_and_a_sign_of_life_reconnects)
{
    connected();
    s.wire.filter = wire_drop_all;
    agents_run(&s, LN_SECONDS(16));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_DISCONNECTED);
    s.wire.filter = NULL;
    agents_run(&s, LN_SECONDS(7));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    agents_free(&s);
}

LN_TEST(consent, data_keeps_a_pair_connected_but_renews_no_consent)
{
    struct ln_path path;

    connected();
    s.wire.filter = wire_drop_all;
    for (int i = 0; i < 29; i++) {
        CHECK(ln_ice_send_path(s.a.ice, &path));
        ln_ice_count_received(s.a.ice, s.wire.now, &path, 1, 100);
        agents_run(&s, LN_SECONDS(1));
        CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    }
    agents_run(&s, LN_SECONDS(2));
    CHECK(!ln_ice_send_path(s.a.ice, &path));
    agents_free(&s);
}

LN_TEST(consent, switched_off_never_ends)
{
    struct ln_path path;

    agents_init(&s);
    s.a.config.consent = false;
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    wire_interface(&s.wire, s.b.node, "192.168.1.3");
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(2)));
    s.wire.filter = wire_drop_all;
    agents_run(&s, LN_SECONDS(300));
    CHECK(ln_ice_send_path(s.a.ice, &path));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_DISCONNECTED);
    agents_free(&s);
}

/* A restart by offer and answer: new candidates, credentials, and gathering on both sides. */
static void restart(void)
{
    CHECK(ln_ice_restart(s.a.ice) == 0);
    CHECK(ln_ice_restart(s.b.ice) == 0);
    s.a.gathered = s.b.gathered = s.a.end_signalled = s.b.end_signalled = false;
    agents_start(&s);
}

static size_t open_links(void)
{
    size_t count = 0;

    for (size_t i = 0; i < s.wire.link_count; i++)
        count += s.wire.links[i].open;
    return count;
}

LN_TEST(restart, makes_new_credentials_and_a_new_pair_on_new_sockets)
{
    struct ln_ice_pair_info before;
    char ufrag[16];

    connected();
    strcpy(ufrag, ln_ice_local_ufrag(s.a.ice));
    before = side_selected(&s.a);
    restart();
    CHECK(strcmp(ufrag, ln_ice_local_ufrag(s.a.ice)) != 0);
    CHECK(agents_complete(&s, LN_SECONDS(2)));
    agents_run(&s, LN_MILLISECONDS(50));
    CHECK(side_selected(&s.a).id != before.id && side_selected(&s.a).nominated);
    CHECK(side_selected(&s.b).nominated);
    CHECK(side_selected(&s.a).path.local.port != before.path.local.port);
    CHECK_EQUAL(open_links(), 4); /* the old ones may still have packets under way */
    agents_run(&s, LN_SECONDS(4));
    CHECK_EQUAL(open_links(), 2);
    CHECK(!side_was(&s.a, LN_ICE_CONNECTION_STATE_DISCONNECTED));
    agents_run(&s, LN_SECONDS(120)); /* the old generation is gone and nobody misses it */
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    agents_free(&s);
}

/* One port for everything: a second socket cannot be had. */
static void connected_on_one_port(void)
{
    agents_init(&s);
    s.a.config.port_min = s.a.config.port_max = 50000;
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    wire_interface(&s.wire, s.b.node, "192.168.1.3");
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(2)));
    s.wire.refuse_below = 50001;
}

LN_TEST(restart, uses_the_old_socket_where_no_port_is_left)
{
    connected_on_one_port();
    restart();
    CHECK(agents_complete(&s, LN_SECONDS(2)));
    agents_run(&s, LN_SECONDS(5));
    CHECK_EQUAL(side_selected(&s.a).path.local.port, 50000);
    CHECK(side_selected(&s.a).nominated);
    CHECK_EQUAL(open_links(), 2);
    agents_run(&s, LN_SECONDS(100));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    agents_free(&s);
}

LN_TEST(restart, gives_a_socket_back_when_it_is_rolled_back)
{
    struct ln_path path;

    connected_on_one_port();
    for (int i = 0; i < 2; i++) {
        CHECK(ln_ice_restart(s.a.ice) == 0);
        ln_ice_gather(s.a.ice);
        agents_run(&s, LN_SECONDS(1));
    }
    CHECK(ln_ice_rollback(s.a.ice));
    agents_run(&s, LN_SECONDS(100));
    CHECK(ln_ice_send_path(s.a.ice, &path) && path.local.port == 50000);
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    CHECK_EQUAL(open_links(), 2);
    agents_free(&s);
}

static bool no_nomination(struct wire *wire, int node, const struct ln_path *path,
                          const uint8_t *data, size_t len)
{
    struct ln_stun_message message;
    struct ln_bytes value;

    (void)wire;
    (void)node;
    (void)path;
    return ln_stun_parse(data, len, &message) == 0 &&
           ln_stun_find(&message, LN_STUN_USE_CANDIDATE, &value);
}

/* Pion closes its sockets the moment it restarts, and nominates a fifth of a second after a pair
 * was answered: what goes to the old path until then is lost. */
LN_TEST(restart, sends_on_a_proven_pair_before_its_nomination)
{
    uint32_t pair;

    connected();
    pair = side_selected(&s.b).id;
    s.wire.filter = no_nomination;
    restart();
    agents_run(&s, LN_MILLISECONDS(100));
    CHECK(side_selected(&s.b).id != pair && !side_selected(&s.b).nominated);
    CHECK(side_selected(&s.a).id != pair && !side_selected(&s.a).nominated);
    s.wire.filter = NULL;
    agents_run(&s, LN_SECONDS(1));
    CHECK(side_selected(&s.a).nominated && side_selected(&s.b).nominated);
    agents_free(&s);
}

LN_TEST(restart, keeps_the_old_path_until_the_new_generation_has_one)
{
    struct ln_path path;
    uint32_t pair;

    connected();
    pair = side_selected(&s.a).id;
    CHECK(ln_ice_restart(s.a.ice) == 0);
    ln_ice_gather(s.a.ice);
    agents_run(&s, LN_SECONDS(60)); /* the other side does not answer the offer */
    CHECK(ln_ice_send_path(s.a.ice, &path));
    CHECK_EQUAL(side_selected(&s.a).id, pair);
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_CONNECTED);
    CHECK_EQUAL(ln_ice_state(s.b.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    agents_free(&s);
}

LN_TEST(restart, recovers_after_consent_was_lost)
{
    connected();
    s.wire.filter = wire_drop_all;
    agents_run(&s, LN_SECONDS(40));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_FAILED);
    CHECK_EQUAL(ln_ice_state(s.b.ice), LN_ICE_CONNECTION_STATE_FAILED);
    s.wire.filter = NULL;
    s.a.state_count = 0;
    restart();
    CHECK(agents_complete(&s, LN_SECONDS(2)));
    CHECK(side_was(&s.a, LN_ICE_CONNECTION_STATE_CHECKING));
    CHECK(!side_was(&s.a, LN_ICE_CONNECTION_STATE_DISCONNECTED));
    agents_free(&s);
}

LN_TEST(restart, is_taken_back_by_a_rollback)
{
    char ufrag[16];
    struct ln_path path;

    connected();
    strcpy(ufrag, ln_ice_local_ufrag(s.a.ice));
    CHECK(!ln_ice_rollback(s.a.ice));
    CHECK(ln_ice_restart(s.a.ice) == 0);
    ln_ice_gather(s.a.ice);
    agents_run(&s, LN_SECONDS(1));
    CHECK(ln_ice_rollback(s.a.ice));
    CHECK_TEXT(ufrag, ln_ice_local_ufrag(s.a.ice));
    agents_run(&s, LN_SECONDS(100));
    CHECK(ln_ice_send_path(s.a.ice, &path));
    CHECK_EQUAL(ln_ice_state(s.a.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    agents_free(&s);
}

LN_TEST(restart, twice_keeps_the_path_that_carries_data)
{
    struct ln_path path;
    uint32_t pair;

    connected();
    pair = side_selected(&s.a).id;
    for (int i = 0; i < 3; i++) {
        CHECK(ln_ice_restart(s.a.ice) == 0);
        ln_ice_gather(s.a.ice);
        agents_run(&s, LN_SECONDS(10));
        CHECK(ln_ice_send_path(s.a.ice, &path));
        CHECK_EQUAL(side_selected(&s.a).id, pair);
    }
    CHECK(ln_ice_restart(s.b.ice) == 0);
    s.b.gathered = s.b.end_signalled = s.a.end_signalled = false;
    s.a.signalled = s.a.candidate_count - 1; /* those of the last generation */
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(2)));
    agents_free(&s);
}

LN_TEST(restart, refuses_candidates_of_the_old_generation)
{
    char text[LN_CANDIDATE_TEXT_MAX], ufrag[300];
    int len;

    connected();
    len = ln_candidate_write(&s.b.candidates[0], text, sizeof text);
    CHECK(len > 0 && strstr(text, " ufrag "));
    restart();
    CHECK_EQUAL(ln_ice_add_remote_candidate_text(s.a.ice, text, (size_t)len), LN_ERR_NOT_FOUND);
    CHECK_EQUAL(ln_ice_set_remote(s.a.ice, "other", "0123456789012345678901", false, NULL),
                LN_ERR_INVALID_STATE);
    CHECK_EQUAL(ln_ice_set_remote(s.a.ice, "abc", "0123456789012345678901", false, NULL),
                LN_ERR_SYNTAX);
    memset(ufrag, 'x', sizeof ufrag);
    ufrag[299] = '\0';
    CHECK_EQUAL(ln_ice_set_remote(s.a.ice, ufrag, ufrag, false, NULL), LN_ERR_SYNTAX);
    agents_free(&s);
}

LN_TEST(restart, drops_foreign_candidates_that_came_before_the_credentials)
{
    static const char foreign[] =
        "candidate:1 1 udp 2113937151 192.168.1.9 5000 typ host ufrag OLD1";
    static const char own[] = "candidate:1 1 udp 2113937151 192.168.1.8 5000 typ host ufrag NEW1";
    struct ln_ice_candidate_info info;

    agents_init(&s);
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    ln_ice_gather(s.a.ice);
    agents_run(&s, 1);
    CHECK(ln_ice_add_remote_candidate_text(s.a.ice, foreign, strlen(foreign)) == 0);
    CHECK(ln_ice_add_remote_candidate_text(s.a.ice, own, strlen(own)) == 0);
    CHECK(ln_ice_set_remote(s.a.ice, "NEW1", "0123456789012345678901", false, NULL) == 0);
    CHECK(ln_ice_remote_candidate(s.a.ice, 0, &info) && info.candidate.address.ip[3] == 8);
    CHECK(!ln_ice_remote_candidate(s.a.ice, 1, &info));
    agents_free(&s);
}

/* --- nominations of a browser that changes its mind ----------------------------------------- */

static void inject_check(const struct side *to, const struct ln_path *path, uint16_t attribute,
                         bool controlling, uint64_t tie_breaker)
{
    struct ln_stun_builder b;
    struct ln_stun_id id;
    uint8_t data[256];
    char username[64];
    const char *pwd = ln_ice_local_pwd(to->ice);
    int len;

    ln_rng_bytes(test_env()->rng, &id, sizeof id);
    snprintf(username, sizeof username, "%s:%s", ln_ice_local_ufrag(to->ice),
             ln_ice_remote_ufrag(to->ice));
    ln_stun_begin(&b, data, sizeof data, LN_STUN_REQUEST, LN_STUN_BINDING, &id);
    ln_stun_add_text(&b, LN_STUN_USERNAME, username);
    ln_stun_add_u32(&b, LN_STUN_PRIORITY, 1845501695);
    ln_stun_add_u64(&b, controlling ? LN_STUN_ICE_CONTROLLING : LN_STUN_ICE_CONTROLLED,
                    tie_breaker);
    if (attribute == LN_STUN_NOMINATION)
        ln_stun_add_u32(&b, attribute, 1);
    else if (attribute)
        ln_stun_add(&b, attribute, NULL, 0);
    ln_stun_add_integrity(&b, test_bytes(pwd));
    ln_stun_add_fingerprint(&b);
    len = ln_stun_finish(&b);
    CHECK(len > 0);
    wire_inject(&s.wire, to->node, path, data, (size_t)len);
}

LN_TEST(nomination, the_latest_one_wins_on_the_controlled_side)
{
    struct ln_ice_pair_info first, second, now;
    struct ln_path old_path, other;
    bool found = false;

    agents_init(&s);
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    wire_interface(&s.wire, s.a.node, "192.168.1.12");
    wire_interface(&s.wire, s.b.node, "192.168.1.3");
    agents_start(&s);
    CHECK(agents_complete(&s, LN_SECONDS(2)));
    first = side_selected(&s.b);
    for (size_t i = 0; ln_ice_pair(s.b.ice, i, &second) && !found; i++)
        found = second.id != first.id;
    CHECK(found);
    old_path = first.path;
    other = second.path;
    CHECK(!ln_address_equal(&old_path.remote, &other.remote));
    inject_check(&s.b, &other, LN_STUN_USE_CANDIDATE, true, 1);
    agents_run(&s, LN_MILLISECONDS(20));
    now = side_selected(&s.b);
    CHECK(ln_address_equal(&now.path.remote, &other.remote));
    inject_check(&s.b, &old_path, LN_STUN_NOMINATION, true, 1); /* renomination's attribute */
    agents_run(&s, LN_MILLISECONDS(20));
    now = side_selected(&s.b);
    CHECK(ln_address_equal(&now.path.remote, &old_path.remote));
    CHECK_EQUAL(ln_ice_state(s.b.ice), LN_ICE_CONNECTION_STATE_COMPLETED);
    agents_run(&s, LN_SECONDS(25)); /* its checks go on where they had ended */
    CHECK(side_selected(&s.b).consent_requests_sent > now.consent_requests_sent + 2);
    agents_free(&s);
}

LN_TEST(nomination, an_aggressive_one_is_taken_with_the_first_check)
{
    struct ln_path path = { 1, { 0 }, { 0 } };

    agents_init(&s);
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    wire_interface(&s.wire, s.b.node, "192.168.1.3");
    s.hold_candidates_of_b = true;
    ln_ice_set_role(s.a.ice, false);
    ln_ice_gather(s.a.ice);
    agents_exchange(&s);
    agents_run(&s, LN_MILLISECONDS(1));
    CHECK(ln_address_parse("192.168.1.3:40001", &path.remote) == 0);
    inject_check(&s.a, &path, LN_STUN_USE_CANDIDATE, true, UINT64_MAX);
    ln_ice_gather(s.b.ice);
    agents_run(&s, LN_SECONDS(1));
    CHECK(side_selected(&s.a).nominated);
    agents_free(&s);
}

/* ATTACKS 8 */
LN_TEST(attack_8, a_peer_that_changes_its_role_for_ever_is_bounded)
{
    struct ln_path path;

    connected();
    CHECK(ln_ice_send_path(s.a.ice, &path));
    s.a.role_events = 0;
    for (int i = 0; i < 1000; i++) {
        inject_check(&s.a, &path, 0, ln_ice_is_controlling(s.a.ice),
                     ln_ice_is_controlling(s.a.ice) ? UINT64_MAX : 0);
        agents_run(&s, LN_MILLISECONDS(10));
    }
    CHECK(s.a.role_events > 0 && s.a.role_events <= LN_ICE_ROLE_SWITCHES_MAX);
    agents_run(&s, LN_SECONDS(20));
    CHECK(ln_ice_send_path(s.a.ice, &path));
    agents_free(&s);
}

/* --- names ---------------------------------------------------------------------------------- */

static const char local_name[] =
    "candidate:1 1 udp 2113937151 0f6a1f0e-1.local 40001 typ host generation 0 network-cost 999";

static void with_name(const char *ip)
{
    agents_init(&s);
    CHECK(agents_create(&s));
    wire_interface(&s.wire, s.a.node, "192.168.1.2");
    wire_interface(&s.wire, s.b.node, "192.168.1.3");
    if (ip)
        wire_name(&s.wire, "0f6a1f0e-1.local", ip);
    s.hold_candidates_of_a = s.hold_candidates_of_b = true;
}

LN_TEST(names, a_local_name_is_resolved_and_checked)
{
    struct ln_ice_candidate_info info;

    with_name("192.168.1.3");
    agents_start(&s);
    agents_run(&s, 1);
    CHECK(ln_ice_add_remote_candidate_text(s.a.ice, local_name, strlen(local_name)) == 0);
    CHECK(agents_connect(&s, LN_SECONDS(2)));
    CHECK(ln_ice_remote_candidate(s.a.ice, 0, &info));
    CHECK_TEXT(info.candidate.name, "0f6a1f0e-1.local");
    agents_free(&s);
}

LN_TEST(names, one_that_does_not_resolve_is_no_error_and_a_check_still_connects)
{
    for (int never = 0; never < 2; never++) {
        with_name(never ? "192.168.1.3:1" : NULL); /* the wire never answers for port 1 */
        agents_start(&s);
        CHECK(ln_ice_add_remote_candidate_text(s.a.ice, local_name, strlen(local_name)) == 0);
        agents_run(&s, LN_SECONDS(1));
        CHECK(ln_ice_state(s.a.ice) != LN_ICE_CONNECTION_STATE_FAILED);
        s.hold_candidates_of_a = false;
        CHECK(agents_connect(&s, LN_SECONDS(2)));
        agents_free(&s);
    }
}

/* ATTACKS 11 */
LN_TEST(attack_11, of_a_name_with_many_addresses_one_per_family_is_checked)
{
    struct ln_ice_pair_info pair;

    with_name("192.168.1.50");
    wire_name(&s.wire, "0f6a1f0e-1.local", "192.168.1.51");
    wire_name(&s.wire, "0f6a1f0e-1.local", "224.0.0.1");
    wire_name(&s.wire, "0f6a1f0e-1.local", "192.168.1.52");
    agents_start(&s);
    CHECK(ln_ice_add_remote_candidate_text(s.a.ice, local_name, strlen(local_name)) == 0);
    agents_run(&s, LN_SECONDS(1));
    CHECK(ln_ice_pair(s.a.ice, 0, &pair) && pair.path.remote.ip[3] == 50);
    CHECK(!ln_ice_pair(s.a.ice, 1, &pair));
    agents_free(&s);
}

LN_TEST(names, tcp_candidates_are_passed_over)
{
    static const char tcp[] = "candidate:9 1 tcp 1518280447 192.168.1.3 9 typ host tcptype active";
    struct ln_ice_candidate_info info;
    struct ln_ice_pair_info pair;

    with_name(NULL);
    agents_start(&s);
    agents_run(&s, 1);
    CHECK(ln_ice_add_remote_candidate_text(s.a.ice, tcp, strlen(tcp)) == 0);
    CHECK(ln_ice_remote_candidate(s.a.ice, 0, &info));
    CHECK_EQUAL(info.candidate.tcp_type, LN_CANDIDATE_TCP_ACTIVE);
    CHECK(!ln_ice_pair(s.a.ice, 0, &pair));
    agents_free(&s);
}
