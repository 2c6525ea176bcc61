/* SPDX-License-Identifier: Apache-2.0
 * The real signalling server on a free port of 127.0.0.1, on a thread of its own. */
#ifndef LN_TESTS_CLIENT_SERVER_H
#define LN_TESTS_CLIENT_SERVER_H

#include "servers/signal/wiring/service.h"

struct test_server;

/* token NULL: none is asked for. port 0: any. */
struct test_server *test_server_start(const char *token, uint16_t port);
void test_server_stop(struct test_server *server);
const char *test_server_url(const struct test_server *server);
uint16_t test_server_port(const struct test_server *server);

#endif
