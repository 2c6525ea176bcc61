/* SPDX-License-Identifier: Apache-2.0
 * getStats(): ids stay, references lead to what is there, a track selects (webrtc-stats 3 and 8;
 * W3C 8.2). The members are test_media.c's and test_connect.c's. */
#include "tests/unit/peer/steps.h"

#include <stdio.h>

static struct pair pair; /* large */

#define IDS_MAX 64

static char ids[2][IDS_MAX][96], types[IDS_MAX][32];
static size_t id_count[2], round_at;

static bool is_reference(const struct ln_stats_member *member)
{
    size_t len = strlen(member->name);

    return member->kind == LN_STATS_TEXT && len > 2 && strcmp(member->name + len - 2, "Id") == 0;
}

static void look(struct side *side, const struct ln_event *event)
{
    const struct ln_stats_report *report = event->kind == LN_EVENT_OPERATION_DONE
                                               ? event->u.operation.stats
                                               : NULL;

    (void)side;
    if (!report)
        return;
    id_count[round_at] = ln_stats_report_size(report);
    CHECK(id_count[round_at] > 0 && id_count[round_at] <= IDS_MAX);
    for (size_t i = 0; i < id_count[round_at]; i++) {
        const struct ln_stats *stats = ln_stats_report_at(report, i);

        snprintf(ids[round_at][i], sizeof *ids[round_at], "%s", stats->id);
        snprintf(types[i], sizeof types[i], "%s", stats->type);
        CHECK(ln_stats_report_get(report, stats->id) == stats); /* ids are unique */
        for (size_t m = 0; m < stats->member_count; m++)
            CHECK(!is_reference(&stats->members[m]) ||
                  ln_stats_report_get(report, stats->members[m].value.text) != NULL);
    }
    CHECK(ln_stats_report_at(report, id_count[round_at]) == NULL);
}

static void get(int side, const ln_media_stream_track *selector)
{
    ln_op_id op;

    CHECK(ln_peer_connection_get_stats(pair.sides[side].pc, selector, &op) == 0);
    pair_settle(&pair);
    CHECK_EQUAL(pair.sides[side].last_error, 0);
}

static bool has(const char *type)
{
    for (size_t i = 0; i < id_count[round_at]; i++)
        if (strcmp(types[i], type) == 0)
            return true;
    return false;
}

static void connect(void)
{
    steps_begin(&pair);
    pair.drop_candidates = false;
    pair.on_event = look;
    pair.sides[0].negotiates = pair.sides[1].negotiates = true;
    step_add_track(&pair, 0, LN_MEDIA_AUDIO);
    step_add_track(&pair, 0, LN_MEDIA_VIDEO);
    step_add_channel(&pair, 0);
    CHECK(pair_run(&pair, LN_SECONDS(3), pair_connected));
    CHECK(pair_run(&pair, LN_SECONDS(1), NULL));
    round_at = 0;
}

LN_TEST(stats, ids_stay_and_references_lead_somewhere)
{
    connect();
    get(0, NULL);
    round_at = 1;
    CHECK(pair_run(&pair, LN_SECONDS(2), NULL));
    get(0, NULL);
    for (size_t i = 0; i < id_count[0]; i++) {
        size_t k = 0;

        while (k < id_count[1] && strcmp(ids[0][i], ids[1][k]) != 0)
            k++;
        CHECK(k < id_count[1]);
    }
    steps_end(&pair);
}

LN_TEST(stats, a_track_selects_its_own_and_what_that_refers_to)
{
    ln_media_stream_track *track, *foreign;
    ln_op_id op;

    connect();
    track = ln_rtp_sender_track(ln_rtp_transceiver_sender(step_transceiver(&pair, 0, 1)));
    get(0, track);
    CHECK(has("outbound-rtp") && has("media-source") && has("transport"));
    CHECK(!has("data-channel") && !has("peer-connection"));
    CHECK(strstr(pair.sides[0].stats, "\"kind\":\"video\"") != NULL);
    CHECK(strstr(pair.sides[0].stats, "\"kind\":\"audio\"") == NULL);
    CHECK(ln_media_stream_track_create(test_env(), LN_MEDIA_AUDIO, NULL, &foreign) == 0);
    CHECK_EQUAL(ln_peer_connection_get_stats(pair.sides[0].pc, foreign, &op),
                LN_ERR_INVALID_ACCESS);
    ln_media_stream_track_unref(foreign);
    steps_end(&pair);
}

LN_TEST(stats, a_pair_that_failed_says_why_in_words)
{
    static struct pair silent; /* large */
    ln_data_channel *channel;
    ln_op_id op;

    pair_init(&silent, NULL);
    silent.wire.filter = wire_drop_all;
    silent.sides[0].negotiates = silent.sides[1].negotiates = true;
    CHECK(ln_peer_connection_create_data_channel(silent.sides[0].pc, "x", NULL, &channel) == 0);
    CHECK(pair_run(&silent, LN_SECONDS(45), NULL));
    CHECK(ln_peer_connection_get_stats(silent.sides[0].pc, NULL, &op) == 0);
    CHECK(pair_run(&silent, LN_MILLISECONDS(10), NULL));
    CHECK(silent.sides[0].stats != NULL);
    CHECK(strstr(silent.sides[0].stats, "\"state\":\"failed\""));
    CHECK(strstr(silent.sides[0].stats, "\"linnetFailure\":\"no check was answered\""));
    pair_free(&silent);
}
