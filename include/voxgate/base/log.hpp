#pragma once
// The log sink: one event a line, the event's name first. Plain rooms do not log.

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

namespace voxgate::log {

enum class Level { debug, info, warn, error, off };

/// One key and its value. Strings are escaped, and cut at 128 characters unless they are paths or messages of ours.
struct Field {
  std::string_view key;
  std::variant<std::string_view, std::int64_t, double, bool> value;

  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, bool v) : key(k), value(v) {}
  Field(std::string_view k, double v) : key(k), value(v) {}
  template <class I>
  requires(std::is_integral_v<I> && !std::is_same_v<I, bool>) Field(std::string_view k, I v)
      : key(k), value(static_cast<std::int64_t>(v)) {}
};

using Fields = std::initializer_list<Field>;

struct Config {
  Level level = Level::info;
  bool json = true;       // false: text for people
  bool to_stderr = true;  // standard output belongs to the tools' results
};

/// Call once before threads start; without it, warnings and errors go to standard error as text.
void init(const Config& config);
/// Any thread, at any time.
void set_level(Level level);
Level level();
/// Writes out what is queued; called before leaving main.
void flush();

/// "debug", "info", "warn", "error", "off"; anything else is not a level.
bool parse_level(std::string_view text, Level& out);

void write(Level level, std::string_view event, Fields fields);

inline void debug(std::string_view event, Fields fields = {}) {
  write(Level::debug, event, fields);
}
inline void info(std::string_view event, Fields fields = {}) {
  write(Level::info, event, fields);
}
inline void warn(std::string_view event, Fields fields = {}) {
  write(Level::warn, event, fields);
}
inline void error(std::string_view event, Fields fields = {}) {
  write(Level::error, event, fields);
}

/// The line write() would print, without time; exposed for tests.
std::string format_line(bool json, Level level, std::string_view event, Fields fields);

}  // namespace voxgate::log
