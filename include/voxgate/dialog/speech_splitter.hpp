#pragma once
// Cuts a language model's stream into what is given to a voice: the first clause as early as possible, then sentences.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "voxgate/base/time.hpp"
#include "voxgate/dialog/speech_cleaner.hpp"

namespace voxgate::dialog {

struct SplitterConfig {
  std::size_t first_min_chars = 12;  // a first clause ends at , ; : or a dash only beyond this ...
  std::size_t first_min_words = 3;   // ... and with this many words
  std::size_t first_max_chars = 60;  // a first piece without any mark ends at a word here,
  Millis first_max_wait{400};        // or after this time
  std::size_t min_chars = 20;        // shorter sentences wait for the next one
  std::size_t max_chars = 300;
  Millis quiet{150};      // a mark at the end of what has come counts after this much silence
  bool normalise = true;  // false for voices that read numbers and units well
};

/// A piece for the voice, and the written text it stands for: pieces follow each other without gaps, so the history can
/// hold what was heard in the words as written.
struct SpeechPiece {
  std::string spoken;
  std::string written;
  std::size_t begin = 0, end = 0;  // bytes of the written text
};

/// Owner: one answer of one call. No clock: `now` comes with each call.
class SpeechSplitter {
 public:
  explicit SpeechSplitter(SplitterConfig config = {}) : config_(config) {}

  std::vector<SpeechPiece> push(std::string_view written, Instant now);
  /// To be called every 20 ms or so while the answer has not ended.
  std::vector<SpeechPiece> poll(Instant now);
  /// The answer is over: everything that is left. The splitter starts anew.
  std::vector<SpeechPiece> finish();

  /// Something has come that no piece covers yet.
  bool pending() const { return !clean_.empty() || cleaner_.held() != 0; }

 private:
  std::vector<SpeechPiece> collect(Instant now, bool quiet, bool last);
  std::size_t next_cut(Instant now, bool quiet) const;  // bytes of clean_, 0: none yet
  std::size_t first_cut(Instant now, bool quiet) const;
  std::size_t sentence_cut(bool quiet) const;
  bool ends_sentence(std::size_t at, bool quiet, std::size_t& after) const;
  bool ends_clause(std::size_t at, std::size_t& after) const;
  void cut(std::size_t bytes, std::vector<SpeechPiece>& out, bool last);

  SplitterConfig config_;
  SpeechCleaner cleaner_;
  SpokenText clean_;     // cleaned, not yet in a piece
  std::string written_;  // from written_begin_ on
  std::size_t written_begin_ = 0;
  bool first_ = true;
  bool began_ = false;
  Instant began_at_{}, last_push_{};
};

}  // namespace voxgate::dialog
