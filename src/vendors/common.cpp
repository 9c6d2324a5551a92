#include "voxgate/vendors/common.hpp"

namespace voxgate::vendors {

const char* to_string(Error::Kind kind) {
  switch (kind) {
    case Error::Kind::auth:
      return "auth";
    case Error::Kind::quota:
      return "quota";
    case Error::Kind::rate_limit:
      return "rate_limit";
    case Error::Kind::config:
      return "config";
    case Error::Kind::protocol:
      return "protocol";
    case Error::Kind::timeout:
      return "timeout";
    case Error::Kind::transport:
      return "transport";
    case Error::Kind::server:
      return "server";
  }
  return "unknown";
}

const char* to_string(AnswerKind kind) {
  switch (kind) {
    case AnswerKind::free:
      return "free";
    case AnswerKind::yes_no:
      return "yes_no";
    case AnswerKind::digits:
      return "digits";
    case AnswerKind::spelled:
      return "spelled";
    case AnswerKind::choice:
      return "choice";
    case AnswerKind::date_time:
      return "date_time";
    case AnswerKind::name:
      return "name";
  }
  return "free";
}

std::optional<AnswerKind> parse_answer_kind(std::string_view text) {
  for (const AnswerKind kind : {AnswerKind::free, AnswerKind::yes_no, AnswerKind::digits, AnswerKind::spelled,
                                AnswerKind::choice, AnswerKind::date_time, AnswerKind::name}) {
    if (text == to_string(kind)) return kind;
  }
  return std::nullopt;
}

}  // namespace voxgate::vendors
