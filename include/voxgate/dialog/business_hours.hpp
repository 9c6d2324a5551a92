#pragma once
// Opening hours and the calendar around them: what "are you open on Sunday" needs. Plain arithmetic on the wall time
// that comes with a request.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace voxgate::dialog {

/// A day in local time; days since 1970-01-01.
using DayNumber = std::int64_t;

/// The local moment of a request.
struct LocalTime {
  DayNumber day = 0;
  int minute = 0;  // of the day

  static LocalTime from_wall(std::int64_t wall_ms, int utc_offset_min);
};

/// 0 is Monday.
int weekday_of(DayNumber day);
std::string_view weekday_name(int weekday);  // "Monday"

/// Which day the normalised value of a {day} slot means when it is said on `today`: "today", "tomorrow",
/// "day_after_tomorrow", "friday" (the next one, never today), "next_friday" (of the next calendar week), "-23" (the
/// next 23rd), "03-23". nullopt for anything else.
std::optional<DayNumber> resolve_day(std::string_view value, DayNumber today);

/// "Friday, March 23rd"
std::string long_date(DayNumber day);
/// "3 PM", "8:30 AM", "noon", "midnight"
std::string clock_text(int minute);
/// "15:30" to minutes of the day.
std::optional<int> parse_clock(std::string_view text);

class BusinessHours {
 public:
  struct Span {
    int from = 0, to = 0;  // minutes of the day, `to` exclusive
  };
  void set(int weekday, std::vector<Span> spans) { week_[static_cast<std::size_t>(weekday)] = std::move(spans); }

  bool open_on(DayNumber day) const { return !week_[static_cast<std::size_t>(weekday_of(day))].empty(); }
  bool open_at(DayNumber day, int minute) const;
  /// "8 AM to noon and 1 PM to 5 PM", or "closed".
  std::string text(DayNumber day) const;
  /// "today at 1 PM", "tomorrow at 8 AM", "Monday at 8 AM"; empty if never.
  std::string next_opening(const LocalTime& now) const;

 private:
  std::array<std::vector<Span>, 7> week_;
};

}  // namespace voxgate::dialog
