#include "voxgate/engines/voice.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "unit/engines/engine_support.hpp"

namespace voxgate::engines {
namespace {

using namespace test;
using vendors::TtsAudio;
using vendors::TtsCancelled;
using vendors::TtsClosed;
using vendors::TtsDone;
using vendors::TtsEvent;
using vendors::TtsFailed;
using vendors::TtsMarks;
using vendors::TtsReady;

constexpr const char* kClause = "Your appointment is on Friday at 3:30 PM.";

struct Mouth {
  explicit Mouth(VoiceConfig config = {}) : voice(config, hand.submit()) {}
  std::unique_ptr<vendors::TtsStream> open(std::vector<TtsEvent>& events, audio::AudioFormat wire = audio::kMulaw8k) {
    return voice.open("slt", wire, hand.post(), [&events](TtsEvent&& e) { events.push_back(std::move(e)); });
  }
  ByHand hand;
  Voice voice;
};

std::vector<std::uint8_t> bytes_of(const std::vector<TtsEvent>& events, vendors::UtteranceId id) {
  std::vector<std::uint8_t> out;
  for (const TtsAudio& audio : all_of<TtsAudio>(events))
    if (audio.utterance == id) out.insert(out.end(), audio.bytes.begin(), audio.bytes.end());
  return out;
}

double dbfs(std::span<const std::int16_t> pcm) {
  double sum = 1e-9;
  for (const std::int16_t s : pcm) sum += static_cast<double>(s) * s;
  return 10 * std::log10(sum / static_cast<double>(pcm.size()) / 32768.0 / 32768.0);
}

TEST(Voice, StreamsAnUtteranceInPiecesWithMarksAndOneEnd) {
  Mouth mouth({.cache_bytes = 0});
  std::vector<TtsEvent> events;
  auto stream = mouth.open(events);
  ASSERT_TRUE(stream->caps().word_marks);
  EXPECT_FALSE(stream->caps().token_input);
  stream->begin(7);
  stream->text(7, kClause);
  stream->text(7, "Is that right?");
  stream->end(7);
  mouth.hand.run();
  ASSERT_TRUE(std::holds_alternative<TtsReady>(events.front()));
  ASSERT_TRUE(std::holds_alternative<TtsMarks>(events[1])) << "marks are there before the audio they describe";
  const auto audio = all_of<TtsAudio>(events);
  EXPECT_GT(audio.size(), 20u) << "pieces of 50 ms, not one lump";
  const auto done = all_of<TtsDone>(events);
  ASSERT_EQ(done.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<TtsDone>(events.back()));
  const auto total = bytes_of(events, 7);
  EXPECT_EQ(done[0].audio_ms, static_cast<std::int64_t>(total.size() / 8));
  const auto marks = all_of<TtsMarks>(events);
  ASSERT_EQ(marks.size(), 2u);
  ASSERT_EQ(marks[0].words.size(), 8u);
  EXPECT_EQ(marks[0].words[0].text, "Your");
  EXPECT_EQ(marks[0].words[4].text, "Friday");
  EXPECT_EQ(marks[0].words[6].text, "3:30");
  EXPECT_LT(marks[0].words[0].start_ms, 60) << "the voice's leading silence is cut";
  std::int64_t last = 0;
  for (const TtsMarks& clause : marks) {
    for (const auto& word : clause.words) {
      EXPECT_GE(word.start_ms, last);
      EXPECT_GT(word.end_ms, word.start_ms);
      last = word.end_ms;
    }
  }
  EXPECT_LE(last, done[0].audio_ms);
  EXPECT_GT(marks[1].words[0].start_ms, 2000) << "times run on through the utterance";
}

TEST(Voice, SpeaksEveryWireFormatAtTheSameLength) {
  Mouth mouth;
  std::vector<std::size_t> ms;
  for (const audio::AudioFormat wire :
       {audio::kMulaw8k, audio::AudioFormat{audio::Encoding::alaw, 8000},
        audio::AudioFormat{audio::Encoding::s16le, 16000}, audio::AudioFormat{audio::Encoding::s16le, 24000}}) {
    std::vector<TtsEvent> events;
    auto stream = mouth.open(events, wire);
    ASSERT_NE(stream, nullptr) << to_string(wire);
    stream->begin(1);
    stream->text(1, "Good morning.");
    stream->end(1);
    mouth.hand.run();
    ms.push_back(static_cast<std::size_t>(wire.ms_in(bytes_of(events, 1).size())));
  }
  for (const std::size_t each : ms) EXPECT_NEAR(static_cast<double>(each), static_cast<double>(ms[0]), 12);
  std::vector<TtsEvent> events;
  EXPECT_EQ(mouth.open(events, {audio::Encoding::s16le, 11025}), nullptr);
  EXPECT_EQ(mouth.voice.open("nobody", audio::kMulaw8k, mouth.hand.post(), [](TtsEvent&&) {}), nullptr);
}

TEST(Voice, EveryVoiceIsBroughtToTheSameLevel) {
  Voice voice({}, run_inline);
  for (const std::string& name : Voice::names()) {
    const auto pcm = voice.synthesize(name, "Good morning, this is the practice. How can I help you today?");
    ASSERT_GT(pcm.size(), 32000u) << name;
    EXPECT_NEAR(dbfs(pcm), -20.0, 2.0) << name;
  }
  EXPECT_TRUE(voice.synthesize("nobody", "Hello").empty());
}

TEST(Voice, CancelDropsQueueAndSynthesisAtOnce) {
  Mouth mouth;
  std::vector<TtsEvent> events;
  auto stream = mouth.open(events);
  stream->begin(1);
  stream->text(1, kClause);
  stream->begin(2);
  stream->text(2, "Something else entirely.");
  stream->end(2);
  mouth.hand.work_one();  // both are synthesised; nothing has reached the loop
  stream->cancel(1);
  mouth.hand.run();
  EXPECT_TRUE(bytes_of(events, 1).empty()) << "no audio after cancel() returned";
  EXPECT_EQ(all_of<TtsCancelled>(events).size(), 1u);
  EXPECT_FALSE(bytes_of(events, 2).empty());
  EXPECT_EQ(all_of<TtsDone>(events).size(), 1u);
  stream->cancel(2);
  stream->text(1, "late");
  stream->end(1);
  mouth.hand.run();
  EXPECT_EQ(all_of<TtsCancelled>(events).size(), 1u) << "an utterance ends once";
}

TEST(Voice, SynthesisStopsInTheMiddleWhenItsUtteranceIsCancelled) {
  // Everything inline: the event of the first piece cancels the utterance whose synthesis is under way.
  Voice voice({}, run_inline);
  std::vector<TtsEvent> events;
  std::unique_ptr<vendors::TtsStream> stream;
  stream = voice.open("slt", audio::kMulaw8k, post_inline, [&](TtsEvent&& e) {
    const bool audio = std::holds_alternative<TtsAudio>(e);
    events.push_back(std::move(e));
    if (audio) stream->cancel(1);
  });
  stream->begin(1);
  stream->text(1, kClause);
  EXPECT_EQ(all_of<TtsAudio>(events).size(), 1u);
  EXPECT_LT(voice.stats().synthesised_ms, 400u) << "of 3 s";
  EXPECT_EQ(voice.stats().cached_clauses, 0u) << "half a clause is not kept";
  stream->begin(2);
  stream->text(2, kClause);
  stream->end(2);
  EXPECT_EQ(all_of<TtsDone>(events).size(), 1u) << "and the clause is not blocked by the flight that failed";
}

TEST(Voice, UtterancesSoundInTheOrderInWhichTheyWereBegun) {
  Mouth mouth;
  std::vector<TtsEvent> events;
  auto stream = mouth.open(events);
  for (vendors::UtteranceId id = 1; id <= 3; ++id) {
    stream->begin(id);
    stream->text(id, "Number " + std::to_string(id) + ".");
    stream->end(id);
  }
  mouth.hand.run();
  vendors::UtteranceId at = 1;
  for (const TtsEvent& event : events) {
    if (const auto* audio = std::get_if<TtsAudio>(&event)) {
      EXPECT_EQ(audio->utterance, at);
    }
    if (std::holds_alternative<TtsDone>(event)) ++at;
  }
  EXPECT_EQ(at, 4u);
}

TEST(Voice, ClausesAreSharedByCallsAndSynthesisedOnce) {
  Mouth mouth;
  std::vector<TtsEvent> first, second;
  auto a = mouth.open(first);
  auto b = mouth.open(second);
  for (auto* stream : {a.get(), b.get()}) {
    stream->begin(1);
    stream->text(1, kClause);
    stream->end(1);
  }
  mouth.hand.run();
  EXPECT_EQ(bytes_of(first, 1), bytes_of(second, 1));
  EXPECT_EQ(mouth.voice.stats().misses, 1u);
  EXPECT_EQ(mouth.voice.stats().hits, 1u);
  EXPECT_EQ(all_of<TtsMarks>(second)[0].words[4].start_ms, all_of<TtsMarks>(first)[0].words[4].start_ms);
  mouth.voice.prepare("slt", audio::kMulaw8k, {"Hello there.", kClause});
  EXPECT_EQ(mouth.voice.stats().cached_clauses, 2u);
}

TEST(Voice, TheCacheIsBounded) {
  Mouth mouth({.cache_bytes = 60'000});
  mouth.voice.prepare("slt", audio::kMulaw8k,
                      {"One.", "Two.", "Three.", "Four.", "Five.", "Six.", "Seven.", "Eight.", "Nine.", "Ten.",
                       "Eleven.", "Twelve.", "Thirteen."});
  EXPECT_LE(mouth.voice.stats().cached_bytes, 60'000u);
  EXPECT_GT(mouth.voice.stats().evictions, 0u);
  EXPECT_GT(mouth.voice.stats().cached_clauses, 2u);
}

TEST(Voice, TooMuchTextAndAFullPoolFailTheUtterance) {
  Mouth mouth({.max_queued_chars = 100});
  std::vector<TtsEvent> events;
  auto stream = mouth.open(events);
  stream->begin(1);
  stream->text(1, std::string(90, 'a'));
  stream->text(1, std::string(90, 'b'));
  mouth.hand.run();
  ASSERT_EQ(all_of<TtsFailed>(events).size(), 1u);
  EXPECT_TRUE(all_of<TtsAudio>(events).empty());
  mouth.hand.room = 0;
  stream->begin(2);
  stream->text(2, "Hello.");
  stream->end(2);
  mouth.hand.run();
  EXPECT_EQ(all_of<TtsFailed>(events).size(), 2u);
  EXPECT_TRUE(all_of<TtsFailed>(events)[1].error.retryable);
  mouth.hand.room = 10;
  stream->begin(3);
  stream->text(3, "Hello.");
  stream->end(3);
  mouth.hand.run();
  EXPECT_EQ(all_of<TtsDone>(events).size(), 1u);
}

TEST(Voice, CloseEndsEveryUtteranceAndDestructionIsSilent) {
  Mouth mouth;
  std::vector<TtsEvent> events;
  auto stream = mouth.open(events);
  stream->begin(1);
  stream->text(1, kClause);
  stream->begin(2);
  stream->close();
  stream->text(2, "more");
  mouth.hand.run();
  EXPECT_EQ(all_of<TtsCancelled>(events).size(), 2u);
  EXPECT_EQ(all_of<TtsClosed>(events).size(), 1u);
  EXPECT_TRUE(std::holds_alternative<TtsClosed>(events.back()));
  std::vector<TtsEvent> silent;
  auto other = mouth.open(silent);
  other->begin(1);
  other->text(1, kClause);
  other.reset();
  mouth.hand.run();
  EXPECT_TRUE(silent.empty());
  EXPECT_EQ(mouth.voice.stats().streams, 1u);
}

/// RMS of every 20 ms, in dB, not below -60.
std::vector<double> envelope(const std::vector<std::int16_t>& pcm) {
  std::vector<double> out;
  for (std::size_t at = 0; at + 320 <= pcm.size(); at += 320) {
    out.push_back(std::max(-60.0, dbfs(std::span(pcm).subspan(at, 320))));
  }
  return out;
}

double worst_mean_difference(const std::vector<std::vector<std::int16_t>>& a,
                             const std::vector<std::vector<std::int16_t>>& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto x = envelope(a[i]), y = envelope(b[i]);
    double sum = 0;
    const std::size_t n = std::min(x.size(), y.size());
    for (std::size_t j = 0; j < n; ++j) sum += std::abs(x[j] - y[j]);
    worst = std::max(worst, sum / static_cast<double>(n));
  }
  return worst;
}

/// Voices run in parallel: what threads synthesise at once is what one synthesises alone. (Sample by sample it never
/// is, not even in one thread: the noise of the excitation comes from rand().)
TEST(Voice, ParallelSynthesisIsTheSameAsSerial) {
  Voice voice({}, run_inline);
  const std::vector<std::string> texts = {"What are your opening hours?", "I would like to book an appointment.",
                                          "On Friday at half past three."};
  const auto render = [&](const std::string& name) {
    std::vector<std::vector<std::int16_t>> out;
    for (int round = 0; round < 2; ++round)
      for (const std::string& text : texts) out.push_back(voice.synthesize(name, text));
    return out;
  };
  std::vector<std::vector<std::vector<std::int16_t>>> serial, parallel(3);
  for (const std::string& name : Voice::names()) serial.push_back(render(name));
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 3; ++i) threads.emplace_back([&, i] { parallel[i] = render(Voice::names()[i]); });
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < 3; ++i) {
    ASSERT_EQ(parallel[i].size(), serial[i].size());
    for (std::size_t j = 0; j < serial[i].size(); ++j) {
      EXPECT_NEAR(static_cast<double>(parallel[i][j].size()), static_cast<double>(serial[i][j].size()), 800);
    }
    EXPECT_LT(worst_mean_difference(parallel[i], serial[i]), 3.0) << Voice::names()[i];
    EXPECT_GT(worst_mean_difference({serial[i][0]}, {serial[i][1]}), 3.0) << "the measure tells texts apart";
  }
}

}  // namespace
}  // namespace voxgate::engines
