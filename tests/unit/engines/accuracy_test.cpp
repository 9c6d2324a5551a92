// How well the demonstration agents are understood over a synthetic telephone line: other voices than the agent's,
// 200 to 3500 Hz, mu-law, noise at -62 dBFS, 20 ms frames. What counts is the intent: which phrase of the dialog's
// grammar was meant, and its slots.

#include <gtest/gtest.h>

#include <cstdio>
#include <ctime>
#include <fstream>
#include <set>

#include "unit/dialog/agent_files.hpp"
#include "unit/engines/engine_support.hpp"
#include "voxgate/base/text.hpp"
#include "voxgate/engines/recogniser.hpp"

namespace voxgate::engines {
namespace {

using namespace test;
using vendors::AsrEvent;
using vendors::AsrTurnEnd;

struct Utterance {
  const char* grammar;
  const char* text;
};

constexpr Utterance kDemo[] = {
    {"menu", "i would like to book an appointment"},
    {"menu", "can i make an appointment for tuesday"},
    {"menu", "book an appointment on friday at three thirty"},
    {"menu", "i need an appointment for a cleaning"},
    {"menu", "cancel my appointment please"},
    {"menu", "what are your opening hours"},
    {"menu", "when are you open"},
    {"menu", "are you open on sunday"},
    {"menu", "where are you located"},
    {"menu", "what is your address"},
    {"menu", "how much is a cleaning"},
    {"menu", "what are your prices"},
    {"menu", "i want to talk to a human"},
    {"menu", "can you repeat that please"},
    {"menu", "that's all thank you"},
    {"menu", "my tooth hurts"},
    {"menu", "goodbye"},
    {"menu", "no thank you"},
    {"book", "a cleaning please"},
    {"book", "a checkup on thursday"},
    {"book", "on monday"},
    {"book", "tomorrow"},
    {"book", "next wednesday please"},
    {"book", "at half past two"},
    {"book", "at quarter to four in the afternoon"},
    {"book", "the twenty third of march"},
    {"book.confirm", "yes please"},
    {"book.confirm", "no on friday"},
    {"book.confirm", "that's right"},
    {"book.confirm", "no make it at ten"},
};
constexpr Utterance kBistro[] = {
    {"welcome", "i would like to reserve a table for four people"},
    {"welcome", "what is on the menu"},
    {"welcome", "do you have vegetarian food"},
    {"table", "six people please"},
    {"table", "on saturday at eight"},
};
constexpr const char* kOutOfDomain[] = {
    "the quick brown fox jumps over the lazy dog",
    "my grandmother lives in a small house near the river",
    "please order two large pizzas with extra cheese",
    "the weather will be cloudy with some rain",
    "what is the capital of australia",
    "turn off the lights in the kitchen",
    "i lost my keys somewhere in the garden",
    "play some music by the beatles",
    "interest rates have risen by two percent",
    "she sells sea shells by the sea shore",
    "the train leaves from platform seven",
    "congratulations on winning the championship",
};

std::size_t edit_distance(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      d[i][j] = i == 0 ? j
                : j == 0
                    ? i
                    : std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
    }
  }
  return d[a.size()][b.size()];
}

/// Label and slot values: what the dialog will act upon.
std::string meaning(const dialog::Script& script, const std::string& grammar, const std::string& text) {
  const auto match = script.grammar(grammar)->match(text::words(text));
  if (!match) return "(nothing)";
  std::string out = match->label;
  for (const auto& slot : match->slots) out += " " + slot.name + "=" + slot.value;
  return out;
}

double resident_mb() {
  std::ifstream in("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  in >> total >> resident;
  return static_cast<double>(resident) * 4096.0 / 1e6;
}

struct Line {
  ByHand hand;
  Recogniser recogniser{RecogniserConfig{}, hand.submit()};
  std::shared_ptr<const dialog::Script> demo = dialog::test::agent_script("demo");
  std::shared_ptr<const dialog::Script> bistro = dialog::test::agent_script("bistro");
  double audio_s = 0, busy_s = 0, final_s = 0;
  std::size_t turns = 0;

  Line() { recogniser.load({demo->speech(), bistro->speech()}); }

  AsrTurnEnd hear(const std::string& agent, const std::string& grammar, const std::string& text,
                  const std::string& voice) {
    std::vector<AsrEvent> events;
    Instant told{};
    auto stream = recogniser.open(agent, audio::kMulaw8k, post_inline, [&](AsrEvent&& e) {
      if (std::holds_alternative<AsrTurnEnd>(e)) told = Clock::now();
      events.push_back(std::move(e));
    });
    vendors::Expectation expectation;
    expectation.grammar = agent + "/" + grammar;
    stream->expect(expectation);
    const auto bytes = said(text, voice);
    const std::clock_t begun = std::clock();  // processor time: others use this machine too
    in_frames(bytes, [&](std::span<const std::uint8_t> frame) {
      stream->audio(frame);
      hand.run();
    });
    const auto spoken = Clock::now();
    stream->force_end_of_turn();
    hand.run();
    const std::clock_t ended = std::clock();
    audio_s += static_cast<double>(bytes.size()) / 8000.0;
    busy_s += static_cast<double>(ended - begun) / CLOCKS_PER_SEC;
    final_s += to_seconds(told - spoken);
    ++turns;
    const auto ends = all_of<AsrTurnEnd>(events);
    return ends.size() == 1 ? ends[0] : AsrTurnEnd{};
  }
};

struct Score {
  std::size_t said = 0, understood = 0, accepted = 0, words = 0, errors = 0;
};

void score(Line& line, const dialog::Script& script, const Utterance& u, const char* voice, Score& out) {
  ASSERT_NE(meaning(script, u.grammar, u.text), "(nothing)") << u.text;
  const AsrTurnEnd end = line.hear(script.agent(), u.grammar, u.text, voice);
  const bool accepted = end.confidence >= 0.5;
  const bool right = accepted && meaning(script, u.grammar, end.text) == meaning(script, u.grammar, u.text);
  ++out.said;
  out.words += text::words(u.text).size();
  out.errors += edit_distance(text::words(u.text), text::words(end.text));
  out.accepted += accepted ? 1 : 0;
  out.understood += right ? 1 : 0;
  if (!right) {
    std::printf("  %s: \"%s\" heard as \"%s\" (confidence %.2f)\n", voice, u.text, end.text.c_str(), end.confidence);
  }
}

void print_cost(const Line& line) {
  std::printf("real-time factor %.3f, final %.1f ms after the end of the turn (mean)\n", line.busy_s / line.audio_s,
              1000.0 * line.final_s / static_cast<double>(line.turns));
}

class EveryCaller : public testing::TestWithParam<const char*> {};

TEST_P(EveryCaller, IsUnderstoodInTheGrammarOfTheState) {
  Line line;
  Score total;
  for (const Utterance& u : kDemo) score(line, *line.demo, u, GetParam(), total);
  for (const Utterance& u : kBistro) score(line, *line.bistro, u, GetParam(), total);
  std::printf("voice %s: %zu utterances, %zu accepted, intent %.1f %%, WER %.1f %%\n", GetParam(), total.said,
              total.accepted, 100.0 * static_cast<double>(total.understood) / static_cast<double>(total.said),
              100.0 * static_cast<double>(total.errors) / static_cast<double>(total.words));
  print_cost(line);
  EXPECT_GE(static_cast<double>(total.understood), 0.95 * static_cast<double>(total.said));
}

INSTANTIATE_TEST_SUITE_P(RecogniserAccuracy, EveryCaller, testing::Values("rms", "awb"),
                         [](const auto& named) { return std::string(named.param); });

TEST(RecogniserAccuracy, SentencesOfOtherDomainsAreRejected) {
  Line line;
  std::size_t said_count = 0, rejected = 0;
  for (const char* text : kOutOfDomain) {
    const char* voice = said_count % 2 == 0 ? "rms" : "awb";
    const AsrTurnEnd end = line.hear("demo", "menu", text, voice);
    ++said_count;
    rejected += end.confidence < 0.5 ? 1 : 0;
    if (end.confidence >= 0.5) {
      std::printf("  %s: \"%s\" accepted as \"%s\" (%.2f)\n", voice, text, end.text.c_str(), end.confidence);
    }
  }
  std::printf("out of domain: %zu of %zu rejected\n", rejected, said_count);
  print_cost(line);
  EXPECT_GE(static_cast<double>(rejected), 0.90 * static_cast<double>(said_count));
}

TEST(RecogniserAccuracy, ReportsTheMemoryOfADecoder) {
  const auto demo = dialog::test::agent_script("demo");
  Recogniser recogniser(RecogniserConfig{}, run_inline);
  recogniser.load({demo->speech()});
  const auto begun = Clock::now();
  const double before = resident_mb();
  recogniser.prewarm(5);
  const double each = (resident_mb() - before) / 4.0;  // load() has made one
  std::printf("a decoder: %.1f MB, %.1f ms\n", each, to_ms_f(Clock::now() - begun) / 4.0);
#ifndef VOXGATE_SANITIZED
  EXPECT_LT(each, 25.0);
#endif
  EXPECT_EQ(recogniser.stats().decoders, 5u);
}

}  // namespace
}  // namespace voxgate::engines
