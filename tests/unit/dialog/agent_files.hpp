#pragma once
// The agents that come with the project, for tests.

#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>

#include "voxgate/dialog/script.hpp"

namespace voxgate::dialog::test {

inline std::string agent_file(const std::string& name) {
  std::ifstream in(std::string(VOXGATE_SOURCE_DIR) + "/config/agents/" + name + ".json");
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

inline std::shared_ptr<const Script> script_from(const std::string& agent, const std::string& text) {
  auto parsed = Script::parse_agent_file(agent, text);
  if (const auto* errors = std::get_if<std::vector<ScriptError>>(&parsed)) {
    std::string all;
    for (const ScriptError& error : *errors) all += error.path + ": " + error.message + "\n";
    throw std::runtime_error(all);
  }
  return std::get<std::shared_ptr<const Script>>(parsed);
}

inline std::shared_ptr<const Script> agent_script(const std::string& name) {
  return script_from(name, agent_file(name));
}

}  // namespace voxgate::dialog::test
