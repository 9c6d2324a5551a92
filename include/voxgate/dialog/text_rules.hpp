#pragma once
// What the words alone say about a turn: does it look finished, is it only a nod, must it interrupt, is it our own
// voice. English word lists; case and punctuation do not matter unless said. All functions are pure.

#include <cstdint>
#include <string_view>

#include "voxgate/vendors/common.hpp"

namespace voxgate::dialog {

enum class Completeness : std::uint8_t { incomplete, neutral, complete };

/// How finished `text` looks as an answer to `expected`. Incomplete: ends in a conjunction, preposition, article or
/// filler, or in the middle of a number. Complete: ends a sentence, or answers the question asked.
Completeness completeness(std::string_view text, const vendors::Expectation& expected);

/// Nothing but "mm-hmm", "yeah", "okay", "i see" and the like.
bool is_backchannel(std::string_view text);

/// Words that are not part of a back-channel.
int meaningful_words(std::string_view text);

/// Contains a word that always means "let me speak": stop, wait, no, hold on, actually, operator, human.
bool always_interrupts(std::string_view text);

/// Our own voice come back: at least `share` of the words heard appear, in order, in what is being said.
bool is_echo_of(std::string_view heard, std::string_view being_said, double share = 0.7);

/// Same words, whatever the punctuation and case.
bool same_words(std::string_view a, std::string_view b);

/// Digits at the end of the text: spoken ("five five", "double two") or written ("555").
int trailing_digits(std::string_view text);

}  // namespace voxgate::dialog
