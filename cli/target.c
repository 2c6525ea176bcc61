/* SPDX-License-Identifier: Apache-2.0
 * The folder that receives. Nothing here takes a path of more than one part to the system. */
#include "cli/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define FILE_FLAGS   (O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
#define PART_MAX     256 /* of a name, with our ending and NUL */

/* The format has a place for the name, and may have one for what the system said. */
static int complain(struct target *t, const char *format, const char *name)
{
    const char *said = strerror(errno);
    char shown[200];

    snprintf(shown, sizeof shown, "%.199s", name);
    snprintf(t->sentence, sizeof t->sentence, format, shown, said);
    return -1;
}

static const char *name_of(const struct target *t, uint32_t file, char name[LN_NAME_BYTES_MAX + 1])
{
    const struct ln_bytes *bytes = &t->manifest->entries[file].name;

    memcpy(name, bytes->data, bytes->len);
    name[bytes->len] = '\0';
    return name;
}

static void drop(struct target_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
    f->file = TARGET_NONE;
}

static void drop_parent(struct target *t)
{
    if (t->parent >= 0)
        close(t->parent);
    t->parent = -1;
    t->parent_of = TARGET_NONE;
}

int target_open(struct target *t, const char *folder, bool force)
{
    *t = (struct target){ .force = force,
                          .found = { TARGET_NONE, -1 },
                          .part = { TARGET_NONE, -1 },
                          .parent = -1,
                          .parent_of = TARGET_NONE };
    t->folder = -1;
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return complain(t, "the folder %s cannot be made: %s", folder);
    /* The one folder that may be reached through links: the user named it. */
    t->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (t->folder < 0)
        return complain(t, "%s cannot be used: %s", folder);
    if (faccessat(t->folder, ".", W_OK, AT_EACCESS) != 0)
        return complain(t, "nothing can be written to %s: %s", folder);
    return 0;
}

void target_set_manifest(struct target *t, const struct ln_manifest *manifest)
{
    drop(&t->found);
    drop(&t->part);
    drop_parent(t);
    t->manifest = manifest;
}

void target_close(struct target *t)
{
    target_set_manifest(t, NULL);
    if (t->folder >= 0)
        close(t->folder);
    t->folder = -1;
}

int target_room(struct target *t, uint64_t bytes)
{
    struct statvfs v;

    if (bytes == LN_TRANSFER_SIZE_UNKNOWN || fstatvfs(t->folder, &v) != 0 ||
        bytes / v.f_frsize <= v.f_bavail)
        return 0;
    snprintf(t->sentence, sizeof t->sentence, "%.1f MB are to come and only %.1f MB are free",
             (double)bytes / 1e6, (double)v.f_bavail * (double)v.f_frsize / 1e6);
    return -1;
}

/* --- folders on the way */

/* Opens one folder in another, which is made if it is not there. */
static int step(struct target *t, int in, const char *part, const char *name)
{
    int fd = openat(in, part, FOLDER_FLAGS);

    if (fd < 0 && errno == ENOENT && mkdirat(in, part, 0777) == 0)
        fd = openat(in, part, FOLDER_FLAGS);
    if (fd >= 0)
        return fd;
    if (errno == ELOOP || errno == ENOTDIR)
        return complain(t, "%s would be written through what is a link or no folder here", name);
    return complain(t, "%s cannot be written: %s", name);
}

/* Walks down `len` bytes of the name. Returns a descriptor of its own, or -1. */
static int walk(struct target *t, const char *name, size_t len)
{
    int at = openat(t->folder, ".", FOLDER_FLAGS);
    char part[PART_MAX];

    if (at < 0)
        return complain(t, "%s cannot be written: %s", name);
    for (size_t from = 0; from < len;) {
        const char *slash = memchr(name + from, '/', len - from);
        size_t end = slash ? (size_t)(slash - name) : len;
        int next;

        snprintf(part, sizeof part, "%.*s", (int)(end - from), name + from);
        next = step(t, at, part, name);
        close(at);
        if (next < 0)
            return -1;
        at = next;
        from = end + 1;
    }
    return at;
}

/* Opens the folder that an entry stands in; `base` is set to its last part. The last one opened is
 * kept: many entries stand in one folder. */
static int open_parent(struct target *t, uint32_t file, char name[LN_NAME_BYTES_MAX + 1],
                       const char **ret_base)
{
    const char *slash = strrchr(name_of(t, file, name), '/');
    size_t len = slash ? (size_t)(slash - name) : 0;

    *ret_base = slash ? slash + 1 : name;
    if (t->parent >= 0 && t->parent_len == len &&
        memcmp(t->manifest->entries[t->parent_of].name.data, name, len) == 0 &&
        (len == t->manifest->entries[t->parent_of].name.len ||
         t->manifest->entries[t->parent_of].name.data[len] == '/' || len == 0))
        return t->parent;
    drop_parent(t);
    t->parent = walk(t, name, len);
    t->parent_len = len;
    t->parent_of = file;
    return t->parent;
}

int target_make_folder(struct target *t, uint32_t file)
{
    char name[LN_NAME_BYTES_MAX + 1];
    int fd;

    name_of(t, file, name);
    fd = walk(t, name, strlen(name));
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

/* --- files */

static void part_name(const char *base, char part[PART_MAX])
{
    snprintf(part, PART_MAX, "%s%s", base, LN_NAME_PART_FILE);
}

/* A file that is ours alone: no other name leads to it. */
static bool is_ours(int fd, struct stat *status)
{
    return fstat(fd, status) == 0 && S_ISREG(status->st_mode) && status->st_nlink == 1 &&
           status->st_uid == geteuid();
}

static enum ln_receiver_found look_for_part(struct target *t, int parent, const char *name,
                                            const char *base, uint64_t *ret_bytes)
{
    char part[PART_MAX];
    struct stat status;

    part_name(base, part);
    t->found.fd = openat(parent, part, O_RDONLY | FILE_FLAGS);
    if (t->found.fd < 0 && errno == ENOENT)
        return LN_FOUND_NOTHING;
    if (t->found.fd < 0 || !is_ours(t->found.fd, &status)) {
        drop(&t->found);
        snprintf(t->sentence, sizeof t->sentence,
                 "%.200s cannot be received: %.60s is here, and no unfinished file of ours", name,
                 part);
        return LN_FOUND_REFUSED;
    }
    *ret_bytes = (uint64_t)status.st_size;
    return LN_FOUND_PART;
}

enum ln_receiver_found target_look(struct target *t, uint32_t file, uint64_t *ret_bytes)
{
    char name[LN_NAME_BYTES_MAX + 1];
    const char *base, *what;
    struct stat status;
    int parent = open_parent(t, file, name, &base);

    drop(&t->found);
    if (parent < 0)
        return LN_FOUND_REFUSED;
    t->found.file = file;
    if (fstatat(parent, base, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return look_for_part(t, parent, name, base, ret_bytes);
    if (S_ISREG(status.st_mode)) {
        t->found.fd = openat(parent, base, O_RDONLY | FILE_FLAGS);
        if (t->found.fd >= 0 && fstat(t->found.fd, &status) == 0 && S_ISREG(status.st_mode)) {
            *ret_bytes = (uint64_t)status.st_size;
            return LN_FOUND_WHOLE;
        }
        complain(t, "%.200s is here and cannot be read: %s", name);
        return LN_FOUND_REFUSED;
    }
    if (S_ISLNK(status.st_mode) && t->force) /* the link itself is replaced */
        return look_for_part(t, parent, name, base, ret_bytes);
    what = S_ISDIR(status.st_mode) ? "a folder" : S_ISLNK(status.st_mode) ? "a link" : "no file";
    snprintf(t->sentence, sizeof t->sentence, "%.200s cannot be received: it is %s here", name,
             what);
    return LN_FOUND_REFUSED;
}

size_t target_read(struct target *t, uint32_t file, uint64_t offset, uint8_t *data, size_t cap)
{
    size_t filled = 0;

    while (t->found.file == file && t->found.fd >= 0 && filled < cap) {
        ssize_t got = pread(t->found.fd, data + filled, cap - filled, (off_t)(offset + filled));

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        filled += (size_t)got;
    }
    return filled;
}

/* Opens the unfinished file for writing, and keeps other programs of ours away from it. */
static int open_part(struct target *t, uint32_t file)
{
    char name[LN_NAME_BYTES_MAX + 1], part[PART_MAX];
    const char *base;
    struct stat status;
    int parent;

    if (t->part.file == file)
        return 0;
    drop(&t->part);
    parent = open_parent(t, file, name, &base);
    if (parent < 0)
        return -1;
    part_name(base, part);
    t->part.fd = openat(parent, part, O_RDWR | O_CREAT | FILE_FLAGS, 0600);
    if (t->part.fd < 0)
        return complain(t, "%s cannot be written: %s", name);
    if (!is_ours(t->part.fd, &status)) {
        drop(&t->part);
        return complain(t, "%s cannot be written: its unfinished file is not ours", name);
    }
    if (flock(t->part.fd, LOCK_EX | LOCK_NB) != 0) {
        drop(&t->part);
        return complain(t, "%s is being received by another program", name);
    }
    t->part.file = file;
    return 0;
}

int target_write(struct target *t, uint32_t file, uint64_t offset, const uint8_t *data, size_t len)
{
    char name[LN_NAME_BYTES_MAX + 1];

    if (open_part(t, file) != 0)
        return -1;
    if (offset == 0 && ftruncate(t->part.fd, 0) != 0)
        return complain(t, "%s cannot be written: %s", name_of(t, file, name));
    while (len > 0) {
        ssize_t put = pwrite(t->part.fd, data, len, (off_t)offset);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return complain(t, "%s cannot be written: %s", name_of(t, file, name));
        data += put;
        offset += (uint64_t)put;
        len -= (size_t)put;
    }
    return 0;
}

static mode_t present_umask(void)
{
    mode_t mask = umask(077);

    umask(mask);
    return mask;
}

static struct timespec time_of(int64_t ms)
{
    int64_t seconds = ms / 1000 - (ms % 1000 < 0);

    return (struct timespec){ .tv_sec = (time_t)seconds,
                              .tv_nsec = (long)(ms - seconds * 1000) * 1000000 };
}

static void set_mode_and_time(int fd, const struct ln_transfer_entry *entry, mode_t least)
{
    struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, time_of(entry->mtime_ms) };

    (void)!fchmod(fd, (entry->mode & 0777 & ~present_umask()) | least);
    if (entry->size != LN_TRANSFER_SIZE_UNKNOWN)
        (void)!futimens(fd, times);
}

/* Gives the unfinished file its name; without --force never in the place of another. */
static int give_name(const struct target *t, int parent, const char *part, const char *base)
{
    if (t->force)
        return renameat(parent, part, parent, base);
    if (renameat2(parent, part, parent, base, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    /* a file system without that: a second name fails if there is one, too */
    return linkat(parent, part, parent, base, 0) == 0 ? unlinkat(parent, part, 0) : -1;
}

int target_finish(struct target *t, uint32_t file, uint64_t size)
{
    char name[LN_NAME_BYTES_MAX + 1], part[PART_MAX];
    const char *base;
    int parent;

    if (open_part(t, file) != 0)
        return -1;
    parent = open_parent(t, file, name, &base);
    if (parent < 0)
        return -1;
    part_name(base, part);
    if (ftruncate(t->part.fd, (off_t)size) != 0)
        return complain(t, "%s cannot be written: %s", name);
    set_mode_and_time(t->part.fd, &t->manifest->entries[file], 0);
    if (give_name(t, parent, part, base) != 0)
        return errno == EEXIST
                   ? complain(t, "%s came to be here meanwhile; --force overwrites it", name)
                   : complain(t, "%s cannot get its name: %s", name);
    drop(&t->part);
    return 0;
}

void target_finish_folders(struct target *t)
{
    char name[LN_NAME_BYTES_MAX + 1];

    drop_parent(t);
    for (size_t i = t->manifest->count; i-- > 0;) {
        int fd;

        if (t->manifest->entries[i].kind != LN_KIND_FOLDER)
            continue;
        name_of(t, (uint32_t)i, name);
        fd = walk(t, name, strlen(name));
        if (fd < 0)
            continue;
        set_mode_and_time(fd, &t->manifest->entries[i], 0700); /* we may have to go on in it */
        close(fd);
    }
}
