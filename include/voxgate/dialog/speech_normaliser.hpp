#pragma once
// Writes for the ear what is written for the eye: numbers that are not quantities, units, abbreviations.

#include <string>
#include <string_view>

namespace voxgate::dialog {

/// For voices that do not do this themselves. Telephone numbers become single digits in groups with pauses
/// (555-010-4477 is "five five five, zero one zero, four four seven seven"), and likewise currency, times, dates (ISO
/// and month/day/year), percentages, ordinals, units after a number, capitals of up to four letters, e-mail addresses
/// and common abbreviations. English. Plain numbers stay digits.
std::string normalise_for_speech(std::string_view text);

}  // namespace voxgate::dialog
