#pragma once
// Executors for engine tests: everything inline, or a queue that the test empties by hand.

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "unit/engines/telephone.hpp"
#include "voxgate/engines/executor.hpp"
#include "voxgate/engines/voice.hpp"
#include "voxgate/vendors/agent_speech.hpp"
#include "voxgate/vendors/asr_stream.hpp"
#include "voxgate/vendors/tts_stream.hpp"

namespace voxgate::engines::test {

inline bool run_inline(std::uint64_t, std::function<void()> job) {
  job();
  return true;
}
inline void post_inline(std::function<void()> f) {
  f();
}

/// A worker and a loop that move when the test says so.
struct ByHand {
  std::deque<std::function<void()>> jobs, posted;
  std::size_t room = 1000;

  Submit submit() {
    return [this](std::uint64_t, std::function<void()> job) {
      if (jobs.size() >= room) return false;
      jobs.push_back(std::move(job));
      return true;
    };
  }
  Post post() {
    return [this](std::function<void()> f) { posted.push_back(std::move(f)); };
  }
  void work_one() {
    auto job = std::move(jobs.front());
    jobs.pop_front();
    job();
  }
  void run() {
    while (!jobs.empty() || !posted.empty()) {
      while (!jobs.empty()) work_one();
      while (!posted.empty()) {
        auto f = std::move(posted.front());
        posted.pop_front();
        f();
      }
    }
  }
};

template <class Wanted, class Event>
std::vector<Wanted> all_of(const std::vector<Event>& events) {
  std::vector<Wanted> out;
  for (const Event& event : events)
    if (const auto* e = std::get_if<Wanted>(&event)) out.push_back(*e);
  return out;
}

/// A small agent with two states.
inline vendors::AgentSpeech small_agent() {
  vendors::AgentSpeech agent;
  agent.agent = "small";
  agent.states.push_back({"main",
                          {{"book", "i want to book an appointment [on {day}]", "main/book"},
                           {"hours", "what are your opening hours", "main/hours"},
                           {"bye", "goodbye", "main/bye"}}});
  agent.states.push_back({"confirm", {{"yes", "{yes}", "confirm/yes"}, {"no", "{no}", "confirm/no"}}});
  return agent;
}

/// A caller's words on the line, synthesised with `voice` once per test program.
inline std::vector<std::uint8_t> said(const std::string& text, const std::string& voice = "rms") {
  static Voice synthesiser({}, run_inline);
  return telephone_mulaw(synthesiser.synthesize(voice, text), 7);
}

/// Calls `feed` with 20 ms pieces.
template <class Feed>
void in_frames(const std::vector<std::uint8_t>& bytes, Feed feed) {
  const std::span<const std::uint8_t> all(bytes);
  for (std::size_t at = 0; at < bytes.size(); at += 160)
    feed(all.subspan(at, std::min<std::size_t>(160, bytes.size() - at)));
}

}  // namespace voxgate::engines::test
