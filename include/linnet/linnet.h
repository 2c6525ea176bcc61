/* SPDX-License-Identifier: Apache-2.0
 * All of liblinnet. */
#ifndef LINNET_LINNET_H
#define LINNET_LINNET_H

#include <linnet/address.h>
#include <linnet/certificate.h>
#include <linnet/configuration.h>
#include <linnet/data_channel.h>
#include <linnet/endpoint.h>
#include <linnet/enums.h>
#include <linnet/env.h>
#include <linnet/environment.h>
#include <linnet/error.h>
#include <linnet/event.h>
#include <linnet/frame.h>
#include <linnet/ice_candidate.h>
#include <linnet/media_stream_track.h>
#include <linnet/peer_connection.h>
#include <linnet/rtp_parameters.h>
#include <linnet/rtp_transceiver.h>
#include <linnet/shared_port.h>
#include <linnet/stats.h>
#include <linnet/trace.h>
#include <linnet/transports.h>
#include <linnet/types.h>

#endif
