#pragma once
// Pull parser over one JSON text: no allocation, no copy, any key order; for messages whose shape is known.
//
// Tolerates what JSON writers differ in (white space, order, numbers written as strings) and stops at the first thing
// that is not JSON: then ok() is false and every further call fails. Nesting deeper than kMaxDepth is refused.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace voxgate {

class JsonCursor {
 public:
  static constexpr int kMaxDepth = 32;
  enum class Kind : std::uint8_t { object, array, string, number, boolean, null, none };

  explicit JsonCursor(std::string_view text) : p_(text.data()), end_(text.data() + text.size()) {}

  bool ok() const { return ok_; }
  /// Kind of the value that comes next.
  Kind peek();

  /// Enters the object or array that comes next; false (and not ok) if it is something else.
  bool enter_object();
  bool enter_array();
  /// Moves to the next key of the object entered last; false at its end or on an error. The key is as written
  /// (escaped).
  bool next_key(std::string_view& key);
  /// Moves to the next element of the array entered last; false at its end or on an error.
  bool next_element();

  /// A string as written between its quotes; `escaped` tells whether it needs unescape().
  bool string(std::string_view& raw, bool& escaped);
  /// A string or a number or a boolean as text, unescaped.
  bool scalar(std::string& out);
  /// A number, or a string that holds one (several carriers write numbers as strings). nullopt for anything else, which
  /// is skipped.
  std::optional<std::int64_t> integer();
  /// Steps over the next value, whatever it is.
  bool skip();

  /// True if only white space is left.
  bool at_end();

  /// Resolves the escapes of a raw string; a broken one becomes U+FFFD.
  static std::string unescape(std::string_view raw);

 private:
  void space();
  bool fail();
  bool raw_string(std::string_view& raw, bool& escaped);
  bool raw_scalar(std::string_view& raw);
  bool open(char c);
  bool next(char close);

  const char* p_;
  const char* end_;
  bool ok_ = true;
  int depth_ = 0;
  bool first_ = false;  // just entered: no comma before the next key or element
};

}  // namespace voxgate
