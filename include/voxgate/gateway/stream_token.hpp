#pragma once
// Stream tokens: what the webhook hands out and the upgrade asks for. A MAC over carrier, agent, call and expiry, so
// that any node with the key can check it; each is good for one stream.

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "voxgate/base/time.hpp"

namespace voxgate::gateway {

struct StreamClaim {
  std::string carrier, agent, call_id;
  std::int64_t expires_unix_s = 0;
};

/// URL-safe text: the claim and HMAC-SHA256 over it.
std::string make_stream_token(std::string_view secret, const StreamClaim& claim);
/// nullopt for a wrong MAC, a broken token, one that has expired, or one that names another call.
std::optional<StreamClaim> check_stream_token(std::string_view secret, std::string_view token, std::string_view call_id,
                                              std::int64_t now_unix_s);

/// Remembers used tokens until they expire. Threads: any. Bounded: beyond the limit everything is refused.
class UsedTokens {
 public:
  explicit UsedTokens(std::size_t limit = 100000) : limit_(limit) {}
  /// False if the token was used before.
  bool use(const std::string& token, std::int64_t expires_unix_s, std::int64_t now_unix_s);

 private:
  std::mutex mutex_;
  std::size_t limit_;
  std::int64_t next_purge_s_ = 0;
  std::unordered_map<std::string, std::int64_t> used_;
};

}  // namespace voxgate::gateway
