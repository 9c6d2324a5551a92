// The built-in rules of the phrase language, written in the language itself, and how their values are put together.

#include <array>
#include <cctype>
#include <cstdlib>

#include "vendors/phrase_detail.hpp"
#include "voxgate/base/assert.hpp"
#include "voxgate/base/text.hpp"

namespace voxgate::vendors {

using namespace phrase_detail;

namespace {

struct Wording {
  const char* value;
  const char* pattern;
};

constexpr std::array<const char*, 20> kOnes = {
    "zero", "one",    "two",    "three",    "four",     "five",    "six",     "seven",     "eight",    "nine",
    "ten",  "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
constexpr std::array<const char*, 10> kTens = {"",      "",      "twenty",  "thirty", "forty",
                                               "fifty", "sixty", "seventy", "eighty", "ninety"};
constexpr std::array<const char*, 20> kOrdinals = {"",          "first",     "second",      "third",      "fourth",
                                                   "fifth",     "sixth",     "seventh",     "eighth",     "ninth",
                                                   "tenth",     "eleventh",  "twelfth",     "thirteenth", "fourteenth",
                                                   "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth"};
constexpr std::array<const char*, 12> kMonths = {"january", "february", "march",     "april",   "may",      "june",
                                                 "july",    "august",   "september", "october", "november", "december"};

constexpr Wording kWeekdays[] = {{"monday", "monday"},     {"tuesday", "tuesday"}, {"wednesday", "wednesday"},
                                 {"thursday", "thursday"}, {"friday", "friday"},   {"saturday", "saturday"},
                                 {"sunday", "sunday"}};
constexpr Wording kBeforeNoon[] = {{"am", "am | in the morning"}};
constexpr Wording kAfterNoon[] = {{"pm", "pm | in the (afternoon | evening)"}};
constexpr Wording kParts[] = {
    {"morning", "[in] [the] morning"}, {"afternoon", "[in] [the] afternoon"}, {"evening", "[in] [the] evening"}};
/// "In the morning" goes with the hours from six on only: who is open at two? A recogniser would otherwise hear "two
/// am" in every "ten".
constexpr Wording kTimes[] = {{"clock", "{hour} [o'clock] [{after_noon}]"},
                              {"clock", "{hour} {minute} [{after_noon}]"},
                              {"clock", "{morning_hour} [o'clock] {before_noon}"},
                              {"clock", "{morning_hour} {minute} {before_noon}"},
                              {"half", "half past {hour} [{after_noon}]"},
                              {"half", "half past {morning_hour} {before_noon}"},
                              {"quarter_past", "[a] quarter (past | after) {hour} [{after_noon}]"},
                              {"quarter_past", "[a] quarter (past | after) {morning_hour} {before_noon}"},
                              {"quarter_to", "[a] quarter to {hour} [{after_noon}]"},
                              {"quarter_to", "[a] quarter to {morning_hour} {before_noon}"},
                              {"noon", "noon | midday"},
                              {"midnight", "midnight"}};
constexpr Wording kDays[] = {{"today", "today"},
                             {"tomorrow", "tomorrow"},
                             {"day_after_tomorrow", "the day after tomorrow"},
                             {"weekday", "[this] {weekday}"},
                             {"next", "next {weekday}"},
                             {"date", "[the] {ordinal} [of {month}]"},
                             {"date", "{month} [the] {ordinal}"}};
constexpr const char* kYes =
    "yes [please] | yeah | yep | sure | [yes] (that's | that is) (right | correct | fine | good) | correct | right | "
    "of "
    "course | okay | exactly | sounds good | yes it is | please do";
constexpr const char* kNo =
    "no [thanks | thank you] | nope | [no] (that's | that is) (wrong | not right | not correct) | not really | no it's "
    "not | wrong";
constexpr const char* kNames[] = {
    "james",   "john",    "robert", "michael", "william", "david",  "richard", "thomas",   "charles",  "daniel",
    "matthew", "anthony", "mark",   "paul",    "steven",  "andrew", "kevin",   "brian",    "george",   "peter",
    "mary",    "linda",   "susan",  "jessica", "sarah",   "karen",  "lisa",    "nancy",    "margaret", "sandra",
    "emily",   "laura",   "helen",  "anna",    "maria",   "julia",  "alice",   "grace",    "emma",     "olivia",
    "smith",   "johnson", "brown",  "miller",  "davis",   "wilson", "taylor",  "anderson", "jackson",  "martin"};

std::string capitalised(std::string word) {
  if (!word.empty()) word[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(word[0])));
  return word;
}

std::string two_digits(int n) {
  return (n < 10 ? "0" : "") + std::to_string(n);
}

std::string ordinal_text(int n) {
  const int last = n % 10;
  const bool teen = n / 10 % 10 == 1;
  return std::to_string(n) + (teen ? "th" : last == 1 ? "st" : last == 2 ? "nd" : last == 3 ? "rd" : "th");
}

int number_of(const Capture* capture) {
  return capture == nullptr ? 0 : std::atoi(capture->tag.c_str());
}

/// Without am or pm a time is one that a business would mean: one to seven is the afternoon, eight to twelve is not.
int hour_24(int hour, std::string_view meridiem) {
  if (meridiem == "am") return hour % 12;
  if (meridiem == "pm") return hour % 12 + 12;
  return hour <= 7 ? hour + 12 : hour;
}

void compose_time(Capture& c) {
  int minutes = 0;
  if (c.tag == "noon") {
    minutes = 12 * 60;
  } else if (c.tag == "midnight") {
    minutes = 0;
  } else {
    const Capture* hour = c.child("hour");
    const std::string_view half = hour == nullptr ? "am" : c.child("after_noon") != nullptr ? "pm" : "";
    minutes = hour_24(number_of(hour == nullptr ? c.child("morning_hour") : hour), half) * 60;
    if (c.tag == "half") minutes += 30;
    if (c.tag == "quarter_past") minutes += 15;
    if (c.tag == "quarter_to") minutes += 24 * 60 - 15;
    minutes = (minutes + number_of(c.child("minute"))) % (24 * 60);
  }
  const int hour = minutes / 60;
  const int minute = minutes % 60;
  c.value = two_digits(hour) + ":" + two_digits(minute);
  if (minutes == 12 * 60) {
    c.display = "noon";
  } else if (minutes == 0) {
    c.display = "midnight";
  } else {
    c.display = std::to_string(hour % 12 == 0 ? 12 : hour % 12);
    if (minute != 0) c.display += ":" + two_digits(minute);
    c.display += hour < 12 ? " AM" : " PM";
  }
}

void compose_day(Capture& c) {
  const Capture* weekday = c.child("weekday");
  const Capture* ordinal = c.child("ordinal");
  const Capture* month = c.child("month");
  if (c.tag == "weekday" && weekday != nullptr) {
    c.value = weekday->tag;
    c.display = capitalised(weekday->tag);
  } else if (c.tag == "next" && weekday != nullptr) {
    c.value = "next_" + weekday->tag;
    c.display = "next " + capitalised(weekday->tag);
  } else if (c.tag == "date" && ordinal != nullptr) {
    const int day = number_of(ordinal);
    c.value = (month == nullptr ? "" : month->tag) + "-" + two_digits(day);
    c.display = month == nullptr
                    ? "the " + ordinal_text(day)
                    : capitalised(kMonths[static_cast<std::size_t>(number_of(month) - 1)]) + " " + ordinal_text(day);
  } else {
    c.value = c.tag;
    c.display = c.tag == "day_after_tomorrow" ? "the day after tomorrow" : c.tag;
  }
}

void compose_capitalised(Capture& c) {
  c.value = c.tag;
  c.display = capitalised(c.tag);
}

void compose_month(Capture& c) {
  c.value = c.tag;
  c.display = capitalised(kMonths[static_cast<std::size_t>(std::atoi(c.tag.c_str()) - 1)]);
}

void compose_ordinal(Capture& c) {
  c.value = c.tag;
  c.display = ordinal_text(std::atoi(c.tag.c_str()));
}

/// Digits and letters one after the other.
void compose_joined(Capture& c) {
  for (const Capture& child : c.children) {
    c.value += child.tag;
    if (!c.display.empty()) c.display += ' ';
    c.display += child.tag;
  }
}

class Builder {
 public:
  void list(const char* name, const std::vector<PhraseListEntry>& entries, Composer compose = nullptr) {
    auto rule = std::make_shared<Rule>();
    rule->name = name;
    rule->builtin = true;
    rule->compose = compose;
    for (const PhraseListEntry& entry : entries) {
      auto parsed = parse_pattern(entry.pattern, name);
      VOXGATE_ASSERT(std::holds_alternative<NodePtr>(parsed));
      rule->alternatives.push_back(std::get<NodePtr>(parsed));
      rule->tags.push_back(entry.value);
    }
    rules[name] = std::move(rule);
  }
  template <std::size_t N>
  void list(const char* name, const Wording (&wordings)[N], Composer compose = nullptr) {
    std::vector<PhraseListEntry> entries;
    for (const Wording& w : wordings) entries.push_back({w.value, w.pattern});
    list(name, entries, compose);
  }
  void pattern(const char* name, const char* text, Composer compose) {
    auto rule = std::make_shared<Rule>();
    rule->name = name;
    rule->builtin = true;
    rule->compose = compose;
    rule->alternatives.push_back(std::get<NodePtr>(parse_pattern(text, name)));
    rules[name] = std::move(rule);
  }
  RuleMap rules;
};

std::string cardinal(int n) {
  const auto ones = static_cast<std::size_t>(n % 10);
  if (n < 20) return kOnes[static_cast<std::size_t>(n)];
  std::string out = kTens[static_cast<std::size_t>(n / 10)];
  if (ones != 0) out += std::string(" ") + kOnes[ones];
  return out;
}

std::string ordinal_words(int n) {
  if (n < 20) return kOrdinals[static_cast<std::size_t>(n)];
  if (n == 20) return "twentieth";
  if (n == 30) return "thirtieth";
  return std::string(kTens[static_cast<std::size_t>(n / 10)]) + " " + kOrdinals[static_cast<std::size_t>(n % 10)];
}

std::vector<PhraseListEntry> numbers(int from, int to, std::string (*word)(int)) {
  std::vector<PhraseListEntry> out;
  for (int n = from; n <= to; ++n) out.push_back({std::to_string(n), word(n)});
  return out;
}

std::vector<PhraseListEntry> minutes() {
  std::vector<PhraseListEntry> out = {{"0", "hundred"}, {"5", "oh five"}};
  for (int n = 10; n < 60; n += 5) out.push_back({std::to_string(n), cardinal(n)});
  return out;
}

RuleMap make_builtins() {
  Builder b;
  std::vector<PhraseListEntry> digits = numbers(0, 9, cardinal);
  digits[0].pattern = "zero | oh";
  b.list("digit", digits);
  b.pattern("digits", "({digit})+", compose_joined);
  std::vector<PhraseListEntry> letters;
  for (char c = 'a'; c <= 'z'; ++c) letters.push_back({std::string(1, c), std::string(1, c)});
  b.list("letter", letters);
  b.pattern("letters", "({letter})+", compose_joined);
  b.list("number", numbers(0, 99, cardinal));
  b.list("hour", numbers(1, 12, cardinal));
  b.list("minute", minutes());
  b.list("morning_hour", numbers(6, 12, cardinal));
  b.list("before_noon", kBeforeNoon);
  b.list("after_noon", kAfterNoon);
  b.list("part", kParts);
  b.list("time", kTimes, compose_time);
  b.list("weekday", kWeekdays, compose_capitalised);
  std::vector<PhraseListEntry> months;
  for (std::size_t i = 0; i < kMonths.size(); ++i) months.push_back({two_digits(static_cast<int>(i) + 1), kMonths[i]});
  b.list("month", months, compose_month);
  b.list("ordinal", numbers(1, 31, ordinal_words), compose_ordinal);
  b.list("day", kDays, compose_day);
  b.list("yes", {{"yes", kYes}});
  b.list("no", {{"no", kNo}});
  b.list("yes_no", {{"yes", kYes}, {"no", kNo}});
  std::vector<PhraseListEntry> names;
  for (const char* name : kNames) names.push_back({name, name});
  b.list("name", names, compose_capitalised);
  return std::move(b.rules);
}

}  // namespace

const RuleMap& phrase_detail::builtin_rules() {
  static const RuleMap rules = make_builtins();
  return rules;
}

std::vector<std::string> builtin_rule_names() {
  std::vector<std::string> out;
  for (const auto& [name, rule] : builtin_rules()) out.push_back(name);
  return out;
}

namespace {

void append_number(std::vector<std::string>& out, std::string_view digits) {
  if (digits.size() > 2 || (digits.size() == 2 && digits[0] == '0')) {
    for (const char c : digits) out.emplace_back(kOnes[static_cast<std::size_t>(c - '0')]);
    return;
  }
  const std::string spelled = cardinal(std::atoi(std::string(digits).c_str()));  // the words below are views into it
  for (const std::string_view word : text::split(spelled, ' ')) out.emplace_back(word);
}

/// "3:30", "10am", "23rd": digits and what hangs on them.
void append_numeric(std::vector<std::string>& out, std::string_view token) {
  std::size_t i = 0;
  while (i < token.size()) {
    const bool digit = std::isdigit(static_cast<unsigned char>(token[i])) != 0;
    std::size_t j = i;
    while (j < token.size() && (std::isdigit(static_cast<unsigned char>(token[j])) != 0) == digit) ++j;
    const std::string_view part = token.substr(i, j - i);
    if (digit) {
      const std::string_view rest = token.substr(j);
      const bool ordinal = part.size() <= 2 && (rest == "st" || rest == "nd" || rest == "rd" || rest == "th");
      const int n = ordinal ? std::atoi(std::string(part).c_str()) : 0;
      if (ordinal && n >= 1 && n <= 31) {
        const std::string spoken = ordinal_words(n);
        for (const std::string_view word : text::split(spoken, ' ')) out.emplace_back(word);
        return;
      }
      const bool minutes_of_hour = i > 0 && token[i - 1] == ':';
      if (minutes_of_hour && part == "00") {
        // "3:00" is "three"
      } else if (minutes_of_hour && part.size() == 2 && part[0] == '0') {
        out.emplace_back("oh");
        append_number(out, part.substr(1));
      } else {
        append_number(out, part);
      }
    } else {
      for (std::string& word : text::words(part)) out.push_back(std::move(word));
    }
    i = j;
  }
}

}  // namespace

std::vector<std::string> spoken_words(std::string_view input) {
  std::vector<std::string> out;
  const std::string lower = text::to_lower(input);
  std::size_t i = 0;
  while (i < lower.size()) {
    if (std::isspace(static_cast<unsigned char>(lower[i])) != 0) {
      ++i;
      continue;
    }
    std::size_t j = i;
    while (j < lower.size() && std::isspace(static_cast<unsigned char>(lower[j])) == 0) ++j;
    std::string_view token(lower.data() + i, j - i);
    i = j;
    while (!token.empty() && (token.back() == ',' || token.back() == '?' || token.back() == '!'))
      token.remove_suffix(1);
    if (token == "a.m." || token == "a.m") {
      out.emplace_back("am");
    } else if (token == "p.m." || token == "p.m") {
      out.emplace_back("pm");
    } else if (token.find_first_of("0123456789") != std::string_view::npos) {
      append_numeric(out, token);
    } else {
      for (std::string& word : text::words(token)) out.push_back(std::move(word));
    }
  }
  return out;
}

}  // namespace voxgate::vendors
