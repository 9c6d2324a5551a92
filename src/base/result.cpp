#include "voxgate/base/result.hpp"

namespace voxgate {
namespace {

class ErrcCategory final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "voxgate"; }
  std::string message(int value) const override {
    switch (static_cast<Errc>(value)) {
      case Errc::timed_out:
        return "timed out";
      case Errc::closed:
        return "closed";
      case Errc::cancelled:
        return "cancelled";
      case Errc::full:
        return "full";
      case Errc::bad_input:
        return "bad input";
      case Errc::too_large:
        return "too large";
      case Errc::not_found:
        return "not found";
      case Errc::unauthorized:
        return "unauthorized";
      case Errc::unsupported:
        return "unsupported";
      case Errc::unavailable:
        return "unavailable";
      case Errc::internal:
        return "internal error";
    }
    return "unknown error";
  }
};

}  // namespace

const boost::system::error_category& errc_category() noexcept {
  static const ErrcCategory category;
  return category;
}

}  // namespace voxgate
