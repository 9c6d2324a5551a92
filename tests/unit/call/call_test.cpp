// The conversation with a clock set by hand: fake recogniser, model, voice and line around the real core.
#include "voxgate/call/call.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <deque>

#include "voxgate/audio/g711.hpp"

namespace voxgate::call {
namespace {

using dialog::TurnState;
using ::testing::HasSubstr;
using vendors::TurnCause;

struct FakeAsr final : vendors::AsrStream {
  vendors::AsrCaps capabilities;
  std::vector<std::string> log;
  std::size_t fed_bytes = 0;
  std::vector<vendors::Expectation> expectations;
  FakeAsr() { capabilities.gated = true; }
  const vendors::AsrCaps& caps() const override { return capabilities; }
  void expect(const vendors::Expectation& e) override { expectations.push_back(e); }
  void audio(std::span<const std::uint8_t> bytes) override { fed_bytes += bytes.size(); }
  void force_end_of_turn() override { log.push_back("force"); }
  void discard_turn() override { log.push_back("discard"); }
  void keepalive_tick() override {}
  void finish() override {}
  void abort() override {}
};

struct FakeLlm final : vendors::LlmStream {
  std::vector<vendors::LlmRequest> requests;
  std::vector<std::uint64_t> cancelled;
  void start(vendors::LlmRequest request) override { requests.push_back(std::move(request)); }
  void cancel(std::uint64_t request) override { cancelled.push_back(request); }
};

struct FakeTts final : vendors::TtsStream {
  vendors::TtsCaps capabilities;
  std::vector<std::pair<vendors::UtteranceId, std::string>> said;
  std::vector<vendors::UtteranceId> cancelled;
  const vendors::TtsCaps& caps() const override { return capabilities; }
  void begin(vendors::UtteranceId id) override { said.emplace_back(id, ""); }
  void text(vendors::UtteranceId, std::string_view words) override { said.back().second += words; }
  void end(vendors::UtteranceId) override {}
  void flush(vendors::UtteranceId) override {}
  void cancel(vendors::UtteranceId id) override { cancelled.push_back(id); }
  void keepalive_tick() override {}
  void close() override {}
};

/// A phone that plays what it gets and echoes marks.
struct FakeLine final : MediaPort {
  std::size_t audio_bytes = 0;
  int clears = 0;
  std::deque<std::string> marks;
  void send_audio(std::span<const std::uint8_t> bytes) override { audio_bytes += bytes.size(); }
  void send_mark(std::string_view name) override { marks.emplace_back(name); }
  void send_clear() override { ++clears; }
};

struct FakeHost final : CallHost {
  std::vector<EndReason> ends;
  void end_call(EndReason reason, std::string_view) override { ends.push_back(reason); }
};

struct FakeTimeline final : Timeline {
  std::vector<EventKind> events;
  std::vector<TurnRecord> turns;
  std::vector<Duration> barge_ins;
  void on_event(EventKind kind, Duration, std::string_view) override { events.push_back(kind); }
  void on_caller(const TurnRecord&) override {}
  void on_turn(const TurnRecord& turn) override { turns.push_back(turn); }
  void on_barge_in(Duration reaction) override { barge_ins.push_back(reaction); }
  bool saw(EventKind kind) const { return std::find(events.begin(), events.end(), kind) != events.end(); }
};

class CallTest : public ::testing::Test {
 protected:
  void SetUp() override {
    agent->name = "test";
    make();
  }
  void make() {
    CallSettings settings;
    settings.agent = agent;
    settings.capabilities = &capabilities;
    settings.start.call_id = "CA1";
    slot.reset();
    call = std::make_unique<Call>(std::move(settings), CallPorts{&line, &host, &timeline, &asr, &llm, &tts}, slot, now);
  }

  // ---- time: 20 ms steps of caller audio, with ticks; the phone echoes marks half a second after they were sent ----
  void quiet(std::int64_t ms) {
    for (std::int64_t t = 0; t < ms; t += 20) frame(0.001);
  }
  void speak(std::int64_t ms) {
    for (std::int64_t t = 0; t < ms; t += 20) frame(0.15);
  }
  void frame(double level) {
    // Voiced-like: harmonics of a wandering pitch with syllable rhythm, or faint noise.
    std::uint8_t wire[160];
    for (int i = 0; i < 160; ++i) {
      const double t = static_cast<double>(samples_++) / 8000.0;
      noise_ = noise_ * 1664525u + 1013904223u;
      double x = (static_cast<double>(noise_ >> 16) / 65536.0 - 0.5) * 0.002;
      if (level > 0.01) {
        const double pitch = 120 + 20 * std::sin(2 * 3.14159 * 1.7 * t);
        const double rhythm = 0.35 + 0.65 * std::fabs(std::sin(2 * 3.14159 * 2.2 * t));
        for (int h = 1; h < 16; ++h) x += level * rhythm * std::sin(2 * 3.14159 * pitch * h * t) / (1 + 0.4 * h);
      }
      wire[i] = audio::g711::linear_to_ulaw(static_cast<std::int16_t>(std::clamp(x, -1.0, 1.0) * 32000));
    }
    now += Millis(20);
    carriers::MediaAudio audio;
    audio.bytes = wire;
    audio.chunk = ++chunk_;
    audio.timestamp_ms = static_cast<std::int64_t>(chunk_ - 1) * 20;
    call->on_media(audio, now);
    call->tick(now);
    while (!line.marks.empty() && echo_marks) {
      const std::string mark = line.marks.front();
      line.marks.pop_front();
      echoes_.emplace_back(now + Millis(180), mark);
    }
    while (!echoes_.empty() && echoes_.front().first <= now) {
      const std::string mark = echoes_.front().second;
      echoes_.pop_front();
      call->on_media(carriers::MediaMark{mark}, now);
    }
  }

  // ---- what the services answer ----
  void answer(const std::string& text, bool done = true) {
    const auto id = llm.requests.back().id;
    call->on_llm({id, vendors::LlmText{text}}, now);
    call->on_llm({id, vendors::LlmState{"state-" + std::to_string(id)}}, now);
    if (done) call->on_llm({id, vendors::LlmDone{}}, now);
  }
  void voice(std::int64_t ms) {  // audio for everything handed to the voice and not yet spoken
    while (spoken_ < tts.said.size()) {
      const auto id = tts.said[spoken_++].first;
      vendors::TtsAudio audio;
      audio.utterance = id;
      audio.bytes.assign(static_cast<std::size_t>(ms * 8), 0x55);
      call->on_tts(std::move(audio), now);
      call->on_tts(vendors::TtsDone{id, ms}, now);
    }
  }
  // The last `pieces` handed to the voice.
  std::string said(std::size_t pieces) const {
    std::string out;
    for (std::size_t i = tts.said.size() - pieces; i < tts.said.size(); ++i) {
      out += (out.empty() ? "" : " ") + tts.said[i].second;
    }
    return out;
  }
  void greet(std::int64_t audio_ms = 600) {
    call->begin(now);
    answer("Hello, how can I help you?");
    voice(audio_ms);
    quiet(audio_ms + 400);
    ASSERT_EQ(call->state(), TurnState::listening);
  }
  void final(const std::string& text, double confidence = 0.9) {
    vendors::AsrTurnEnd end;
    end.text = text;
    end.confidence = confidence;
    call->on_asr(end, now);
  }
  void partial(const std::string& text, bool complete = false) {
    vendors::AsrPartial p;
    p.text = text;
    p.complete = complete;
    call->on_asr(p, now);
  }
  // Says something and is understood; ends in thinking.
  void turn(const std::string& text) {
    speak(800);
    partial(text, true);
    quiet(700);
    ASSERT_EQ(asr.log.back(), "force");
    final(text);
  }

  Instant now = Instant{} + std::chrono::hours(1);
  std::shared_ptr<AgentSpec> agent = std::make_shared<AgentSpec>();
  carriers::Capabilities capabilities;
  CallSlot slot;
  FakeLine line;
  FakeHost host;
  FakeTimeline timeline;
  FakeAsr asr;
  FakeLlm llm;
  FakeTts tts;
  std::unique_ptr<Call> call;
  bool echo_marks = true;

 private:
  std::uint32_t chunk_ = 0, noise_ = 1;
  std::int64_t samples_ = 0;
  std::size_t spoken_ = 0;
  std::deque<std::pair<Instant, std::string>> echoes_;
};

TEST_F(CallTest, GreetsAndThenListens) {
  greet();
  ASSERT_EQ(llm.requests.size(), 1u);
  EXPECT_EQ(llm.requests[0].cause, TurnCause::greeting);
  ASSERT_EQ(timeline.turns.size(), 1u);
  EXPECT_EQ(timeline.turns[0].agent, "Hello, how can I help you?");
  EXPECT_EQ(call->history().messages().size(), 1u);
}

TEST_F(CallTest, AnswersATurnAndItsStagesSumToTheTotal) {
  greet();
  turn("what are your opening hours");
  EXPECT_EQ(call->state(), TurnState::thinking);
  EXPECT_EQ(llm.requests.back().messages.back().text, "what are your opening hours");
  EXPECT_EQ(llm.requests.back().messages.front().state, "state-1") << "the model's state comes back to it";
  quiet(40);
  answer("From nine to five.");
  quiet(60);
  voice(900);
  EXPECT_EQ(call->state(), TurnState::speaking);
  quiet(1300);
  EXPECT_EQ(call->state(), TurnState::listening);
  const TurnRecord& turn = timeline.turns.back();
  EXPECT_EQ(turn.caller, "what are your opening hours");
  EXPECT_EQ(turn.agent, "From nine to five.");
  EXPECT_FALSE(turn.interrupted);
  Duration sum{};
  for (const Duration stage : turn.stamps.stages()) {
    EXPECT_GE(stage, Duration::zero());
    sum += stage;
  }
  EXPECT_EQ(sum, turn.stamps.total());
  EXPECT_GT(turn.stamps.total(), Millis(300));
  EXPECT_LT(turn.stamps.total(), Millis(1100));
}

TEST_F(CallTest, FeedsTheRecogniserOnlySpeechWithItsPreRoll) {
  greet();
  EXPECT_EQ(asr.fed_bytes, 0u);
  quiet(2000);
  EXPECT_EQ(asr.fed_bytes, 0u);
  speak(200);
  EXPECT_GE(asr.fed_bytes, 300u * 8) << "300 ms of pre-roll, in which the speech began";
}

TEST_F(CallTest, ConfirmedBargeInCutsTheAgentAndTheHistoryHoldsWhatWasHeard) {
  greet();
  turn("tell me everything");
  answer("One two three four five six seven eight nine ten.");
  voice(5000);
  quiet(1500);
  ASSERT_EQ(call->state(), TurnState::speaking);
  speak(400);
  EXPECT_EQ(call->state(), TurnState::held);
  EXPECT_EQ(line.clears, 1);
  const auto sent = line.audio_bytes;
  speak(400);
  EXPECT_EQ(line.audio_bytes, sent) << "nothing is sent while the caller speaks";
  EXPECT_EQ(call->state(), TurnState::hearing);
  const TurnRecord& cut = timeline.turns.back();
  EXPECT_TRUE(cut.interrupted);
  EXPECT_THAT(cut.agent, HasSubstr("One two"));
  EXPECT_EQ(cut.agent.find("nine"), std::string::npos);
  EXPECT_EQ(call->history().messages().back().text, cut.agent + "\u2014");
  ASSERT_EQ(timeline.barge_ins.size(), 1u);
  partial("stop please", true);
  quiet(700);
  final("stop please");
  EXPECT_EQ(llm.requests.back().messages.back().text, "stop please");
}

TEST_F(CallTest, WordsInterruptAtOnceUnlessTheRecogniserMayHaveInventedThem) {
  for (const bool doubtful : {false, true}) {
    asr.capabilities.doubtful_partials = doubtful;
    make();
    greet();
    turn("tell me everything");
    answer("One two three four five six seven eight nine ten.");
    voice(5000);
    quiet(1500);
    speak(220);
    partial("no");
    EXPECT_EQ(call->state(), doubtful ? TurnState::speaking : TurnState::hearing);
    speak(200);
    partial("no wait");
    EXPECT_EQ(call->state(), TurnState::hearing) << "enough voice for the words to count";
  }
}

TEST_F(CallTest, AFalseInterruptionResumesTheAgent) {
  greet();
  turn("tell me everything");
  answer("One two three four five six seven eight nine ten.");
  voice(5000);
  quiet(1500);
  speak(360);
  ASSERT_EQ(call->state(), TurnState::held);
  quiet(1400);
  final("", 0.0);
  EXPECT_EQ(call->state(), TurnState::speaking);
  EXPECT_TRUE(timeline.saw(EventKind::barge_resume));
  EXPECT_TRUE(llm.cancelled.empty());
  quiet(5000);
  EXPECT_EQ(call->state(), TurnState::listening);
  EXPECT_EQ(timeline.turns.back().agent, "One two three four five six seven eight nine ten.");
  EXPECT_FALSE(timeline.turns.back().interrupted);
}

TEST_F(CallTest, ABackChannelDoesNotInterrupt) {
  greet();
  turn("tell me everything");
  answer("One two three four five six seven eight nine ten.");
  voice(5000);
  quiet(1500);
  speak(240);
  partial("mm-hmm");
  quiet(900);
  if (!asr.log.empty() && asr.log.back() == "force") final("mm-hmm");
  quiet(1500);
  EXPECT_EQ(call->state(), TurnState::speaking);
  EXPECT_EQ(timeline.barge_ins.size(), 0u);
}

TEST_F(CallTest, AProtectedReplyIsNotInterrupted) {
  call->begin(now);
  const auto id = llm.requests.back().id;
  call->on_llm({id, vendors::LlmText{"This call is recorded for quality."}}, now);
  call->on_llm({id, vendors::LlmProtect{}}, now);
  call->on_llm({id, vendors::LlmDone{}}, now);
  voice(3000);
  quiet(500);
  speak(1200);
  EXPECT_EQ(line.clears, 0);
  EXPECT_EQ(call->state(), TurnState::speaking);
}

TEST_F(CallTest, ACallerWhoGoesOnBeforeWeSpokeIsMergedIntoOneTurn) {
  greet();
  turn("i would like to book");
  EXPECT_EQ(call->state(), TurnState::thinking);
  const auto first = llm.requests.back().id;
  speak(400);
  EXPECT_EQ(call->state(), TurnState::held);
  partial("an appointment on monday", true);
  quiet(700);
  final("an appointment on monday");
  EXPECT_EQ(llm.requests.back().messages.back().text, "i would like to book an appointment on monday");
  EXPECT_THAT(llm.cancelled, ::testing::Contains(first));
  answer("On Monday then.");
  voice(500);
  quiet(1000);
  EXPECT_EQ(timeline.turns.back().merged, 1);
  EXPECT_EQ(timeline.turns.back().caller, "i would like to book an appointment on monday");
}

TEST_F(CallTest, ASpeculativeReplyIsReleasedWhenTheWordsStand) {
  greet();
  speak(800);
  partial("what are your opening hours");
  quiet(420);
  ASSERT_EQ(llm.requests.size(), 2u) << "begun before the end of the turn";
  const auto early = llm.requests.back().id;
  answer("From nine to five.");
  EXPECT_EQ(tts.said.size(), 1u) << "held back until the turn is over";
  quiet(400);
  final("What are your opening hours?");
  EXPECT_EQ(llm.requests.back().id, early) << "no second request";
  EXPECT_EQ(tts.said.size(), 2u);
  voice(500);
  quiet(1000);
  EXPECT_TRUE(timeline.turns.back().speculative);
}

TEST_F(CallTest, ASpeculativeReplyIsDroppedWhenTheCallerGoesOn) {
  greet();
  speak(800);
  partial("what are your opening hours");
  quiet(420);
  ASSERT_EQ(llm.requests.size(), 2u);
  const auto early = llm.requests.back().id;
  speak(500);
  EXPECT_THAT(llm.cancelled, ::testing::Contains(early));
  EXPECT_TRUE(timeline.saw(EventKind::speculation_dropped));
  partial("what are your opening hours on sunday", true);
  quiet(800);
  final("what are your opening hours on sunday");
  EXPECT_NE(llm.requests.back().id, early);
  EXPECT_EQ(llm.requests.back().messages.back().text, "what are your opening hours on sunday");
}

TEST_F(CallTest, AsksAgainWhenTheCallerIsSilentThenSaysFarewellAndHangsUp) {
  agent->turns.max_no_input = 2;
  greet();
  quiet(6200);
  ASSERT_EQ(llm.requests.back().cause, TurnCause::no_input);
  EXPECT_EQ(llm.requests.back().repeat, 1);
  answer("Are you there?");
  voice(500);
  quiet(7000);
  ASSERT_EQ(llm.requests.back().repeat, 2);
  answer("Hello?");
  voice(500);
  quiet(7000);
  EXPECT_EQ(call->state(), TurnState::closing);
  voice(500);
  EXPECT_TRUE(host.ends.empty()) << "the farewell has to be heard first";
  quiet(1500);
  ASSERT_EQ(host.ends.size(), 1u);
  EXPECT_EQ(host.ends[0], EndReason::no_input);
}

TEST_F(CallTest, HangsUpOnlyWhenTheGoodbyeWasHeard) {
  greet();
  turn("goodbye");
  const auto id = llm.requests.back().id;
  call->on_llm({id, vendors::LlmText{"Goodbye and thank you."}}, now);
  call->on_llm({id, vendors::LlmToolCall{"k", std::string(vendors::kToolHangup), "{}"}}, now);
  call->on_llm({id, vendors::LlmDone{}}, now);
  voice(1000);
  quiet(700);
  EXPECT_TRUE(host.ends.empty());
  quiet(900);
  ASSERT_EQ(host.ends.size(), 1u);
  EXPECT_EQ(host.ends[0], EndReason::agent_hung_up);
  EXPECT_EQ(timeline.turns.back().agent, "Goodbye and thank you.");
}

TEST_F(CallTest, HandsTheCallerOver) {
  greet();
  turn("operator");
  const auto id = llm.requests.back().id;
  call->on_llm({id, vendors::LlmText{"One moment."}}, now);
  call->on_llm({id, vendors::LlmToolCall{"k", std::string(vendors::kToolTransfer), "{\"to\": \"+15550100\"}"}}, now);
  call->on_llm({id, vendors::LlmDone{}}, now);
  voice(500);
  quiet(1200);
  ASSERT_EQ(host.ends.size(), 1u);
  EXPECT_EQ(host.ends[0], EndReason::transferred);
  EXPECT_EQ(call->transfer_to(), "+15550100");
}

TEST_F(CallTest, EndsAtTheMaximumLengthWithAFarewell) {
  agent->turns.max_call = std::chrono::seconds(20);
  agent->turns.no_input = Millis(60000);
  greet();
  quiet(20000);
  EXPECT_EQ(call->state(), TurnState::closing);
  EXPECT_EQ(said(2), agent->farewell);
  voice(500);
  quiet(1200);
  ASSERT_EQ(host.ends.size(), 1u);
  EXPECT_EQ(host.ends[0], EndReason::too_long);
}

TEST_F(CallTest, ApologisesWhenNoReplyComesAndGivesUpTheSecondTime) {
  agent->turns.reply_patience = Millis(2000);
  greet();
  turn("hello there");
  quiet(2100);
  EXPECT_TRUE(timeline.saw(EventKind::apology));
  EXPECT_EQ(said(1), "something went wrong.") << "the second sentence waits for the first";
  quiet(2500);
  ASSERT_EQ(host.ends.size(), 1u) << "the voice does not answer either";
  EXPECT_EQ(host.ends[0], EndReason::failed);
}

TEST_F(CallTest, ATurnThatWasNotUnderstoodIsANoMatch) {
  greet();
  speak(900);
  quiet(700);
  if (asr.log.empty()) {
    partial("purple monkey dishwasher");
    quiet(700);
  }
  final("purple monkey dishwasher", 0.2);
  EXPECT_EQ(llm.requests.back().cause, TurnCause::no_match);
  EXPECT_EQ(llm.requests.back().repeat, 1);
}

TEST_F(CallTest, NoiseWithoutWordsIsNoTurn) {
  greet();
  speak(200);
  quiet(3000);
  EXPECT_EQ(llm.requests.size(), 1u);
  EXPECT_EQ(call->state(), TurnState::listening);
}

TEST_F(CallTest, TakesThePartialWhenTheRecogniserStaysSilent) {
  greet();
  speak(800);
  partial("opening hours", true);
  quiet(700);
  ASSERT_EQ(asr.log.back(), "force");
  quiet(1700);
  EXPECT_EQ(llm.requests.back().messages.back().text, "opening hours");
}

TEST_F(CallTest, CollectsKeysIntoOneTurn) {
  greet();
  call->on_media(carriers::MediaDtmf{'1'}, now);
  quiet(500);
  call->on_media(carriers::MediaDtmf{'2'}, now);
  quiet(500);
  call->on_media(carriers::MediaDtmf{'#'}, now);
  EXPECT_EQ(llm.requests.back().cause, TurnCause::dtmf);
  EXPECT_EQ(llm.requests.back().messages.back().text, "12#");
}

TEST_F(CallTest, KeysStopTheAgent) {
  greet();
  turn("tell me everything");
  answer("One two three four five six seven eight nine ten.");
  voice(5000);
  quiet(1000);
  call->on_media(carriers::MediaDtmf{'5'}, now);
  EXPECT_EQ(line.clears, 1);
  quiet(2700);
  EXPECT_EQ(llm.requests.back().cause, TurnCause::dtmf);
}

TEST_F(CallTest, AStallOfTheLineIsNotTheEndOfATurn) {
  greet();
  speak(600);
  now += Millis(400);  // a TCP stall in the middle of a word; the frames come in a burst afterwards
  speak(400);
  EXPECT_EQ(call->state(), TurnState::hearing);
  EXPECT_FALSE(timeline.saw(EventKind::end_of_turn));
}

TEST_F(CallTest, TheEndComesOnceAndNothingAfterIt) {
  greet();
  turn("goodbye");
  call->on_end(EndReason::caller_hung_up, now);
  const auto turns = timeline.turns.size();
  const auto requests = llm.requests.size();
  answer("too late");
  voice(500);
  speak(500);
  call->on_end(EndReason::transport_lost, now);
  EXPECT_EQ(timeline.turns.size(), turns);
  EXPECT_EQ(llm.requests.size(), requests);
  EXPECT_TRUE(host.ends.empty());
}

TEST_F(CallTest, WhatTheCallerSaysOverTheLastWordsOfTheAgentIsAnswered) {
  greet();
  turn("tell me something");
  answer("One two three.");
  voice(1000);
  quiet(900);
  speak(700);  // begins 100 ms before the agent has ended
  EXPECT_EQ(call->state(), TurnState::hearing);
  partial("what are your opening hours", true);
  quiet(700);
  ASSERT_EQ(asr.log.back(), "force");
  final("what are your opening hours");
  EXPECT_EQ(llm.requests.back().messages.back().text, "what are your opening hours");
}

TEST_F(CallTest, WhatIsSaidDuringAProtectedReplyIsAnsweredAfterIt) {
  call->begin(now);
  const auto id = llm.requests.back().id;
  call->on_llm({id, vendors::LlmText{"This call is recorded for quality."}}, now);
  call->on_llm({id, vendors::LlmProtect{}}, now);
  call->on_llm({id, vendors::LlmDone{}}, now);
  voice(5000);
  quiet(800);
  speak(800);
  partial("book a table", true);
  quiet(700);
  final("book a table");
  EXPECT_EQ(call->state(), TurnState::speaking);
  EXPECT_EQ(llm.requests.size(), 1u);
  quiet(3500);
  EXPECT_EQ(llm.requests.size(), 2u);
  EXPECT_EQ(llm.requests.back().messages.back().text, "book a table");
}

TEST_F(CallTest, ACallerWhoSpeaksBeforeTheGreetingIsHeardFirst) {
  call->begin(now);
  answer("Hello, how can I help you?");
  speak(400);
  EXPECT_EQ(call->state(), TurnState::held);
  voice(600);
  EXPECT_EQ(line.audio_bytes, 0u) << "nobody talks over the caller";
  partial("hello i want to book", true);
  quiet(700);
  final("hello i want to book");
  EXPECT_EQ(llm.requests.back().messages.back().text, "hello i want to book");
  answer("Sure.");
  voice(500);
  quiet(900);
  EXPECT_EQ(call->state(), TurnState::listening);
  EXPECT_FALSE(timeline.saw(EventKind::apology));
}

TEST_F(CallTest, AGreetingThatHangsUpIsHeardFirst) {
  call->begin(now);
  const auto id = llm.requests.back().id;
  call->on_llm({id, vendors::LlmText{"We are closed. Goodbye."}}, now);
  call->on_llm({id, vendors::LlmToolCall{"k", std::string(vendors::kToolHangup), "{}"}}, now);
  call->on_llm({id, vendors::LlmDone{}}, now);
  EXPECT_TRUE(host.ends.empty());
  voice(800);
  quiet(2600);
  ASSERT_EQ(host.ends.size(), 1u);
  EXPECT_EQ(line.audio_bytes, tts.said.size() * 800u * 8);
}

TEST_F(CallTest, AGreetingWithoutWordsStillStartsTheClock) {
  call->begin(now);
  answer("");
  quiet(6300);
  EXPECT_EQ(llm.requests.back().cause, TurnCause::no_input);
}

TEST_F(CallTest, WordsAddedWhileTheFinalIsAwaitedAreNotLost) {
  greet();
  speak(800);
  partial("i would like to book", true);
  quiet(600);
  ASSERT_EQ(asr.log.back(), "force");
  EXPECT_EQ(call->state(), TurnState::finalizing);
  speak(400);
  final("i would like to book");
  EXPECT_EQ(call->state(), TurnState::held);
  partial("for two people", true);
  quiet(700);
  final("for two people");
  EXPECT_EQ(llm.requests.back().messages.back().text, "i would like to book for two people");
}

TEST_F(CallTest, ALateFinalDoesNotBecomeTheNextTurn) {
  greet();
  turn("first");  // its final came
  answer("One.");
  voice(300);
  quiet(900);
  speak(800);
  partial("second", true);
  quiet(2400);  // no final: the partial counts
  EXPECT_EQ(llm.requests.back().messages.back().text, "second");
  answer("Two.");
  voice(300);
  quiet(900);
  speak(800);
  partial("third", true);
  quiet(700);
  final("second");  // late
  EXPECT_EQ(call->state(), TurnState::finalizing);
  final("third");
  EXPECT_EQ(call->state(), TurnState::thinking);
  EXPECT_EQ(call->history().messages().back().text, "third");
}

TEST_F(CallTest, NoiseAfterAQuestionDoesNotLoseTheQuestion) {
  greet();
  turn("what are your opening hours");
  speak(400);
  partial("no");
  quiet(900);
  if (asr.log.back() == "force") final("", 0.0);
  quiet(2500);
  EXPECT_EQ(llm.requests.back().cause, TurnCause::user_turn);
  EXPECT_EQ(llm.requests.back().messages.back().text, "what are your opening hours");
  answer("From nine.");
  voice(500);
  quiet(900);
  EXPECT_EQ(timeline.turns.back().agent, "From nine.");
}

TEST_F(CallTest, ADoubtfulFinalDoesNotTakeTheSpeculation) {
  greet();
  speak(800);
  partial("what are your opening hours");
  quiet(420);
  const auto early = llm.requests.back().id;
  answer("From nine to five.");
  quiet(400);
  final("what are your opening hours", 0.55);
  EXPECT_NE(llm.requests.back().id, early) << "the model has to know that the words are doubtful";
  EXPECT_DOUBLE_EQ(llm.requests.back().confidence, 0.55);
}

TEST_F(CallTest, WhereBargeInIsOffTheCallerWaits) {
  agent->turns.barge_in.enabled = false;
  make();
  greet();
  turn("tell me everything");
  answer("One two three four five six seven eight nine ten.");
  voice(4000);
  quiet(800);
  speak(800);
  partial("stop please", true);
  quiet(700);
  final("stop please");
  EXPECT_EQ(line.clears, 0);
  quiet(3000);
  EXPECT_EQ(llm.requests.back().messages.back().text, "stop please");
}

TEST_F(CallTest, ADeafCallEndsWithAFarewell) {
  greet();
  vendors::AsrClosed closed;
  closed.error.emplace();
  call->on_asr(closed, now);
  EXPECT_EQ(call->state(), TurnState::closing);
  voice(400);
  quiet(1000);
  ASSERT_EQ(host.ends.size(), 1u);
  EXPECT_EQ(host.ends[0], EndReason::failed);
}

TEST_F(CallTest, AVoiceThatFailsTwiceEndsTheCall) {
  const auto fail_voice = [this] {
    for (std::size_t i = 0; i < tts.said.size(); ++i) call->on_tts(vendors::TtsFailed{tts.said[i].first, {}}, now);
  };
  call->begin(now);
  answer("Hello.");
  fail_voice();
  quiet(100);
  EXPECT_TRUE(host.ends.empty());
  turn("hello");
  answer("Hello again.");
  fail_voice();
  quiet(100);
  ASSERT_EQ(host.ends.size(), 1u);
  EXPECT_EQ(host.ends[0], EndReason::failed);
}

TEST_F(CallTest, ALineThatFallsSilentInATurnStillEndsIt) {
  greet();
  speak(800);
  partial("opening hours", true);
  for (int i = 0; i < 200; ++i) {  // no media at all for 4 s; ticks go on
    now += Millis(20);
    call->tick(now);
  }
  ASSERT_FALSE(asr.log.empty());
  EXPECT_EQ(asr.log.back(), "force");
}

TEST_F(CallTest, AnOperatorIsHeardAtOnceWhateverTheState) {
  greet();
  turn("tell me everything");
  answer("One two three four five six seven eight nine ten.");
  voice(5000);
  quiet(1000);
  speak(360);
  ASSERT_EQ(call->state(), TurnState::held);
  call->on_control(SayText{"This is the operator.", true}, now);
  voice(500);
  quiet(1300);
  EXPECT_EQ(timeline.turns.back().agent, "This is the operator.");
  EXPECT_EQ(call->state(), TurnState::listening);
}

TEST_F(CallTest, AHangUpInMidReplyIsRecordedAsSuch) {
  greet();
  turn("tell me everything");
  answer("One two three four five six seven eight nine ten.");
  voice(5000);
  quiet(1500);
  call->on_end(EndReason::caller_hung_up, now);
  EXPECT_TRUE(timeline.turns.back().interrupted);
  EXPECT_THAT(timeline.turns.back().agent, HasSubstr("One two"));
}

TEST_F(CallTest, AnswersFromWithinACommandAreHandledInOrder) {
  struct Eager final : vendors::LlmStream {
    Call** call;
    Instant* now;
    void start(vendors::LlmRequest request) override {
      (*call)->on_llm({request.id, vendors::LlmText{"Hello."}}, *now);
      (*call)->on_llm({request.id, vendors::LlmDone{}}, *now);
    }
    void cancel(std::uint64_t) override {}
  } eager;
  Call* raw = nullptr;
  eager.call = &raw;
  eager.now = &now;
  CallSettings settings;
  settings.agent = agent;
  settings.capabilities = &capabilities;
  Call instant(std::move(settings), CallPorts{&line, &host, &timeline, &asr, &eager, &tts}, slot, now);
  raw = &instant;
  instant.begin(now);
  ASSERT_EQ(tts.said.size(), 1u);
  EXPECT_EQ(tts.said[0].second, "Hello.");
}

}  // namespace
}  // namespace voxgate::call
