#pragma once
// What a simulated call amounts to: per turn and in sum, for people and for programs.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "voxgate/sim/sim_call.hpp"

namespace voxgate::sim {

struct TurnReport {
  TurnKind kind = TurnKind::wait;
  std::string said;                     // words, file or digits
  std::string heard;                    // by the recogniser, or the keys as understood
  std::optional<double> word_accuracy;  // 0 to 1; only for words that were known
  std::optional<bool> heard_match;      // the same words after normalisation
  std::string agent;                    // as heard, by the gateway's record
  std::string expect;
  std::optional<bool> expect_ok;
  bool replied = false, timed_out = false, known = false, over = false;  // known: the gateway told of the turn
  std::optional<double> latency_ms;  // at the wire: last sample of speech sent -> first frame of the reply
  std::optional<double> gateway_ms;  // by the gateway; the stages sum to it
  std::vector<std::pair<std::string, double>> stages_ms;
  bool interrupting = false;                // the agent was speaking when this turn began
  std::optional<double> barge_reaction_ms;  // onset of the interruption -> clear
  std::optional<double> barge_tail_ms;      // the agent could be heard for so long after the onset
  bool cut_previous = false;                // the gateway took the previous reply as interrupted
};

struct CallSummary {
  int turns = 0, spoken = 0, recognised = 0, expects = 0, expects_ok = 0, barge_ins = 0, timeouts = 0;
  double recognised_pct = 100;
  std::optional<double> latency_p50_ms, latency_p95_ms, latency_max_ms;
  bool passed = false;  // completed, and every expect fulfilled
};

struct CallReport {
  CallOutcome outcome = CallOutcome::no_gateway;
  TurnReport greeting;
  std::vector<TurnReport> turns;
  CallSummary summary;
};

CallReport make_report(const CallPlan& plan, const std::string& expect_greeting, const CallResult& result);

/// One JSON object: {call, url, outcome, greeting, turns, summary, wav}.
std::string to_json(const CallReport& report, const CallResult& result, const std::string& wav);

/// Lower-case words; digits up to 99 and "o'clock" times spelled as they are said.
std::vector<std::string> normalised_words(std::string_view text);
/// 1 - (word errors / words of `said`), at least 0.
double word_accuracy(std::string_view said, std::string_view heard);
/// Nearest rank; nullopt for no values. `q` in 0 .. 1.
std::optional<double> percentile(std::vector<double> values, double q);
/// What the recogniser understood in this turn out of the gateway's (joined turns repeat what came before).
std::string joined_caller_text(const std::vector<GatewayTurn>& turns, const std::string& before);

}  // namespace voxgate::sim
