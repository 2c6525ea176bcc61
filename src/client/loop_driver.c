/* SPDX-License-Identifier: Apache-2.0 */
#include "client/loop_driver.h"

#include "base/alloc.h"
#include "mdns/mdns.h"

#include <linnet/environment.h>
#include <linnet/error.h>

/* Of one listener, which thousands of peers may share: what nobody wants is bounded there, in
 * src/ice/mux.h, and by the agents. */
#define STREAMS_MAX 65536

struct ln_driver {
    ln_environment *environment;
    struct ln_loop *loop;
    struct ln_mdns *mdns;
    struct ln_loop_endpoint *mdns_handle;
};

static void after_mdns(void *ctx, ln_time now)
{
    struct ln_driver *driver = ctx;
    struct ln_mdns_event event;

    (void)now;
    while (ln_mdns_poll_event(driver->mdns, &event)) {
        if (event.kind == LN_MDNS_RESOLVED)
            ln_loop_resolved(driver->loop, event.id, event.error, event.addresses,
                             event.address_count);
        else
            ln_loop_published(driver->loop, event.id, event.error);
    }
}

static void resolve_local(void *ctx, uint64_t token, const char *name, uint8_t family)
{
    struct ln_driver *driver = ctx;
    int error = ln_mdns_query(driver->mdns, name, token);

    (void)family; /* one question asks for both */
    if (error)
        ln_loop_resolved(driver->loop, token, error, NULL, 0);
    else
        ln_loop_touch(driver->mdns_handle);
}

static void publish(void *ctx, uint64_t token, const char *name, const struct ln_address *address)
{
    struct ln_driver *driver = ctx;
    int error = ln_mdns_publish(driver->mdns, name, address, token);

    if (error)
        ln_loop_published(driver->loop, token, error);
    else
        ln_loop_touch(driver->mdns_handle);
}

static void withdraw(void *ctx, uint64_t token)
{
    struct ln_driver *driver = ctx;

    ln_mdns_withdraw(driver->mdns, token);
    ln_loop_touch(driver->mdns_handle);
}

static int start(struct ln_driver *driver)
{
    static const struct ln_loop_publisher publisher = { publish, withdraw };
    struct ln_loop_config config = { 0 };
    int error = ln_environment_create(NULL, NULL, &driver->environment);

    if (error)
        return error;
    config.env = ln_environment_env(driver->environment);
    config.streams_max = STREAMS_MAX;
    error = ln_loop_create(&driver->loop, &config);
    if (!error)
        error = ln_mdns_create(&driver->mdns, NULL, config.env);
    if (!error)
        error = ln_loop_add_endpoint(driver->loop, ln_mdns_endpoint(driver->mdns), after_mdns,
                                     driver, &driver->mdns_handle);
    if (error)
        return error;
    ln_loop_set_publisher(driver->loop, &publisher, driver);
    return ln_loop_set_resolver(driver->loop, ".local", resolve_local, driver);
}

int ln_driver_create(struct ln_driver **ret_driver)
{
    struct ln_driver *driver = ln_alloc_zero(ln_allocator_libc(), sizeof *driver);
    int error;

    if (!driver)
        return LN_ERR_NOMEM;
    error = start(driver);
    if (error) {
        ln_driver_free(driver);
        return error;
    }
    *ret_driver = driver;
    return 0;
}

void ln_driver_free(struct ln_driver *driver)
{
    if (!driver)
        return;
    if (driver->loop)
        ln_loop_set_publisher(driver->loop, NULL, NULL);
    ln_loop_remove_endpoint(driver->mdns_handle);
    ln_mdns_free(driver->mdns);
    ln_loop_free(driver->loop);
    ln_environment_free(driver->environment);
    ln_free(ln_allocator_libc(), driver);
}

struct ln_loop *ln_driver_loop(struct ln_driver *driver)
{
    return driver->loop;
}

struct ln_env *ln_driver_env(struct ln_driver *driver)
{
    return ln_environment_env(driver->environment);
}
