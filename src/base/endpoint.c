/* SPDX-License-Identifier: Apache-2.0 */
#include "base/endpoint.h"

enum ln_packet_kind ln_packet_classify(const uint8_t *data, size_t len)
{
    if (len == 0)
        return LN_PACKET_UNKNOWN;
    if (data[0] <= 3)
        return LN_PACKET_STUN;
    if (data[0] >= 20 && data[0] <= 63)
        return LN_PACKET_DTLS;
    if (data[0] >= 64 && data[0] <= 79)
        return LN_PACKET_CHANNEL_DATA;
    if (data[0] < 128 || data[0] > 191 || len < 2)
        return LN_PACKET_UNKNOWN;
    /* RTP and RTCP on one port (RFC 5761, 4): RTCP packet types 192..223. */
    return data[1] >= 192 && data[1] <= 223 ? LN_PACKET_RTCP : LN_PACKET_RTP;
}
