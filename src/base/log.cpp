#include "voxgate/base/log.hpp"

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <memory>

#include "voxgate/base/text.hpp"

namespace voxgate::log {
namespace {

constexpr std::size_t kMaxValueChars = 512;
constexpr std::size_t kQueueLines = 8192;  // beyond this the oldest line is overwritten: logging never blocks a loop

std::atomic<int> g_level{static_cast<int>(Level::warn)};
std::atomic<bool> g_json{false};
std::shared_ptr<spdlog::logger>& logger() {
  static std::shared_ptr<spdlog::logger> instance;
  return instance;
}

const char* name(Level level) {
  switch (level) {
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warn:
      return "warn";
    case Level::error:
      return "error";
    case Level::off:
      return "off";
  }
  return "?";
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    default:
      return spdlog::level::err;
  }
}

std::string number(double v) {
  if (!std::isfinite(v)) return "null";
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.6g", v);
  return buffer;
}

std::string value_text(const Field& field, bool json) {
  if (const auto* s = std::get_if<std::string_view>(&field.value)) {
    std::string escaped = text::json_escape(*s, kMaxValueChars);
    const bool plain = !json && !s->empty() && s->find(' ') == std::string_view::npos;
    return plain ? escaped : '"' + escaped + '"';
  }
  if (const auto* i = std::get_if<std::int64_t>(&field.value)) return std::to_string(*i);
  if (const auto* d = std::get_if<double>(&field.value)) return number(*d);
  return std::get<bool>(field.value) ? "true" : "false";
}

std::string timestamp() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char buffer[80];
  std::snprintf(buffer, sizeof buffer, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900, utc.tm_mon + 1,
                utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, static_cast<int>(ms));
  return buffer;
}

}  // namespace

void init(const Config& config) {
  spdlog::init_thread_pool(kQueueLines, 1);
  std::shared_ptr<spdlog::sinks::sink> sink;
  if (config.to_stderr) {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  } else {
    sink = std::make_shared<spdlog::sinks::stdout_sink_mt>();
  }
  logger() = std::make_shared<spdlog::async_logger>("voxgate", sink, spdlog::thread_pool(),
                                                    spdlog::async_overflow_policy::overrun_oldest);
  logger()->set_pattern("%v");
  logger()->set_level(spdlog::level::trace);
  logger()->flush_on(spdlog::level::info);
  g_json = config.json;
  set_level(config.level);
}

void set_level(Level level) {
  g_level.store(static_cast<int>(level), std::memory_order_relaxed);
}
Level level() {
  return static_cast<Level>(g_level.load(std::memory_order_relaxed));
}

void flush() {
  if (!logger()) return;
  spdlog::shutdown();  // joins the writer thread, which empties the queue first and lets go of the logger
  logger().reset();
}

bool parse_level(std::string_view word, Level& out) {
  for (const Level candidate : {Level::debug, Level::info, Level::warn, Level::error, Level::off}) {
    if (word == name(candidate)) {
      out = candidate;
      return true;
    }
  }
  return false;
}

std::string format_line(bool json, Level level, std::string_view event, Fields fields) {
  std::string line;
  if (json) {
    line = "\"event\":\"" + text::json_escape(event) + "\",\"level\":\"" + name(level) + '"';
    for (const Field& f : fields) line += ",\"" + text::json_escape(f.key) + "\":" + value_text(f, true);
    return line;
  }
  line = std::string(name(level)) + ' ' + std::string(event);
  for (const Field& f : fields) line += ' ' + std::string(f.key) + '=' + value_text(f, false);
  return line;
}

void write(Level level, std::string_view event, Fields fields) {
  if (static_cast<int>(level) < g_level.load(std::memory_order_relaxed) || level == Level::off) return;
  const bool json = g_json.load(std::memory_order_relaxed);
  std::string line = format_line(json, level, event, fields);
  line = json ? "{" + line + ",\"ts\":\"" + timestamp() + "\"}" : timestamp() + ' ' + line;
  if (auto sink = logger()) {
    sink->log(to_spdlog(level), line);
  } else {
    std::fprintf(stderr, "%s\n", line.c_str());
  }
}

}  // namespace voxgate::log
