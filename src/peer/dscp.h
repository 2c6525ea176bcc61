/* SPDX-License-Identifier: Apache-2.0
 * Code points of the network layer (RFC 8837, 5, Table 1) by priority, of a connection or of one
 * sender, and by what a packet carries. Pictures are interactive; all data of an association has
 * one code point. */
#ifndef LN_PEER_DSCP_H
#define LN_PEER_DSCP_H

#include "rtp/session.h"

#include <linnet/configuration.h>

enum ln_dscp_flow { LN_DSCP_FLOW_AUDIO, LN_DSCP_FLOW_VIDEO, LN_DSCP_FLOW_DATA };

/* 0: default forwarding. */
uint8_t ln_dscp_of(enum ln_network_priority priority, enum ln_dscp_flow flow);
/* Reports and repairs go with the pictures: expedited forwarding is for what sound needs alone, as
 * what is too much of it is dropped. */
uint8_t ln_dscp_of_class(enum ln_network_priority priority, enum ln_rtp_class class);

/* What a channel's priority (RFC 8831, 6.4) asks for; the default asks for nothing: NONE. */
enum ln_network_priority ln_dscp_of_channel(uint16_t priority);

#endif
