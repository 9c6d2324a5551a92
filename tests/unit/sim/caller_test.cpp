// The caller himself: his clips, his messages, and when he speaks.

#include <gmock/gmock.h>

#include <cmath>

#include "sim/conversation.hpp"
#include "sim/twilio_wire.hpp"
#include "voxgate/audio/g711.hpp"

namespace voxgate::sim {
namespace {

using ::testing::HasSubstr;

double dbfs(std::span<const std::uint8_t> ulaw) {
  double sum = 0;
  for (const std::uint8_t b : ulaw) sum += std::pow(audio::g711::ulaw_to_linear(b) / 32768.0, 2);
  return 10 * std::log10(sum / static_cast<double>(ulaw.size()));
}

std::vector<std::uint8_t> tone(Duration length) {
  return std::vector<std::uint8_t>(static_cast<std::size_t>(to_ms(length) * 8), audio::g711::linear_to_ulaw(8000));
}

TEST(Clip, SpeechIsFoundWithinSilenceAndBroughtToLevel) {
  std::vector<std::int16_t> pcm(16000, 0);  // 1 s at 16 kHz, a tone from 300 to 700 ms
  for (std::size_t i = 4800; i < 11200; ++i) {
    pcm[i] = static_cast<std::int16_t>(1000 * std::sin(2 * M_PI * 1000 * static_cast<double>(i) / 16000));
  }
  const Clip clip = clip_of_pcm(pcm, 16000);
  ASSERT_EQ(clip.ulaw.size(), 8000u);
  EXPECT_NEAR(static_cast<double>(clip.speech_begin), 2400, 160);
  EXPECT_NEAR(static_cast<double>(clip.speech_end), 5600, 240);
  const auto whole = std::span(clip.ulaw);
  EXPECT_NEAR(dbfs(whole.subspan(2800, 2400)), kSpeechDbfs, 1.0);
  EXPECT_NEAR(dbfs(whole.first(1600)), kNoiseDbfs, 2.0);
}

TEST(Clip, NothingSpokenHasNoExtent) {
  const Clip clip = clip_of_ulaw(std::vector<std::uint8_t>(1600, 0xFF));
  EXPECT_EQ(clip.speech_begin, clip.speech_end);
}

TEST(Clip, QuietLineIsNeverDigitalSilence) {
  LineNoise noise(3);
  std::vector<std::uint8_t> frame(8000);
  noise.fill(frame);
  EXPECT_NEAR(dbfs(frame), kNoiseDbfs, 1.5);
}

TEST(CallerVoice, SaysWordsAndRefusesUnknownVoices) {
  CallerVoice voice("rms");
  const Clip clip = voice.say("Good morning");
  EXPECT_GT(clip.speech_end, clip.speech_begin + 2400) << "at least 300 ms of speech";
  EXPECT_LE(clip.speech_end, clip.ulaw.size());
  EXPECT_THROW(CallerVoice("nobody"), std::invalid_argument);
}

TEST(TwilioSender, CountsAsTheProviderDoes) {
  StreamIds ids;
  ids.account = "AC1";
  ids.call = "CA1";
  ids.stream = "MZ1";
  TwilioSender sender(ids);
  std::string connected, start, media, dtmf, mark, stop;
  sender.connected(connected);
  sender.start(start, {{"agent", "de\"mo"}});
  const std::vector<std::uint8_t> bytes{1, 2, 3};
  sender.media(media, 20, bytes);
  sender.dtmf(dtmf, '#');
  sender.mark(mark, "g1-2");
  sender.stop(stop);
  EXPECT_EQ(connected, R"({"event":"connected","protocol":"Call","version":"1.0.0"})");
  EXPECT_THAT(start, HasSubstr(R"("sequenceNumber":"1")"));
  EXPECT_THAT(start, HasSubstr(R"("customParameters":{"agent":"de\"mo"})"));
  EXPECT_EQ(media, R"({"event":"media","sequenceNumber":"2","streamSid":"MZ1",)"
                   R"("media":{"track":"inbound","chunk":"1","timestamp":"20","payload":"AQID"}})");
  EXPECT_THAT(dtmf, HasSubstr(R"("dtmf":{"track":"inbound_track","digit":"#"})"));
  EXPECT_THAT(mark, HasSubstr(R"("sequenceNumber":"4")"));
  EXPECT_THAT(stop, HasSubstr(R"("stop":{"accountSid":"AC1","callSid":"CA1"})"));
}

TEST(GatewayMessage, IsReadAsTheProviderReadsIt) {
  using Kind = GatewayMessage::Kind;
  const auto kind = [](std::string_view text) { return parse_gateway_message(text, "MZ1").kind; };
  const auto media = parse_gateway_message(R"({"event":"media","streamSid":"MZ1","media":{"payload":"AQID"}})", "MZ1");
  EXPECT_EQ(media.kind, Kind::media);
  EXPECT_THAT(media.audio, ::testing::ElementsAre(1, 2, 3));
  EXPECT_EQ(kind(R"({"event":"clear","streamSid":"MZ1"})"), Kind::clear);
  EXPECT_EQ(kind(R"({"event":"mark","streamSid":"MZ1","mark":{"name":"a"}})"), Kind::mark);
  EXPECT_EQ(kind(R"({"event":"mark","streamSid":"MZ1","mark":{"name":""}})"), Kind::wrong);
  EXPECT_EQ(kind(R"({"event":"clear","streamSid":"MZ2"})"), Kind::wrong);
  EXPECT_EQ(kind(R"({"event":"media","streamSid":"MZ1","media":{"payload":"!"}})"), Kind::wrong);
  EXPECT_EQ(kind(R"({"event":"media","streamSid":"MZ1","media":{"payl)"), Kind::wrong);
}

// A conversation on hand-set time; the agent is what say() queues.
class ConversationTest : public ::testing::Test {
 protected:
  ConversationTest() { plan_.turn_timeout = 5s; }
  void add(Duration speech, std::optional<Duration> barge_at = std::nullopt) {
    PlannedTurn turn;
    turn.script.kind = TurnKind::say;
    turn.script.barge_at = barge_at;
    turn.clip = std::make_shared<Clip>(Clip{tone(speech), 0, static_cast<std::size_t>(to_ms(speech) * 8)});
    plan_.turns.push_back(std::move(turn));
  }
  void start() { talk_.emplace(plan_, result_, line_); }
  void agent(Duration length) {
    line_.media(now_, tone(length));
    talk_->on_media(now_);
  }
  // Steps until `until` holds; false after 20 s.
  template <class F>
  bool run(F until) {
    for (int i = 0; i < 1000; ++i) {
      if (until()) return true;
      now_ += 20ms;
      talk_->step(now_);
    }
    return false;
  }
  void run_for(Duration d) {
    const Instant end = now_ + d;
    run([&] { return now_ >= end; });
  }

  CallPlan plan_;
  CallResult result_;
  Instant now_{100s};
  PhoneLine line_{now_, false};
  std::optional<Conversation> talk_;
};

TEST_F(ConversationTest, TakesTurnsAndMeasuresTheReply) {
  add(1s);
  start();
  agent(1s);  // the greeting
  ASSERT_TRUE(run([&] { return talk_->current() == 0 && result_.turns[0].speech_end; }));
  EXPECT_GE(*result_.turns[0].onset, 1s + 700ms + plan_.pause) << "waits for the end of the greeting";
  const Duration speech_end = *result_.turns[0].speech_end;
  run_for(400ms);
  agent(500ms);
  ASSERT_TRUE(run([&] { return talk_->done(); }));
  EXPECT_TRUE(talk_->complete());
  EXPECT_TRUE(result_.turns[0].replied);
  EXPECT_EQ(*result_.turns[0].reply_media - speech_end, 400ms);
}

TEST_F(ConversationTest, TheGatewaysWordEndsAReplyEarlier) {
  add(100ms);
  start();
  agent(200ms);
  run_for(220ms);
  talk_->set_reply_over(true);
  ASSERT_TRUE(run([&] { return talk_->current() == 0; }));
  EXPECT_LT(*result_.turns[0].onset, 700ms);
}

TEST_F(ConversationTest, InterruptsAndSeesTheClear) {
  add(1s);
  add(600ms, 1s);
  start();
  ASSERT_TRUE(run([&] { return talk_->current() == 0 && result_.turns[0].speech_end; })) << "goes on without greeting";
  run_for(300ms);
  agent(5s);
  ASSERT_TRUE(run([&] { return talk_->current() == 1; }));
  EXPECT_EQ(*result_.turns[1].onset, *result_.turns[0].reply_sound + 1s);
  EXPECT_TRUE(result_.turns[1].interrupting);
  run_for(300ms);
  line_.clear(now_);
  talk_->on_clear(now_);
  EXPECT_EQ(*result_.turns[1].clear - *result_.turns[1].onset, 300ms);
  EXPECT_NEAR(to_ms_f(*result_.turns[1].old_audio_end - *result_.turns[1].onset), 300, 21);
  run_for(600ms);
  agent(200ms);
  ASSERT_TRUE(run([&] { return talk_->done(); }));
  EXPECT_TRUE(result_.turns[1].replied);
}

TEST_F(ConversationTest, GivesUpOnASilentAgent) {
  add(200ms);
  start();
  ASSERT_TRUE(run([&] { return talk_->done(); }));
  EXPECT_TRUE(result_.turns[0].timed_out);
  EXPECT_FALSE(result_.turns[0].replied);
}

TEST_F(ConversationTest, AnEchoEndsWhenItFallsSilent) {
  add(600ms);
  start();
  // Frame by frame what was said, quiet line noise included, without a gap.
  const std::vector<std::uint8_t> quiet(kFrameSamples, audio::g711::linear_to_ulaw(20));
  for (int i = 0; i < 500 && !talk_->done(); ++i) {
    now_ += 20ms;
    const auto said = talk_->step(now_).ulaw;
    line_.media(now_, said.empty() ? std::span(quiet) : said);
    talk_->on_media(now_);
  }
  ASSERT_TRUE(talk_->done());
  EXPECT_TRUE(result_.turns[0].replied);
  EXPECT_FALSE(result_.turns[0].timed_out);
  EXPECT_EQ(result_.turns[0].reply_media, std::nullopt) << "there is no telling where it began";
}

TEST_F(ConversationTest, PressesKeysOneByOne) {
  PlannedTurn turn;
  turn.script.kind = TurnKind::dtmf;
  turn.script.text = "12#";
  plan_.turns.push_back(turn);
  start();
  std::string pressed;
  for (int i = 0; i < 300 && !talk_->done(); ++i) {
    now_ += 20ms;
    const char digit = talk_->step(now_).digit;
    if (digit != 0) pressed += digit;
  }
  EXPECT_EQ(pressed, "12#");
  EXPECT_GT(*result_.turns[0].speech_end - *result_.turns[0].onset, 400ms);
}

}  // namespace
}  // namespace voxgate::sim
