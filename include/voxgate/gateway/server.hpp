#pragma once
// The whole server: builds the graph from a configuration, opens the doors, drains, and takes everything down in order.

#include <cstdint>
#include <memory>
#include <string>

#include "voxgate/gateway/config.hpp"

namespace voxgate::gateway {

struct Doors {
  std::uint16_t public_port = 0, admin_port = 0, metrics_port = 0;  // metrics: 0 where there is none
};

/// Threads: any, except from a loop.
class Server {
 public:
  /// Builds everything and starts the loops; nothing is open yet. Throws std::runtime_error with lines for people.
  explicit Server(Config config);
  /// Ends what is left at once.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Opens the doors; throws std::runtime_error naming the one that is taken.
  void open();
  Doors doors() const;

  /// Blocks until request_stop() (or SIGTERM, SIGINT where signals were asked for), drains, and takes everything down.
  void serve(bool handle_signals);
  /// Starts the drain; a second call forces the end. Any thread.
  void request_stop();

  std::size_t active_calls() const;
  /// The text of /metrics.
  std::string scrape() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace voxgate::gateway
