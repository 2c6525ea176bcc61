/* SPDX-License-Identifier: Apache-2.0 */
#include <linnet/client.h>

int main(void)
{
    struct ln_room_options options;
    ln_client *client = NULL;
    ln_room *room;
    int error;

    ln_room_options_init(&options);
    options.video = options.audio = LN_SOURCE_TEST;
    error = ln_client_create(NULL, &client);
    if (!error)
        error = ln_room_join(client, "ws://127.0.0.1:8080/ws", "demo", &options, &room);
    if (!error)
        error = ln_client_run(client);
    ln_client_free(client);
    return error ? 1 : 0;
}
