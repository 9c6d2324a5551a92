#pragma once
// A whole gateway in the test's process, on free ports, and a Twilio stream to talk to it. Every test ends by checking
// that what its calls used has been given back.

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/raw_peer.hpp"
#include "voxgate/gateway/config.hpp"
#include "voxgate/gateway/server.hpp"

namespace voxgate::test {

#ifdef VOXGATE_SANITIZED
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

/// Calls `condition` until it holds; false after `limit`. The pause between tries is no part of what is tested.
bool eventually(const std::function<bool()>& condition, Duration limit = kPatience);

// ---- Twilio's messages, as documented
std::string connected_message();
std::string start_message(const std::string& call_id, const std::string& stream_id = "MZ0001",
                          const std::string& custom_parameters = "{}");
std::string media_message(std::string_view payload_base64, int chunk, const std::string& stream_id = "MZ0001");
std::string stop_message(const std::string& call_id, const std::string& stream_id = "MZ0001");
std::string mark_message(const std::string& name, const std::string& stream_id = "MZ0001");
std::string dtmf_message(char digit, const std::string& stream_id = "MZ0001");

/// 160 bytes of µ-law that differ from frame to frame and from call to call.
std::vector<std::uint8_t> frame_bytes(int call, int frame);
std::string base64_text(const std::vector<std::uint8_t>& bytes);

class GatewayFixture : public ::testing::Test {
 protected:
  GatewayFixture();
  ~GatewayFixture() override;

  /// Adds a file to the agents' directory.
  void add_agent(const std::string& name, const std::string& text);
  /// Takes agents from the project's config/agents.
  void use_real_agents();
  /// Starts with `config` and remembers the baseline.
  void start();
  /// Ends the server; the destructor does it too.
  void stop() { server_.reset(); }
  void TearDown() override;

  std::uint16_t port() const { return doors_.public_port; }
  std::uint16_t admin_port() const { return doors_.admin_port; }
  gateway::Server& server() { return *server_; }

  /// The value of one series by its full name with labels; 0 when it is not there.
  double metric(const std::string& series) const;
  /// True once the gauges of everything a call uses are as they were after start().
  bool back_to_baseline(Duration limit = kPatience);
  /// The gauges that differ from the baseline, for messages.
  std::string difference() const;

  /// Opens a stream and reads the 101; the peer is closed when it was refused.
  RawPeer open_stream(const std::string& call_id, const std::string& query = "?agent=echo");
  /// open_stream(), then the connected and start messages.
  RawPeer open_call(const std::string& call_id, const std::string& query = "?agent=echo");

  std::string directory() const { return directory_; }
  gateway::Config config;

 private:
  std::map<std::string, double> series() const;
  std::string directory_;
  std::unique_ptr<gateway::Server> server_;
  gateway::Doors doors_;
  std::map<std::string, double> baseline_;
};

}  // namespace voxgate::test
