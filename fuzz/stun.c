/* SPDX-License-Identifier: Apache-2.0
 * STUN: parser and readers; what parses is also fed to the binding server, whose answer must parse.
 */
#include "stun/message.h"
#include "stun/server.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void read_all(const struct ln_stun_message *m)
{
    struct ln_address address;
    struct ln_bytes value;
    uint64_t number64;
    uint32_t number32;
    uint16_t code;
    unsigned type;

    for (type = 0; type < 0x40; type++) {
        ln_stun_find(m, (uint16_t)type, &value);
        ln_stun_find_address(m, (uint16_t)type, &address);
        ln_stun_find_xor_address(m, (uint16_t)(0x8000 + type), &address);
        ln_stun_find_u32(m, (uint16_t)type, &number32);
        ln_stun_find_u64(m, (uint16_t)(0x8000 + type), &number64);
    }
    ln_stun_find_mapped(m, &address);
    ln_stun_find_error(m, &code, &value);
    if (ln_stun_check_integrity(m, (struct ln_bytes){ (const uint8_t *)"key", 3 }) &&
        !m->integrity && !m->integrity256)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct ln_address from = { .family = LN_FAMILY_IPV6, .ip = { 0x20, 1 }, .port = 9 };
    struct ln_stun_message m, answer;
    uint8_t out[LN_STUN_ANSWER_MAX];
    int out_len;

    if (ln_stun_parse(data, len, &m) != 0)
        return 0;
    read_all(&m);
    out_len = ln_stun_server_respond(data, len, &from, out, sizeof out);
    if (out_len < 0 || (out_len > 0 && ln_stun_parse(out, (size_t)out_len, &answer) != 0))
        abort();
    return 0;
}
