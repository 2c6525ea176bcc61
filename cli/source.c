/* SPDX-License-Identifier: Apache-2.0
 * Walking and reading. Links that are named are followed, links inside folders are left out: what
 * is sent is what stands there. */
#include "cli/source.h"

#include "base/alloc.h"

#include <linnet/error.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX LN_NAME_PARTS_MAX

void source_init(struct source *s, struct ln_env *env)
{
    memset(s, 0, sizeof *s);
    ln_manifest_init(&s->manifest, env);
    s->standard_input = SOURCE_NONE;
}

void source_deinit(struct source *s)
{
    for (size_t i = 0; i < s->manifest.count; i++)
        free(s->paths[i]);
    free(s->paths);
    s->paths = NULL;
    ln_manifest_deinit(&s->manifest);
}

static int tell(FILE *err, const char *path, const char *what)
{
    fprintf(err, "linnet send: %s %s\n", path, what);
    return -1;
}

/* Appends an entry; path NULL is standard input. */
static int append(struct source *s, const struct ln_transfer_entry *entry, const char *path,
                  FILE *err)
{
    const char *problem = NULL, *shown = path ? path : "standard input";
    char *copy = path ? strdup(path) : NULL;
    int error = 0;

    if (s->manifest.count == s->capacity) {
        size_t capacity = s->capacity ? 2 * s->capacity : 64;
        char **paths = realloc(s->paths, capacity * sizeof *paths);

        error = paths ? 0 : LN_ERR_NOMEM;
        if (paths) {
            s->paths = paths;
            s->capacity = capacity;
        }
    }
    if (!error && (copy || !path))
        error = ln_manifest_add(&s->manifest, entry, &problem);
    if (error || (path && !copy)) {
        free(copy);
        return tell(err, shown,
                    problem                 ? problem
                    : error == LN_ERR_LIMIT ? "is one file too many"
                                            : "does not fit into memory");
    }
    s->paths[s->manifest.count - 1] = copy;
    return 0;
}

static int add_entry(struct source *s, const char *path, const char *name,
                     const struct stat *status, FILE *err)
{
    bool folder = S_ISDIR(status->st_mode);
    struct ln_transfer_entry entry = {
        .kind = folder ? LN_KIND_FOLDER : LN_KIND_FILE,
        .mode = (uint16_t)(status->st_mode & 0777),
        .mtime_ms = (int64_t)status->st_mtim.tv_sec * 1000 + status->st_mtim.tv_nsec / 1000000,
        .size = folder ? 0 : (uint64_t)status->st_size,
        .name = { (const uint8_t *)name, strlen(name) },
    };

    return append(s, &entry, path, err);
}

static int add_folder(struct source *s, const char *path, const char *name, int depth, FILE *err);

/* Something in a folder. A name that no receiver takes ends it all; the rest is left out. */
static int add_inside(struct source *s, const char *path, const char *name, int depth, FILE *err)
{
    struct stat status;
    const char *what;

    errno = 0;
    if (lstat(path, &status) != 0)
        what = strerror(errno);
    else if (S_ISDIR(status.st_mode))
        return add_folder(s, path, name, depth + 1, err);
    else if (S_ISREG(status.st_mode))
        return add_entry(s, path, name, &status, err);
    else
        what = S_ISLNK(status.st_mode) ? "is a link" : "is no file";
    fprintf(err, "linnet send: %s is left out: %s\n", path, what);
    s->left_out += errno != 0;
    return 0;
}

static int not_itself(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int add_folder(struct source *s, const char *path, const char *name, int depth, FILE *err)
{
    struct dirent **entries = NULL;
    struct stat status;
    int count, result = 0;

    if (depth > (int)DEPTH_MAX)
        return tell(err, path, "is too deep");
    if (stat(path, &status) != 0 || (count = scandir(path, &entries, not_itself, alphasort)) < 0) {
        fprintf(err, "linnet send: %s is left out: %s\n", path, strerror(errno));
        s->left_out++;
        return 0;
    }
    result = add_entry(s, path, name, &status, err);
    for (int i = 0; i < count; i++) {
        char *below = NULL, *below_name = NULL;

        if (!result) {
            if (asprintf(&below, "%s/%s", path, entries[i]->d_name) < 0)
                below = NULL;
            if (asprintf(&below_name, "%s/%s", name, entries[i]->d_name) < 0)
                below_name = NULL;
            result = below && below_name ? add_inside(s, below, below_name, depth, err)
                                         : tell(err, path, "does not fit into memory");
        }
        free(below);
        free(below_name);
        free(entries[i]);
    }
    free(entries);
    return result;
}

static int add_standard_input(struct source *s, const char *name, FILE *err)
{
    struct ln_transfer_entry entry = { .kind = LN_KIND_FILE,
                                       .mode = 0644,
                                       .size = LN_TRANSFER_SIZE_UNKNOWN,
                                       .name = { (const uint8_t *)name, strlen(name) } };

    if (s->standard_input != SOURCE_NONE)
        return tell(err, "-", "is given twice");
    s->standard_input = (uint32_t)s->manifest.count;
    return append(s, &entry, NULL, err);
}

int source_add(struct source *s, const char *path, const char *stdin_name, FILE *err)
{
    struct stat status;
    char *real, *name;
    int result;

    if (strcmp(path, "-") == 0)
        return add_standard_input(s, stdin_name, err);
    if (stat(path, &status) != 0)
        return tell(err, path, errno == ENOENT ? "is not there" : strerror(errno));
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
        return tell(err, path, "is neither a file nor a folder");
    if (access(path, R_OK) != 0)
        return tell(err, path, "cannot be read");
    real = realpath(path, NULL); /* "." and ".." have a name too */
    name = strdup(path);
    if (!real || !name) {
        free(real);
        free(name);
        return tell(err, path, strerror(errno));
    }
    {
        const char *last = basename(name), *shown = last;

        if (strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
            shown = basename(real);
        result = S_ISDIR(status.st_mode) ? add_folder(s, path, shown, 1, err)
                                         : add_entry(s, path, shown, &status, err);
    }
    free(real);
    free(name);
    return result;
}

/* --- reading */

void source_reader_init(struct source_reader *r, struct source *source)
{
    *r = (struct source_reader){ .source = source, .file = SOURCE_NONE, .fd = -1 };
}

void source_reader_deinit(struct source_reader *r)
{
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
    r->file = SOURCE_NONE;
}

/* What was a file when it was listed may be something else by now. */
static int open_file(struct source_reader *r, uint32_t file)
{
    struct stat status;

    source_reader_deinit(r);
    r->fd = open(r->source->paths[file], O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (r->fd < 0)
        return -1;
    if (fstat(r->fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        source_reader_deinit(r);
        errno = ENOENT;
        return -1;
    }
    (void)posix_fadvise(r->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    r->file = file;
    return 0;
}

ssize_t source_read(struct source_reader *r, uint32_t file, uint64_t offset, uint8_t *data,
                    size_t cap)
{
    size_t filled = 0;

    if (r->file != file && open_file(r, file) != 0)
        return -1;
    while (filled < cap) {
        ssize_t got = pread(r->fd, data + filled, cap - filled, (off_t)(offset + filled));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        filled += (size_t)got;
    }
    return (ssize_t)filled;
}
