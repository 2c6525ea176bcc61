/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ice_servers.h"

#include <string.h>

#define M_LINE_MAX 1024 /* more sections than any description has */

static size_t read_urls(const json_t *urls, const char **list)
{
    size_t count = 0, i;
    json_t *url;

    if (json_is_string(urls)) {
        list[0] = json_string_value(urls);
        return 1;
    }
    json_array_foreach(urls, i, url)
    {
        if (json_is_string(url) && count < LN_ICE_SERVER_URLS_MAX)
            list[count++] = json_string_value(url);
    }
    return count;
}

void ln_ice_servers_read(struct ln_ice_servers *ice, const json_t *array)
{
    json_t *server;
    size_t i;

    ln_ice_servers_deinit(ice);
    ice->texts = array ? json_deep_copy(array) : NULL;
    json_array_foreach(ice->texts, i, server)
    {
        struct ln_ice_server *to = &ice->servers[ice->count];

        if (ice->count == LN_ICE_SERVERS_MAX)
            break;
        to->urls = ice->urls[ice->count];
        to->url_count = read_urls(json_object_get(server, "urls"), ice->urls[ice->count]);
        to->username = json_string_value(json_object_get(server, "username"));
        to->credential = json_string_value(json_object_get(server, "credential"));
        if (to->url_count > 0)
            ice->count++;
    }
}

void ln_ice_servers_deinit(struct ln_ice_servers *ice)
{
    json_decref(ice->texts);
    ice->texts = NULL;
    ice->count = 0;
}

bool ln_ice_candidate_read(const json_t *object, struct ln_ice_candidate_init *ret_candidate)
{
    const json_t *line = json_object_get(object, "sdpMLineIndex");
    struct ln_ice_candidate_init init = {
        .candidate = json_string_value(json_object_get(object, "candidate")),
        .sdp_mid = json_string_value(json_object_get(object, "sdpMid")),
        .sdp_m_line_index = -1,
        .username_fragment = json_string_value(json_object_get(object, "usernameFragment")),
    };

    if (!init.candidate)
        return false;
    if (json_is_integer(line) && json_integer_value(line) >= 0 &&
        json_integer_value(line) < M_LINE_MAX)
        init.sdp_m_line_index = (int32_t)json_integer_value(line);
    *ret_candidate = init;
    return true;
}
