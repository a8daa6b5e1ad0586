// Sends one CancelRequest to a server and waits until the server has closed the connection, which
// it does when the signal is sent (PostgreSQL documentation, "Canceling Requests in Progress").
#pragma once

#include <uv.h>

#include <cstdint>
#include <functional>
#include <string>

#include "sharding/shard_map.h"

namespace meridian {

// Runs on libuv's thread pool with a blocking socket, since it is rare and must not delay the loop;
// `done` is called on the loop's thread, whether it succeeded or not, within a few seconds.
void SendCancel(uv_loop_t* loop, const NodeAddress& node, uint32_t pid, std::string secret,
                std::function<void()> done);

}  // namespace meridian
