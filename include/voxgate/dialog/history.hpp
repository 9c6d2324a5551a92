#pragma once
// The conversation as the caller lived it: what the recogniser understood, and of the agent's words only those that
// were heard. The model, the transcript and the record all read this.

#include <string>
#include <string_view>
#include <vector>

#include "voxgate/vendors/llm_stream.hpp"

namespace voxgate::dialog {

/// One piece of a reply that was handed to the voice, with how much of it sounded.
struct SpokenPiece {
  std::string text;           // as written
  std::int64_t audio_ms = 0;  // length of its audio so far
  bool complete = false;      // audio_ms is final
  std::vector<std::pair<std::size_t, std::int64_t>>
      word_ends;  // (bytes of text, ms): by the voice's word times; may be empty
};

/// The part of `piece` that was heard after `heard_ms` of its audio: whole words whose (estimated) end lies before it.
/// By word times where there are any, else in proportion to characters.
std::string heard_text(const SpokenPiece& piece, std::int64_t heard_ms);

/// Owner: one Call; thread: its loop. Bounded: the oldest exchanges beyond `max_messages` are dropped in pairs.
class History {
 public:
  explicit History(std::size_t max_messages = 200) : max_messages_(max_messages) {}

  void add_user(std::string text);
  /// The caller went on after we took the turn too early: joins the words to the last user message. An assistant
  /// message of which nothing was heard is taken back first.
  void extend_user(std::string_view text);
  /// What was heard of the reply. `cut`: the caller interrupted; the text then ends in a dash.
  void add_assistant(std::string heard, std::string state, bool cut);

  const std::vector<vendors::Message>& messages() const { return messages_; }
  /// The newest assistant message's state; empty if there is none.
  std::string_view state() const;

 private:
  void trim();
  std::size_t max_messages_;
  std::vector<vendors::Message> messages_;
};

}  // namespace voxgate::dialog
