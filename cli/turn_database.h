/* SPDX-License-Identifier: Apache-2.0
 * Users of the TURN server from an SQLite file, in the table that coturn's turnadmin writes:
 *
 *     turnusers_lt (realm, name, hmackey [, hmackey_sha256])
 *
 * hmackey is the key in hex: MD5(name:realm:password), 32 digits, or SHA-256 of the same, 64. A
 * column of our own, hmackey_sha256, may hold the second beside the first. Passwords are not there.
 */
#ifndef LN_CLI_TURN_DATABASE_H
#define LN_CLI_TURN_DATABASE_H

#include "servers/turn/core/credentials.h"

#include <stdio.h>

/* Reads a key in hex into one of the two, by its length. False when it is none. */
bool turn_database_key(const char *hex, struct ln_turn_key *md5, struct ln_turn_key *sha256);

/* Adds all users of the credentials' realm. Reads only. Returns 0, or -1 after one sentence. */
int turn_database_read(struct ln_turn_credentials *credentials, const char *path, FILE *errors);

#endif
