#pragma once
// The call core: joins ears, turn machine, model, voice and playout into one conversation. Plain: no I/O, no clock, no
// randomness; the same inputs in the same order make the same decisions.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "voxgate/call/agent.hpp"
#include "voxgate/call/ears.hpp"
#include "voxgate/call/playout.hpp"
#include "voxgate/call/timeline.hpp"
#include "voxgate/carriers/dialect.hpp"
#include "voxgate/dialog/history.hpp"
#include "voxgate/dialog/turn_taker.hpp"
#include "voxgate/vendors/asr_stream.hpp"
#include "voxgate/vendors/llm_stream.hpp"
#include "voxgate/vendors/tts_stream.hpp"

namespace voxgate::call {

class Reply;

/// What the call asks of its shell. Called on the loop; the shell acts later, never from within.
class CallHost {
 public:
  virtual ~CallHost() = default;
  /// The call is over from our side: say goodbye to the carrier. At most once.
  virtual void end_call(EndReason reason, std::string_view detail) = 0;
};

/// From an operator or another room.
struct SayText {
  std::string text;
  bool interruptible = true;
};
struct HangUp {
  EndReason reason = EndReason::operator_ended;
};
using ControlEvent = std::variant<SayText, HangUp>;

struct CallSettings {
  std::shared_ptr<const AgentSpec> agent;
  carriers::StreamStart start;
  const carriers::Capabilities* capabilities = nullptr;
  PlayoutConfig playout;
  bool inband_dtmf = false;
  std::int64_t wall_ms = 0;  // wall time at the start of the call
  int utc_offset_min = 0;
};

struct CallPorts {
  MediaPort* media = nullptr;
  CallHost* host = nullptr;
  Timeline* timeline = nullptr;
  // null for the echo agent
  vendors::AsrStream* asr = nullptr;
  vendors::LlmStream* llm = nullptr;
  vendors::TtsStream* tts = nullptr;
};

/// Owner: the call's shell, which also owns everything in the ports; thread: the call's loop. Throws on no input.
class Call final : private EarsListener {
 public:
  Call(CallSettings settings, CallPorts ports, CallSlot& slot, Instant now);
  ~Call() override;
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  /// The greeting.
  void begin(Instant now);
  void on_media(const carriers::MediaEvent& event, Instant now);
  void on_asr(vendors::AsrEvent event, Instant now);
  void on_llm(vendors::LlmEvent event, Instant now);
  void on_tts(vendors::TtsEvent event, Instant now);
  void on_control(ControlEvent event, Instant now);
  void tick(Instant now);
  /// The carrier or the transport ended it: closes the turn in progress; nothing is done after it.
  void on_end(EndReason reason, Instant now);

  dialog::TurnState state() const { return turns_.state(); }
  const AgentSpec& agent() const { return *settings_.agent; }
  const carriers::StreamStart& start() const { return settings_.start; }
  const dialog::History& history() const { return history_; }
  const Playout& playout() const { return playout_; }
  const Ears& ears() const { return ears_; }
  Instant started_at() const { return started_at_; }
  /// Empty unless the agent handed the caller to somebody else.
  const std::string& transfer_to() const { return transfer_to_; }
  /// Bytes this call holds beyond its slot (playout ring, texts), for the gauges.
  std::size_t buffered_bytes() const { return playout_.allocated_bytes(); }

 private:
  using Deferred = std::variant<vendors::AsrEvent, vendors::LlmEvent, vendors::TtsEvent>;

  // EarsListener
  void on_caller_audio(std::span<const std::uint8_t> wire) override;
  void on_vad_frame(const audio::VadFrame& frame) override;

  // Every entry goes through here: answers that streams give from within a command are handled after it, in order.
  template <class F>
  void enter(Instant now, F&& f);
  void settle();
  template <class Event>
  void answer(Event& event, Instant now);
  void handle(vendors::AsrEvent& event);
  void handle(vendors::LlmEvent& event);
  void handle(vendors::TtsEvent& event);

  // hearing
  void track_far_end();
  void barge_in_frame(const audio::VadFrame& frame, float echo_db);
  void endpoint_frame(audio::VadFrame frame, float echo_db);
  void on_endpoint(const dialog::EndpointActions& actions);
  void start_feeding();
  void stop_feeding();
  void on_partial(const vendors::AsrPartial& partial);
  void on_final(std::string text, double confidence, Micros spoken);
  void give_up_forced();
  bool caller_is_talking() const;
  void hear_the_rest();
  void watch_stalls();
  void force_final();
  void discard_hearing();
  void on_digit(char digit);
  void finish_keypad();

  // turns
  void step(dialog::TurnEvent event);
  void act(dialog::TurnAction action);
  void speculate();
  void drop_speculation();
  void commit_turn();
  void open_turn(vendors::TurnCause cause, std::string caller, double confidence);
  void close_turn(bool interrupted, Playout::Position heard);
  void ask(vendors::TurnCause cause, std::string user_text, double confidence, int repeat, bool speculative);
  void say_own(const std::string& text, bool hang_up);
  void ask_no_input();
  void cut_output();
  void drop_reply();
  void release_services();
  void resume_output();
  void end_call(EndReason reason, std::string_view detail);

  // speaking
  void adopt_expectation();
  void feed_voice();
  void check_audible();
  void check_heard();
  void check_deadlines();

  void note(EventKind kind, std::string_view detail = {});

  CallSettings settings_;
  CallPorts ports_;
  Ears ears_;
  Playout playout_;
  dialog::TurnTaker turns_;
  dialog::Endpointer endpointer_;
  dialog::BargeInGate gate_;
  dialog::History history_;
  struct EchoEars;  // what the caller's line may send back of our voice; null for the echo agent
  std::unique_ptr<EchoEars> echo_ears_;
  Playout::Position far_position_ = 0;

  Instant now_{};  // of the event being handled
  Instant started_at_;
  int depth_ = 0;  // nesting of enter()
  std::vector<Deferred> deferred_;
  bool over_ = false;

  std::unique_ptr<Reply> reply_;
  std::unique_ptr<Reply> next_reply_;  // begun on suspicion while the turn goes on
  std::string speculated_text_;
  std::uint64_t last_request_ = 0;
  vendors::UtteranceId last_utterance_ = 0;

  std::optional<TurnRecord> turn_;
  int turn_count_ = 0;
  bool merge_next_ = false;  // the caller's next words belong to the turn we cut into
  bool audible_ = false;     // the first frame of reply_ is out

  bool feeding_ = false;  // the recogniser gets audio
  bool segment_is_caller_ = false;
  bool voice_before_ = false;  // the frame before was the caller's voice
  /// Turns handed to the recogniser for its last word, oldest first; their answers come in the same order.
  struct ForcedTurn {
    std::string partial;  // its words so far, should the last one never come
    Micros spoken{0};
    Instant due{};
  };
  std::vector<ForcedTurn> forced_;
  int late_finals_ = 0;       // answers that are still to come for turns that were given up
  std::string kept_text_;     // understood while the agent could not be interrupted; answered after it
  std::string partial_text_;  // newest words of the turn; the final ones when it is committed
  double turn_confidence_ = 1.0;
  double kept_confidence_ = 1.0;  // of the turn before: it stands when noise added nothing
  Micros speech_started_{0};      // media time of the current speech
  Instant speech_end_{};
  Instant end_of_turn_{};

  std::string digits_;
  Instant last_digit_at_{};
  bool collecting_ = false;

  Instant silent_since_{};  // epoch: the no-input clock stands
  int no_input_count_ = 0, no_match_count_ = 0, mute_replies_ = 0;
  Instant reply_due_{};  // first audio by then, else the apology
  bool apologised_ = false;
  Instant closing_due_{};
  EndReason closing_reason_ = EndReason::agent_hung_up;
  std::string transfer_to_;
  vendors::Expectation expected_;
};

}  // namespace voxgate::call
