#include "voxgate/vendors/llm_stream.hpp"

namespace voxgate::vendors {

const char* to_string(TurnCause cause) {
  constexpr const char* kNames[] = {"greeting", "user_turn",     "no_input", "no_match",
                                    "dtmf",     "operator_says", "farewell"};
  return kNames[static_cast<std::size_t>(cause)];
}

}  // namespace voxgate::vendors
