/* SPDX-License-Identifier: Apache-2.0
 * `linnet join`: a participant at the terminal. */
#include "cli/commands.h"
#include "cli/guest.h"
#include "cli/options.h"

#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct arguments {
    const char *name, *room, *token, *video, *audio, *snapshot, *stats;
    bool chat, echo, insecure, loopback;
    struct cli_network network;
    long duration;
};

static const struct cli_option options[] = {
    CLI_TEXT("name", "NAME", struct arguments, name, "shown to the others (guest)"),
    CLI_TEXT("room", "ROOM", struct arguments, room, "which room (demo)"),
    CLI_TEXT("token", "TOKEN", struct arguments, token, "if the room asks for one"),
    CLI_CHOICE("video", "test none", struct arguments, video,
               "what to send: the test picture (none)"),
    CLI_CHOICE("audio", "tone none", struct arguments, audio, "what to send: the test tone (none)"),
    CLI_FLAG("chat", struct arguments, chat, "send each line of standard input to everybody"),
    CLI_FLAG("echo", struct arguments, echo, "send each message back to who sent it"),
    CLI_TEXT("snapshot", "FILE.png", struct arguments, snapshot,
             "write what is seen, once it is seen and again at the end"),
    CLI_INTEGER("duration", "SECONDS", 1, 604800, struct arguments, duration,
                "leave after so long in the room"),
    CLI_CHOICE("stats", "text json", struct arguments, stats,
               "figures as lines for people, or everything as JSON lines (text)"),
    CLI_FLAG("insecure", struct arguments, insecure, "accept any certificate of the server"),
    CLI_FLAG("loopback", struct arguments, loopback, "use loopback addresses as well"),
    CLI_NETWORK_OPTIONS(struct arguments, network),
    CLI_END,
};

static const struct cli_command command = {
    .name = "join",
    .synopsis = "URL [--name N] [--room R] [--video test|none] [--audio tone|none] [--chat] "
                "[--echo] [--snapshot FILE.png] [--duration S] [--stats text|json]",
    .summary = "Joins a room and shows who is there, with live figures, until Ctrl-C.",
    .details = "URL is the server's: ws://HOST:PORT/ws, or the page's address.\n\n"
               "Exit codes: 0 left as asked, 1 failed (the room was lost, nothing to write to the\n"
               "snapshot), 2 wrong command line, 3 the server could not be reached in 30 s, 4 the\n"
               "server refused (token, full room, name).",
    .options = options,
    .arguments_min = 1,
    .arguments_max = 1,
};

static enum ln_source_kind source_of(const char *value)
{
    return value && strcmp(value, "none") != 0 ? LN_SOURCE_TEST : LN_SOURCE_NONE;
}

/* Ctrl-C and SIGTERM become readable; to be called before any thread is started. */
static int open_signals(void)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &signals, SFD_CLOEXEC);
}

int cli_join(int argc, char **argv)
{
    struct arguments a = { .name = "guest", .room = "demo" };
    struct cli_words positional;
    struct guest_options guest;
    int signals, code;

    switch (cli_parse(&command, argc, argv, &a, &positional)) {
    case CLI_HELP:
        return CLI_EXIT_OK;
    case CLI_USAGE:
        return CLI_EXIT_USAGE;
    case CLI_PARSED:
        break;
    }
    if (!cli_network_valid("join", positional.items[0], &a.network))
        return CLI_EXIT_USAGE;
    guest = (struct guest_options){ .command = "linnet join",
                                    .url = positional.items[0],
                                    .room = a.room,
                                    .name = a.name,
                                    .token = a.token,
                                    .video = source_of(a.video),
                                    .audio = source_of(a.audio),
                                    .chat = a.chat,
                                    .echo = a.echo,
                                    .insecure = a.insecure,
                                    .loopback = a.loopback,
                                    .network = &a.network,
                                    .snapshot = a.snapshot,
                                    .duration = a.duration,
                                    .output = GUEST_TEXT };
    if (a.stats && strcmp(a.stats, "json") == 0)
        guest.output = GUEST_JSON;
    signals = open_signals();
    code = guest_run(&guest, signals);
    if (signals >= 0)
        close(signals);
    return code;
}
