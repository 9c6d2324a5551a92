#pragma once
// Fills a described struct from JSON, collecting every problem instead of stopping at the first.

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "voxgate/base/settings.hpp"

namespace voxgate::gateway {

/// Parses JSON with comments; a syntax error becomes a problem with its line.
bool parse_settings(const std::string& text, nlohmann::json& out, std::vector<settings::Problem>& problems);

class SettingsReader final : public settings::Visitor {
 public:
  /// `lines` may be empty (values from a command line).
  SettingsReader(const nlohmann::json& root, std::map<std::string, int> lines,
                 std::vector<settings::Problem>& problems);

  /// Call after describe(): reports the unknown keys of the top level.
  void finish();

  using settings::Visitor::field;
  bool enter(std::string_view key, std::string_view doc) override;
  void leave() override;
  void field(std::string_view key, bool& value, const settings::Meta& meta) override;
  void field(std::string_view key, std::int64_t& value, const settings::Meta& meta) override;
  void field(std::string_view key, double& value, const settings::Meta& meta) override;
  void field(std::string_view key, std::string& value, const settings::Meta& meta) override;
  void field(std::string_view key, std::vector<std::string>& value, const settings::Meta& meta) override;
  void field(std::string_view key, std::vector<std::pair<std::string, std::string>>& value,
             const settings::Meta& meta) override;
  void raw(std::string_view key, std::string& json_text, const settings::Meta& meta) override;

 private:
  struct Level {
    const nlohmann::json* object;
    std::string path;
    std::vector<std::string> known;
  };
  const nlohmann::json* find(std::string_view key);
  std::string path_of(std::string_view key) const;
  void problem(const std::string& path, std::string message);
  void check_unknown(const Level& level);
  std::string substitute(const std::string& path, const std::string& text);
  template <class Number>
  void number(std::string_view key, Number& value, const settings::Meta& meta, bool whole);

  std::map<std::string, int> lines_;
  std::vector<settings::Problem>& problems_;
  std::vector<Level> levels_;
};

/// The described struct as JSON, secrets hidden (or, for the reference, with comments).
std::string write_settings(const std::function<void(settings::Visitor&)>& describe, bool with_comments);

}  // namespace voxgate::gateway
