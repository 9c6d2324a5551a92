#pragma once
// What a simulated caller does, turn by turn, as it is written on a command line.

#include <optional>
#include <string>
#include <vector>

#include "voxgate/base/time.hpp"

namespace voxgate::sim {

enum class TurnKind { say, wav, dtmf, wait };
const char* to_string(TurnKind kind);

struct ScriptTurn {
  TurnKind kind = TurnKind::wait;
  std::string text;                  // words, file name or digits
  std::optional<Duration> barge_at;  // after the previous reply began to sound; else when it is over
  std::string expect;                // regular expression without case for the agent's reply; empty: anything
};

/// Takes the turn words out of a command line, in order.
class CallScript {
 public:
  /// Looks at args[i]; if it belongs to the script, consumes it and its value (i is then on the last word taken).
  /// False: not ours, or wrong (then error() says how).
  bool take(const std::vector<std::string>& args, std::size_t& i);
  const std::string& error() const { return error_; }

  /// Checks the greeting, of which an --expect before any turn speaks.
  const std::string& expect_greeting() const { return expect_greeting_; }
  const std::vector<ScriptTurn>& turns() const { return turns_; }

 private:
  bool fail(std::string why);
  bool take_turn(TurnKind kind, const std::string& value);
  bool take_barge(const std::string& value);
  bool take_expect(const std::string& value);

  std::vector<ScriptTurn> turns_;
  std::string expect_greeting_;
  std::string error_;
};

/// Does `text` contain a match of `pattern`, ignoring case? ECMAScript syntax; a bad pattern matches nothing.
bool matches(const std::string& pattern, const std::string& text);

}  // namespace voxgate::sim
