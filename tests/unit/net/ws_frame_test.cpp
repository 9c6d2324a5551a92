#include "net/ws_frame.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "net_fixture.hpp"

namespace voxgate::net::test {
namespace {

struct Seen {
  FrameReader::Event event;
  std::string payload;
  friend bool operator==(const Seen&, const Seen&) = default;
};

/// Feeds `bytes` in pieces of at most `piece` and returns what came out, up to a failure.
std::vector<Seen> read_all(FrameReader& reader, std::string bytes, std::size_t piece) {
  std::vector<Seen> out;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    std::span<std::uint8_t> input(reinterpret_cast<std::uint8_t*>(bytes.data()) + at,
                                  std::min(piece, bytes.size() - at));
    while (true) {
      const auto event = reader.next(input);
      if (event == FrameReader::Event::need_more) break;
      if (event == FrameReader::Event::failed) {
        out.push_back({event, std::to_string(reader.failure())});
        return out;
      }
      out.push_back({event, std::string(reader.payload().begin(), reader.payload().end())});
    }
    EXPECT_TRUE(input.empty());
  }
  return out;
}

TEST(FrameReader, GivesTheSameEventsHoweverTheBytesAreCut) {
  std::mt19937 random(7);
  std::string bytes;
  std::vector<Seen> expected;
  for (int i = 0; i < 60; ++i) {
    std::string payload(random() % 3 == 0 ? random() % 70000 : random() % 400, '\0');
    for (char& c : payload) c = static_cast<char>(random());
    switch (random() % 4) {
      case 0: {
        payload.resize(std::min<std::size_t>(payload.size(), 125));
        bytes += client_frame(0x89, payload);
        expected.push_back({FrameReader::Event::ping, payload});
        break;
      }
      case 1: {
        const std::size_t cut = payload.size() / 2;
        bytes += client_frame(0x02, payload.substr(0, cut)) + client_frame(0x8A, "pong");
        bytes += client_frame(0x80, payload.substr(cut));
        expected.push_back({FrameReader::Event::pong, "pong"});
        expected.push_back({FrameReader::Event::message, payload});
        break;
      }
      default:
        bytes += client_frame(0x82, payload);
        expected.push_back({FrameReader::Event::message, payload});
    }
  }
  for (const std::size_t piece : {1ul, 2ul, 3ul, 7ul, 13ul, 127ul, 1500ul, 65536ul, bytes.size()}) {
    FrameReader reader(true, 1 << 20, 1000);
    EXPECT_EQ(read_all(reader, bytes, piece), expected) << "pieces of " << piece;
  }
}

TEST(FrameReader, ReadsWhatMakeFrameWritesInBothDirections) {
  for (const std::size_t size : {0ul, 1ul, 125ul, 126ul, 65535ul, 65536ul, 100000ul}) {
    const std::string payload(size, 'p');
    const std::uint32_t key = 0xA1B2C3D4;
    std::string masked = payload, plain = payload;
    make_frame(masked, kOpBinary, &key);
    make_frame(plain, kOpBinary, nullptr);
    EXPECT_EQ(masked.size(), plain.size() + 4);
    FrameReader server(true, 1 << 20, 10), client(false, 1 << 20, 10);
    EXPECT_EQ(read_all(server, masked, 1000), (std::vector<Seen>{{FrameReader::Event::message, payload}}));
    EXPECT_EQ(read_all(client, plain, 1000), (std::vector<Seen>{{FrameReader::Event::message, payload}}));
  }
}

TEST(FrameReader, FailsAtTheHeaderWhenTheLimitIsPassed) {
  FrameReader reader(true, 100, 10);
  const std::string frame = client_frame(0x82, std::string(101, 'x'));
  EXPECT_EQ(read_all(reader, frame.substr(0, 6), 1), (std::vector<Seen>{{FrameReader::Event::failed, "1009"}}));
  FrameReader exact(true, 100, 10);
  EXPECT_EQ(read_all(exact, client_frame(0x82, std::string(100, 'x')), 100).size(), 1u);
}

TEST(FrameReader, FailsOnBadUtf8BeforeTheFrameIsComplete) {
  FrameReader reader(true, 1000, 10);
  const std::string frame = client_frame(0x81, "good \xFF and a lot more");
  EXPECT_EQ(read_all(reader, frame.substr(0, 12), 1), (std::vector<Seen>{{FrameReader::Event::failed, "1007"}}));
}

TEST(FrameReader, TextMayBeCutInsideACharacter) {
  FrameReader reader(true, 1000, 10);
  const std::string bytes = client_frame(0x01, "\xF0\x9F") + client_frame(0x80, "\x98\x80");
  EXPECT_EQ(read_all(reader, bytes, 1), (std::vector<Seen>{{FrameReader::Event::message, "\xF0\x9F\x98\x80"}}));
  EXPECT_TRUE(reader.is_text());
}

TEST(FrameReader, RefusesLengthsThatAreNotInTheShortestForm) {
  for (const std::string& header :
       {std::string("\x82\xFE\x00\x05", 4), std::string("\x82\xFF\0\0\0\0\0\0\x01\0", 10)}) {
    FrameReader reader(true, 1000, 10);
    EXPECT_EQ(read_all(reader, header + "keyxxxxxxxx", 100), (std::vector<Seen>{{FrameReader::Event::failed, "1002"}}));
  }
}

TEST(FrameReader, KnowsWhichCloseCodesMayBeSent) {
  for (const int code : {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 3000, 3999, 4000, 4999}) {
    EXPECT_TRUE(valid_close_code(static_cast<std::uint16_t>(code))) << code;
  }
  for (const int code : {0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535}) {
    EXPECT_FALSE(valid_close_code(static_cast<std::uint16_t>(code))) << code;
  }
}

TEST(ClosePayload, CutsTheReasonAtACharacter) {
  std::string reason(122, 'x');
  reason += "\xC3\xA4";  // would end at byte 124
  EXPECT_EQ(close_payload(1000, reason).size(), 2u + 122);
  EXPECT_EQ(close_payload(1000, std::string(200, 'y')).size(), 125u);
  EXPECT_EQ(close_payload(1005, "ignored"), "");
  EXPECT_EQ(close_payload(1000, "\xFF").size(), 2u);
}

bool whole(std::string_view s) {
  Utf8Check check;
  return check.feed({reinterpret_cast<const std::uint8_t*>(s.data()), s.size()}) && check.complete();
}

TEST(Utf8Check, AcceptsExactlyTheEncodingsOfScalarValues) {
  const auto encode = [](std::uint32_t c, int length) {  // by the rule for `length` bytes, shortest or not
    std::string out;
    if (length == 1) return std::string(1, static_cast<char>(c));
    const unsigned lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    out.push_back(static_cast<char>(lead[length] | c >> (6 * (length - 1))));
    for (int i = length - 2; i >= 0; --i) out.push_back(static_cast<char>(0x80 | (c >> (6 * i) & 0x3F)));
    return out;
  };
  for (std::uint32_t c = 0; c <= 0x13FFFF; c += c < 0x11000 ? 1 : 251) {
    const int shortest = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    const bool scalar = c <= 0x10FFFF && !(c >= 0xD800 && c <= 0xDFFF);
    EXPECT_EQ(whole(encode(c, shortest)), scalar) << std::hex << c;
    if (shortest < 4) {
      EXPECT_FALSE(whole(encode(c, shortest + 1))) << std::hex << c;
    }
  }
}

TEST(Utf8Check, FindsABadByteAtEveryOffset) {
  for (std::size_t at = 0; at < 40; ++at) {
    std::string text(40, 'a');
    EXPECT_TRUE(whole(text));
    text[at] = '\x80';
    EXPECT_FALSE(whole(text)) << at;
    text[at] = '\xC3';
    EXPECT_FALSE(whole(text)) << at;
  }
}

TEST(ApplyMask, IsTheSameWhereverItIsCut) {
  std::string text(100, 'q'), pieces = text;
  const auto bytes = [](std::string& s) { return std::span(reinterpret_cast<std::uint8_t*>(s.data()), s.size()); };
  apply_mask(bytes(text), 0x78563412);
  for (std::size_t i = 0; i < text.size(); ++i) {
    EXPECT_EQ(static_cast<std::uint8_t>(text[i]), 'q' ^ (i % 4 == 0   ? 0x12
                                                         : i % 4 == 1 ? 0x34
                                                         : i % 4 == 2 ? 0x56
                                                                      : 0x78));
  }
  for (std::size_t at = 0, n = 1; at < pieces.size(); at += n, n = n % 11 + 1) {
    n = std::min(n, pieces.size() - at);
    apply_mask(bytes(pieces).subspan(at, n), 0x78563412, at);
  }
  EXPECT_EQ(pieces, text);
}

}  // namespace
}  // namespace voxgate::net::test
