#pragma once
// The normalised streaming voice of one call.
//
// One object per call; utterance ids are the call's. Commands never block. Events arrive on the call's loop through the
// sink given at creation. Every begun utterance ends with exactly one of Done, Cancelled, Failed.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "voxgate/vendors/common.hpp"

namespace voxgate::vendors {

using UtteranceId = std::uint64_t;  // unique in the call; 0 is never used

struct TtsCaps {
  AudioFormat wire;          // what Audio carries: already the call's format
  bool token_input = false;  // takes tokens; otherwise text() wants whole clauses
  bool word_marks = false;   // sends Marks
  bool multi_context = false;
  bool cancel_ack = false;
  std::size_t max_chars = 5000;  // of one text()
};

struct TtsWord {
  std::string text;
  std::int64_t start_ms = 0, end_ms = 0;  // from the start of the utterance's audio
};

struct TtsReady {};
struct TtsAudio {
  UtteranceId utterance = 0;
  std::vector<std::uint8_t> bytes;  // TtsCaps::wire
};
struct TtsMarks {
  UtteranceId utterance = 0;
  std::vector<TtsWord> words;
};
struct TtsDone {
  UtteranceId utterance = 0;
  std::int64_t audio_ms = 0;
};
struct TtsCancelled {
  UtteranceId utterance = 0;
};
struct TtsFailed {
  UtteranceId utterance = 0;
  Error error;
};
struct TtsClosed {
  std::optional<Error> error;
};

using TtsEvent = std::variant<TtsReady, TtsAudio, TtsMarks, TtsDone, TtsCancelled, TtsFailed, TtsClosed>;

class TtsStream {
 public:
  virtual ~TtsStream() = default;
  virtual const TtsCaps& caps() const = 0;
  /// Utterances sound in the order in which they were begun.
  virtual void begin(UtteranceId utterance) = 0;
  virtual void text(UtteranceId utterance, std::string_view text) = 0;
  /// No more text: synthesise what is left.
  virtual void end(UtteranceId utterance) = 0;
  /// Soft boundary: start speaking what is there.
  virtual void flush(UtteranceId utterance) = 0;
  /// No Audio of that utterance after this returns.
  virtual void cancel(UtteranceId utterance) = 0;
  virtual void keepalive_tick() = 0;
  virtual void close() = 0;
};

}  // namespace voxgate::vendors
