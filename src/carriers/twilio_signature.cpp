#include "voxgate/carriers/twilio_signature.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <map>
#include <set>

#include "voxgate/base/base64.hpp"

namespace voxgate::carriers {
namespace {

std::string base64_of(const unsigned char* bytes, std::size_t size) {
  std::string out(base64::encoded_size(size), '\0');
  base64::encode({bytes, size}, out.data());
  return out;
}

// The forms of an URL that a provider may have signed.
std::vector<std::string> url_forms(std::string_view url) {
  std::vector<std::string> out{std::string(url)};
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) return out;
  const std::string_view scheme = url.substr(0, scheme_end);
  const std::size_t host = scheme_end + 3;
  std::size_t path = url.find_first_of("/?", host);
  if (path == std::string_view::npos) path = url.size();
  const std::string_view authority = url.substr(host, path - host);
  const std::string_view rest = url.substr(path);
  const std::size_t colon = authority.rfind(':');
  const bool has_port = colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos;
  const std::string head = std::string(scheme) + "://";
  if (has_port) {
    out.push_back(head + std::string(authority.substr(0, colon)) + std::string(rest));
  } else {
    const bool secure = scheme == "https" || scheme == "wss";
    out.push_back(head + std::string(authority) + (secure ? ":443" : ":80") + std::string(rest));
  }
  return out;
}

}  // namespace

std::string twilio_signature(std::string_view auth_token, std::string_view url, const Params& form) {
  std::map<std::string_view, std::set<std::string_view>> sorted;
  for (const auto& [key, value] : form) sorted[key].insert(value);
  std::string data(url);
  for (const auto& [key, values] : sorted) {
    for (const auto& value : values) {
      data += key;
      data += value;
    }
  }
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha1(), auth_token.data(), static_cast<int>(auth_token.size()),
       reinterpret_cast<const unsigned char*>(data.data()), data.size(), mac, &size);
  return base64_of(mac, size);
}

bool verify_twilio_signature(const std::vector<std::string>& auth_tokens, std::string_view url, const Params& form,
                             std::string_view signature) {
  bool match = false;  // no early way out: the time says nothing about which form came close
  for (const std::string& token : auth_tokens) {
    if (token.empty()) continue;  // anybody can sign with an empty key
    for (const std::string& form_of_url : url_forms(url)) {
      const std::string expected = twilio_signature(token, form_of_url, form);
      const bool same =
          expected.size() == signature.size() && CRYPTO_memcmp(expected.data(), signature.data(), expected.size()) == 0;
      match = match || same;
    }
  }
  return match;
}

bool verify_body_sha256(std::string_view expected_hex, std::string_view body) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(body.data(), body.size(), digest, &size, EVP_sha256(), nullptr);
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    constexpr char kHex[] = "0123456789abcdef";
    hex += kHex[digest[i] >> 4];
    hex += kHex[digest[i] & 15];
  }
  return hex.size() == expected_hex.size() && CRYPTO_memcmp(hex.data(), expected_hex.data(), hex.size()) == 0;
}

}  // namespace voxgate::carriers
