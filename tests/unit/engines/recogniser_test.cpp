#include "voxgate/engines/recogniser.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "unit/engines/engine_support.hpp"
#include "voxgate/engines/voice.hpp"

namespace voxgate::engines {
namespace {

using namespace test;
using vendors::AsrClosed;
using vendors::AsrEvent;
using vendors::AsrPartial;
using vendors::AsrTurnEnd;
using vendors::AsrWarning;

RecogniserConfig quick() {
  RecogniserConfig config;
  config.model_sentences = 2000;
  config.max_decoders = 2;
  return config;
}

struct Ears {
  explicit Ears(RecogniserConfig config = quick()) : recogniser(std::move(config), hand.submit()) {
    recogniser.load({small_agent()});
  }
  std::unique_ptr<vendors::AsrStream> open(std::vector<AsrEvent>& events, audio::AudioFormat wire = audio::kMulaw8k) {
    return recogniser.open("small", wire, hand.post(), [&events](AsrEvent&& e) { events.push_back(std::move(e)); });
  }
  void say(vendors::AsrStream& stream, const std::string& text) {
    in_frames(said(text), [&](std::span<const std::uint8_t> frame) { stream.audio(frame); });
  }
  ByHand hand;
  Recogniser recogniser;
};

vendors::Expectation grammar(const std::string& name) {
  vendors::Expectation e;
  e.grammar = name;
  return e;
}

TEST(Recogniser, HearsATurnWithPartialsAndWordTimes) {
  Ears ears;
  std::vector<AsrEvent> events;
  auto stream = ears.open(events);
  ASSERT_TRUE(stream->caps().gated);
  EXPECT_FALSE(stream->caps().end_of_turn);
  stream->expect(grammar("small/main"));
  ears.say(*stream, "I want to book an appointment on Friday");
  ears.hand.run();
  const auto partials = all_of<AsrPartial>(events);
  ASSERT_GE(partials.size(), 5u) << "one per 200 ms";
  EXPECT_EQ(partials.back().text, "i want to book an appointment on friday");
  EXPECT_TRUE(partials.back().complete);
  EXPECT_FALSE(partials.front().complete);
  EXPECT_GT(partials.back().stable_prefix_len, 10u);
  EXPECT_TRUE(all_of<AsrTurnEnd>(events).empty()) << "it never ends a turn by itself";
  stream->force_end_of_turn();
  ears.hand.run();
  const auto ends = all_of<AsrTurnEnd>(events);
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0].turn, 1u);
  EXPECT_EQ(ends[0].text, "i want to book an appointment on friday");
  EXPECT_GE(ends[0].confidence, 0.5);
  ASSERT_EQ(ends[0].words.size(), 8u);
  EXPECT_EQ(ends[0].words[7].text, "friday");
  EXPECT_LT(ends[0].words[0].start_ms, ends[0].words[7].start_ms);
  EXPECT_LE(ends[0].words[7].end_ms, ends[0].end_ms);
  EXPECT_EQ(ears.recogniser.stats().decoders_in_use, 0u) << "the decoder goes back after each turn";
}

TEST(Recogniser, RejectsWhatNoSentenceOfTheAgentIsLike) {
  Ears ears;
  std::vector<AsrEvent> events;
  auto stream = ears.open(events);
  ears.say(*stream, "my grandmother lives in a small house near the river");
  stream->force_end_of_turn();
  ears.hand.run();
  const auto ends = all_of<AsrTurnEnd>(events);
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_LT(ends[0].confidence, 0.5);
  EXPECT_EQ(ears.recogniser.stats().rejected, 1u);
}

TEST(Recogniser, TheExpectationSwitchesTheGrammarAtTheNextTurn) {
  Ears ears;
  std::vector<AsrEvent> events;
  auto stream = ears.open(events);
  const auto hear = [&](const vendors::Expectation& e, const std::string& text) {
    events.clear();
    stream->expect(e);
    ears.say(*stream, text);
    stream->force_end_of_turn();
    ears.hand.run();
    const auto ends = all_of<AsrTurnEnd>(events);
    return ends.size() == 1 ? ends[0].text : std::string("(none)");
  };
  EXPECT_EQ(hear(grammar("small/confirm"), "yes please"), "yes please");
  EXPECT_EQ(hear(grammar("small/main"), "goodbye"), "goodbye");
  vendors::Expectation digits;
  digits.kind = vendors::AnswerKind::digits;
  digits.digits = 4;
  EXPECT_EQ(hear(digits, "five two eight one"), "five two eight one");
  vendors::Expectation yes_no;
  yes_no.kind = vendors::AnswerKind::yes_no;
  EXPECT_EQ(hear(yes_no, "no thank you"), "no thank you");
  vendors::Expectation phrases;
  phrases.phrases = {"(a table | a room) for {number}"};
  events.clear();
  stream->expect(phrases);
  ears.hand.run();
  const auto warnings = all_of<AsrWarning>(events);
  ASSERT_EQ(warnings.size(), 1u) << "words that no agent has loaded are told, not ignored";
  EXPECT_NE(warnings[0].text.find("is not in the dictionary"), std::string::npos);
  EXPECT_EQ(hear(grammar("small/nothing"), "goodbye"), "goodbye");
  EXPECT_EQ(all_of<AsrWarning>(events).size(), 1u);
}

TEST(Recogniser, TakesAlawAndLinearAudioToo) {
  Ears ears;
  const std::vector<std::uint8_t> ulaw = said("what are your opening hours");
  std::vector<std::int16_t> pcm(ulaw.size());
  audio::g711::decode_ulaw(ulaw, pcm);
  const std::vector<std::int16_t> wide = audio::resample(pcm, 8000, 16000);
  for (const audio::AudioFormat wire :
       {audio::AudioFormat{audio::Encoding::alaw, 8000}, audio::AudioFormat{audio::Encoding::s16le, 8000},
        audio::AudioFormat{audio::Encoding::s16le, 16000}}) {
    std::vector<AsrEvent> events;
    auto stream = ears.open(events, wire);
    ASSERT_NE(stream, nullptr);
    const auto& source = wire.rate_hz == 16000 ? wide : pcm;
    std::vector<std::uint8_t> bytes(source.size() * wire.bytes_per_sample());
    audio::encode(wire.encoding, source, bytes);
    stream->audio(bytes);
    stream->force_end_of_turn();
    ears.hand.run();
    const auto ends = all_of<AsrTurnEnd>(events);
    ASSERT_EQ(ends.size(), 1u) << to_string(wire);
    if (wire.rate_hz == 8000) {
      EXPECT_EQ(ends[0].text, "what are your opening hours") << to_string(wire);
    }
  }
  std::vector<AsrEvent> events;
  EXPECT_EQ(ears.open(events, {audio::Encoding::s16le, 44100}), nullptr);
  EXPECT_EQ(ears.recogniser.open("nobody", audio::kMulaw8k, ears.hand.post(), [](AsrEvent&&) {}), nullptr);
}

TEST(Recogniser, ATurnWithoutAudioEndsEmptyAndADiscardedTurnDoesNotEnd) {
  Ears ears;
  std::vector<AsrEvent> events;
  auto stream = ears.open(events);
  stream->force_end_of_turn();
  ears.hand.run();
  auto ends = all_of<AsrTurnEnd>(events);
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0].text, "");
  EXPECT_EQ(ends[0].turn, 1u);
  events.clear();
  ears.say(*stream, "what are your opening hours");
  while (!ears.hand.jobs.empty()) ears.hand.work_one();
  ASSERT_FALSE(ears.hand.posted.empty()) << "partials are under way";
  stream->discard_turn();
  ears.hand.run();
  EXPECT_TRUE(events.empty()) << "not even the partials that were under way";
  EXPECT_EQ(ears.recogniser.stats().decoders_in_use, 0u);
  ears.say(*stream, "goodbye");
  stream->force_end_of_turn();
  ears.hand.run();
  ends = all_of<AsrTurnEnd>(events);
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0].text, "goodbye") << "nothing of the discarded turn is left";
  EXPECT_EQ(ends[0].turn, 3u);
}

TEST(Recogniser, FinishFlushesAndClosesOnceAbortClosesAtOnce) {
  Ears ears;
  std::vector<AsrEvent> events;
  auto stream = ears.open(events);
  ears.say(*stream, "goodbye");
  stream->finish();
  stream->audio(said("yes"));
  ears.hand.run();
  EXPECT_EQ(all_of<AsrTurnEnd>(events).size(), 1u);
  EXPECT_EQ(all_of<AsrClosed>(events).size(), 1u);
  EXPECT_TRUE(std::holds_alternative<AsrClosed>(events.back()));
  stream->abort();
  EXPECT_EQ(all_of<AsrClosed>(events).size(), 1u);

  std::vector<AsrEvent> other;
  auto second = ears.open(other);
  ears.say(*second, "goodbye");
  second->force_end_of_turn();
  second->abort();
  second->force_end_of_turn();
  ears.hand.run();
  ASSERT_EQ(other.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<AsrClosed>(other[0]));
}

TEST(Recogniser, AStreamMayBeDestroyedAtAnyMomentAndItsDecoderReturns) {
  Ears ears;
  for (int when = 0; when < 4; ++when) {
    std::vector<AsrEvent> events;
    auto stream = ears.open(events);
    ears.say(*stream, "what are your opening hours");
    if (when >= 1) ears.hand.work_one();
    if (when >= 2) stream->force_end_of_turn();
    if (when >= 3) ears.hand.work_one();
    stream.reset();
    const std::size_t before = events.size();
    ears.hand.run();
    EXPECT_EQ(events.size(), before) << when;
    EXPECT_EQ(ears.recogniser.stats().decoders_in_use, 0u) << when;
    EXPECT_EQ(ears.recogniser.stats().streams, 0u) << when;
  }
  // From within its own event, too.
  std::unique_ptr<vendors::AsrStream> stream;
  int told = 0;
  stream = ears.recogniser.open("small", audio::kMulaw8k, ears.hand.post(), [&](AsrEvent&&) {
    ++told;
    stream.reset();
  });
  ears.say(*stream, "what are your opening hours");
  ears.hand.run();
  EXPECT_EQ(told, 1);
}

TEST(Recogniser, AStreamWithoutADecoderKeepsItsAudioAndIsServedLater) {
  RecogniserConfig config = quick();
  config.max_decoders = 1;
  Ears ears(config);
  std::vector<AsrEvent> first_events, second_events, third_events;
  auto first = ears.open(first_events);
  auto second = ears.open(second_events);
  auto third = ears.open(third_events);
  ears.say(*first, "goodbye");
  ears.hand.run();
  ears.say(*second, "what are your opening hours");
  second->force_end_of_turn();
  ears.say(*third, "goodbye");
  ears.hand.run();
  EXPECT_EQ(ears.recogniser.stats().waiting, 2u);
  EXPECT_TRUE(all_of<AsrTurnEnd>(second_events).empty());
  EXPECT_EQ(all_of<AsrWarning>(second_events).size(), 1u);
  third->discard_turn();  // it no longer needs one: the next in line must not wait for it
  first.reset();
  ears.hand.run();
  const auto ends = all_of<AsrTurnEnd>(second_events);
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0].text, "what are your opening hours");
  EXPECT_EQ(ears.recogniser.stats().waiting, 0u);
  EXPECT_EQ(ears.recogniser.stats().decoders, 1u);
}

TEST(Recogniser, PendingAudioIsBoundedAndTheLossIsTold) {
  RecogniserConfig config = quick();
  config.max_pending_audio = 1000ms;
  Ears ears(config);
  std::vector<AsrEvent> events;
  auto stream = ears.open(events);
  const std::vector<std::uint8_t> frame(160, 0xFF);
  for (int i = 0; i < 100; ++i) stream->audio(frame);  // 2 s, and no worker comes
  EXPECT_EQ(ears.recogniser.stats().dropped_audio_ms, 1000u);
  ears.hand.run();
  ASSERT_EQ(all_of<AsrWarning>(events).size(), 1u);
  EXPECT_EQ(all_of<AsrWarning>(events)[0].code, "audio_dropped");
}

TEST(Recogniser, AFullWorkerPoolAnswersTheTurnInsteadOfHanging) {
  Ears ears;
  std::vector<AsrEvent> events;
  auto stream = ears.open(events);
  ears.hand.room = 0;
  ears.say(*stream, "goodbye");
  stream->force_end_of_turn();
  ears.hand.run();
  auto ends = all_of<AsrTurnEnd>(events);
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0].text, "");
  EXPECT_LT(ends[0].confidence, 0.5);
  EXPECT_GE(ears.recogniser.stats().refused_jobs, 1u);
  ASSERT_FALSE(all_of<AsrWarning>(events).empty());
  EXPECT_EQ(all_of<AsrWarning>(events)[0].code, "overloaded");
  ears.hand.room = 1000;
  events.clear();
  ears.say(*stream, "goodbye");
  stream->force_end_of_turn();
  ears.hand.run();
  ends = all_of<AsrTurnEnd>(events);
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0].text, "goodbye") << "the next turn is heard as if nothing had happened";
}

TEST(Recogniser, MistakesInAnAgentAreNamedAtLoad) {
  Recogniser recogniser(quick(), run_inline);
  const auto load = [&](const std::string& pattern) -> std::string {
    vendors::AgentSpeech agent = small_agent();
    agent.states[0].entries.push_back({"x", pattern, "/script/states/main/intents/x"});
    try {
      recogniser.load({agent});
    } catch (const std::runtime_error& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(
      load("a blorgified word"),
      "agent 'small': the word 'blorgified' in /script/states/main/intents/x (\"a blorgified word\") is not in the "
      "dictionary; spell it as words or give it an entry in 'pronunciations'");
  EXPECT_EQ(load("a {nonsense}").rfind("agent 'small': /script/states/main/intents/x (column 3): no rule", 0), 0u);
  EXPECT_FALSE(recogniser.knows("small")) << "a load that fails changes nothing";
  EXPECT_EQ(load("a fine word"), "");
  EXPECT_TRUE(recogniser.knows("small"));
  vendors::AgentSpeech agent = small_agent();
  agent.states[0].entries.push_back({"x", "a blorgified word", "x"});
  agent.pronunciations["blorgified"] = "B L AO R G IH F AY D";
  EXPECT_NO_THROW(recogniser.load({agent}));
  RecogniserConfig config = quick();
  config.model_dir = "/nonexistent";
  Recogniser lost(config, run_inline);
  EXPECT_THROW(lost.load({small_agent()}), std::runtime_error);
}

TEST(Recogniser, AReloadKeepsOpenStreamsAndRetiresTheirDecoders) {
  Ears ears;
  std::vector<AsrEvent> events;
  auto stream = ears.open(events);
  ears.say(*stream, "goodbye");
  ears.hand.run();
  vendors::AgentSpeech other = small_agent();
  other.agent = "other";
  ears.recogniser.load({other});
  EXPECT_FALSE(ears.recogniser.knows("small"));
  stream->force_end_of_turn();
  ears.hand.run();
  ASSERT_EQ(all_of<AsrTurnEnd>(events).size(), 1u);
  EXPECT_EQ(all_of<AsrTurnEnd>(events)[0].text, "goodbye");
  EXPECT_EQ(ears.recogniser.stats().decoders, 1u) << "only the one made for the new agents is left";
  ears.recogniser.prewarm(2);
  EXPECT_EQ(ears.recogniser.stats().decoders, 2u);
  ears.recogniser.trim(0);
  EXPECT_EQ(ears.recogniser.stats().decoders, 0u);
}

/// Two workers, four callers, streams that die in mid-turn: for the sanitizers, and for deadlocks.
TEST(Recogniser, ManyStreamsOnRealThreads) {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> jobs, posted;
  bool stop = false;
  const Submit submit = [&](std::uint64_t, std::function<void()> job) {
    std::lock_guard lock(mutex);
    jobs.push_back(std::move(job));
    changed.notify_all();
    return true;
  };
  const Post post = [&](std::function<void()> f) {
    std::lock_guard lock(mutex);
    posted.push_back(std::move(f));
    changed.notify_all();
  };
  std::vector<std::thread> workers;
  for (int i = 0; i < 2; ++i) {
    workers.emplace_back([&] {
      for (;;) {
        std::function<void()> job;
        {
          std::unique_lock lock(mutex);
          changed.wait(lock, [&] { return stop || !jobs.empty(); });
          if (jobs.empty()) return;
          job = std::move(jobs.front());
          jobs.pop_front();
        }
        job();
      }
    });
  }
  {
    Recogniser recogniser(quick(), submit);
    recogniser.load({small_agent()});
    const auto audio = said("what are your opening hours");
    std::vector<std::string> heard;
    std::vector<std::unique_ptr<vendors::AsrStream>> streams;
    for (int i = 0; i < 6; ++i) {
      streams.push_back(recogniser.open("small", audio::kMulaw8k, post, [&](AsrEvent&& e) {
        if (auto* end = std::get_if<AsrTurnEnd>(&e)) heard.push_back(end->text);
      }));
      in_frames(audio, [&](std::span<const std::uint8_t> frame) { streams.back()->audio(frame); });
      streams.back()->force_end_of_turn();
    }
    streams[1].reset();
    streams[4].reset();
    while (heard.size() < 4) {
      std::function<void()> f;
      {
        std::unique_lock lock(mutex);
        ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds(60), [&] { return !posted.empty(); }));
        f = std::move(posted.front());
        posted.pop_front();
      }
      f();
    }
    for (const std::string& text : heard) EXPECT_EQ(text, "what are your opening hours");
    streams.clear();
  }
  {
    std::lock_guard lock(mutex);
    stop = true;
    changed.notify_all();
  }
  for (std::thread& worker : workers) worker.join();
}

}  // namespace
}  // namespace voxgate::engines
