#include "voxgate/gateway/services.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "gateway/json_lines.hpp"
#include "gateway/settings_reader.hpp"
#include "voxgate/base/log.hpp"
#include "voxgate/dialog/script.hpp"
#include "voxgate/dialog/scripted_dialog.hpp"
#include "voxgate/engines/recogniser.hpp"
#include "voxgate/engines/voice.hpp"
#include "voxgate/net/worker_pool.hpp"

namespace voxgate::gateway {
namespace {

constexpr const char* kEmbedded = "embedded";
constexpr const char* kScripted = "scripted";
constexpr std::size_t kEngineQueue = 20000;  // jobs: 20 ms of audio of one caller, or one clause, each

engines::Submit submit_to(net::WorkerPool& pool) {
  return [&pool](std::uint64_t key, std::function<void()> job) { return pool.submit_keyed(key, std::move(job)); };
}

engines::Post post_to(net::Loop& loop) {
  return [&loop](std::function<void()> f) { loop.post(std::move(f)); };
}

std::string one_line(const std::string& file, const settings::Problem& p) {
  return file + (p.line != 0 ? ':' + std::to_string(p.line) : "") + ": " + (p.path.empty() ? "" : p.path + ": ") +
         p.message;
}

}  // namespace

LoadedAgent load_agent_text(const std::string& text, const std::string& default_name) {
  LoadedAgent out;
  out.agent.name = default_name;
  nlohmann::json root;
  if (!parse_settings(text, root, out.problems)) return out;
  SettingsReader reader(root, json_lines(text), out.problems);
  call::describe(reader, out.agent);
  reader.finish();
  if (!out.problems.empty() || out.agent.kind == call::AgentSpec::Kind::echo) return out;
  const auto must_be = [&out](const char* path, const std::string& value, const char* wanted) {
    if (value != wanted) out.problems.push_back({path, 0, "no service '" + value + "'; there is: " + wanted});
  };
  must_be("asr.service", out.agent.asr, kEmbedded);
  must_be("llm.service", out.agent.llm, kScripted);
  must_be("tts.service", out.agent.tts, kEmbedded);
  if (!engines::Voice::has(out.agent.voice)) {
    std::string names;
    for (const std::string& name : engines::Voice::names()) names += (names.empty() ? "" : ", ") + name;
    out.problems.push_back({"tts.voice", 0, "no voice '" + out.agent.voice + "'; there are: " + names});
  }
  if (out.agent.script.empty()) out.problems.push_back({"script", 0, "a scripted agent needs one"});
  return out;
}

struct Services::Impl {
  struct Agent {
    std::shared_ptr<const call::AgentSpec> spec;
    std::shared_ptr<const dialog::Script> script;
  };

  Impl(const Config& config, metrics::Registry& registry)
      : asr_pool("asr", static_cast<std::size_t>(config.engines.asr_threads), kEngineQueue, registry),
        tts_pool("tts", static_cast<std::size_t>(config.engines.tts_threads), kEngineQueue, registry) {}

  void load_agents(const std::string& directory);
  void start_engines(const Config& config, metrics::Registry& registry);

  // The engines keep references to the pools: declared after them, destroyed before.
  net::WorkerPool asr_pool, tts_pool;
  std::unique_ptr<engines::Recogniser> recogniser;
  std::unique_ptr<engines::Voice> voice;
  std::map<std::string, Agent> agents;
};

void Services::Impl::load_agents(const std::string& directory) {
  namespace fs = std::filesystem;
  std::error_code error;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  if (error) throw std::runtime_error("agents.directory: cannot read " + directory + ": " + error.message());
  std::sort(files.begin(), files.end());
  std::string problems;
  for (const fs::path& file : files) {
    std::ifstream in(file);
    std::stringstream text;
    text << in.rdbuf();
    LoadedAgent loaded = load_agent_text(text.str(), file.stem().string());
    for (const auto& p : loaded.problems) problems += one_line(file.string(), p) + '\n';
    if (!loaded.problems.empty()) continue;
    Agent agent;
    if (loaded.agent.kind == call::AgentSpec::Kind::dialog) {
      auto parsed = dialog::Script::parse_agent_file(loaded.agent.name, text.str());
      if (const auto* errors = std::get_if<std::vector<dialog::ScriptError>>(&parsed)) {
        for (const auto& e : *errors) problems += file.string() + ": " + e.path + ": " + e.message + '\n';
        continue;
      }
      agent.script = std::get<std::shared_ptr<const dialog::Script>>(std::move(parsed));
    }
    agent.spec = std::make_shared<const call::AgentSpec>(std::move(loaded.agent));
    agents[agent.spec->name] = std::move(agent);
  }
  if (!problems.empty()) throw std::runtime_error(problems.substr(0, problems.size() - 1));
  if (agents.empty()) throw std::runtime_error("agents.directory: no agent files in " + directory);
}

void Services::Impl::start_engines(const Config& config, metrics::Registry& registry) {
  std::vector<vendors::AgentSpeech> speech;
  for (const auto& [name, agent] : agents) {
    if (agent.script) speech.push_back(agent.script->speech());
  }
  if (speech.empty()) return;
  engines::RecogniserConfig asr;
  asr.model_dir = config.engines.model_dir;
  asr.max_decoders = static_cast<std::size_t>(config.engines.max_decoders);
  asr.gate_threshold = config.engines.gate_threshold;
  recogniser = std::make_unique<engines::Recogniser>(asr, submit_to(asr_pool), &registry);
  recogniser->load(std::move(speech));
  engines::VoiceConfig tts;
  tts.cache_bytes = static_cast<std::size_t>(config.engines.voice_cache_bytes);
  voice = std::make_unique<engines::Voice>(tts, submit_to(tts_pool), &registry);
}

Services::Services(const Config& config, metrics::Registry& registry)
    : impl_(std::make_unique<Impl>(config, registry)) {
  impl_->load_agents(config.agents.directory);
  const auto require = [this](const std::string& where, const std::string& name) {
    if (!impl_->agents.contains(name)) throw std::runtime_error(where + ": no agent '" + name + "'");
  };
  require("agents.default", config.agents.default_agent);
  for (const auto& [number, name] : config.agents.numbers) require("agents.numbers." + number, name);
  impl_->start_engines(config, registry);
}

Services::~Services() {
  stop();
}

void Services::stop() {
  impl_->asr_pool.stop(net::WorkerPool::Pending::discard);
  impl_->tts_pool.stop(net::WorkerPool::Pending::discard);
}

std::shared_ptr<const call::AgentSpec> Services::agent(const std::string& name) const {
  const auto it = impl_->agents.find(name);
  return it == impl_->agents.end() ? nullptr : it->second.spec;
}

std::vector<std::string> Services::agent_names() const {
  std::vector<std::string> out;
  for (const auto& [name, agent] : impl_->agents) out.push_back(name);
  return out;
}

Result<CallStreams> Services::open(net::Loop& loop, const call::AgentSpec& agent, audio::AudioFormat format,
                                   CallSinks sinks) {
  CallStreams out;
  if (agent.kind == call::AgentSpec::Kind::echo) return out;
  const auto it = impl_->agents.find(agent.name);
  if (it == impl_->agents.end()) return make_error_code(Errc::not_found);
  out.asr = impl_->recogniser->open(agent.name, format, post_to(loop), std::move(sinks.asr));
  out.tts = impl_->voice->open(agent.voice, format, post_to(loop), std::move(sinks.tts));
  if (!out.asr || !out.tts) return make_error_code(Errc::unsupported);
  out.llm = std::make_unique<dialog::ScriptedDialog>(it->second.script, std::move(sinks.llm));
  return out;
}

}  // namespace voxgate::gateway
