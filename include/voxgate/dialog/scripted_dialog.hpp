#pragma once
// The embedded "language model": answers by a script (dialog/script.hpp) instead of a network.
//
// It keeps nothing between requests: where the conversation stands travels as LlmState in each answer and comes back
// with the history, so that speculative requests can be dropped and a call can go on in another process.

#include <cstdint>
#include <memory>
#include <string>

#include "voxgate/dialog/script.hpp"
#include "voxgate/vendors/llm_stream.hpp"

namespace voxgate::dialog {

/// What a script answers to one request, as plain data; the same request always gives the same answer.
struct ScriptedAnswer {
  std::string text;
  bool protect = false;
  vendors::Expectation expectation;
  std::string state;  // opaque: JSON
  bool hang_up = false;
  std::string transfer;  // empty: none
};

ScriptedAnswer answer_by_script(const Script& script, const vendors::LlmRequest& request);

/// Every event is sent from within start(). Owner and thread: the call's loop. The sink may destroy the stream.
class ScriptedDialog final : public vendors::LlmStream {
 public:
  ScriptedDialog(std::shared_ptr<const Script> script, vendors::EventSink<vendors::LlmEvent> sink);
  ~ScriptedDialog() override;
  void start(vendors::LlmRequest request) override;
  void cancel(std::uint64_t request) override;

 private:
  std::shared_ptr<const Script> script_;
  vendors::EventSink<vendors::LlmEvent> sink_;
  std::shared_ptr<std::uint64_t> current_;  // request in flight, 0: none
};

}  // namespace voxgate::dialog
