#include "voxgate/dialog/scripted_dialog.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "dialog/script_run.hpp"

namespace voxgate::dialog {

using vendors::LlmEvent;
using vendors::LlmRequest;

namespace {

/// Sentences one after the other, as a model that streams would send them.
std::vector<std::string> in_sentences(const std::string& text) {
  std::vector<std::string> out;
  std::size_t from = 0;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    const bool ends = (text[i] == '.' || text[i] == '?' || text[i] == '!') && text[i + 1] == ' ';
    if (!ends) continue;
    out.push_back(text.substr(from, i + 2 - from));
    from = i + 2;
  }
  if (from < text.size()) out.push_back(text.substr(from));
  return out;
}

}  // namespace

ScriptedAnswer answer_by_script(const Script& script, const LlmRequest& request) {
  return ScriptRun(script, request).answer();
}

ScriptedDialog::ScriptedDialog(std::shared_ptr<const Script> script, vendors::EventSink<LlmEvent> sink)
    : script_(std::move(script)), sink_(std::move(sink)), current_(std::make_shared<std::uint64_t>(0)) {}

ScriptedDialog::~ScriptedDialog() {
  *current_ = 0;
}

void ScriptedDialog::start(LlmRequest request) {
  const std::uint64_t id = request.id;
  *current_ = id;
  ScriptedAnswer answer = answer_by_script(*script_, request);
  std::vector<LlmEvent> events;
  if (answer.protect) events.push_back({id, vendors::LlmProtect{}});
  for (std::string& sentence : in_sentences(answer.text)) events.push_back({id, vendors::LlmText{std::move(sentence)}});
  const bool leaves = answer.hang_up || !answer.transfer.empty();
  if (!leaves) events.push_back({id, vendors::LlmExpect{std::move(answer.expectation)}});
  events.push_back({id, vendors::LlmState{std::move(answer.state)}});
  if (!answer.transfer.empty()) {
    const nlohmann::json arguments = {{"to", answer.transfer}};
    events.push_back({id, vendors::LlmToolCall{"1", std::string(vendors::kToolTransfer), arguments.dump()}});
  } else if (answer.hang_up) {
    events.push_back({id, vendors::LlmToolCall{"1", std::string(vendors::kToolHangup), "{}"}});
  }
  events.push_back({id, vendors::LlmDone{leaves ? vendors::LlmStop::tool_calls : vendors::LlmStop::stop}});
  // The sink may cancel, start the next request or destroy this stream: nothing of `this` is touched after it.
  const auto current = current_;
  const auto sink = sink_;
  for (std::size_t i = 0; i < events.size() && *current == id; ++i) {
    if (i + 1 == events.size()) *current = 0;
    sink(std::move(events[i]));
  }
}

void ScriptedDialog::cancel(std::uint64_t request) {
  if (*current_ == request) *current_ = 0;
}

}  // namespace voxgate::dialog
