/* SPDX-License-Identifier: Apache-2.0
 * What `linnet send` and `linnet receive` share: exit codes, beside those of all commands, and
 * where the server is. */
#ifndef LN_CLI_TRANSFER_EXIT_H
#define LN_CLI_TRANSFER_EXIT_H

#include <linnet/types.h>

#include <stdlib.h>

#define EXIT_NOT_REACHED    3 /* the server, or the other end */
#define EXIT_WRONG_CODE     4
#define EXIT_ENDED_BY_OTHER 5   /* or because of what it sent */
#define EXIT_EXPIRED        6   /* nobody came */
#define EXIT_INTERRUPTED    130 /* as shells have it */

#define REACH_WITHIN LN_SECONDS(30) /* the server */

static inline const char *transfer_default_server(void)
{
    const char *server = getenv("LINNET_SERVER");

    return server && server[0] ? server : "http://127.0.0.1:8080";
}

#endif
