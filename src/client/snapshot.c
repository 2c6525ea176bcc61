/* SPDX-License-Identifier: Apache-2.0
 * Snapshots: encoded to memory and written to a file beside the wanted one, which it then
 * replaces. */
#include "client/snapshot.h"

#include "base/alloc.h"
#include "media/file/png.h"
#include "media/process/scale.h"

#include <linnet/error.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PATH_BYTES_MAX 4096u

struct snapshot {
    struct ln_job job;
    struct ln_allocator *allocator;
    struct ln_picture *picture;
    char *path;
    int error;
    void (*done)(void *ctx, int error);
    void *ctx;
};

static int system_error(void)
{
    switch (errno) {
    case ENOENT:
    case ENOTDIR:
        return LN_ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return LN_ERR_NOT_ALLOWED;
    default:
        return LN_ERR_SYSTEM;
    }
}

static int write_file(const char *path, const uint8_t *data, size_t len)
{
    char beside[PATH_BYTES_MAX + 8];
    FILE *file;
    bool written;

    snprintf(beside, sizeof beside, "%s.part", path);
    file = fopen(beside, "wb");
    if (!file)
        return system_error();
    written = fwrite(data, 1, len, file) == len;
    written = fclose(file) == 0 && written;
    if (written && rename(beside, path) == 0)
        return 0;
    remove(beside);
    return LN_ERR_SYSTEM;
}

static void run_snapshot(struct ln_job *job)
{
    struct snapshot *snapshot = (struct snapshot *)job;
    struct ln_picture *upright = NULL;
    uint8_t *data;
    size_t len;

    snapshot->error = ln_picture_upright(snapshot->picture, snapshot->allocator, &upright);
    if (snapshot->error)
        return;
    snapshot->error = ln_png_encode(upright, snapshot->allocator, &data, &len);
    ln_picture_unref(upright);
    if (snapshot->error)
        return;
    snapshot->error = write_file(snapshot->path, data, len);
    ln_free(snapshot->allocator, data);
}

static void free_snapshot(struct snapshot *snapshot)
{
    ln_picture_unref(snapshot->picture);
    ln_free(snapshot->allocator, snapshot->path);
    ln_free(snapshot->allocator, snapshot);
}

static void finish_snapshot(struct ln_job *job)
{
    struct snapshot *snapshot = (struct snapshot *)job;

    snapshot->done(snapshot->ctx, snapshot->error);
    free_snapshot(snapshot);
}

int ln_snapshot_write(struct ln_workers *workers, struct ln_picture *picture, const char *path,
                      struct ln_allocator *allocator, void (*done)(void *ctx, int error), void *ctx)
{
    struct snapshot *snapshot;

    if (strlen(path) > PATH_BYTES_MAX)
        return LN_ERR_LIMIT;
    snapshot = ln_alloc_zero(allocator, sizeof *snapshot);
    if (!snapshot)
        return LN_ERR_NOMEM;
    snapshot->allocator = allocator;
    snapshot->picture = ln_picture_ref(picture);
    snapshot->path = ln_alloc_text(allocator, path);
    snapshot->job.run = run_snapshot;
    snapshot->job.done = finish_snapshot;
    snapshot->done = done;
    snapshot->ctx = ctx;
    if (!snapshot->path || ln_workers_submit(workers, LN_WORK_PICTURES, &snapshot->job) != 0) {
        int error = snapshot->path ? LN_ERR_LIMIT : LN_ERR_NOMEM;

        free_snapshot(snapshot);
        return error;
    }
    return 0;
}
