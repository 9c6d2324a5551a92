#include "voxgate/dialog/speech_normaliser.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>
#include <vector>

#include "voxgate/base/text.hpp"

namespace voxgate::dialog {

namespace {

constexpr std::array<std::string_view, 20> kOnes = {
    "zero", "one",    "two",    "three",    "four",     "five",    "six",     "seven",     "eight",    "nine",
    "ten",  "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
constexpr std::array<std::string_view, 10> kTens = {"",      "",      "twenty",  "thirty", "forty",
                                                    "fifty", "sixty", "seventy", "eighty", "ninety"};
constexpr std::array<std::string_view, 20> kOrdinals = {
    "zeroth",     "first",     "second",    "third",       "fourth",     "fifth",     "sixth",
    "seventh",    "eighth",    "ninth",     "tenth",       "eleventh",   "twelfth",   "thirteenth",
    "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth"};
constexpr std::array<std::string_view, 12> kMonths = {"January",   "February", "March",    "April",
                                                      "May",       "June",     "July",     "August",
                                                      "September", "October",  "November", "December"};

struct Unit {
  std::string_view written, one, many;
};
constexpr Unit kUnits[] = {{"km/h", "kilometer per hour", "kilometers per hour"},
                           {"km", "kilometer", "kilometers"},
                           {"cm", "centimeter", "centimeters"},
                           {"mm", "millimeter", "millimeters"},
                           {"kg", "kilogram", "kilograms"},
                           {"mg", "milligram", "milligrams"},
                           {"mph", "mile per hour", "miles per hour"},
                           {"mi", "mile", "miles"},
                           {"ft", "foot", "feet"},
                           {"lbs", "pound", "pounds"},
                           {"lb", "pound", "pounds"},
                           {"oz", "ounce", "ounces"},
                           {"ml", "milliliter", "milliliters"},
                           {"GB", "gigabyte", "gigabytes"},
                           {"MB", "megabyte", "megabytes"},
                           {"kW", "kilowatt", "kilowatts"},
                           {"ms", "millisecond", "milliseconds"},
                           {"min", "minute", "minutes"},
                           {"hrs", "hour", "hours"},
                           {"hr", "hour", "hours"},
                           {"\xC2\xB0"
                            "C",
                            "degree Celsius", "degrees Celsius"},
                           {"\xC2\xB0"
                            "F",
                            "degree Fahrenheit", "degrees Fahrenheit"},
                           {"\xC2\xB0", "degree", "degrees"}};
constexpr std::pair<std::string_view, std::string_view> kAbbreviations[] = {
    {"Dr.", "Doctor"},      {"Mr.", "Mister"},       {"Mrs.", "Misses"},
    {"Prof.", "Professor"}, {"e.g.", "for example"}, {"i.e.", "that is"},
    {"etc.", "et cetera"},  {"vs.", "versus"},       {"approx.", "approximately"},
    {"a.m.", "A M"},        {"p.m.", "P M"},         {"&", "and"},
    {"w/", "with"}};
/// Words that people write in capitals to stress them; spelling them would be silly.
constexpr std::string_view kStressed[] = {"NO",   "YES", "NOT",  "AND",  "THE",  "ALL",  "YOU", "OR",  "NOW", "STOP",
                                          "FREE", "NEW", "ONLY", "MUST", "VERY", "WILL", "OFF", "OUT", "TO",  "IN",
                                          "ON",   "IS",  "IT",   "WE",   "MY",   "DO",   "OK",  "THIS"};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alpha(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0;
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}

/// 0 to 99.
std::string cardinal(int n) {
  if (n < 20) return std::string(kOnes[static_cast<std::size_t>(n)]);
  std::string out(kTens[static_cast<std::size_t>(n / 10)]);
  if (n % 10 != 0) out += " " + std::string(kOnes[static_cast<std::size_t>(n % 10)]);
  return out;
}

/// 1 to 99.
std::string ordinal(int n) {
  if (n < 20) return std::string(kOrdinals[static_cast<std::size_t>(n)]);
  std::string tens(kTens[static_cast<std::size_t>(n / 10)]);
  if (n % 10 != 0) return tens + " " + std::string(kOrdinals[static_cast<std::size_t>(n % 10)]);
  tens.back() = 'i';  // twenty: twentieth
  return tens + "eth";
}

std::string year(int n) {
  if (n >= 2000 && n <= 2009) return n == 2000 ? "two thousand" : "two thousand " + cardinal(n % 10);
  const int rest = n % 100;
  return cardinal(n / 100) + " " + (rest == 0 ? "hundred" : rest < 10 ? "oh " + cardinal(rest) : cardinal(rest));
}

std::string digits_apart(std::string_view digits) {
  std::string out;
  for (const char c : digits) out += (out.empty() ? "" : " ") + std::string(kOnes[static_cast<std::size_t>(c - '0')]);
  return out;
}

/// What was read at a place: so many bytes, spoken like this.
struct Reading {
  std::size_t bytes = 0;
  std::string spoken;
};
using Found = std::optional<Reading>;

class Reader {
 public:
  explicit Reader(std::string_view s) : s_(s) {}

  std::string run() {
    while (at_ < s_.size()) {
      Found found;
      if (at_word_start()) found = word();
      if (found) {
        out_ += found->spoken;
        at_ += found->bytes;
      } else {
        out_ += s_[at_++];
      }
    }
    return std::move(out_);
  }

 private:
  char at(std::size_t i) const { return i < s_.size() ? s_[i] : '\0'; }
  bool at_word_start() const {
    const char before = at_ == 0 ? ' ' : s_[at_ - 1];
    const bool inside_number = before == '.' && at_ >= 2 && is_digit(s_[at_ - 2]);  // the 3 of 1.2.3
    return !is_alpha(before) && !is_digit(before) && before != '@' && before != '_' && !inside_number;
  }
  bool ends_word(std::size_t i) const { return !is_alpha(at(i)) && !is_digit(at(i)); }
  /// Digits from `i`; their number.
  std::size_t run_of_digits(std::size_t i) const {
    std::size_t n = 0;
    while (is_digit(at(i + n))) ++n;
    return n;
  }
  int number(std::size_t i, std::size_t n) const {
    int out = 0;
    for (std::size_t k = 0; k < std::min<std::size_t>(n, 9); ++k) out = out * 10 + (s_[i + k] - '0');
    return out;
  }

  Found word() const {
    for (Found (Reader::*read)() const :
         {&Reader::email, &Reader::telephone, &Reader::iso_date, &Reader::slash_date, &Reader::clock, &Reader::currency,
          &Reader::after_number, &Reader::abbreviation, &Reader::capitals}) {
      if (auto found = (this->*read)()) return found;
    }
    return std::nullopt;
  }

  Found email() const {
    std::size_t end = at_;
    bool seen_at = false;
    while (end < s_.size()) {
      const char c = s_[end];
      if (c == '@' && !seen_at && end > at_) {
        seen_at = true;
      } else if (!is_alpha(c) && !is_digit(c) && c != '.' && c != '-' && c != '_' && c != '+') {
        break;
      }
      ++end;
    }
    while (end > at_ && (s_[end - 1] == '.' || s_[end - 1] == '-')) --end;
    const std::string_view whole = s_.substr(at_, end - at_);
    const std::size_t sign = whole.find('@');
    if (!seen_at || sign == std::string_view::npos || whole.find('.', sign) == std::string_view::npos) {
      return std::nullopt;
    }
    std::string out;
    for (const char c : whole) {
      const std::string_view name = c == '@'   ? " at "
                                    : c == '.' ? " dot "
                                    : c == '-' ? " dash "
                                    : c == '_' ? " underscore "
                                    : c == '+' ? " plus "
                                               : "";
      if (name.empty()) {
        out += c;
      } else {
        out += name;
      }
    }
    return Reading{whole.size(), out};
  }

  /// +1 (555) 010-4477, 555-010-4477, 555 010 4477, 555-0104: groups of digits, the last of four.
  Found telephone() const {
    std::size_t i = at_;
    const bool plus = at(i) == '+';
    if (plus) ++i;
    std::vector<std::string> groups;
    std::size_t end = i;
    while (i < s_.size()) {
      const bool bracket = at(i) == '(';
      if (bracket) ++i;
      const std::size_t n = run_of_digits(i);
      if (n == 0) break;
      groups.emplace_back(s_.substr(i, n));
      i += n;
      if (bracket) {
        if (at(i) != ')') return std::nullopt;
        ++i;
      }
      end = i;
      if (at(i) == '-' || at(i) == '.' || at(i) == ' ') ++i;
      if (bracket && at(i) == ' ') ++i;
    }
    if (groups.size() == 1 && plus && groups[0].size() >= 8) return Reading{end - at_, "plus " + in_groups(groups[0])};
    if (groups.size() == 1 && groups[0].size() == 10) return Reading{end - at_, in_groups(groups[0])};
    const std::size_t last = groups.size();
    const bool local = last >= 2 && groups[last - 1].size() == 4 && groups[last - 2].size() == 3;
    const bool whole = local && (last == 2 ? s_.substr(at_, end - at_).find(' ') == std::string_view::npos
                                           : groups[last - 3].size() == 3 && last <= 4);
    if (!whole || !ends_word(end)) return std::nullopt;
    std::string out = plus ? "plus " : "";
    for (std::size_t k = 0; k < last; ++k) out += (k == 0 ? "" : ", ") + digits_apart(groups[k]);
    return Reading{end - at_, out};
  }

  /// The last ten digits as 3-3-4, what is before them on its own.
  static std::string in_groups(std::string_view digits) {
    std::string out;
    const std::size_t lead = digits.size() > 10 ? digits.size() - 10 : 0;
    if (lead != 0) out = digits_apart(digits.substr(0, lead)) + ", ";
    digits = digits.substr(lead);
    if (digits.size() < 7) return out + digits_apart(digits);
    return out + digits_apart(digits.substr(0, 3)) + ", " + digits_apart(digits.substr(3, 3)) + ", " +
           digits_apart(digits.substr(6));
  }

  static Found date(int y, int m, int d, std::size_t bytes) {
    if (m < 1 || m > 12 || d < 1 || d > 31) return std::nullopt;
    std::string out = std::string(kMonths[static_cast<std::size_t>(m - 1)]) + " " + ordinal(d);
    if (y != 0) out += ", " + year(y);
    return Reading{bytes, out};
  }

  Found iso_date() const {
    if (run_of_digits(at_) != 4 || at(at_ + 4) != '-' || run_of_digits(at_ + 5) != 2 || at(at_ + 7) != '-' ||
        run_of_digits(at_ + 8) != 2 || !ends_word(at_ + 10)) {
      return std::nullopt;
    }
    return date(number(at_, 4), number(at_ + 5, 2), number(at_ + 8, 2), 10);
  }

  Found slash_date() const {
    const std::size_t m = run_of_digits(at_);
    if (m == 0 || m > 2 || at(at_ + m) != '/') return std::nullopt;
    const std::size_t day_at = at_ + m + 1;
    const std::size_t d = run_of_digits(day_at);
    if (d == 0 || d > 2 || at(day_at + d) != '/') return std::nullopt;
    const std::size_t year_at = day_at + d + 1;
    if (run_of_digits(year_at) != 4) return std::nullopt;
    return date(number(year_at, 4), number(at_, m), number(day_at, d), year_at + 4 - at_);
  }

  /// AM or PM at `i`, with a space or full stops: its length and reading.
  Found meridiem(std::size_t i) const {
    std::size_t n = at(i) == ' ' ? 1 : 0;
    const char letter = static_cast<char>(std::toupper(static_cast<unsigned char>(at(i + n))));
    if (letter != 'A' && letter != 'P') return std::nullopt;
    const bool dots = at(i + n + 1) == '.';
    const std::size_t m = i + n + (dots ? 2 : 1);
    if (std::toupper(static_cast<unsigned char>(at(m))) != 'M' || !ends_word(m + 1)) return std::nullopt;
    n = m + 1 - i;
    if (dots && at(i + n) == '.' && (at(i + n + 1) == ' ' || at(i + n + 1) == ',')) ++n;
    return Reading{n, std::string(1, letter) + " M"};
  }

  Found clock() const {
    const std::size_t n = run_of_digits(at_);
    if (n == 0 || n > 2) return std::nullopt;
    const int hour = number(at_, n);
    std::size_t end = at_ + n;
    std::string out = hour <= 24 ? cardinal(hour) : "";
    if (out.empty()) return std::nullopt;
    const bool minutes = at(end) == ':' && run_of_digits(end + 1) == 2;
    if (minutes) {
      const int minute = number(end + 1, 2);
      if (minute > 59) return std::nullopt;
      end += 3;
      const auto half = meridiem(end);
      if (minute != 0) {
        out += minute < 10 ? " oh " + cardinal(minute) : " " + cardinal(minute);
      } else if (!half) {
        out += hour >= 1 && hour <= 12 ? " o'clock" : " hundred";
      }
    }
    const auto half = meridiem(end);
    if (!minutes && !half) return std::nullopt;
    if (half) {
      out += " " + half->spoken;
      end += half->bytes;
    }
    return ends_word(end) && at(end) != ':' ? Found(Reading{end - at_, out}) : std::nullopt;
  }

  /// Digits with commas between thousands: the length, and the number without the commas.
  std::pair<std::size_t, std::string> amount(std::size_t i) const {
    std::size_t n = run_of_digits(i);
    std::string out(s_.substr(i, n));
    if (n == 0 || n > 3) return {n, out};
    while (at(i + n) == ',' && run_of_digits(i + n + 1) == 3) {
      out += s_.substr(i + n + 1, 3);
      n += 4;
    }
    return {n, out};
  }

  Found currency() const {
    struct Money {
      std::string_view sign, one, many, cent, cents;
    };
    static constexpr Money kMoney[] = {{"$", "dollar", "dollars", "cent", "cents"},
                                       {"\xE2\x82\xAC", "euro", "euros", "cent", "cents"},
                                       {"\xC2\xA3", "pound", "pounds", "penny", "pence"}};
    for (const Money& money : kMoney) {
      if (s_.substr(at_, money.sign.size()) != money.sign) continue;
      const std::size_t from = at_ + money.sign.size();
      const auto [n, whole] = amount(from);
      if (n == 0) return std::nullopt;
      std::size_t end = from + n;
      for (const std::string_view scale : {" thousand", " million", " billion"}) {
        if (s_.substr(end, scale.size()) == scale) {
          return Reading{end + scale.size() - at_, whole + std::string(scale) + " " + std::string(money.many)};
        }
      }
      std::string out = whole + " " + std::string(whole == "1" ? money.one : money.many);
      if (at(end) == '.' && run_of_digits(end + 1) == 2) {
        const int cents = number(end + 1, 2);
        end += 3;
        if (cents != 0) {
          const std::string small = std::to_string(cents) + " " + std::string(cents == 1 ? money.cent : money.cents);
          out = whole == "0" ? small : out + " and " + small;
        }
      }
      return Reading{end - at_, out};
    }
    return std::nullopt;
  }

  /// 5%, 23rd, 10 km, 1,200.
  Found after_number() const {
    const auto [n, whole] = amount(at_);
    if (n == 0) return std::nullopt;
    std::size_t end = at_ + n;
    std::string out = whole;
    if (at(end) == '.' && is_digit(at(end + 1))) {
      const std::size_t decimals = run_of_digits(end + 1);
      out += " point " + digits_apart(s_.substr(end + 1, decimals));
      end += 1 + decimals;
    } else if (n <= 2) {
      const std::string_view ending = s_.substr(end, 2);
      const int value = number(at_, n);
      const bool is_ordinal = ending == "st" || ending == "nd" || ending == "rd" || ending == "th";
      if (is_ordinal && value > 0 && ends_word(end + 2)) return Reading{n + 2, ordinal(value)};
    }
    if (at(end) == '%') return Reading{end + 1 - at_, out + " percent"};
    const std::size_t unit_at = end + (at(end) == ' ' ? 1 : 0);
    for (const Unit& unit : kUnits) {
      if (s_.substr(unit_at, unit.written.size()) != unit.written || !ends_word(unit_at + unit.written.size()))
        continue;
      return Reading{unit_at + unit.written.size() - at_, out + " " + std::string(out == "1" ? unit.one : unit.many)};
    }
    // Decimals and thousands only; a plain number stays as it is, a version like 1.2.3 too.
    if (out == s_.substr(at_, end - at_) || !ends_word(end) || (at(end) == '.' && is_digit(at(end + 1))))
      return std::nullopt;
    return Reading{end - at_, out};
  }

  Found abbreviation() const {
    for (const auto& [written, spoken] : kAbbreviations) {
      if (s_.substr(at_, written.size()) != written || is_alpha(at(at_ + written.size()))) continue;
      return Reading{written.size(), std::string(spoken)};
    }
    if (s_.substr(at_, 4) == "No. " && is_digit(at(at_ + 4))) return Reading{4, "number "};
    return std::nullopt;
  }

  Found capitals() const {
    std::size_t n = 0;
    while (is_upper(at(at_ + n))) ++n;
    if (n < 2 || n > 4 || !ends_word(at_ + n) || at(at_ + n) == '\'') return std::nullopt;
    const std::string_view word = s_.substr(at_, n);
    if (std::find(std::begin(kStressed), std::end(kStressed), word) != std::end(kStressed)) return std::nullopt;
    std::string out;
    for (const char c : word) out += (out.empty() ? "" : " ") + std::string(1, c);
    return Reading{n, out};
  }

  std::string_view s_;
  std::size_t at_ = 0;
  std::string out_;
};

}  // namespace

std::string normalise_for_speech(std::string_view text) {
  return Reader(text).run();
}

}  // namespace voxgate::dialog
