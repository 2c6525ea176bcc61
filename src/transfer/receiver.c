/* SPDX-License-Identifier: Apache-2.0
 * The receiving end. `asked` holds the files asked for, in the order in which their answers come:
 * what arrives is of the first one. Ahead of it, one file at a time is looked at, and read if need
 * be.
 *
 * Invariants: entries before `next` were looked at; no new file is looked at while
 * LN_RECEIVER_AHEAD_MAX are asked for. */
#include "transfer/receiver.h"

#include "base/alloc.h"
#include "base/ring.h"

#include <linnet/error.h>

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define TAKEN_PARTS 8u                           /* of the window, between two TAKEN */
#define ASKED_MAX   (2u * LN_RECEIVER_AHEAD_MAX) /* with those that are to be replaced */

enum phase {
    PHASE_MANIFEST, /* it comes */
    PHASE_CHECK,    /* the owner looks at it */
    PHASE_FILES,
    PHASE_ENDED
};

struct asked {
    uint32_t file;
    bool compare, begun; /* FILE came */
    bool last;           /* a chunk came that was not full */
    uint64_t chunks;     /* that we have; then the number of the next one */
    uint64_t size;
    uint8_t digest[LN_SHA256_LEN];
};

/* Something to be told to the owner about a file, after a message. */
enum due { DUE_NOTHING, DUE_WRITE, DUE_FINISH, DUE_SAME, DUE_DIFFERS, DUE_MISSING };

struct ln_receiver {
    struct ln_env *env;
    struct ln_manifest manifest;
    enum phase phase;
    bool head_came, check_told, ready_due, folder_due;
    uint32_t promised; /* entries */
    uint32_t next;     /* entry to be looked at */
    bool looking, reading;
    uint64_t found_chunks; /* to be read */
    struct asked ahead;    /* the file that is looked at */
    struct ln_ring asked;
    struct ln_ring again; /* file numbers: what differs and is to be replaced */

    enum due due;
    struct asked due_of;
    struct ln_bytes due_data;

    uint64_t window, written, told, kept;
    bool done_due;
    bool cancel_due, cancelled_due;
    enum ln_transfer_reason reason;
    char sentence[LN_TRANSFER_SENTENCE_MAX + 1];
    uint8_t out[512];
    uint8_t chunk[LN_TRANSFER_CHUNK]; /* of what is read here */
};

int ln_receiver_create(struct ln_receiver **ret_receiver, uint64_t window, struct ln_env *env)
{
    struct ln_receiver *r = ln_alloc(env->allocator, sizeof *r);

    assert(window >= LN_TRANSFER_WINDOW_MIN);
    if (!r)
        return LN_ERR_NOMEM;
    memset(r, 0, offsetof(struct ln_receiver, out));
    r->env = env;
    r->window = window;
    ln_manifest_init(&r->manifest, env);
    ln_ring_init(&r->asked, env->allocator, sizeof(struct asked), ASKED_MAX);
    ln_ring_init(&r->again, env->allocator, sizeof(uint32_t), ASKED_MAX);
    *ret_receiver = r;
    return 0;
}

void ln_receiver_free(struct ln_receiver *r)
{
    if (!r)
        return;
    ln_manifest_deinit(&r->manifest);
    ln_ring_deinit(&r->asked);
    ln_ring_deinit(&r->again);
    ln_free(r->env->allocator, r);
}

const struct ln_manifest *ln_receiver_manifest(const struct ln_receiver *r)
{
    return &r->manifest;
}

void ln_receiver_cancel(struct ln_receiver *r, enum ln_transfer_reason reason, const char *sentence)
{
    if (r->phase == PHASE_ENDED)
        return;
    r->phase = PHASE_ENDED;
    r->reason = reason;
    snprintf(r->sentence, sizeof r->sentence, "%s", sentence);
    r->cancel_due = true;
    r->due = DUE_NOTHING;
}

/* --- in */

/* We cancel because of what came, and our owner hears of it too. */
static void protest(struct ln_receiver *r, enum ln_transfer_reason reason, const char *sentence)
{
    ln_receiver_cancel(r, reason, sentence);
    r->cancelled_due = true;
}

static void nonsense(struct ln_receiver *r)
{
    protest(r, LN_REASON_PROTOCOL, "a message has no place here");
}

/* Shown to both ends: what cannot be shown of the name is left out. */
static void refuse_name(struct ln_receiver *r, const struct ln_transfer_entry *entry,
                        const char *problem)
{
    char shown[64], sentence[LN_TRANSFER_SENTENCE_MAX + 1];
    size_t len = 0;

    for (size_t i = 0; i < entry->name.len && len < sizeof shown - 1; i++)
        shown[len++] = entry->name.data[i] > 0x20 && entry->name.data[i] < 0x7f
                           ? (char)entry->name.data[i]
                           : '?';
    shown[len] = '\0';
    snprintf(sentence, sizeof sentence, "the name \"%s\" %s", shown, problem);
    protest(r, LN_REASON_NAMES, sentence);
}

static void take_entries(struct ln_receiver *r, struct ln_bytes data)
{
    struct ln_transfer_entry entry;
    const char *problem = NULL;
    int got;

    while ((got = ln_transfer_next_entry(&data, &entry)) == 1) {
        int error = r->manifest.count == r->promised
                        ? LN_ERR_MALFORMED
                        : ln_manifest_add(&r->manifest, &entry, &problem);

        if (error == LN_ERR_INVALID_ARGUMENT)
            refuse_name(r, &entry, problem);
        else if (error == LN_ERR_MALFORMED)
            nonsense(r);
        else if (error)
            protest(r, LN_REASON_LOCAL, "there are too many files");
        if (error)
            return;
    }
    if (got < 0)
        protest(r, LN_REASON_PROTOCOL, "the list of files made no sense");
    else if (r->manifest.count == r->promised)
        r->phase = PHASE_CHECK;
}

static void take_manifest(struct ln_receiver *r, const struct ln_transfer_message *m)
{
    if (m->type == LN_TRANSFER_MANIFEST && !r->head_came) {
        r->head_came = true;
        r->promised = m->count;
        if (m->count > LN_MANIFEST_ENTRIES_MAX)
            protest(r, LN_REASON_LOCAL, "there are too many files");
        else if (m->count == 0)
            r->phase = PHASE_CHECK;
    } else if (m->type == LN_TRANSFER_ENTRIES && r->head_came) {
        take_entries(r, m->data);
    } else {
        nonsense(r);
    }
}

static void due(struct ln_receiver *r, enum due what, const struct asked *of)
{
    r->due = what;
    r->due_of = *of;
}

static void pop_asked(struct ln_receiver *r, enum due what)
{
    struct asked asked;

    ln_ring_pop(&r->asked, &asked);
    due(r, what, &asked);
}

static void take_file(struct ln_receiver *r, struct asked *asked,
                      const struct ln_transfer_message *m)
{
    if (asked->begun) {
        nonsense(r);
    } else if (asked->compare && m->chunk == LN_TRANSFER_DIFFERS) {
        pop_asked(r, DUE_DIFFERS);
    } else if (m->chunk == asked->chunks) {
        asked->begun = true;
        if (!asked->compare)
            r->kept += asked->chunks * LN_TRANSFER_CHUNK;
    } else if (m->chunk == 0 && !asked->compare) {
        asked->begun = true;
        asked->chunks = asked->size = 0;
        memset(asked->digest, 0, sizeof asked->digest);
    } else {
        nonsense(r);
    }
}

static void take_chunk(struct ln_receiver *r, struct asked *asked,
                       const struct ln_transfer_message *m)
{
    uint64_t size = r->manifest.entries[asked->file].size;

    if (!asked->begun || asked->compare || asked->last || m->chunk != asked->chunks ||
        asked->size + m->data.len >
            (size == LN_TRANSFER_SIZE_UNKNOWN ? LN_TRANSFER_SIZE_MAX : size)) {
        nonsense(r);
        return;
    }
    ln_transfer_chain(asked->digest, m->data.data, m->data.len);
    if (memcmp(asked->digest, m->digest, LN_SHA256_LEN) != 0) {
        protest(r, LN_REASON_PROTOCOL, "a chunk is damaged");
        return;
    }
    due(r, DUE_WRITE, asked);
    r->due_data = m->data;
    asked->chunks++;
    asked->size += m->data.len;
    asked->last = m->data.len < LN_TRANSFER_CHUNK;
}

static void take_end(struct ln_receiver *r, struct asked *asked,
                     const struct ln_transfer_message *m)
{
    if (!asked->begun || m->size != asked->size ||
        memcmp(m->digest, asked->digest, LN_SHA256_LEN) != 0) {
        nonsense(r);
        return;
    }
    if (asked->compare)
        r->kept += asked->size;
    pop_asked(r, asked->compare ? DUE_SAME : DUE_FINISH);
}

static void take_sentence(struct ln_receiver *r, const struct ln_transfer_message *m)
{
    snprintf(r->sentence, sizeof r->sentence, "%.*s", (int)m->sentence.len,
             m->sentence.data ? (const char *)m->sentence.data : "");
}

static void take_answer(struct ln_receiver *r, const struct ln_transfer_message *m)
{
    struct asked *asked = ln_ring_at(&r->asked, 0);

    if (!asked || asked->file != m->file) {
        nonsense(r);
        return;
    }
    switch (m->type) {
    case LN_TRANSFER_FILE:
        take_file(r, asked, m);
        break;
    case LN_TRANSFER_CHUNK_OF:
        take_chunk(r, asked, m);
        break;
    case LN_TRANSFER_END:
        take_end(r, asked, m);
        break;
    case LN_TRANSFER_MISSING:
        take_sentence(r, m);
        pop_asked(r, DUE_MISSING);
        break;
    default:
        nonsense(r);
    }
}

void ln_receiver_receive(struct ln_receiver *r, const uint8_t *data, size_t len)
{
    struct ln_transfer_message m;

    if (r->phase == PHASE_ENDED)
        return;
    assert(r->due == DUE_NOTHING); /* polled since the last message */
    if (ln_transfer_read(data, len, &m) != 0) {
        protest(r, LN_REASON_PROTOCOL, "a message made no sense");
    } else if (m.type == LN_TRANSFER_CANCEL) {
        r->phase = PHASE_ENDED;
        r->reason = (enum ln_transfer_reason)m.reason;
        take_sentence(r, &m);
        r->cancelled_due = true;
    } else if (r->phase == PHASE_MANIFEST) {
        take_manifest(r, &m);
    } else if (r->phase == PHASE_FILES) {
        take_answer(r, &m);
    } else {
        nonsense(r);
    }
}

/* --- out */

static int send(struct ln_receiver *r, const struct ln_transfer_message *m,
                struct ln_receiver_action *ret_action)
{
    ret_action->kind = LN_RECEIVER_SEND;
    ret_action->message = (struct ln_bytes){ r->out,
                                             (size_t)ln_transfer_write(m, r->out, sizeof r->out) };
    return 1;
}

static int tell_due(struct ln_receiver *r, struct ln_receiver_action *ret_action)
{
    static const enum ln_receiver_action_kind kinds[] = {
        [DUE_WRITE] = LN_RECEIVER_WRITE,     [DUE_FINISH] = LN_RECEIVER_FINISH,
        [DUE_SAME] = LN_RECEIVER_SAME,       [DUE_DIFFERS] = LN_RECEIVER_DIFFERS,
        [DUE_MISSING] = LN_RECEIVER_MISSING,
    };

    ret_action->kind = kinds[r->due];
    ret_action->file = r->due_of.file;
    ret_action->size = r->due_of.size;
    ret_action->offset = r->due_of.chunks * LN_TRANSFER_CHUNK;
    ret_action->message = r->due_data;
    ret_action->sentence = r->sentence;
    r->due = DUE_NOTHING;
    return 1;
}

/* A file that is looked at is now asked for. */
static int ask(struct ln_receiver *r, struct ln_receiver_action *ret_action)
{
    const struct asked *a = &r->ahead;

    r->looking = false;
    if (ln_ring_push(&r->asked, a) != 0) {
        protest(r, LN_REASON_LOCAL, "out of memory");
        return 0;
    }
    return send(r,
                &(struct ln_transfer_message){ .type = LN_TRANSFER_GET,
                                               .file = a->file,
                                               .compare = a->compare,
                                               .chunk = a->chunks,
                                               .digest = a->digest },
                ret_action);
}

static int read_found(struct ln_receiver *r, struct ln_receiver_action *ret_action)
{
    ret_action->kind = LN_RECEIVER_READ;
    ret_action->file = r->ahead.file;
    ret_action->offset = r->ahead.chunks * LN_TRANSFER_CHUNK;
    ret_action->data = r->chunk;
    ret_action->cap = LN_TRANSFER_CHUNK;
    r->reading = true;
    return 1;
}

static void look_at(struct ln_receiver *r, uint32_t file)
{
    memset(&r->ahead, 0, sizeof r->ahead);
    r->ahead.file = file;
    r->found_chunks = 0;
    r->looking = true;
}

/* The next entry: a folder is told, a file is looked at. */
static int next_entry(struct ln_receiver *r, struct ln_receiver_action *ret_action)
{
    ret_action->file = r->next;
    if (r->manifest.entries[r->next].kind == LN_KIND_FOLDER) {
        ret_action->kind = LN_RECEIVER_FOLDER;
        r->next++;
        return 1;
    }
    if (r->asked.count >= LN_RECEIVER_AHEAD_MAX)
        return 0;
    look_at(r, r->next++);
    ret_action->kind = LN_RECEIVER_LOOK;
    return 1;
}

static int files(struct ln_receiver *r, struct ln_receiver_action *ret_action)
{
    uint32_t again;

    if (r->ready_due) {
        r->ready_due = false;
        return send(r,
                    &(struct ln_transfer_message){ .type = LN_TRANSFER_READY, .bytes = r->window },
                    ret_action);
    }
    if (r->written - r->told >= r->window / TAKEN_PARTS) {
        r->told = r->written;
        return send(r,
                    &(struct ln_transfer_message){ .type = LN_TRANSFER_TAKEN, .bytes = r->written },
                    ret_action);
    }
    if (r->looking)
        return r->ahead.chunks < r->found_chunks ? read_found(r, ret_action) : ask(r, ret_action);
    if (ln_ring_pop(&r->again, &again)) {
        look_at(r, again);
        return ask(r, ret_action);
    }
    if (r->next < r->manifest.count)
        return next_entry(r, ret_action);
    if (r->asked.count > 0)
        return 0;
    r->phase = PHASE_ENDED;
    r->done_due = true;
    return send(r,
                &(struct ln_transfer_message){ .type = LN_TRANSFER_DONE,
                                               .count = (uint32_t)r->manifest.files },
                ret_action);
}

static int tell_end(struct ln_receiver *r, struct ln_receiver_action *ret_action)
{
    ret_action->reason = r->reason;
    ret_action->sentence = r->sentence;
    if (r->cancel_due) {
        r->cancel_due = false;
        return send(r,
                    &(struct ln_transfer_message){
                        .type = LN_TRANSFER_CANCEL,
                        .reason = (uint8_t)r->reason,
                        .sentence = { (const uint8_t *)r->sentence, strlen(r->sentence) } },
                    ret_action);
    }
    if (r->cancelled_due) {
        r->cancelled_due = false;
        ret_action->kind = LN_RECEIVER_CANCELLED;
        return 1;
    }
    if (r->done_due) {
        r->done_due = false;
        ret_action->kind = LN_RECEIVER_DONE;
        return 1;
    }
    return 0;
}

int ln_receiver_poll(struct ln_receiver *r, struct ln_receiver_action *ret_action)
{
    memset(ret_action, 0, sizeof *ret_action);
    assert(!r->reading);
    if (r->phase == PHASE_ENDED)
        return tell_end(r, ret_action);
    if (r->due != DUE_NOTHING)
        return tell_due(r, ret_action);
    if (r->phase == PHASE_CHECK && !r->check_told) {
        r->check_told = true;
        ret_action->kind = LN_RECEIVER_MANIFEST;
        return 1;
    }
    return r->phase == PHASE_FILES ? files(r, ret_action) : 0;
}

/* --- the owner's answers */

void ln_receiver_accept(struct ln_receiver *r)
{
    if (r->phase != PHASE_CHECK)
        return;
    r->phase = PHASE_FILES;
    r->ready_due = true;
}

void ln_receiver_found(struct ln_receiver *r, enum ln_receiver_found found, uint64_t bytes)
{
    uint64_t size = r->manifest.entries[r->ahead.file].size;

    if (r->phase != PHASE_FILES || !r->looking)
        return;
    /* A stream of unknown size passes once: nothing that it could be compared with is used. */
    if (found == LN_FOUND_REFUSED) {
        r->looking = false;
    } else if (found == LN_FOUND_WHOLE && size != bytes) {
        r->looking = false;
        due(r, DUE_DIFFERS, &r->ahead);
    } else if (found == LN_FOUND_WHOLE) {
        r->ahead.compare = true;
        r->found_chunks = bytes / LN_TRANSFER_CHUNK + (bytes % LN_TRANSFER_CHUNK > 0);
    } else if (found == LN_FOUND_PART && size != LN_TRANSFER_SIZE_UNKNOWN) {
        r->found_chunks = (size < bytes ? size : bytes) / LN_TRANSFER_CHUNK;
    }
}

void ln_receiver_read(struct ln_receiver *r, size_t len)
{
    struct asked *a = &r->ahead;

    if (!r->reading)
        return;
    r->reading = false;
    if (len == 0 || (len < LN_TRANSFER_CHUNK && !a->compare)) {
        r->found_chunks = a->chunks; /* less is there than was found */
        return;
    }
    ln_transfer_chain(a->digest, r->chunk, len);
    a->chunks++;
    a->size += len;
}

void ln_receiver_written(struct ln_receiver *r)
{
    r->written += r->due_data.len;
    r->due_data = (struct ln_bytes){ NULL, 0 };
}

void ln_receiver_replace(struct ln_receiver *r, bool replace)
{
    if (r->phase == PHASE_FILES && replace && ln_ring_push(&r->again, &r->due_of.file) != 0)
        protest(r, LN_REASON_LOCAL, "out of memory");
}

void ln_receiver_get_figures(const struct ln_receiver *r, struct ln_receiver_figures *ret_figures)
{
    const struct asked *first = ln_ring_at(&r->asked, 0);

    *ret_figures = (struct ln_receiver_figures){ .bytes_written = r->written,
                                                 .bytes_kept = r->kept,
                                                 .file = first ? first->file : r->due_of.file,
                                                 .ended = r->phase == PHASE_ENDED };
}
