#include "voxgate/dialog/business_hours.hpp"

#include <charconv>
#include <chrono>

namespace voxgate::dialog {

namespace {

constexpr std::array<std::string_view, 7> kWeekdays = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                       "Friday", "Saturday", "Sunday"};
constexpr std::array<std::string_view, 12> kMonths = {"January",   "February", "March",    "April",
                                                      "May",       "June",     "July",     "August",
                                                      "September", "October",  "November", "December"};
constexpr std::int64_t kDayMs = 86'400'000;

std::optional<int> number(std::string_view s) {
  int n = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), n);
  if (error != std::errc{} || end != s.data() + s.size()) return std::nullopt;
  return n;
}

std::optional<int> weekday_number(std::string_view lower) {
  for (std::size_t i = 0; i < kWeekdays.size(); ++i) {
    if (lower.size() == kWeekdays[i].size() && lower.substr(1) == kWeekdays[i].substr(1) &&
        (lower[0] | 0x20) == (kWeekdays[i][0] | 0x20)) {
      return static_cast<int>(i);
    }
  }
  return std::nullopt;
}

std::chrono::year_month_day civil(DayNumber day) {
  return std::chrono::year_month_day(std::chrono::sys_days(std::chrono::days(day)));
}

/// The first day from `today` on that is this day of this month (0: any month); nullopt for the 31st of February.
std::optional<DayNumber> next_date(int month, int day_of_month, DayNumber today) {
  for (DayNumber day = today; day < today + 366 * 5; ++day) {
    const auto date = civil(day);
    if (static_cast<int>(static_cast<unsigned>(date.day())) != day_of_month) continue;
    if (month == 0 || static_cast<int>(static_cast<unsigned>(date.month())) == month) return day;
  }
  return std::nullopt;
}

}  // namespace

LocalTime LocalTime::from_wall(std::int64_t wall_ms, int utc_offset_min) {
  const std::int64_t local = wall_ms + static_cast<std::int64_t>(utc_offset_min) * 60'000;
  const std::int64_t day = local >= 0 ? local / kDayMs : -((-local + kDayMs - 1) / kDayMs);
  return {day, static_cast<int>((local - day * kDayMs) / 60'000)};
}

int weekday_of(DayNumber day) {
  return static_cast<int>(((day + 3) % 7 + 7) % 7);  // 1970-01-01 was a Thursday
}

std::string_view weekday_name(int weekday) {
  return kWeekdays[static_cast<std::size_t>(weekday)];
}

std::optional<DayNumber> resolve_day(std::string_view value, DayNumber today) {
  if (value == "today") return today;
  if (value == "tomorrow") return today + 1;
  if (value == "day_after_tomorrow") return today + 2;
  if (const auto weekday = weekday_number(value)) {
    const int ahead = (*weekday - weekday_of(today) + 7) % 7;
    return today + (ahead == 0 ? 7 : ahead);
  }
  if (value.starts_with("next_")) {
    const auto weekday = weekday_number(value.substr(5));
    if (!weekday) return std::nullopt;
    return today + (7 - weekday_of(today)) + *weekday;
  }
  const std::size_t dash = value.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto day = number(value.substr(dash + 1));
  const auto month = dash == 0 ? std::optional<int>(0) : number(value.substr(0, dash));
  if (!day || !month) return std::nullopt;
  return next_date(*month, *day, today);
}

std::string long_date(DayNumber day) {
  const auto date = civil(day);
  const auto n = static_cast<unsigned>(date.day());
  const char* ending = n / 10 == 1 ? "th" : n % 10 == 1 ? "st" : n % 10 == 2 ? "nd" : n % 10 == 3 ? "rd" : "th";
  return std::string(weekday_name(weekday_of(day))) + ", " +
         std::string(kMonths[static_cast<unsigned>(date.month()) - 1]) + " " + std::to_string(n) + ending;
}

std::string clock_text(int minute) {
  if (minute == 0 || minute == 24 * 60) return "midnight";
  if (minute == 12 * 60) return "noon";
  const int hour = minute / 60;
  const int rest = minute % 60;
  std::string out = std::to_string(hour % 12 == 0 ? 12 : hour % 12);
  if (rest != 0) out += (rest < 10 ? ":0" : ":") + std::to_string(rest);
  return out + (hour < 12 ? " AM" : " PM");
}

std::optional<int> parse_clock(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto hour = number(text.substr(0, colon));
  const auto minute = number(text.substr(colon + 1));
  if (!hour || !minute || *hour < 0 || *hour > 24 || *minute < 0 || *minute > 59) return std::nullopt;
  const int out = *hour * 60 + *minute;
  return out <= 24 * 60 ? std::optional<int>(out) : std::nullopt;
}

bool BusinessHours::open_at(DayNumber day, int minute) const {
  for (const Span& span : week_[static_cast<std::size_t>(weekday_of(day))]) {
    if (minute >= span.from && minute < span.to) return true;
  }
  return false;
}

std::string BusinessHours::text(DayNumber day) const {
  std::string out;
  for (const Span& span : week_[static_cast<std::size_t>(weekday_of(day))]) {
    if (!out.empty()) out += " and ";
    out += clock_text(span.from) + " to " + clock_text(span.to);
  }
  return out.empty() ? "closed" : out;
}

std::string BusinessHours::next_opening(const LocalTime& now) const {
  for (int ahead = 0; ahead <= 7; ++ahead) {
    const DayNumber day = now.day + ahead;
    for (const Span& span : week_[static_cast<std::size_t>(weekday_of(day))]) {
      if (ahead == 0 && span.from <= now.minute) continue;
      const std::string when = ahead == 0   ? "today"
                               : ahead == 1 ? "tomorrow"
                                            : std::string(weekday_name(weekday_of(day)));
      return when + " at " + clock_text(span.from);
    }
  }
  return {};
}

}  // namespace voxgate::dialog
