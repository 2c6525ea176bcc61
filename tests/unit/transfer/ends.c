/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/transfer/ends.h"

#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>

/* --- the store */

void store_put(struct store *store, const char *name, const void *data, size_t len, bool part)
{
    struct stored *file = store_find(store, name, part);

    if (!file) {
        CHECK(store->count < STORE_FILES);
        file = &store->files[store->count++];
        memset(file, 0, sizeof *file);
        snprintf(file->name, sizeof file->name, "%s", name);
        file->part = part;
    }
    free(file->data);
    file->data = malloc(len + 1);
    CHECK(file->data != NULL);
    if (len > 0)
        memcpy(file->data, data, len);
    file->len = len;
}

void store_add(struct store *store, const char *name, size_t len, uint32_t seed)
{
    uint8_t *data = malloc(len + 1);

    CHECK(data != NULL);
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1664525u + 1013904223u;
        data[i] = (uint8_t)(seed >> 24);
    }
    store_put(store, name, data, len, false);
    free(data);
}

struct stored *store_find(struct store *store, const char *name, bool part)
{
    for (size_t i = 0; i < store->count; i++)
        if (store->files[i].part == part && strcmp(store->files[i].name, name) == 0)
            return &store->files[i];
    return NULL;
}

void store_free(struct store *store)
{
    for (size_t i = 0; i < store->count; i++)
        free(store->files[i].data);
    store->count = 0;
}

static void remove_part(struct store *store, const char *name)
{
    struct stored *file = store_find(store, name, true);

    if (!file)
        return;
    free(file->data);
    *file = store->files[--store->count];
}

bool store_same(const struct store *a, const struct store *b)
{
    size_t whole = 0;

    for (size_t i = 0; i < b->count; i++)
        whole += !b->files[i].part;
    if (whole != a->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct stored *other = store_find((struct store *)b, a->files[i].name, false);

        if (!other || other->len != a->files[i].len ||
            memcmp(other->data, a->files[i].data, other->len) != 0)
            return false;
    }
    return true;
}

void ends_list(struct ln_manifest *manifest, struct store *store)
{
    ln_manifest_init(manifest, test_env());
    for (size_t i = 0; i < store->count; i++) {
        const char *name = store->files[i].name, *problem;
        struct ln_transfer_entry entry = {
            LN_KIND_FILE, 0644, 0, store->files[i].len, { (const uint8_t *)name, strlen(name) }
        };

        CHECK_EQUAL(ln_manifest_add(manifest, &entry, &problem), 0);
    }
}

/* --- the channel */

struct letter {
    struct letter *next;
    size_t len;
    uint8_t data[];
};

struct line {
    struct letter *first, **last;
    size_t count;
    uint64_t bytes;
};

static void line_send(struct line *line, struct ln_bytes message)
{
    struct letter *letter = malloc(sizeof *letter + message.len);

    CHECK(letter != NULL);
    letter->next = NULL;
    letter->len = message.len;
    memcpy(letter->data, message.data, message.len);
    *line->last = letter;
    line->last = &letter->next;
    line->count++;
    line->bytes += message.len;
}

static struct letter *line_take(struct line *line)
{
    struct letter *letter = line->first;

    if (!letter)
        return NULL;
    line->first = letter->next;
    if (!line->first)
        line->last = &line->first;
    line->count--;
    line->bytes -= letter->len;
    return letter;
}

/* --- the owners */

static const char *name_of(const struct ln_manifest *manifest, uint32_t file, char name[64])
{
    snprintf(name, 64, "%.*s", (int)manifest->entries[file].name.len,
             (const char *)manifest->entries[file].name.data);
    return name;
}

static void read_stored(struct ends *e, const struct ln_sender_action *a)
{
    char name[64];
    struct stored *file = store_find(e->from, name_of(e->manifest, a->file, name), false);
    size_t len;

    if (!file || file->unreadable) {
        ln_sender_missing(e->sender, "it is gone");
        return;
    }
    len = file->len > a->offset ? file->len - (size_t)a->offset : 0;
    len = len < a->cap ? len : a->cap;
    if (len > 0)
        memcpy(a->data, file->data + a->offset, len);
    ln_sender_read(e->sender, len);
}

static bool work_sender(struct ends *e, struct line *to_receiver)
{
    struct ln_sender_action a;

    if (to_receiver->count >= e->queue_max || !ln_sender_poll(e->sender, &a))
        return false;
    switch (a.kind) {
    case LN_SENDER_SEND:
        line_send(to_receiver, a.message);
        break;
    case LN_SENDER_READ:
        read_stored(e, &a);
        break;
    case LN_SENDER_READY:
        break;
    case LN_SENDER_DONE:
        e->sender_done = true;
        break;
    case LN_SENDER_CANCELLED:
        e->sender_cancelled = true;
        e->reason = a.reason;
        snprintf(e->sentence, sizeof e->sentence, "%s", a.sentence);
        break;
    }
    return true;
}

static void found(struct ends *e, const char *name)
{
    struct stored *whole = store_find(e->to, name, false), *part = store_find(e->to, name, true);

    if (whole && whole->unreadable) {
        e->refused++;
        ln_receiver_found(e->receiver, LN_FOUND_REFUSED, 0);
    } else if (whole) {
        ln_receiver_found(e->receiver, LN_FOUND_WHOLE, whole->len);
    } else if (part) {
        ln_receiver_found(e->receiver, LN_FOUND_PART, part->len);
    } else {
        ln_receiver_found(e->receiver, LN_FOUND_NOTHING, 0);
    }
}

static void read_found(struct ends *e, const struct ln_receiver_action *a, const char *name)
{
    struct stored *file = store_find(e->to, name, false);
    size_t len;

    if (!file)
        file = store_find(e->to, name, true);
    CHECK(file != NULL);
    len = file->len > a->offset ? file->len - (size_t)a->offset : 0;
    len = len < a->cap ? len : a->cap;
    if (len > 0)
        memcpy(a->data, file->data + a->offset, len);
    ln_receiver_read(e->receiver, len);
}

static void write_part(struct ends *e, const struct ln_receiver_action *a, const char *name)
{
    struct stored *part = store_find(e->to, name, true);
    size_t end = (size_t)a->offset + a->message.len;

    if (!part) {
        store_put(e->to, name, NULL, 0, true);
        part = store_find(e->to, name, true);
    }
    CHECK(a->offset <= part->len); /* no holes */
    if (end > part->len) {
        part->data = realloc(part->data, end + 1);
        CHECK(part->data != NULL);
        part->len = end;
    }
    memcpy(part->data + a->offset, a->message.data, a->message.len);
    ln_receiver_written(e->receiver);
}

static void finish(struct ends *e, const char *name, uint64_t size)
{
    struct stored *part = store_find(e->to, name, true);

    CHECK(size == 0 || (part && part->len >= size));
    store_put(e->to, name, part ? part->data : NULL, (size_t)size, false);
    remove_part(e->to, name);
}

static void owner_of_receiver(struct ends *e, const struct ln_receiver_action *a,
                              struct line *to_sender)
{
    const struct ln_manifest *manifest = ln_receiver_manifest(e->receiver);
    char name[64] = "";

    if (a->file < manifest->count)
        name_of(manifest, a->file, name);
    switch (a->kind) {
    case LN_RECEIVER_SEND:
        line_send(to_sender, a->message);
        break;
    case LN_RECEIVER_MANIFEST:
        ln_receiver_accept(e->receiver);
        break;
    case LN_RECEIVER_FOLDER:
        e->folders++;
        break;
    case LN_RECEIVER_LOOK:
        found(e, name);
        break;
    case LN_RECEIVER_READ:
        read_found(e, a, name);
        break;
    case LN_RECEIVER_WRITE:
        write_part(e, a, name);
        break;
    case LN_RECEIVER_FINISH:
        finish(e, name, a->size);
        break;
    case LN_RECEIVER_SAME:
        e->same++;
        break;
    case LN_RECEIVER_DIFFERS:
        e->differs++;
        ln_receiver_replace(e->receiver, e->force);
        break;
    case LN_RECEIVER_MISSING:
        CHECK_TEXT(a->sentence, "it is gone");
        e->missing++;
        break;
    case LN_RECEIVER_DONE:
        e->receiver_done = true;
        break;
    case LN_RECEIVER_CANCELLED:
        e->receiver_cancelled = true;
        e->reason = a->reason;
        snprintf(e->sentence, sizeof e->sentence, "%s", a->sentence);
        break;
    }
}

static bool work_receiver(struct ends *e, struct line *to_sender)
{
    struct ln_receiver_action a;
    bool worked = false;

    while (ln_receiver_poll(e->receiver, &a)) {
        owner_of_receiver(e, &a, to_sender);
        worked = true;
    }
    return worked;
}

static bool deliver(struct ends *e, struct line *to_sender, struct line *to_receiver)
{
    struct letter *letter = line_take(to_receiver);

    if (letter) {
        ln_receiver_receive(e->receiver, letter->data, letter->len);
        work_receiver(e, to_sender); /* the message is borrowed until then */
    } else if ((letter = line_take(to_sender)) != NULL) {
        ln_sender_receive(e->sender, letter->data, letter->len);
    }
    free(letter);
    return letter != NULL;
}

void ends_run(struct ends *e, uint64_t window)
{
    struct line to_sender = { NULL, &to_sender.first, 0, 0 };
    struct line to_receiver = { NULL, &to_receiver.first, 0, 0 };
    struct ln_receiver_figures figures;
    struct letter *letter;

    CHECK_EQUAL(ln_sender_create(&e->sender, e->manifest, test_env()), 0);
    if (ln_receiver_create(&e->receiver, window, test_env()) != 0) {
        ln_sender_free(e->sender);
        CHECK(!"memory");
    }
    e->broken = false;
    if (e->queue_max == 0)
        e->queue_max = 100;
    for (;;) {
        bool worked = work_sender(e, &to_receiver);

        if (to_receiver.bytes > e->most_under_way)
            e->most_under_way = to_receiver.bytes;
        worked = work_receiver(e, &to_sender) || worked;
        if (worked && to_receiver.count < e->queue_max / 2)
            continue;
        if (e->messages_left > 0 && --e->messages_left == 0) {
            e->broken = true;
            break;
        }
        if (!deliver(e, &to_sender, &to_receiver) && !worked)
            break;
    }
    ln_receiver_get_figures(e->receiver, &figures);
    e->written += figures.bytes_written;
    e->kept += figures.bytes_kept;
    while ((letter = line_take(&to_sender)) != NULL || (letter = line_take(&to_receiver)) != NULL)
        free(letter);
    ln_sender_free(e->sender);
    ln_receiver_free(e->receiver);
}
