#include "voxgate/carriers/dialect.hpp"

#include "carriers/raw.hpp"
#include "carriers/twilio.hpp"

namespace voxgate::carriers {
namespace {

// One row per dialect: how its first message is known, and how to make one. The order matters only where two could
// match.
struct Row {
  const char* name;
  bool (*speaks)(std::string_view first_message);
  std::unique_ptr<Dialect> (*make)();
};

template <class D>
std::unique_ptr<Dialect> make() {
  return std::make_unique<D>();
}

constexpr Row kDialects[] = {
    {"raw", &RawDialect::speaks, &make<RawDialect>},
    {"twilio", &TwilioDialect::speaks, &make<TwilioDialect>},
};

}  // namespace

std::unique_ptr<Dialect> detect_dialect(bool is_text, std::span<const std::uint8_t> first_message) {
  if (!is_text) return nullptr;
  const std::string_view text{reinterpret_cast<const char*>(first_message.data()), first_message.size()};
  for (const Row& row : kDialects) {
    if (row.speaks(text)) return row.make();
  }
  return nullptr;
}

std::unique_ptr<Dialect> make_dialect(std::string_view name) {
  for (const Row& row : kDialects) {
    if (name == row.name) return row.make();
  }
  return nullptr;
}

std::vector<std::string> dialect_names() {
  std::vector<std::string> out;
  for (const Row& row : kDialects) out.emplace_back(row.name);
  return out;
}

}  // namespace voxgate::carriers
