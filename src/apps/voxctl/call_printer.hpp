#pragma once
// A simulated call as a person reads it: the conversation as it happens, then a table.

#include <cstdio>
#include <string>

#include "voxgate/sim/call_report.hpp"

namespace voxgate::voxctl {

/// Threads: the call's loop, then (after the call) the one that prints the table.
class CallPrinter final : public sim::CallObserver {
 public:
  /// `plan` and `to` outlive the printer.
  CallPrinter(const sim::CallPlan& plan, std::string expect_greeting, std::FILE* to)
      : plan_(plan), expect_greeting_(std::move(expect_greeting)), to_(to) {}

  /// Prints what has become known since the last time, in the order of the conversation.
  void on_progress(const sim::CallResult& so_far) override;
  /// Prints what is left, known or not, and the table.
  void finish(const sim::CallReport& report, const sim::CallResult& result, const std::string& wav);

 private:
  enum class Part { caller, agent };
  void print_ready(const sim::CallReport& report, int turns_begun, bool all);
  void print_agent(const sim::TurnReport& turn);
  void print_caller(const sim::TurnReport& turn);
  void print_times(const sim::TurnReport& turn, int number);
  void print_table(const sim::CallReport& report, const sim::CallResult& result, const std::string& wav);

  const sim::CallPlan& plan_;
  std::string expect_greeting_;
  std::FILE* to_;
  int next_ = -1;  // turn; -1: the greeting
  Part part_ = Part::agent;
  bool told_ = false;  // by the admin door
};

}  // namespace voxgate::voxctl
