#pragma once
// The concrete I/O types, fixed once: everything on a loop uses the loop's own executor, never the polymorphic one.

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/wait_traits.hpp>

#include "voxgate/base/result.hpp"
#include "voxgate/base/time.hpp"

namespace voxgate::net {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<tcp, Executor>;
using Timer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor>;

template <class T = void>
using Awaitable = asio::awaitable<T, Executor>;

/// Completion token of all I/O: `auto [ec, n] = co_await socket.async_read_some(buffer, kTuple);` A disconnect is a
/// result, not an exception.
inline constexpr auto kTuple = asio::as_tuple(asio::use_awaitable_t<Executor>{});

}  // namespace voxgate::net
