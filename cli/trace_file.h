/* SPDX-License-Identifier: Apache-2.0
 * A trace sink that writes each event as a line of JSON to a file, packets as hex. */
#ifndef CLI_TRACE_FILE_H
#define CLI_TRACE_FILE_H

#include <linnet/trace.h>

#include <stdio.h>

struct trace_file {
    struct ln_trace trace; /* give &this to an environment */
    FILE *file;
};

/* Creates the file, for its owner alone: what was said stands in it. Returns 0, or -1 with errno.
 */
int trace_file_open(struct trace_file *trace, const char *path);
void trace_file_close(struct trace_file *trace); /* fine if it was never opened */

#endif
