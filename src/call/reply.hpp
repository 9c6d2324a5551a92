#pragma once
// One answer of the agent on its way from the model's words to the caller's ear: text -> pieces -> voice -> playout,
// and back: from the heard position to the words that were heard.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "voxgate/call/playout.hpp"
#include "voxgate/call/timeline.hpp"
#include "voxgate/dialog/history.hpp"
#include "voxgate/dialog/speech_splitter.hpp"
#include "voxgate/vendors/llm_stream.hpp"
#include "voxgate/vendors/tts_stream.hpp"

namespace voxgate::call {

/// Owner: one Call, for one answer; thread: its loop.
class Reply {
 public:
  /// `request`: the model's request, or 0 for words of our own (farewell, apology).
  Reply(std::uint64_t request, bool speculative) : request_(request), speculative_(speculative) {}

  // ---- from the model
  // -------------------------------------------------------------------------------------------------
  void add_text(std::string_view text, Instant now);
  /// No more text will come.
  void finish_text();
  /// Lets go of words that wait for a token that does not come.
  void poll(Instant now);

  std::uint64_t request() const { return request_; }
  bool has_text() const { return has_text_; }
  bool text_finished() const { return text_finished_; }
  Instant first_text_at() const { return first_text_at_; }

  std::optional<vendors::Expectation> expectation;
  std::string state;          // the model's, kept with the answer
  bool is_protected = false;  // may not be interrupted
  bool hang_up = false;       // the call ends once this was heard
  std::string transfer_to;    // likewise, to somebody else

  // ---- to the voice
  // ---------------------------------------------------------------------------------------------------
  /// Held back until the turn is committed.
  bool speculative() const { return speculative_; }
  void release() { speculative_ = false; }
  /// Hands the next pieces to the voice as long as little audio is left to send.
  void feed(vendors::TtsStream& tts, const Playout& playout, Millis ask_ahead, vendors::UtteranceId& next_id,
            Instant now);

  // ---- from the voice
  // -------------------------------------------------------------------------------------------------
  /// False if the utterance is not of this reply.
  bool on_audio(vendors::UtteranceId id, std::span<const std::uint8_t> bytes, Playout& playout, Instant now);
  void on_marks(const vendors::TtsMarks& marks, const audio::AudioFormat& format, Playout& playout);
  /// The utterance has all its audio (or will get no more).
  bool on_utterance_over(vendors::UtteranceId id, bool failed, Playout& playout, Instant now);

  /// Every word was spoken and, as far as can be known, heard.
  bool heard_out(const Playout& playout, Instant now) const;
  /// True once a voice failed on every piece so far.
  bool mute() const { return failed_ != 0 && failed_ == clauses_.size(); }

  /// What the caller heard, as written.
  std::string heard_text(Playout::Position heard, const audio::AudioFormat& format) const;
  Millis heard_audio(Playout::Position heard, const audio::AudioFormat& format) const;
  /// All words handed to the voice so far, for the echo guard.
  const std::string& spoken_text() const { return spoken_text_; }
  Instant first_clause_at() const { return first_clause_at_; }
  Instant first_audio_at() const { return first_audio_at_; }
  /// Where its first sound lies; -1 before there is one.
  Playout::Position start() const { return clauses_.empty() ? -1 : clauses_.front().start; }

  /// Tells the voice to forget what it has not spoken.
  void cancel(vendors::TtsStream& tts);

 private:
  struct Clause {
    vendors::UtteranceId id;
    dialog::SpokenPiece piece;
    std::string spoken;  // as handed to the voice
    Playout::Position start = -1;
    Playout::Position bytes = 0;
    bool over = false;
  };
  void collect(std::vector<dialog::SpeechPiece> pieces);
  Clause* find(vendors::UtteranceId id);

  std::uint64_t request_;
  bool speculative_;
  dialog::SpeechSplitter splitter_;
  std::deque<dialog::SpeechPiece> waiting_;
  std::vector<Clause> clauses_;
  std::size_t in_voice_ = 0;  // clauses begun and not over
  std::size_t failed_ = 0;
  bool has_text_ = false, text_finished_ = false;
  std::string spoken_text_;
  Instant first_text_at_{}, first_clause_at_{}, first_audio_at_{};
};

}  // namespace voxgate::call
