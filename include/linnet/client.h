/* SPDX-License-Identifier: Apache-2.0
 * Rooms: join one, be seen and heard, see and hear the others, exchange messages. The library does
 * the rest by itself: signalling that reconnects, one peer connection for each participant, ICE
 * restarts, encoding, decoding and playing.
 *
 *   static void heard(void *ctx, ln_room *room, ln_participant *from, const char *text, size_t len)
 *   {
 *       printf("%s: %s\n", ln_participant_name(from), text);
 *   }
 *   ...
 *   struct ln_room_options options;
 *   ln_room_options_init(&options);
 *   options.name = "me";
 *   options.video = options.audio = LN_SOURCE_TEST;
 *   options.on_message = heard;
 *   if (ln_client_create(NULL, &client) == 0 &&
 *       ln_room_join(client, "ws://127.0.0.1:8080/ws", "demo", &options, &room) == 0)
 *       ln_client_run(client);
 *   ln_client_free(client);
 *
 * Thread rule: a client belongs to the thread that created it; everything here is called on that
 * thread, also from inside callbacks, except ln_client_post() and ln_client_stop(), which any
 * thread may call. Callbacks run only inside ln_client_dispatch() and ln_client_run(). Sockets,
 * codecs and signalling have threads of their own that never call the application. */
#ifndef LINNET_CLIENT_H
#define LINNET_CLIENT_H

#include <linnet/configuration.h>
#include <linnet/enums.h>
#include <linnet/error.h>
#include <linnet/frame.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ln_client ln_client;
typedef struct ln_room ln_room;
typedef struct ln_participant ln_participant;

/* ---- the client ---- */

/* Fill it with ln_client_config_init() first. */
struct ln_client_config {
    size_t size;
    uint8_t codec_threads; /* for video; 0: by the number of processors. Sound has its own */
    bool include_loopback; /* loopback addresses as candidates too */
    struct ln_network_options network; /* texts are borrowed until ln_client_free() */
    uint16_t port_min, port_max;       /* local UDP ports; 0, 0: any */
    bool one_port; /* all participants come by one UDP port, and one TCP port (network.ice_tcp) */
    uint16_t udp_port, tcp_port;    /* with it: which ones; 0: any (linnet/shared_port.h) */
    uint32_t max_bitrate_bps;       /* for each participant; 0: the default of ln_configuration */
    struct ln_allocator *allocator; /* NULL: the C library's; must be safe for several threads */
};

LN_API void ln_client_config_init(struct ln_client_config *config);

/* Starts its threads. config NULL takes the defaults. Returns 0, LN_ERR_NOMEM, LN_ERR_CRYPTO,
 * LN_ERR_LIMIT (no descriptor left) or LN_ERR_SYSTEM. */
LN_API LN_NODISCARD int ln_client_create(const struct ln_client_config *config,
                                         ln_client **ret_client);
/* Leaves all rooms (the others are told), ends the threads and frees everything. No callback comes
 * any more. Not from inside a callback. NULL is fine. */
LN_API void ln_client_free(ln_client *client);

/* Readable while ln_client_dispatch() has something to do. Only to be polled. */
LN_API int ln_client_fd(const ln_client *client);
/* Makes the callbacks that are due, then returns. Not from inside a callback. */
LN_API void ln_client_dispatch(ln_client *client);
/* Waits and dispatches until ln_client_stop() is called, or the last room has been left; returns at
 * once when there is none. Returns 0, the error that the last room ended with, or LN_ERR_SYSTEM. */
LN_API LN_NODISCARD int ln_client_run(ln_client *client);
/* Ends ln_client_run(). Any thread; not a signal handler. */
LN_API void ln_client_stop(ln_client *client);
/* Any thread: has call(ctx) made like a callback, in the order of the posts. Returns 0,
 * LN_ERR_LIMIT (the queue is full) or LN_ERR_NOMEM. What is posted and not yet made when the client
 * is freed is not made. */
LN_API LN_NODISCARD int ln_client_post(ln_client *client, void (*call)(void *ctx), void *ctx);

/* ---- figures ---- */

/* One track in one direction. Counts since its start, rates over the last second. */
struct ln_track_figures {
    bool active; /* frames pass */
    enum ln_codec codec;
    uint64_t frames; /* encoded, or decoded */
    uint64_t key_frames;
    uint64_t dropped; /* frames that were given up: the codec or the network was too slow */
    double fps;       /* video */
    uint16_t width, height;
    double bitrate_bps; /* payload */
    uint64_t packets, packets_lost;
    double loss; /* of the last second's packets, 0 to 1 */
    double jitter_ms;
    double codec_ms; /* spent to encode or decode a frame, mean */

    /* Received test pictures (docs/test-picture.md). */
    uint64_t numbers_read, numbers_missing, numbers_disordered;
    uint32_t last_number;
    int32_t latency_p50_ms, latency_p95_ms; /* capture to display by the wall clock; -1: unknown */

    /* Sound. */
    uint64_t samples, samples_concealed;
    double level_dbov;   /* 0 loudest, -127 silence */
    double frequency_hz; /* the strongest, of the last half second; 0: none */
};

struct ln_participant_figures {
    struct ln_track_figures video_in, audio_in, video_out, audio_out;
    double round_trip_ms;         /* -1: unknown */
    double available_bitrate_bps; /* estimate for sending; 0: unknown */
    double flash_to_beep_ms;      /* picture before sound is positive; NAN: unknown */
    enum ln_peer_connection_state state;
    uint32_t ice_restarts; /* made by this side */
};

/* ---- participants: the others in a room. Valid from on_participant_joined until
 * on_participant_left returns. ---- */

LN_API const char *ln_participant_id(const ln_participant *participant);
LN_API const char *ln_participant_name(const ln_participant *participant);
LN_API enum ln_peer_connection_state ln_participant_state(const ln_participant *participant);
/* Whether messages reach it now. */
LN_API bool ln_participant_can_receive(const ln_participant *participant);
LN_API void ln_participant_figures(const ln_participant *participant,
                                   struct ln_participant_figures *ret);
LN_API void ln_participant_set_user_data(ln_participant *participant, void *user_data);
LN_API void *ln_participant_user_data(const ln_participant *participant);

/* ---- rooms ---- */

enum ln_source_kind {
    LN_SOURCE_NONE,        /* nothing is sent */
    LN_SOURCE_TEST,        /* the test picture, the test tone */
    LN_SOURCE_APPLICATION, /* what ln_room_send_picture(), ln_room_send_samples() are given */
};

enum ln_room_state {
    LN_ROOM_STATE_CONNECTING,
    LN_ROOM_STATE_JOINED,
    LN_ROOM_STATE_RECONNECTING, /* the server cannot be reached; media between participants goes on
                                 */
    LN_ROOM_STATE_LEFT,         /* for good */
};
/* "connecting", "joined", "reconnecting", "left". */
LN_API const char *ln_room_state_name(enum ln_room_state state);

/* Fill it with ln_room_options_init() first. Texts are copied. Every callback may be NULL; they may
 * call anything but ln_client_free(), ln_client_dispatch() and ln_client_run(). */
struct ln_room_options {
    size_t size;
    const char *name;  /* shown to the others; default "linnet" */
    const char *token; /* NULL: none */
    enum ln_source_kind video, audio;
    uint16_t video_width, video_height, video_fps; /* of the test picture; 640, 480, 30 */
    bool receive_video, receive_audio;             /* default true */
    bool insecure;                                 /* wss: any certificate will do */
    void *ctx;

    /* error and sentence tell why the state is RECONNECTING or LEFT; error 0: as asked. A
     * participant that comes back under another id is another one. */
    void (*on_state)(void *ctx, ln_room *room, enum ln_room_state state, int error,
                     const char *sentence);
    void (*on_participant_joined)(void *ctx, ln_room *room, ln_participant *participant);
    void (*on_participant_left)(void *ctx, ln_room *room, ln_participant *participant);
    /* ln_participant_state() or ln_participant_can_receive() changed. */
    void (*on_participant_state)(void *ctx, ln_room *room, ln_participant *participant);
    /* A track of it began (live) or ended. */
    void (*on_track)(void *ctx, ln_room *room, ln_participant *participant, enum ln_media_kind kind,
                     bool live);
    /* A text from its chat channel, NUL-terminated. */
    void (*on_message)(void *ctx, ln_room *room, ln_participant *from, const char *text,
                       size_t len);
    /* A picture at its time, samples at theirs: borrowed, ln_picture_ref() keeps them. When the
     * application is slow, the oldest are dropped. */
    void (*on_picture)(void *ctx, ln_room *room, ln_participant *from,
                       const struct ln_picture *picture);
    void (*on_samples)(void *ctx, ln_room *room, ln_participant *from,
                       const struct ln_samples *samples);
    /* Once a second for each participant. */
    void (*on_figures)(void *ctx, ln_room *room, ln_participant *participant,
                       const struct ln_participant_figures *figures);
    /* ln_room_snapshot() is done: 0, LN_ERR_AGAIN (no picture has come yet), LN_ERR_NOT_FOUND (no
     * such folder), LN_ERR_NOT_ALLOWED, LN_ERR_SYSTEM, LN_ERR_NOMEM. */
    void (*on_snapshot)(void *ctx, ln_room *room, ln_participant *participant, const char *path,
                        int error);
};

LN_API void ln_room_options_init(struct ln_room_options *options);

/* Begins to join. url is the server's, "ws://HOST[:PORT]/ws" or "wss://...". It keeps trying while
 * the server cannot be reached; what the server refuses ends in LN_ROOM_STATE_LEFT. The room is
 * freed by ln_room_free() or with the client.
 *
 * Returns 0, LN_ERR_SYNTAX (the URL), LN_ERR_INVALID_ARGUMENT (room or name; a name that is too
 * long), LN_ERR_LIMIT or LN_ERR_NOMEM. */
LN_API LN_NODISCARD int ln_room_join(ln_client *client, const char *url, const char *name,
                                     const struct ln_room_options *options, ln_room **ret_room);
/* Tells the server and the others; LN_ROOM_STATE_LEFT follows within a second. */
LN_API void ln_room_leave(ln_room *room);
/* Leaves, and no callback of it comes any more. Also inside its callbacks. NULL is fine. */
LN_API void ln_room_free(ln_room *room);

LN_API enum ln_room_state ln_room_state(const ln_room *room);
LN_API const char *ln_room_own_id(const ln_room *room); /* "" before it is joined */
LN_API size_t ln_room_participant_count(const ln_room *room);
LN_API ln_participant *ln_room_participant(const ln_room *room, size_t index);

/* Sends a text to one participant's chat channel, or to all (`to` NULL). Those that cannot receive
 * now get it as soon as they can, up to 256 texts each. Returns 0, LN_ERR_INVALID_ARGUMENT (not
 * UTF-8, or longer than 65536 bytes), LN_ERR_INVALID_STATE (left), LN_ERR_LIMIT or LN_ERR_NOMEM. */
LN_API LN_NODISCARD int ln_room_send_message(ln_room *room, ln_participant *to, const char *text,
                                             size_t len);

/* With LN_SOURCE_APPLICATION: a reference is taken. capture_time is on ln_client_now()'s clock.
 * Samples: 48 kHz. Returns 0, LN_ERR_INVALID_STATE, LN_ERR_LIMIT or LN_ERR_NOMEM. */
LN_API LN_NODISCARD int ln_room_send_picture(ln_room *room, struct ln_picture *picture);
LN_API LN_NODISCARD int ln_room_send_samples(ln_room *room, struct ln_samples *samples);
LN_API ln_time ln_client_now(const ln_client *client);

/* Writes the participant's latest picture as a PNG file; on_snapshot tells. Returns 0,
 * LN_ERR_INVALID_STATE, LN_ERR_LIMIT or LN_ERR_NOMEM. */
LN_API LN_NODISCARD int ln_room_snapshot(ln_room *room, ln_participant *participant,
                                         const char *path);

/* Drops the socket to the server, as a bad network would: the room resumes. For tests. */
LN_API void ln_room_drop_connection(ln_room *room);

#ifdef __cplusplus
}
#endif
#endif
