#pragma once
// Takes out of a language model's stream what nobody should hear: markdown, code, links, emoji.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "voxgate/base/time.hpp"

namespace voxgate::dialog {

/// Text to be spoken, each byte with the place in the written text it came from.
struct SpokenText {
  std::string text;
  std::vector<std::uint32_t> origin;  // byte offset in the written text; as long as `text`

  void add(std::string_view piece, std::size_t from, bool advancing);
  bool empty() const { return text.empty(); }
};

/// Streaming: text that cannot be part of an unfinished construct comes out at once. What is held back (an opened
/// bracket, half a link) is at most 64 characters or 150 ms; then it comes out as it is, without its marks.
///
///   * _ ~ ` # > |     dropped as marks; kept inside 2*3 and snake_case
///   ~~struck~~        dropped with its text
///   ```code```        becomes "code omitted"
///   [text](url)       text; ![alt](url): alt; [1]: dropped
///   https://a.b/c     a.b
///   | a | b |         "a, b" ; the row of dashes is dropped
///   - item            item, and a line ends what was said before it ('\n' in the output)
///   emoji             dropped
///
/// Owner: one answer of one call. No clock: `now` comes with each call.
class SpeechCleaner {
 public:
  static constexpr std::size_t kMaxHeldChars = 64;
  static constexpr Millis kMaxHold{150};

  void push(std::string_view written, Instant now, SpokenText& out);
  /// Releases what has been held for too long.
  void poll(Instant now, SpokenText& out);
  /// The answer is over.
  void finish(SpokenText& out);

  /// Bytes of written text taken so far, and how many of them are still held back.
  std::size_t taken() const { return taken_; }
  std::size_t held() const { return held_.size(); }

 private:
  enum class Step : std::uint8_t { done, need_more };
  void run(SpokenText& out, bool force);
  Step step(SpokenText& out, bool force);
  Step line_start(SpokenText& out, bool force, bool& handled);
  Step fence(SpokenText& out, bool force);
  Step bracket(SpokenText& out, bool force, std::size_t at);
  Step emphasis(SpokenText& out, bool force);
  Step struck(SpokenText& out, bool force);
  Step tag(SpokenText& out, bool force);
  Step address(SpokenText& out, bool force, bool& handled);
  Step code_point(SpokenText& out, bool force);
  Step pipe(SpokenText& out);
  void newline(SpokenText& out);
  void take(std::size_t bytes);
  void emit(SpokenText& out, std::size_t bytes);  // takes them and says them
  std::size_t position() const { return taken_ - held_.size(); }

  std::string held_;  // written, not yet decided
  std::size_t taken_ = 0;
  Instant held_since_{};
  char before_ = '\n';  // the last written character that was decided
  char said_ = '\n';    // the last character of the output
  bool at_line_start_ = true;
  bool in_fence_ = false;
  bool in_table_ = false;
  bool in_cell_ = false;    // the table's row has said something
  bool skip_url_ = false;   // inside the (...) of a link
  bool skip_path_ = false;  // behind the host of an address
};

}  // namespace voxgate::dialog
