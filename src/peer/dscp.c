/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/dscp.h"

#include "sctp/data_channels.h"

#define LE   1u /* RFC 8622: lower effort */
#define DF   0u
#define EF   46u
#define AF11 10u
#define AF21 18u
#define AF41 34u
#define AF42 36u

uint8_t ln_dscp_of(enum ln_network_priority priority, enum ln_dscp_flow flow)
{
    static const uint8_t table[][3] = {
        [LN_NETWORK_PRIORITY_NONE] = { DF, DF, DF },
        [LN_NETWORK_PRIORITY_VERY_LOW] = { LE, LE, LE },
        [LN_NETWORK_PRIORITY_LOW] = { DF, DF, DF },
        [LN_NETWORK_PRIORITY_MEDIUM] = { EF, AF42, AF11 },
        [LN_NETWORK_PRIORITY_HIGH] = { EF, AF41, AF21 },
    };

    return table[priority][flow];
}

uint8_t ln_dscp_of_class(enum ln_network_priority priority, enum ln_rtp_class class)
{
    return ln_dscp_of(priority,
                      class == LN_RTP_CLASS_AUDIO ? LN_DSCP_FLOW_AUDIO : LN_DSCP_FLOW_VIDEO);
}

enum ln_network_priority ln_dscp_of_channel(uint16_t priority)
{
    if (priority == LN_CHANNEL_PRIORITY_LOW)
        return LN_NETWORK_PRIORITY_NONE;
    if (priority < LN_CHANNEL_PRIORITY_LOW)
        return LN_NETWORK_PRIORITY_VERY_LOW;
    return priority < LN_CHANNEL_PRIORITY_HIGH ? LN_NETWORK_PRIORITY_MEDIUM
                                               : LN_NETWORK_PRIORITY_HIGH;
}
