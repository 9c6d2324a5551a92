#pragma once
// Where a key stands in a JSON text: path -> line, for error messages. Understands comments; tolerant of the rest.

#include <map>
#include <string>
#include <string_view>

namespace voxgate::gateway {

/// "limits.max_calls" -> 12 (1-based), for every key of every object; elements of arrays are "list[0]".
std::map<std::string, int> json_lines(std::string_view text);

/// The line of the byte `offset`.
int line_of(std::string_view text, std::size_t offset);

}  // namespace voxgate::gateway
