#pragma once
// The settings schema: a struct describes its fields once; reading, checking, printing and documenting follow from
// that.

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "voxgate/base/time.hpp"

namespace voxgate::settings {

/// What is known of one field besides its type.
struct Meta {
  std::string doc;  // one sentence, with the unit
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  std::vector<std::string> choices;  // of a string; empty: any
  bool secret = false;               // never printed

  Meta() = default;
  explicit Meta(std::string d) : doc(std::move(d)) {}
  Meta(std::string d, double lo, double hi) : doc(std::move(d)), min(lo), max(hi) {}
  static Meta one_of(std::string d, std::vector<std::string> c) {
    Meta m(std::move(d));
    m.choices = std::move(c);
    return m;
  }
  static Meta hidden(std::string d) {
    Meta m(std::move(d));
    m.secret = true;
    return m;
  }
};

/// Walks over a described struct. Keys of durations end in _ms or _s and are whole numbers of that unit.
class Visitor {
 public:
  virtual ~Visitor() = default;
  /// Enters the object `key`; false: there is nothing to do inside, and leave() is not called.
  virtual bool enter(std::string_view key, std::string_view doc) = 0;
  virtual void leave() = 0;
  virtual void field(std::string_view key, bool& value, const Meta& meta) = 0;
  virtual void field(std::string_view key, std::int64_t& value, const Meta& meta) = 0;
  virtual void field(std::string_view key, double& value, const Meta& meta) = 0;
  virtual void field(std::string_view key, std::string& value, const Meta& meta) = 0;
  virtual void field(std::string_view key, std::vector<std::string>& value, const Meta& meta) = 0;
  /// An object whose keys are free: name -> text.
  virtual void field(std::string_view key, std::vector<std::pair<std::string, std::string>>& value,
                     const Meta& meta) = 0;
  /// A part that somebody else reads (a script): kept as JSON text.
  virtual void raw(std::string_view key, std::string& json_text, const Meta& meta) = 0;

  void field(std::string_view key, Millis& value, const Meta& meta) {
    std::int64_t number = value.count();
    field(key, number, meta);
    value = Millis(number);
  }
  void field(std::string_view key, std::chrono::seconds& value, const Meta& meta) {
    std::int64_t number = value.count();
    field(key, number, meta);
    value = std::chrono::seconds(number);
  }
};

/// One complaint about a settings file, ready to be shown.
struct Problem {
  std::string path;     // "limits.max_calls"
  int line = 0;         // 0: not from a file (a --set or the environment)
  std::string message;  // says what is wrong and, where known, what was probably meant
};

}  // namespace voxgate::settings
