#pragma once
// Results and errors: everything the network can cause is returned as a Result, never thrown.

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>
#include <string>
#include <type_traits>

namespace voxgate {

/// What can go wrong across rooms. Rooms turn their libraries' errors into these at their border.
enum class Errc {
  timed_out = 1,  // a deadline passed
  closed,         // the peer or we ended it
  cancelled,      // asked to stop
  full,           // a bound was reached: cap, queue, pool
  bad_input,      // malformed data from outside
  too_large,      // over a size limit
  not_found,      // no such thing
  unauthorized,   // signature, token or credential refused
  unsupported,    // understood, but not offered
  unavailable,    // a dependency is down
  internal,       // a broken invariant on our side
};

const boost::system::error_category& errc_category() noexcept;

inline boost::system::error_code make_error_code(Errc e) noexcept {
  return boost::system::error_code(static_cast<int>(e), errc_category());
}

using ErrorCode = boost::system::error_code;

template <class T>
using Result = boost::system::result<T>;

}  // namespace voxgate

namespace boost::system {
template <>
struct is_error_code_enum<voxgate::Errc> : std::true_type {};
}  // namespace boost::system
