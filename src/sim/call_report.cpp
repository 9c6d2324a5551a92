#include "voxgate/sim/call_report.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>

#include "voxgate/base/text.hpp"

namespace voxgate::sim {
namespace {

using nlohmann::ordered_json;

constexpr std::array<const char*, 20> kOnes{
    "zero", "one",    "two",    "three",    "four",     "five",    "six",     "seven",     "eight",    "nine",
    "ten",  "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
constexpr std::array<const char*, 10> kTens{"",      "",      "twenty",  "thirty", "forty",
                                            "fifty", "sixty", "seventy", "eighty", "ninety"};

void spell(const std::string& digits, std::vector<std::string>& out) {
  const int value = digits.size() <= 2 ? std::stoi(digits) : -1;
  if (value < 0) {
    for (const char c : digits) out.emplace_back(kOnes[static_cast<std::size_t>(c - '0')]);
  } else if (value < 20) {
    out.emplace_back(kOnes[static_cast<std::size_t>(value)]);
  } else {
    out.emplace_back(kTens[static_cast<std::size_t>(value / 10)]);
    if (value % 10 != 0) out.emplace_back(kOnes[static_cast<std::size_t>(value % 10)]);
  }
}

bool begins_with_words(const std::string& text, const std::string& start) {
  return !start.empty() && text.size() > start.size() && text.starts_with(start) && text[start.size()] == ' ';
}

std::optional<double> ms_between(const std::optional<Duration>& from, const std::optional<Duration>& to) {
  if (!from || !to) return std::nullopt;
  return to_ms_f(*to - *from);
}

void add_trace(const TurnTrace& trace, TurnReport& out) {
  out.replied = trace.replied;
  out.timed_out = trace.timed_out;
  if (out.kind != TurnKind::wait) out.latency_ms = ms_between(trace.speech_end, trace.reply_media);
  out.interrupting = trace.interrupting;
  if (!trace.interrupting) return;
  out.barge_reaction_ms = ms_between(trace.onset, trace.clear);
  out.barge_tail_ms = ms_between(trace.onset, trace.old_audio_end);
  if (out.barge_tail_ms) out.barge_tail_ms = std::max(0.0, *out.barge_tail_ms);
}

void add_gateway(const std::vector<GatewayTurn>& turns, const std::string& before, TurnReport& out) {
  out.known = !turns.empty();
  out.over = out.known && std::all_of(turns.begin(), turns.end(), [](const GatewayTurn& t) { return t.over; });
  out.heard = joined_caller_text(turns, before);
  for (const GatewayTurn& turn : turns) {
    if (!turn.agent.empty()) out.agent += (out.agent.empty() ? "" : " ") + turn.agent;
    if (!turn.latency_ms || out.gateway_ms) continue;
    out.gateway_ms = turn.latency_ms;
    out.stages_ms = turn.stages_ms;
  }
  if (out.kind == TurnKind::say) {
    out.word_accuracy = word_accuracy(out.said, out.heard);
    out.heard_match = normalised_words(out.said) == normalised_words(out.heard);
  } else if (out.kind == TurnKind::dtmf) {
    out.heard_match = out.said == out.heard;
  }
}

void check(TurnReport& turn) {
  if (!turn.expect.empty()) turn.expect_ok = matches(turn.expect, turn.agent);
}

CallSummary summarise(const CallReport& report) {
  CallSummary sum;
  std::vector<double> latencies;
  const auto count_expect = [&sum](const TurnReport& turn) {
    if (!turn.expect_ok) return;
    ++sum.expects;
    sum.expects_ok += *turn.expect_ok ? 1 : 0;
  };
  count_expect(report.greeting);
  for (const TurnReport& turn : report.turns) {
    ++sum.turns;
    count_expect(turn);
    if (turn.kind == TurnKind::say) {
      ++sum.spoken;
      sum.recognised += turn.heard_match.value_or(false) ? 1 : 0;
    }
    sum.barge_ins += turn.interrupting && turn.barge_reaction_ms ? 1 : 0;
    sum.timeouts += turn.timed_out ? 1 : 0;
    if (turn.latency_ms) latencies.push_back(*turn.latency_ms);
  }
  if (sum.spoken > 0) sum.recognised_pct = 100.0 * sum.recognised / sum.spoken;
  sum.latency_p50_ms = percentile(latencies, 0.50);
  sum.latency_p95_ms = percentile(latencies, 0.95);
  sum.latency_max_ms = percentile(latencies, 1.0);
  sum.passed = report.outcome == CallOutcome::completed && sum.expects_ok == sum.expects;
  return sum;
}

// One digit behind the point: nobody reads more.
ordered_json rounded(const std::optional<double>& ms) {
  return ms ? ordered_json(std::round(*ms * 10) / 10) : ordered_json(nullptr);
}

template <class T>
ordered_json or_null(const std::optional<T>& value) {
  return value ? ordered_json(*value) : ordered_json(nullptr);
}

ordered_json turn_json(const TurnReport& turn) {
  ordered_json out{{"kind", to_string(turn.kind)}, {"said", turn.said}, {"heard", turn.heard}};
  out["heard_match"] = or_null(turn.heard_match);
  out["word_accuracy"] = or_null(turn.word_accuracy);
  out["agent"] = turn.agent;
  out["expect"] = turn.expect.empty() ? ordered_json(nullptr) : ordered_json(turn.expect);
  out["expect_ok"] = or_null(turn.expect_ok);
  out["replied"] = turn.replied;
  out["latency_ms"] = rounded(turn.latency_ms);
  out["gateway_ms"] = rounded(turn.gateway_ms);
  out["stages_ms"] = ordered_json::object();
  for (const auto& [stage, ms] : turn.stages_ms) out["stages_ms"][stage] = rounded(ms);
  out["barge_in"] = turn.interrupting;
  out["barge_reaction_ms"] = rounded(turn.barge_reaction_ms);
  out["barge_tail_ms"] = rounded(turn.barge_tail_ms);
  out["cut_previous"] = turn.cut_previous;
  return out;
}

}  // namespace

std::vector<std::string> normalised_words(std::string_view text) {
  std::vector<std::string> out;
  for (std::string& word : text::words(text)) {
    std::string digits, letters;
    for (const char c : word) (std::isdigit(static_cast<unsigned char>(c)) != 0 ? digits : letters) += c;
    if (digits.empty()) {
      out.push_back(std::move(word));
      continue;
    }
    spell(digits, out);
    if (!letters.empty()) out.push_back(std::move(letters));
  }
  return out;
}

double word_accuracy(std::string_view said, std::string_view heard) {
  const auto a = normalised_words(said), b = normalised_words(heard);
  if (a.empty()) return b.empty() ? 1.0 : 0.0;
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
    }
  }
  return std::max(0.0, 1.0 - static_cast<double>(row.back()) / static_cast<double>(a.size()));
}

std::optional<double> percentile(std::vector<double> values, double q) {
  if (values.empty()) return std::nullopt;
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(q * static_cast<double>(values.size()));
  return values[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

std::string joined_caller_text(const std::vector<GatewayTurn>& turns, const std::string& before) {
  std::string whole, last = before;
  for (const GatewayTurn& turn : turns) {
    if (turn.caller.empty()) continue;
    std::string part = turn.caller;
    if (begins_with_words(part, last)) part.erase(0, last.size() + 1);
    whole += (whole.empty() ? "" : " ") + part;
    last = turn.caller;
  }
  return whole;
}

CallReport make_report(const CallPlan& plan, const std::string& expect_greeting, const CallResult& result) {
  const std::vector<int> owner = assign_turns(result);
  const auto turns_of = [&](int index) {
    std::vector<GatewayTurn> mine;
    for (std::size_t i = 0; i < owner.size(); ++i) {
      if (owner[i] == index) mine.push_back(result.gateway.turns[i]);
    }
    return mine;
  };
  CallReport report;
  report.outcome = result.outcome;
  report.greeting.expect = expect_greeting;
  add_trace(result.greeting, report.greeting);
  std::vector<GatewayTurn> previous = turns_of(-1);
  add_gateway(previous, "", report.greeting);
  check(report.greeting);
  for (std::size_t i = 0; i < plan.turns.size(); ++i) {
    TurnReport turn;
    turn.kind = plan.turns[i].script.kind;
    turn.said = plan.turns[i].script.text;
    turn.expect = plan.turns[i].script.expect;
    if (i < result.turns.size()) add_trace(result.turns[i], turn);
    std::vector<GatewayTurn> mine;
    if (i < result.turns.size()) mine = turns_of(static_cast<int>(i));
    add_gateway(mine, previous.empty() ? "" : previous.back().caller, turn);
    turn.cut_previous = turn.interrupting && !previous.empty() && previous.back().interrupted;
    check(turn);
    report.turns.push_back(std::move(turn));
    previous = std::move(mine);
  }
  report.summary = summarise(report);
  return report;
}

std::string to_json(const CallReport& report, const CallResult& result, const std::string& wav) {
  ordered_json out{{"call", result.call_id}, {"url", result.url}, {"outcome", to_string(report.outcome)}};
  if (result.http_status != 0 && report.outcome == CallOutcome::refused) {
    out["http_status"] = result.http_status;
    out["http_body"] = result.http_body;
  }
  out["gateway_outcome"] = result.gateway.outcome;
  out["length_ms"] = to_ms(result.length);
  out["greeting"] = {
      {"agent", report.greeting.agent},
      {"expect", report.greeting.expect.empty() ? ordered_json(nullptr) : ordered_json(report.greeting.expect)},
      {"expect_ok", or_null(report.greeting.expect_ok)}};
  out["turns"] = ordered_json::array();
  for (const TurnReport& turn : report.turns) out["turns"].push_back(turn_json(turn));
  const CallSummary& sum = report.summary;
  out["summary"] = {{"turns", sum.turns},
                    {"spoken", sum.spoken},
                    {"recognised", sum.recognised},
                    {"recognised_pct", rounded(sum.recognised_pct)},
                    {"expects", sum.expects},
                    {"expects_ok", sum.expects_ok},
                    {"latency_p50_ms", rounded(sum.latency_p50_ms)},
                    {"latency_p95_ms", rounded(sum.latency_p95_ms)},
                    {"latency_max_ms", rounded(sum.latency_max_ms)},
                    {"barge_ins", sum.barge_ins},
                    {"timeouts", sum.timeouts},
                    {"passed", sum.passed}};
  out["media"] = {{"frames_sent", result.frames_sent},
                  {"messages_received", result.media_received},
                  {"marks", result.marks},
                  {"clears", result.clears},
                  {"wrong_messages", result.bad_messages}};
  out["wav"] = wav.empty() ? ordered_json(nullptr) : ordered_json(wav);
  return out.dump(2, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace voxgate::sim
