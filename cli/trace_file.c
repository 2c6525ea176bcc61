/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/trace_file.h"

#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PACKET_MAX 2048u /* bytes of a packet that are written */
#define LINE_MAX   (2 * PACKET_MAX + 512)

static void record(struct ln_trace *trace, const struct ln_trace_event *event)
{
    struct trace_file *to = (struct trace_file *)trace;
    char line[LINE_MAX];

    if (ln_trace_format_json(event, PACKET_MAX, line, sizeof line) < (int)sizeof line)
        fprintf(to->file, "%s\n", line);
}

int trace_file_open(struct trace_file *trace, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    trace->trace.record = record;
    trace->file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (fd >= 0 && !trace->file) {
        close(fd);
        errno = ENOMEM;
    }
    return trace->file ? 0 : -1;
}

void trace_file_close(struct trace_file *trace)
{
    if (trace->file)
        fclose(trace->file);
    trace->file = NULL;
}
