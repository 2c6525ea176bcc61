/* SPDX-License-Identifier: Apache-2.0
 * The files of web/, as tools/embed puts them into the program. */
#ifndef LN_CLI_PAGE_H
#define LN_CLI_PAGE_H

#include "http/server.h"

extern const struct ln_http_file cli_page[];
extern const size_t cli_page_count;

#endif
