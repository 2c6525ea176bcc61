/* SPDX-License-Identifier: Apache-2.0
 * What is sent: files and folders named on the command line, walked once into a manifest, and read
 * chunk by chunk. Standard input is one of them. */
#ifndef LN_CLI_SOURCE_H
#define LN_CLI_SOURCE_H

#include "transfer/manifest.h"

#include <stdio.h>

#define SOURCE_NONE UINT32_MAX

struct source {
    struct ln_manifest manifest;
    char **paths; /* of the entries, on this machine; NULL: standard input */
    size_t capacity;
    uint32_t standard_input; /* its entry, or SOURCE_NONE */
    size_t left_out;         /* what could not be looked at; not links and devices */
};

/* Reads of one receiver: a file is kept open while it is read. */
struct source_reader {
    struct source *source;
    uint32_t file; /* SOURCE_NONE: none */
    int fd;
};

void source_init(struct source *source, struct ln_env *env);
void source_deinit(struct source *source);

/* Adds a file, or a folder with all below it; "-" is standard input under stdin_name. What cannot
 * be sent is told to `err` in a line each. Returns 0, or -1 with the reason told. */
int source_add(struct source *source, const char *path, const char *stdin_name, FILE *err);

void source_reader_init(struct source_reader *reader, struct source *source);
void source_reader_deinit(struct source_reader *reader);
/* Reads up to cap bytes; fewer are the end. Not of standard input. Returns the bytes, or -1: errno.
 */
ssize_t source_read(struct source_reader *reader, uint32_t file, uint64_t offset, uint8_t *data,
                    size_t cap);

#endif
