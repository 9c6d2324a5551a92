#pragma once
// Texts with {names} in them.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace voxgate::dialog {

/// The names between braces, in order; nullopt when a brace is not closed or a name is empty.
std::optional<std::vector<std::string>> template_names(std::string_view text);

/// Each {name} becomes value(name).
std::string fill_template(std::string_view text, const std::function<std::string(std::string_view)>& value);

}  // namespace voxgate::dialog
