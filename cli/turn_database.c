/* SPDX-License-Identifier: Apache-2.0
 * Users from SQLite (turn_database.h): one query, by whoever starts or reloads the server; nothing
 * is asked while it serves. */
#include "cli/turn_database.h"

#include "base/alloc.h"

#include <linnet/error.h>

#include <sqlite3.h>
#include <string.h>

#define BUSY_MS 2000 /* while another program writes */

static const char query_both[] =
    "SELECT name, hmackey, hmackey_sha256 FROM turnusers_lt WHERE realm = ?1";
static const char query_one[] = "SELECT name, hmackey FROM turnusers_lt WHERE realm = ?1";

static int complain(FILE *errors, const char *path, const char *what)
{
    fprintf(errors, "%s: %s\n", path, what);
    return -1;
}

static bool decode_hex(const char *hex, size_t digits, uint8_t *bytes)
{
    static const char values[] = "0123456789abcdefABCDEF";

    for (size_t i = 0; i < digits; i++) {
        const char *at = strchr(values, hex[i]);
        uint8_t value;

        if (!at)
            return false;
        value = (uint8_t)(at - values < 16 ? at - values : at - values - 6);
        bytes[i / 2] = (uint8_t)(i % 2 ? bytes[i / 2] << 4 | value : value);
    }
    return true;
}

bool turn_database_key(const char *hex, struct ln_turn_key *md5, struct ln_turn_key *sha256)
{
    size_t digits = hex ? strlen(hex) : 0;
    struct ln_turn_key *key = digits == 64 ? sha256 : md5;

    if ((digits != 32 && digits != 64) || !decode_hex(hex, digits, key->bytes))
        return false;
    key->len = (uint8_t)(digits / 2);
    return true;
}

static int read_row(struct ln_turn_credentials *credentials, sqlite3_stmt *row, const char *path,
                    FILE *errors)
{
    const char *name = (const char *)sqlite3_column_text(row, 0);
    struct ln_turn_key md5 = { .len = 0 }, sha256 = { .len = 0 };
    int error = LN_ERR_INVALID_ARGUMENT;
    bool good = turn_database_key((const char *)sqlite3_column_text(row, 1), &md5, &sha256);

    if (good && sqlite3_column_count(row) > 2 && sqlite3_column_type(row, 2) != SQLITE_NULL)
        good = turn_database_key((const char *)sqlite3_column_text(row, 2), &md5, &sha256);
    if (good && name)
        error = ln_turn_credentials_add_keys(credentials, name, &md5, &sha256);
    ln_wipe(&md5, sizeof md5);
    ln_wipe(&sha256, sizeof sha256);
    if (error == LN_ERR_INVALID_ARGUMENT)
        fprintf(errors,
                "%s: the key of %.100s is neither 32 nor 64 hexadecimal digits, or the name is too "
                "long; write it anew with turnadmin\n",
                path, name ? name : "a user without a name");
    else if (error)
        fprintf(errors, "%s: %s\n", path, ln_error_sentence(error));
    return error ? -1 : 0;
}

static int read_rows(struct ln_turn_credentials *credentials, sqlite3 *db, const char *path,
                     FILE *errors)
{
    const char *realm = ln_turn_credentials_realm(credentials);
    sqlite3_stmt *rows = NULL;
    int state = SQLITE_DONE, result = 0;

    if (sqlite3_prepare_v2(db, query_both, -1, &rows, NULL) != SQLITE_OK &&
        sqlite3_prepare_v2(db, query_one, -1, &rows, NULL) != SQLITE_OK)
        return complain(errors, path, sqlite3_errmsg(db));
    if (sqlite3_bind_text(rows, 1, realm, -1, SQLITE_STATIC) != SQLITE_OK)
        result = complain(errors, path, sqlite3_errmsg(db));
    while (result == 0 && (state = sqlite3_step(rows)) == SQLITE_ROW)
        result = read_row(credentials, rows, path, errors);
    if (result == 0 && state != SQLITE_DONE)
        result = complain(errors, path, sqlite3_errmsg(db));
    sqlite3_finalize(rows);
    return result;
}

int turn_database_read(struct ln_turn_credentials *credentials, const char *path, FILE *errors)
{
    sqlite3 *db = NULL;
    int result;

    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
        result = complain(errors, path, db ? sqlite3_errmsg(db) : "out of memory");
    } else {
        sqlite3_busy_timeout(db, BUSY_MS);
        result = read_rows(credentials, db, path, errors);
    }
    sqlite3_close(db);
    return result;
}
