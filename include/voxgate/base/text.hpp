#pragma once
// Small text helpers that several rooms need.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace voxgate::text {

/// Escapes for a JSON string (without the quotes): control characters, quotes, backslashes; bytes that are not valid
/// UTF-8 become U+FFFD. `max_chars` cuts the input (0: no cut).
std::string json_escape(std::string_view s, std::size_t max_chars = 0);

/// Escapes for XML text and attribute values.
std::string xml_escape(std::string_view s);

/// Splits at `separator`; empty pieces are kept.
std::vector<std::string_view> split(std::string_view s, char separator);

std::string_view trim(std::string_view s);
std::string to_lower(std::string_view s);
bool iequals(std::string_view a, std::string_view b);

/// Lower-case words without punctuation (apostrophes inside a word stay): what turn-taking and guards compare.
std::vector<std::string> words(std::string_view s);

/// The candidate with the smallest edit distance, if it is close enough to be a likely slip of the keyboard.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

/// Percent-decodes an URL component; '+' becomes a space when `plus_is_space`. nullopt on a broken escape.
std::optional<std::string> percent_decode(std::string_view s, bool plus_is_space);

/// Percent-encodes everything but RFC 3986's unreserved characters: the result is one segment of a path.
std::string percent_encode(std::string_view s);

}  // namespace voxgate::text
