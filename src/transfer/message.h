/* SPDX-License-Identifier: Apache-2.0
 * The messages of a transfer, one to a message of the data channel (docs/transfer.md). */
#ifndef LN_TRANSFER_MESSAGE_H
#define LN_TRANSFER_MESSAGE_H

#include "crypto/hash.h"
#include "crypto/spake2.h"

#include <linnet/types.h>

#define LN_TRANSFER_VERSION       1u
#define LN_TRANSFER_CHUNK         65536u /* bytes of a file in a chunk; the last has fewer */
#define LN_TRANSFER_CHUNK_HEAD    45u    /* bytes before them */
#define LN_TRANSFER_MESSAGE_MAX   (LN_TRANSFER_CHUNK_HEAD + LN_TRANSFER_CHUNK)
#define LN_TRANSFER_SENTENCE_MAX  240u
#define LN_TRANSFER_WINDOW_MIN    (2u * LN_TRANSFER_CHUNK) /* bytes under way */
#define LN_TRANSFER_SIZE_UNKNOWN  UINT64_MAX
#define LN_TRANSFER_SIZE_MAX      (UINT64_C(1) << 60)
#define LN_TRANSFER_DIFFERS       UINT64_MAX /* chunk of FILE, when GET only compares */
#define LN_TRANSFER_ENTRY_HEAD    21u        /* bytes before an entry's name */
#define LN_TRANSFER_ENTRIES_BYTES 60000u     /* of one message of entries */

enum ln_transfer_type {
    LN_TRANSFER_HELLO = 0x01,   /* receiver: version, its share */
    LN_TRANSFER_SHARE = 0x02,   /* sender: its share */
    LN_TRANSFER_CONFIRM = 0x03, /* receiver, then sender */
    LN_TRANSFER_MANIFEST = 0x10,
    LN_TRANSFER_ENTRIES = 0x11,
    LN_TRANSFER_FILE = 0x12, /* the answer to GET: chunks from this one on follow */
    LN_TRANSFER_CHUNK_OF = 0x13,
    LN_TRANSFER_END = 0x14,     /* of a file */
    LN_TRANSFER_MISSING = 0x15, /* instead of FILE or the rest of it */
    LN_TRANSFER_READY = 0x20,   /* the manifest is taken */
    LN_TRANSFER_GET = 0x21,
    LN_TRANSFER_TAKEN = 0x22, /* bytes of chunks that are out of the way, since READY */
    LN_TRANSFER_DONE = 0x23,
    LN_TRANSFER_CANCEL = 0x30, /* either side, at any time */
};

/* Why somebody cancels. */
enum ln_transfer_reason {
    LN_REASON_ASKED = 0,    /* by its user */
    LN_REASON_NAMES = 1,    /* a name is not taken */
    LN_REASON_PROTOCOL = 2, /* a message made no sense, or a chunk is damaged */
    LN_REASON_LOCAL = 3,    /* its own disk or memory */
    LN_REASON_BUSY = 4,     /* somebody else is being served; try again */
    LN_REASON_CODE = 5,     /* the code is wrong */
    LN_REASON_USED = 6,     /* the code was used */
    LN_REASON_COUNT
};

enum ln_transfer_kind { LN_KIND_FILE = 0, LN_KIND_FOLDER = 1 };

struct ln_transfer_entry {
    enum ln_transfer_kind kind;
    uint16_t mode;    /* permission bits of POSIX */
    int64_t mtime_ms; /* since 1970 */
    uint64_t size;    /* or LN_TRANSFER_SIZE_UNKNOWN */
    struct ln_bytes name;
};

struct ln_transfer_message {
    enum ln_transfer_type type;
    uint8_t version;          /* HELLO */
    const uint8_t *share;     /* HELLO, SHARE: LN_SPAKE2_SHARE_LEN */
    const uint8_t *digest;    /* CONFIRM, CHUNK_OF, END, GET: 32 bytes */
    uint32_t count;           /* MANIFEST: entries. DONE: files */
    uint64_t bytes;           /* MANIFEST: of all files. READY: the window. TAKEN */
    uint32_t file;            /* FILE, CHUNK_OF, END, MISSING, GET: index among the entries */
    uint64_t chunk;           /* FILE, CHUNK_OF: number. GET: how many are there already */
    bool compare;             /* GET: only whether they are all, and the same */
    uint64_t size;            /* END */
    uint8_t reason;           /* CANCEL */
    struct ln_bytes data;     /* CHUNK_OF: the bytes. ENTRIES: see ln_transfer_next_entry() */
    struct ln_bytes sentence; /* MISSING, CANCEL: UTF-8 without control characters */
};

/* Pointers are borrowed from data. Returns 0 or LN_ERR_MALFORMED. */
LN_NODISCARD int ln_transfer_read(const uint8_t *data, size_t len,
                                  struct ln_transfer_message *ret_message);
/* All but CHUNK_OF, whose head is written by ln_transfer_write_chunk_head(). Returns the bytes
 * written, or LN_ERR_NO_SPACE. A sentence is cut to what a message carries. */
LN_NODISCARD int ln_transfer_write(const struct ln_transfer_message *message, uint8_t *out,
                                   size_t cap);
void ln_transfer_write_chunk_head(uint32_t file, uint64_t chunk,
                                  const uint8_t digest[LN_SHA256_LEN],
                                  uint8_t out[LN_TRANSFER_CHUNK_HEAD]);

/* Takes the next entry off the data of ENTRIES: 1, 0 at the end, LN_ERR_MALFORMED. Its name is not
 * looked at. */
LN_NODISCARD int ln_transfer_next_entry(struct ln_bytes *data, struct ln_transfer_entry *ret_entry);
/* Returns the bytes written, or LN_ERR_NO_SPACE. */
LN_NODISCARD int ln_transfer_write_entry(const struct ln_transfer_entry *entry, uint8_t *out,
                                         size_t cap);

/* The digest that stands for chunk number `chunk` and all before it: SHA-256 of the digest before
 * and the chunk's bytes; before the first one stand zeros. May be computed in place. */
void ln_transfer_chain(uint8_t digest[LN_SHA256_LEN], const void *data, size_t len);

#endif
