#include "voxgate/carriers/twiml.hpp"

#include "voxgate/base/text.hpp"

namespace voxgate::carriers {
namespace {
constexpr std::string_view kHead = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response>";
constexpr std::string_view kTail = "</Response>\n";

void attribute(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  out += ' ';
  out += name;
  out += "=\"" + text::xml_escape(value) + '"';
}
}  // namespace

std::string connect_stream_twiml(const ConnectStream& c) {
  std::string out(kHead);
  out += "<Connect";
  if (!c.action_url.empty()) {
    attribute(out, "action", c.action_url);
    attribute(out, "method", "POST");
  }
  out += "><Stream";
  attribute(out, "url", c.stream_url);
  if (!c.status_callback.empty()) {
    attribute(out, "statusCallback", c.status_callback);
    attribute(out, "statusCallbackMethod", "POST");
  }
  out += '>';
  for (const auto& [name, value] : c.params) {
    out += "<Parameter name=\"" + text::xml_escape(name) + "\" value=\"" + text::xml_escape(value) + "\"/>";
  }
  out += "</Stream></Connect>";
  out += kTail;
  return out;
}

std::string busy_twiml() {
  return std::string(kHead) + "<Reject reason=\"busy\"/>" + std::string(kTail);
}

std::string say_and_hangup_twiml(std::string_view sentence) {
  return std::string(kHead) + "<Say>" + text::xml_escape(sentence) + "</Say><Hangup/>" + std::string(kTail);
}

std::string dial_twiml(std::string_view number) {
  return std::string(kHead) + "<Dial>" + text::xml_escape(number) + "</Dial>" + std::string(kTail);
}

std::string hangup_twiml() {
  return std::string(kHead) + "<Hangup/>" + std::string(kTail);
}

std::optional<Params> parse_form(std::string_view body) {
  Params out;
  if (body.empty()) return out;
  for (const std::string_view pair : text::split(body, '&')) {
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    auto key = text::percent_decode(pair.substr(0, equals), true);
    auto value = equals == std::string_view::npos ? std::optional<std::string>("")
                                                  : text::percent_decode(pair.substr(equals + 1), true);
    if (!key || !value) return std::nullopt;
    out.emplace_back(std::move(*key), std::move(*value));
  }
  return out;
}

std::string_view param(const Params& params, std::string_view key) {
  for (const auto& [k, v] : params) {
    if (k == key) return v;
  }
  return {};
}

}  // namespace voxgate::carriers
