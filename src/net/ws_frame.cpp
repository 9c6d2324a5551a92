#include "net/ws_frame.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace voxgate::net {

static_assert(std::endian::native == std::endian::little, "mask keys are kept as they lie in memory");

namespace {

constexpr std::size_t kMaxControlPayload = 125;
constexpr std::size_t kKeptMessageBytes = 1024;  // a larger reassembly buffer is given back after its message

std::size_t header_size(std::uint8_t second) {
  const std::uint8_t length = second & 0x7F;
  return 2u + (length == 126 ? 2u : length == 127 ? 8u : 0u) + ((second & 0x80) != 0 ? 4u : 0u);
}

}  // namespace

bool valid_close_code(std::uint16_t code) {
  if (code >= 3000 && code <= 4999) return true;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

bool Utf8Check::feed(std::span<const std::uint8_t> bytes) {
  const std::uint8_t* p = bytes.data();
  const std::uint8_t* const end = p + bytes.size();
  while (p != end) {
    if (need_ == 0) {
      while (end - p >= 8) {  // a run of ASCII, eight at a time
        std::uint64_t word;
        std::memcpy(&word, p, 8);
        if ((word & 0x8080808080808080u) != 0) break;
        p += 8;
      }
      if (p == end) break;
      const std::uint8_t lead = *p++;
      if (lead < 0x80) continue;
      low_ = 0x80;
      high_ = 0xBF;
      if (lead >= 0xC2 && lead <= 0xDF) {
        need_ = 1;
      } else if (lead >= 0xE0 && lead <= 0xEF) {
        need_ = 2;
        if (lead == 0xE0) low_ = 0xA0;   // shorter forms exist
        if (lead == 0xED) high_ = 0x9F;  // surrogates
      } else if (lead >= 0xF0 && lead <= 0xF4) {
        need_ = 3;
        if (lead == 0xF0) low_ = 0x90;
        if (lead == 0xF4) high_ = 0x8F;  // above U+10FFFF
      } else {
        return false;
      }
    } else {
      const std::uint8_t next = *p++;
      if (next < low_ || next > high_) return false;
      low_ = 0x80;
      high_ = 0xBF;
      --need_;
    }
  }
  return true;
}

void apply_mask(std::span<std::uint8_t> bytes, std::uint32_t key, std::size_t offset) {
  key = std::rotr(key, static_cast<int>(offset % 4 * 8));
  const std::uint64_t wide = (static_cast<std::uint64_t>(key) << 32) | key;
  std::uint8_t* p = bytes.data();
  std::size_t n = bytes.size();
  for (; n >= 8; n -= 8, p += 8) {
    std::uint64_t word;
    std::memcpy(&word, p, 8);
    word ^= wide;
    std::memcpy(p, &word, 8);
  }
  for (std::size_t i = 0; i < n; ++i) p[i] ^= static_cast<std::uint8_t>(key >> (i % 4 * 8));
}

void make_frame(std::string& bytes, std::uint8_t opcode, const std::uint32_t* mask_key) {
  const std::size_t size = bytes.size();
  std::array<char, 14> header;
  std::size_t n = 0;
  const auto put = [&](std::uint64_t v) { header[n++] = static_cast<char>(v & 0xFF); };
  const unsigned mask_bit = mask_key != nullptr ? 0x80 : 0;
  put(0x80u | opcode);
  if (size <= 125) {
    put(mask_bit | size);
  } else if (size <= 0xFFFF) {
    put(mask_bit | 126);
    put(size >> 8);
    put(size);
  } else {
    put(mask_bit | 127);
    for (int shift = 56; shift >= 0; shift -= 8) put(static_cast<std::uint64_t>(size) >> shift);
  }
  if (mask_key != nullptr) {
    std::memcpy(header.data() + n, mask_key, 4);
    n += 4;
    apply_mask({reinterpret_cast<std::uint8_t*>(bytes.data()), size}, *mask_key);
  }
  bytes.insert(0, header.data(), n);
}

std::string close_payload(std::uint16_t code, std::string_view reason) {
  std::string payload;
  if (code == kCloseNoStatus) return payload;
  payload.push_back(static_cast<char>(code >> 8));
  payload.push_back(static_cast<char>(code & 0xFF));
  std::size_t keep = std::min(reason.size(), kMaxControlPayload - 2);
  if (keep < reason.size()) {  // do not cut a character in two
    while (keep > 0 && (static_cast<std::uint8_t>(reason[keep]) & 0xC0) == 0x80) --keep;
  }
  reason = reason.substr(0, keep);
  Utf8Check utf8;
  const bool clean =
      utf8.feed({reinterpret_cast<const std::uint8_t*>(reason.data()), reason.size()}) && utf8.complete();
  if (clean) payload.append(reason);  // the peer would fail the connection over a reason that is not UTF-8
  return payload;
}

FrameReader::Event FrameReader::next(std::span<std::uint8_t>& input) {
  if (delivered_) {
    delivered_ = false;
    if (message_.capacity() > kKeptMessageBytes) {
      message_ = std::string();
    } else {
      message_.clear();
    }
  }
  while (true) {
    if (!in_frame_) {
      const Event event = read_header(input);
      if (!in_frame_) return event;
    }
    const Event event = opcode_ >= kOpClose ? read_control(input) : read_data(input);
    if (event != Event::need_more || in_frame_) return event;
    if (input.empty()) return Event::need_more;
  }
}

FrameReader::Event FrameReader::read_header(std::span<std::uint8_t>& input) {
  const auto take = [&](std::size_t wanted) {
    const std::size_t n = std::min<std::size_t>(wanted - header_have_, input.size());
    std::memcpy(header_.data() + header_have_, input.data(), n);
    header_have_ = static_cast<std::uint8_t>(header_have_ + n);
    input = input.subspan(n);
    return header_have_ == wanted;
  };
  if (header_have_ < 2) {
    if (!take(2)) return Event::need_more;
    const Event event = check_header(header_[0], header_[1]);
    if (event == Event::failed) return event;
  }
  if (!take(header_size(header_[1]))) return Event::need_more;

  const std::uint8_t short_length = header_[1] & 0x7F;
  std::size_t at = 2;
  length_ = short_length;
  if (short_length >= 126) {
    const std::size_t bytes = short_length == 126 ? 2 : 8;
    length_ = 0;
    for (std::size_t i = 0; i < bytes; ++i) length_ = (length_ << 8) | header_[at++];
    if (length_ < (bytes == 2 ? 126u : 0x10000u)) return fail(kCloseProtocolError);  // not the shortest form
    if ((length_ >> 63) != 0) return fail(kCloseProtocolError);
  }
  masked_ = (header_[1] & 0x80) != 0;
  if (masked_) std::memcpy(&key_, header_.data() + at, 4);
  header_have_ = 0;
  done_ = 0;
  if (opcode_ < kOpClose && length_ > message_limit_ - message_.size()) return fail(kCloseTooBig);
  in_frame_ = true;
  return Event::need_more;
}

FrameReader::Event FrameReader::check_header(std::uint8_t first, std::uint8_t second) {
  opcode_ = first & 0x0F;
  final_ = (first & 0x80) != 0;
  if ((first & 0x70) != 0) return fail(kCloseProtocolError);  // no extension was agreed on
  if (((second & 0x80) != 0) != expect_masked_) return fail(kCloseProtocolError);
  switch (opcode_) {
    case kOpText:
    case kOpBinary:
      if (in_message_) return fail(kCloseProtocolError);
      in_message_ = true;
      message_opcode_ = opcode_;
      fragments_ = 0;
      utf8_.reset();
      break;
    case kOpContinuation:
      if (!in_message_) return fail(kCloseProtocolError);
      break;
    case kOpClose:
    case kOpPing:
    case kOpPong:
      if (!final_ || (second & 0x7F) > kMaxControlPayload) return fail(kCloseProtocolError);
      return Event::need_more;
    default:
      return fail(kCloseProtocolError);
  }
  if (++fragments_ > fragment_limit_) return fail(kCloseTooBig);
  return Event::need_more;
}

FrameReader::Event FrameReader::read_data(std::span<std::uint8_t>& input) {
  const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(length_ - done_, input.size()));
  const std::span<std::uint8_t> piece = input.first(n);
  input = input.subspan(n);
  if (masked_) apply_mask(piece, key_, static_cast<std::size_t>(done_ % 4));
  if (is_text() && !utf8_.feed(piece)) return fail(kCloseInvalidPayload);
  done_ += n;
  const bool frame_done = done_ == length_;
  const bool message_done = frame_done && final_;
  const bool in_place = message_done && message_.empty();
  if (!in_place) message_.append(reinterpret_cast<const char*>(piece.data()), n);
  if (!frame_done) return Event::need_more;
  in_frame_ = false;
  if (!message_done) return Event::need_more;
  if (is_text() && !utf8_.complete()) return fail(kCloseInvalidPayload);
  in_message_ = false;
  delivered_ = true;
  payload_ = in_place ? std::span<const std::uint8_t>(piece)
                      : std::span(reinterpret_cast<const std::uint8_t*>(message_.data()), message_.size());
  return Event::message;
}

FrameReader::Event FrameReader::read_control(std::span<std::uint8_t>& input) {
  const std::size_t have = static_cast<std::size_t>(done_);
  const std::size_t n = std::min(static_cast<std::size_t>(length_) - have, input.size());
  if (n > 0) std::memcpy(control_.data() + have, input.data(), n);
  input = input.subspan(n);
  done_ += n;
  if (done_ != length_) return Event::need_more;
  in_frame_ = false;
  const std::span<std::uint8_t> payload(control_.data(), static_cast<std::size_t>(length_));
  if (masked_) apply_mask(payload, key_);
  payload_ = payload;
  return finish_control();
}

FrameReader::Event FrameReader::finish_control() {
  if (opcode_ == kOpPing) return Event::ping;
  if (opcode_ == kOpPong) return Event::pong;
  close_code_ = kCloseNoStatus;
  if (payload_.empty()) return Event::close;
  if (payload_.size() == 1) return fail(kCloseProtocolError);
  close_code_ = static_cast<std::uint16_t>(payload_[0] << 8 | payload_[1]);
  if (!valid_close_code(close_code_)) return fail(kCloseProtocolError);
  Utf8Check utf8;
  if (!utf8.feed(payload_.subspan(2)) || !utf8.complete()) return fail(kCloseInvalidPayload);
  return Event::close;
}

}  // namespace voxgate::net
