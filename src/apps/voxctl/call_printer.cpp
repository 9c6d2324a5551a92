#include "apps/voxctl/call_printer.hpp"

#include <cmath>

namespace voxgate::voxctl {
namespace {

using sim::TurnKind;
using sim::TurnReport;

std::string whole_ms(const std::optional<double>& ms) {
  return ms ? std::to_string(std::lround(*ms)) : std::string("-");
}

std::string what_was_said(const TurnReport& turn) {
  switch (turn.kind) {
    case TurnKind::say:
      return '"' + turn.said + '"';
    case TurnKind::wav:
      return "plays " + turn.said;
    case TurnKind::dtmf:
      return "presses " + turn.said;
    case TurnKind::wait:
      break;
  }
  return "(says nothing)";
}

// What the recogniser made of it, if it was asked.
std::string heard_note(const TurnReport& turn, bool told) {
  if (turn.kind == TurnKind::wait || !told) return "";
  if (!turn.known) return "   heard: nothing";
  std::string out = "   heard: " + turn.heard;
  if (!turn.heard_match) return out;
  if (*turn.heard_match) return out + "  [ok]";
  if (!turn.word_accuracy) return out + "  [differs]";
  return out + "  [" + whole_ms(*turn.word_accuracy * 100) + " % of the words]";
}

}  // namespace

void CallPrinter::on_progress(const sim::CallResult& so_far) {
  if (so_far.outcome == sim::CallOutcome::refused || so_far.outcome == sim::CallOutcome::bad_url) return;
  told_ = so_far.gateway.found;
  const sim::CallReport report = make_report(plan_, expect_greeting_, so_far);
  print_ready(report, static_cast<int>(so_far.turns.size()), false);
}

// A part that the gateway never tells is given up two turns later, so that nothing waits for it for ever.
void CallPrinter::print_ready(const sim::CallReport& report, int turns_begun, bool all) {
  while (next_ < turns_begun) {
    const TurnReport& turn = next_ < 0 ? report.greeting : report.turns[static_cast<std::size_t>(next_)];
    const bool overdue = all || turns_begun >= next_ + 3;
    if (part_ == Part::caller) {
      const bool nothing_to_hear = turn.kind == TurnKind::wait;
      if (!turn.known && !overdue && !nothing_to_hear) return;
      print_caller(turn);
      part_ = Part::agent;
      continue;
    }
    if (!turn.over && !overdue) return;
    if (next_ >= 0) print_times(turn, next_ + 1);
    print_agent(turn);
    part_ = Part::caller;
    ++next_;
  }
}

void CallPrinter::print_agent(const TurnReport& turn) {
  if (turn.agent.empty() && next_ < 0 && turn.expect.empty()) return;
  std::fprintf(to_, "agent   %s", !turn.agent.empty() ? turn.agent.c_str() : !told_ ? "(not told)" : "(nothing)");
  if (turn.expect_ok)
    std::fprintf(to_, *turn.expect_ok ? "   [expected]" : "   [NOT as expected: /%s/]", turn.expect.c_str());
  std::fputc('\n', to_);
  std::fflush(to_);
}

void CallPrinter::print_caller(const TurnReport& turn) {
  std::fprintf(to_, "caller  %s%s%s\n", turn.interrupting ? "(interrupting) " : "", what_was_said(turn).c_str(),
               heard_note(turn, told_).c_str());
  std::fflush(to_);
}

void CallPrinter::print_times(const TurnReport& turn, int number) {
  if (turn.interrupting) {
    const bool in_pause = turn.barge_tail_ms && *turn.barge_tail_ms < 1;
    const std::string stopped = in_pause ? "the agent was just drawing breath"
                                         : "the agent stopped after " + whole_ms(turn.barge_tail_ms) + " ms";
    std::fprintf(to_, "        barge-in: %s (clear %s ms after the caller began)%s\n", stopped.c_str(),
                 whole_ms(turn.barge_reaction_ms).c_str(),
                 turn.cut_previous ? "" : ", and the gateway did not count it as an interruption");
  }
  if (turn.timed_out) std::fprintf(to_, "        turn %d: no reply in time\n", number);
  if (turn.kind == TurnKind::wait || (!turn.gateway_ms && !turn.latency_ms)) return;
  std::fprintf(to_, "        turn %d: ", number);
  if (turn.gateway_ms) {
    std::fprintf(to_, "%s ms = ", whole_ms(turn.gateway_ms).c_str());
    for (std::size_t i = 0; i < turn.stages_ms.size(); ++i) {
      const auto& [stage, ms] = turn.stages_ms[i];
      std::fprintf(to_, "%s%s %s", i == 0 ? "" : " + ", stage.c_str(), whole_ms(ms).c_str());
    }
    std::fputc(' ', to_);
  }
  std::fprintf(to_, "(wire %s ms)\n", whole_ms(turn.latency_ms).c_str());
}

void CallPrinter::finish(const sim::CallReport& report, const sim::CallResult& result, const std::string& wav) {
  told_ = result.gateway.found;
  print_ready(report, static_cast<int>(result.turns.size()), true);
  print_table(report, result, wav);
}

void CallPrinter::print_table(const sim::CallReport& report, const sim::CallResult& result, const std::string& wav) {
  const sim::CallSummary& sum = report.summary;
  std::fprintf(to_, "\n  call               %s (%s%s%s)\n", result.call_id.c_str(), to_string(report.outcome),
               result.gateway.outcome.empty() ? "" : "; gateway: ", result.gateway.outcome.c_str());
  std::fprintf(to_, "  turns              %d of %zu, %.1f s\n", static_cast<int>(result.turns.size()),
               plan_.turns.size(), to_seconds(result.length));
  std::fprintf(to_, "  recognised         %d of %d spoken turns (%.0f %%)\n", sum.recognised, sum.spoken,
               sum.recognised_pct);
  std::fprintf(to_, "  expected replies   %d of %d\n", sum.expects_ok, sum.expects);
  std::fprintf(to_, "  latency            p50 %s ms, p95 %s ms, max %s ms (caller stops -> agent's first frame)\n",
               whole_ms(sum.latency_p50_ms).c_str(), whole_ms(sum.latency_p95_ms).c_str(),
               whole_ms(sum.latency_max_ms).c_str());
  std::fprintf(to_, "  barge-ins          %d\n", sum.barge_ins);
  if (sum.timeouts > 0) std::fprintf(to_, "  without a reply    %d\n", sum.timeouts);
  if (!wav.empty()) std::fprintf(to_, "  recording          %s\n", wav.c_str());
  std::fflush(to_);
}

}  // namespace voxgate::voxctl
