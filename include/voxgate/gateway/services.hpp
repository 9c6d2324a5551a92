#pragma once
// The agents and the services that speak for them: what a call opens its streams from.

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "voxgate/base/metrics.hpp"
#include "voxgate/base/settings.hpp"
#include "voxgate/call/agent.hpp"
#include "voxgate/gateway/config.hpp"
#include "voxgate/net/loop.hpp"
#include "voxgate/vendors/asr_stream.hpp"
#include "voxgate/vendors/llm_stream.hpp"
#include "voxgate/vendors/tts_stream.hpp"

namespace voxgate::gateway {

/// The streams of one call; all null for the echo agent.
struct CallStreams {
  std::unique_ptr<vendors::AsrStream> asr;
  std::unique_ptr<vendors::LlmStream> llm;
  std::unique_ptr<vendors::TtsStream> tts;
};

struct CallSinks {
  vendors::EventSink<vendors::AsrEvent> asr;
  vendors::EventSink<vendors::LlmEvent> llm;
  vendors::EventSink<vendors::TtsEvent> tts;
};

/// Threads: agent() and open() from any loop.
class Services {
 public:
  /// Reads the agent files and starts the engines they need; throws std::runtime_error with one line per problem.
  Services(const Config& config, metrics::Registry& registry);
  ~Services();
  Services(const Services&) = delete;
  Services& operator=(const Services&) = delete;

  /// nullptr if there is no such agent.
  std::shared_ptr<const call::AgentSpec> agent(const std::string& name) const;
  std::vector<std::string> agent_names() const;

  /// Opens the streams of a call on `loop`. Errors: Errc::unsupported for a format the services do not speak.
  Result<CallStreams> open(net::Loop& loop, const call::AgentSpec& agent, audio::AudioFormat format, CallSinks sinks);

  /// Ends the worker threads; open streams get no more events.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Reads one agent file's text; the name is the file's unless the text gives one.
struct LoadedAgent {
  call::AgentSpec agent;
  std::vector<settings::Problem> problems;
};
LoadedAgent load_agent_text(const std::string& text, const std::string& default_name);

}  // namespace voxgate::gateway
