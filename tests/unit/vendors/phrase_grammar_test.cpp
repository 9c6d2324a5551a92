#include "voxgate/vendors/phrase_grammar.hpp"

#include <gtest/gtest.h>

#include "voxgate/base/text.hpp"

namespace voxgate::vendors {
namespace {

using Words = std::vector<std::string>;

PhraseGrammar compile(const PhraseRules& rules, std::vector<PhraseGrammar::Entry> entries) {
  auto made = PhraseGrammar::compile(rules, std::move(entries));
  if (auto* error = std::get_if<PhraseError>(&made)) ADD_FAILURE() << error->to_string();
  return std::holds_alternative<PhraseGrammar>(made) ? std::get<PhraseGrammar>(std::move(made)) : PhraseGrammar{};
}

PhraseGrammar one(const std::string& pattern) {
  return compile(PhraseRules{}, {{"it", pattern, ""}});
}

std::string error_of(const PhraseRules& rules, const std::string& pattern) {
  auto made = PhraseGrammar::compile(rules, {{"it", pattern, "/script/intents/it/0"}});
  auto* error = std::get_if<PhraseError>(&made);
  return error == nullptr ? "" : error->to_string();
}

std::string value_of(const std::string& slot, const std::string& spoken) {
  const auto match = one("{" + slot + "}").match(text::words(spoken));
  if (!match || match->slots.size() != 1) return "(none)";
  return match->slots[0].value + " / " + match->slots[0].display;
}

TEST(PhraseGrammar, MatchesAlternativesOptionalsAndSlots) {
  const auto g = one("(i want | i would like) to book [an] appointment [[on] {day}] [at {time}]");
  EXPECT_TRUE(g.match(text::words("i want to book appointment")));
  EXPECT_TRUE(g.match(text::words("i would like to book an appointment")));
  EXPECT_FALSE(g.match(text::words("i would to book an appointment")));
  EXPECT_FALSE(g.match(text::words("i want to book an")));
  EXPECT_FALSE(g.match(Words{}));
  const auto m = g.match(text::words("i want to book an appointment on friday at half past three"));
  ASSERT_TRUE(m);
  ASSERT_EQ(m->slots.size(), 2u);
  EXPECT_EQ(m->slots[0], (PhraseSlot{"day", "friday", "Friday", "friday", 7, 8}));
  EXPECT_EQ(m->slots[1], (PhraseSlot{"time", "15:30", "3:30 PM", "half past three", 9, 12}));
}

TEST(PhraseGrammar, TimesOfTheDayAreNormalised) {
  EXPECT_EQ(value_of("time", "three"), "15:00 / 3 PM");
  EXPECT_EQ(value_of("time", "nine"), "09:00 / 9 AM");
  EXPECT_EQ(value_of("time", "nine pm"), "21:00 / 9 PM");
  EXPECT_EQ(value_of("time", "three thirty"), "15:30 / 3:30 PM");
  EXPECT_EQ(value_of("time", "ten oh five"), "10:05 / 10:05 AM");
  EXPECT_EQ(value_of("time", "quarter to one"), "12:45 / 12:45 PM");
  EXPECT_EQ(value_of("time", "a quarter past eleven in the evening"), "23:15 / 11:15 PM");
  EXPECT_EQ(value_of("time", "twelve am"), "00:00 / midnight");
  EXPECT_EQ(value_of("time", "quarter to twelve am"), "23:45 / 11:45 PM");
  EXPECT_EQ(value_of("time", "noon"), "12:00 / noon");
  EXPECT_EQ(value_of("time", "seven o'clock in the morning"), "07:00 / 7 AM");
}

TEST(PhraseGrammar, DaysAreNormalised) {
  EXPECT_EQ(value_of("day", "tomorrow"), "tomorrow / tomorrow");
  EXPECT_EQ(value_of("day", "the day after tomorrow"), "day_after_tomorrow / the day after tomorrow");
  EXPECT_EQ(value_of("day", "next tuesday"), "next_tuesday / next Tuesday");
  EXPECT_EQ(value_of("day", "the twenty third"), "-23 / the 23rd");
  EXPECT_EQ(value_of("day", "march the third"), "03-03 / March 3rd");
  EXPECT_EQ(value_of("day", "the thirty first of december"), "12-31 / December 31st");
}

TEST(PhraseGrammar, NumbersDigitsLettersAnswersAndNames) {
  EXPECT_EQ(value_of("number", "twenty one"), "21 / 21");
  EXPECT_EQ(value_of("digits", "five oh five zero one two"), "505012 / 5 0 5 0 1 2");
  EXPECT_EQ(value_of("letters", "a b z"), "abz / a b z");
  EXPECT_EQ(value_of("yes_no", "that's right"), "yes / yes");
  EXPECT_EQ(value_of("yes_no", "no thank you"), "no / no");
  EXPECT_EQ(value_of("name", "sarah"), "sarah / Sarah");
  EXPECT_EQ(value_of("part", "in the afternoon"), "afternoon / afternoon");
}

TEST(PhraseGrammar, SlotsMayBeRenamedAndListsGiveTheirValue) {
  PhraseRules rules;
  ASSERT_FALSE(rules.add_list("service", {{"cleaning", "cleaning | hygienist"}, {"checkup", "[a] check up"}}));
  ASSERT_FALSE(rules.add("visit", "see you for <a> {service}"));
  ASSERT_FALSE(rules.add("a", "a | the"));
  const auto g = compile(rules, {{"move", "from {old:day} to {new:day}", ""}, {"visit", "<visit>", ""}});
  const auto moved = g.match(text::words("from monday to tuesday"));
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->label, "move");
  ASSERT_NE(moved->slot("old"), nullptr);
  EXPECT_EQ(moved->slot("old")->value, "monday");
  EXPECT_EQ(moved->slot("new")->value, "tuesday");
  const auto visit = g.match(text::words("see you for the hygienist"));
  ASSERT_TRUE(visit);
  ASSERT_EQ(visit->slots.size(), 1u) << "a rule used for its words passes its slots on";
  EXPECT_EQ(visit->slots[0].value, "cleaning");
}

TEST(PhraseGrammar, PrefixMeansThatTheCallerMayGoOn) {
  const auto g = one("book a table for {number} [people]");
  EXPECT_TRUE(g.is_prefix(text::words("book a")));
  EXPECT_TRUE(g.is_prefix(text::words("book a table for twenty")));
  EXPECT_TRUE(g.is_prefix(text::words("book a table for two people")));
  EXPECT_FALSE(g.is_prefix(text::words("book a table for two people please")));
  EXPECT_FALSE(g.is_prefix(text::words("cook a")));
}

TEST(PhraseGrammar, FindsTheLongestStretchInsideOtherWords) {
  const auto g = compile(PhraseRules{}, {{"day", "[on] {day}", ""}, {"book", "book an appointment [[on] {day}]", ""}});
  const auto words = text::words("um well could you book an appointment on friday thanks");
  const auto m = g.find(words);
  ASSERT_TRUE(m);
  EXPECT_EQ(m->label, "book");
  EXPECT_EQ(m->first, 4u);
  EXPECT_EQ(m->last, 9u);
  ASSERT_EQ(m->slots.size(), 1u);
  EXPECT_EQ(words[m->slots[0].first], "friday");
  EXPECT_FALSE(g.find(text::words("nothing of interest")));
}

TEST(PhraseGrammar, ErrorsNameThePlace) {
  PhraseRules rules;
  EXPECT_EQ(error_of(rules, "book [an appointment"),
            "/script/intents/it/0 (column 6): this bracket is not closed with ']'");
  EXPECT_EQ(error_of(rules, "on {dya}"),
            "/script/intents/it/0 (column 4): no rule or slot type is named 'dya'; did you mean 'day'?");
  EXPECT_EQ(error_of(rules, "a | | b"), "/script/intents/it/0 (column 5): words expected here");
  EXPECT_EQ(error_of(rules, "table for 2"), "/script/intents/it/0 (column 11): numbers are written as words: '2'");
  EXPECT_EQ(error_of(rules, "what?"), "/script/intents/it/0 (column 5): '?' has no meaning in a phrase");
  EXPECT_EQ(error_of(rules, "a) b"), "/script/intents/it/0 (column 2): unexpected ')'");
  EXPECT_EQ(error_of(rules, ""), "/script/intents/it/0 (column 1): words expected here");
  ASSERT_FALSE(rules.add("x", "a <y>"));
  ASSERT_FALSE(rules.add("y", "b [<x>]"));
  EXPECT_NE(error_of(rules, "<x>").find("contains itself"), std::string::npos);
  EXPECT_TRUE(rules.add("x", "again"));
}

TEST(PhraseGrammar, HostilePatternsAndInputsStayBounded) {
  EXPECT_NE(error_of(PhraseRules{}, std::string(5000, '(')).find("nested too deep"), std::string::npos);
  const auto g = one("(([a])+)+ b");
  EXPECT_TRUE(g.match(text::words("a a a a b")));
  EXPECT_TRUE(g.match(text::words("b")));
  Words many(20000, "a");
  EXPECT_FALSE(g.match(many));
  many.push_back("b");
  EXPECT_TRUE(g.match(many));
}

TEST(PhraseGrammar, EverySampledSentenceMatchesAndTheVocabularyCoversIt) {
  const auto g = compile(PhraseRules{}, {{"a", "(book | move) [my] appointment [to {day}] [at {time}]", ""},
                                         {"b", "my number is {digits} and my name is {name}", ""}});
  const auto vocabulary = g.vocabulary();
  const auto sentences = g.sample(400, 1);
  ASSERT_EQ(sentences.size(), 400u);
  for (const Words& sentence : sentences) {
    ASSERT_TRUE(g.match(sentence)) << testing::PrintToString(sentence);
    for (const std::string& word : sentence) ASSERT_TRUE(vocabulary.contains(word)) << word;
  }
  EXPECT_EQ(sentences, g.sample(400, 1));
  EXPECT_NE(sentences, g.sample(400, 2));
  ASSERT_NE(g.entry_using("number"), nullptr);
  EXPECT_EQ(g.entry_using("number")->label, "b");
  EXPECT_EQ(g.entry_using("zebra"), nullptr);
}

TEST(PhraseGrammar, WritesJsgf) {
  PhraseRules rules;
  ASSERT_FALSE(rules.add("please", "please | if you can"));
  EXPECT_EQ(compile(rules, {{"a", "[<please>] stop", ""}, {"b", "(go)+", ""}}).to_jsgf("g"),
            "#JSGF V1.0;\ngrammar g;\npublic <sentence> = ( [ <r_please> ] stop ) | ( ( go )+ );\n"
            "<r_please> = ( please | if you can );\n");
}

TEST(SpokenWords, DigitsTimesAndOrdinalsBecomeWords) {
  EXPECT_EQ(spoken_words("On the 23rd, at 3:30 PM!"),
            (Words{"on", "the", "twenty", "third", "at", "three", "thirty", "pm"}));
  EXPECT_EQ(spoken_words("10am or 9:05 a.m."), (Words{"ten", "am", "or", "nine", "oh", "five", "am"}));
  EXPECT_EQ(spoken_words("a table for 4"), (Words{"a", "table", "for", "four"}));
  EXPECT_EQ(spoken_words("It's 5:00."), (Words{"it's", "five"}));
  EXPECT_EQ(spoken_words("555 0123"), (Words{"five", "five", "five", "zero", "one", "two", "three"}));
}

}  // namespace
}  // namespace voxgate::vendors
