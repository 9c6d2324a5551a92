#include "voxgate/sim/call_script.hpp"

#include <charconv>
#include <regex>

namespace voxgate::sim {
namespace {

constexpr auto kRegex = std::regex::ECMAScript | std::regex::icase;
constexpr double kLongestBarge = 600;  // seconds

bool is_digits(const std::string& s) {
  return !s.empty() && s.find_first_not_of("0123456789*#ABCD") == std::string::npos;
}

}  // namespace

const char* to_string(TurnKind kind) {
  switch (kind) {
    case TurnKind::say:
      return "say";
    case TurnKind::wav:
      return "wav";
    case TurnKind::dtmf:
      return "dtmf";
    case TurnKind::wait:
      break;
  }
  return "wait";
}

bool CallScript::fail(std::string why) {
  error_ = std::move(why);
  return false;
}

bool CallScript::take(const std::vector<std::string>& args, std::size_t& i) {
  const std::string& word = args[i];
  if (word == "--wait") return take_turn(TurnKind::wait, "");
  const bool ours =
      word == "--say" || word == "--wav" || word == "--dtmf" || word == "--barge-at" || word == "--expect";
  if (!ours) return false;
  if (i + 1 >= args.size()) return fail(word + " needs a value");
  const std::string& value = args[++i];
  if (word == "--say") return take_turn(TurnKind::say, value);
  if (word == "--wav") return take_turn(TurnKind::wav, value);
  if (word == "--dtmf") return take_turn(TurnKind::dtmf, value);
  if (word == "--barge-at") return take_barge(value);
  return take_expect(value);
}

bool CallScript::take_turn(TurnKind kind, const std::string& value) {
  if (kind == TurnKind::dtmf && !is_digits(value)) return fail("--dtmf takes 0-9, *, #, A-D, not '" + value + "'");
  if (kind != TurnKind::wait && value.empty()) return fail("--" + std::string(to_string(kind)) + " needs something");
  turns_.push_back({kind, value, std::nullopt, ""});
  return true;
}

bool CallScript::take_barge(const std::string& value) {
  double seconds = -1;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  const bool good = error == std::errc() && end == value.data() + value.size() && seconds >= 0;
  if (!good || seconds > kLongestBarge) return fail("--barge-at takes seconds, not '" + value + "'");
  if (turns_.empty()) return fail("--barge-at belongs behind the turn that interrupts");
  if (turns_.back().barge_at) return fail("one --barge-at a turn");
  turns_.back().barge_at = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
  return true;
}

bool CallScript::take_expect(const std::string& value) {
  if (value.empty()) return fail("--expect needs a regular expression");
  try {
    const std::regex check(value, kRegex);
  } catch (const std::regex_error& error) {
    return fail("--expect '" + value + "': " + error.what());
  }
  std::string& slot = turns_.empty() ? expect_greeting_ : turns_.back().expect;
  if (!slot.empty()) return fail("one --expect a turn");
  slot = value;
  return true;
}

bool matches(const std::string& pattern, const std::string& text) {
  try {
    return std::regex_search(text, std::regex(pattern, kRegex));
  } catch (const std::regex_error&) {
    return false;
  }
}

}  // namespace voxgate::sim
