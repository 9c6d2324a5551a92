#pragma once
// The normalised streaming recogniser of one call.
//
// One object = one stream of one call. Commands never block; every command after abort() or Closed is a no-op; every
// stream ends with exactly one AsrClosed. Owner and thread: the call's loop; events arrive there through the sink given
// at creation.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "voxgate/vendors/common.hpp"

namespace voxgate::vendors {

struct AsrCaps {
  AudioFormat wire;      // what audio() takes
  Millis min_chunk{20};  // audio() may be called with any length; the stream batches to this
  Millis max_chunk{100};
  bool speech_start = false;         // sends SpeechStart itself
  bool eager_end = false;            // sends EagerEnd / Resumed
  bool end_of_turn = false;          // sends TurnEnd by itself; otherwise only after force_end_of_turn()
  bool doubtful_partials = false;    // partials invent words for noise: alone they prove no interruption
  bool gated = false;                // wants speech only (with pre-roll), not the silence between turns
  bool timers_run_on_audio = false;  // must be fed silence to end turns
  std::optional<Millis> keepalive;   // call keepalive_tick() this often while nothing is fed
};

struct AsrWord {
  std::string text;
  std::int64_t start_ms = 0, end_ms = 0;  // stream audio time
};

enum class TurnEndReason : std::uint8_t { model, silence, forced, timeout };

struct AsrReady {
  std::string request_id;
};
struct AsrSpeechStart {
  std::int64_t audio_ms = 0;
};
/// Always the full text of the current turn, final parts included.
struct AsrPartial {
  std::uint32_t turn = 0;
  std::string text;
  std::size_t stable_prefix_len = 0;  // bytes of `text` that will not change
  bool complete = false;              // the text is a whole sentence of the expected grammar
};
struct AsrEagerEnd {
  std::uint32_t turn = 0;
  std::string text;
};
struct AsrResumed {
  std::uint32_t turn = 0;
};
/// The turn's text is final. Empty text: nothing was said that could be understood as words.
struct AsrTurnEnd {
  std::uint32_t turn = 0;
  std::string text;
  TurnEndReason reason = TurnEndReason::forced;
  /// 0..1; below 0.5 the recogniser itself doubts its words (out of grammar): the dialog should ask again.
  double confidence = 1.0;
  std::vector<AsrWord> words;
  std::int64_t start_ms = 0, end_ms = 0;
};
struct AsrWarning {
  std::string code, text;
};
/// The last event of the stream; no error: it ended as asked.
struct AsrClosed {
  std::optional<Error> error;
};

using AsrEvent =
    std::variant<AsrReady, AsrSpeechStart, AsrPartial, AsrEagerEnd, AsrResumed, AsrTurnEnd, AsrWarning, AsrClosed>;

class AsrStream {
 public:
  virtual ~AsrStream() = default;
  virtual const AsrCaps& caps() const = 0;
  /// What the next turn will sound like; takes effect at the next turn's first audio.
  virtual void expect(const Expectation& expectation) = 0;
  /// Audio in caps().wire, in order. The bytes are copied.
  virtual void audio(std::span<const std::uint8_t> bytes) = 0;
  /// Ends the current turn now: one TurnEnd follows (with empty text if there was no audio since the last one).
  virtual void force_end_of_turn() = 0;
  /// Drops the audio and text of the current turn without a TurnEnd (a cough, an echo).
  virtual void discard_turn() = 0;
  virtual void keepalive_tick() = 0;
  /// Graceful: results are flushed, then Closed.
  virtual void finish() = 0;
  /// At once; no events after it but Closed.
  virtual void abort() = 0;
};

}  // namespace voxgate::vendors
