/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/pace.h"

/* Shorter round trips are those of one machine or one room: timers cost more there than bursts. */
#define PACED_RTT_MIN LN_MILLISECONDS(1)

void ln_pace_init(struct ln_pace *pace, size_t packet_bytes)
{
    pace->ns_per_byte = 0;
    pace->packet_bytes = packet_bytes;
    pace->paid_until = pace->resume = LN_TIME_IMMEDIATE;
}

void ln_pace_set_rate(struct ln_pace *pace, double bytes_per_s)
{
    pace->ns_per_byte = bytes_per_s > 0 ? 1e9 / bytes_per_s : 0;
    if (pace->ns_per_byte == 0)
        pace->paid_until = pace->resume = LN_TIME_IMMEDIATE;
}

void ln_pace_set_window(struct ln_pace *pace, size_t window, ln_duration rtt, double factor)
{
    ln_pace_set_rate(pace, rtt >= PACED_RTT_MIN ? (double)window * factor * 1e9 / (double)rtt : 0);
}

void ln_pace_sent(struct ln_pace *pace, ln_time now, size_t bytes)
{
    double packet = pace->ns_per_byte * (double)pace->packet_bytes;
    ln_duration slack = LN_PACE_SLACK, burst = LN_PACE_BURST;

    if (pace->ns_per_byte == 0)
        return;
    if ((double)slack < packet * LN_PACE_SLACK_PACKETS)
        slack = (ln_duration)(packet * LN_PACE_SLACK_PACKETS);
    if ((double)burst > packet * LN_PACE_BURST_PACKETS)
        burst = (ln_duration)(packet * LN_PACE_BURST_PACKETS);
    if (pace->paid_until < now - slack)
        pace->paid_until = now - slack;
    pace->paid_until += (ln_duration)(pace->ns_per_byte * (double)bytes);
    pace->resume = pace->paid_until > now ? pace->paid_until + burst : LN_TIME_IMMEDIATE;
}
