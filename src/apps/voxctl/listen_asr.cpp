#include "apps/voxctl/listen_asr.hpp"

#include <filesystem>
#include <stdexcept>
#include <variant>

#include "apps/voxctl/files.hpp"
#include "voxgate/dialog/script.hpp"

namespace voxgate::voxctl {
namespace {

constexpr std::size_t kPreRollFrames = 15;

std::shared_ptr<const dialog::Script> load_script(const std::string& name, const std::string& path) {
  const auto bytes = read_file(path);
  if (!bytes) throw std::runtime_error(path + ": " + bytes.error().message());
  auto parsed = dialog::Script::parse_agent_file(name, std::string(bytes->begin(), bytes->end()));
  if (const auto* errors = std::get_if<std::vector<dialog::ScriptError>>(&parsed)) {
    const auto& first = errors->front();
    throw std::runtime_error(path + ": " + first.path + ": " + first.message);
  }
  return std::get<std::shared_ptr<const dialog::Script>>(parsed);
}

}  // namespace

AsrEar::AsrEar(const std::string& agent, audio::AudioFormat format) {
  const bool is_file = agent.ends_with(".json");
  const std::string path = is_file ? agent : "config/agents/" + agent + ".json";
  const std::string name = is_file ? std::filesystem::path(agent).stem().string() : agent;
  const auto run_inline = [](std::uint64_t, std::function<void()> job) {
    job();
    return true;
  };
  const auto post_inline = [](std::function<void()> f) { f(); };
  recogniser_ = std::make_unique<engines::Recogniser>(engines::RecogniserConfig{}, run_inline);
  recogniser_->load({load_script(name, path)->speech()});
  stream_ = recogniser_->open(name, format, post_inline, [this](vendors::AsrEvent&& event) {
    if (auto* partial = std::get_if<vendors::AsrPartial>(&event)) {
      partials_.push_back({std::move(partial->text), partial->complete});
    }
  });
  if (!stream_) throw std::runtime_error("the recogniser does not take " + audio::to_string(format));
}

void AsrEar::hear(std::span<const std::uint8_t> wire, bool in_turn) {
  if (!in_turn) {
    feeding_ = false;
    pre_roll_.emplace_back(wire.begin(), wire.end());
    if (pre_roll_.size() > kPreRollFrames) pre_roll_.pop_front();
    return;
  }
  if (!feeding_) {
    for (const auto& earlier : pre_roll_) stream_->audio(earlier);
    pre_roll_.clear();
    feeding_ = true;
  }
  stream_->audio(wire);
}

std::vector<AsrEar::Partial> AsrEar::take_partials() {
  return std::exchange(partials_, {});
}

void AsrEar::end_turn() {
  feeding_ = false;
  stream_->force_end_of_turn();
  partials_.clear();
}

void AsrEar::discard_turn() {
  feeding_ = false;
  stream_->discard_turn();
  partials_.clear();
}

}  // namespace voxgate::voxctl
