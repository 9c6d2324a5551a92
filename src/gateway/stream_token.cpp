#include "voxgate/gateway/stream_token.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <vector>

#include "voxgate/base/base64.hpp"
#include "voxgate/base/text.hpp"

namespace voxgate::gateway {
namespace {

std::string url_safe_base64(std::string_view bytes) {
  std::string out(base64::encoded_size(bytes.size()), '\0');
  base64::encode({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, out.data());
  while (!out.empty() && out.back() == '=') out.pop_back();
  for (char& c : out) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return out;
}

std::optional<std::string> from_url_safe_base64(std::string_view coded) {
  std::string standard(coded);
  for (char& c : standard) c = c == '-' ? '+' : c == '_' ? '/' : c;
  std::string out(base64::max_decoded_size(standard.size()), '\0');
  const auto size = base64::decode(standard, reinterpret_cast<std::uint8_t*>(out.data()));
  if (!size) return std::nullopt;
  out.resize(*size);
  return out;
}

std::string mac_of(std::string_view secret, std::string_view data) {
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(data.data()), data.size(), mac, &size);
  return url_safe_base64({reinterpret_cast<const char*>(mac), size});
}

}  // namespace

std::string make_stream_token(std::string_view secret, const StreamClaim& claim) {
  const std::string body = url_safe_base64(claim.carrier + '\n' + claim.agent + '\n' + claim.call_id + '\n' +
                                           std::to_string(claim.expires_unix_s));
  return body + '.' + mac_of(secret, body);
}

std::optional<StreamClaim> check_stream_token(std::string_view secret, std::string_view token, std::string_view call_id,
                                              std::int64_t now_unix_s) {
  const std::size_t dot = token.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string_view body = token.substr(0, dot), mac = token.substr(dot + 1);
  const std::string expected = mac_of(secret, body);
  if (mac.size() != expected.size() || CRYPTO_memcmp(mac.data(), expected.data(), mac.size()) != 0) return std::nullopt;
  const auto text = from_url_safe_base64(body);
  if (!text) return std::nullopt;
  const auto parts = text::split(*text, '\n');
  if (parts.size() != 4) return std::nullopt;
  StreamClaim claim{std::string(parts[0]), std::string(parts[1]), std::string(parts[2]), 0};
  std::from_chars(parts[3].data(), parts[3].data() + parts[3].size(), claim.expires_unix_s);
  if (claim.expires_unix_s < now_unix_s || claim.call_id != call_id) return std::nullopt;
  return claim;
}

bool UsedTokens::use(const std::string& token, std::int64_t expires_unix_s, std::int64_t now_unix_s) {
  std::lock_guard lock(mutex_);
  if (now_unix_s >= next_purge_s_ || used_.size() >= limit_) {
    next_purge_s_ = now_unix_s + 10;
    std::erase_if(used_, [now_unix_s](const auto& entry) { return entry.second < now_unix_s; });
  }
  if (used_.size() >= limit_) return false;
  return used_.emplace(token, expires_unix_s).second;
}

}  // namespace voxgate::gateway
