// The metrics page: accepted by Prometheus' own checker, and documented to the last family.

#include <gmock/gmock.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "support/gateway_fixture.hpp"

namespace voxgate::test {
namespace {

struct Family {
  std::string type;
  std::set<std::string> labels;
  bool operator==(const Family&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Family& family) {
  out << family.type << " {";
  for (const auto& label : family.labels) out << label << ' ';
  return out << '}';
}

using Families = std::map<std::string, Family>;

std::string trimmed(std::string text) {
  const auto junk = " `";
  text.erase(0, text.find_first_not_of(junk));
  text.erase(text.find_last_not_of(junk) + 1);
  return text;
}

/// The rows of config/metrics.md.
Families documented() {
  Families out;
  std::ifstream file(std::string(VOXGATE_SOURCE_DIR) + "/config/metrics.md");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("| `")) continue;
    std::istringstream cells(line);
    std::string none, name, type, labels, meaning;
    std::getline(cells, none, '|');
    std::getline(cells, name, '|');
    std::getline(cells, type, '|');
    std::getline(cells, labels, '|');
    std::getline(cells, meaning, '|');
    Family family{trimmed(type), {}};
    std::istringstream each(labels);
    for (std::string label; std::getline(each, label, ',');) {
      if (!trimmed(label).empty()) family.labels.insert(trimmed(label));
    }
    EXPECT_FALSE(trimmed(meaning).empty()) << line;
    EXPECT_TRUE(out.emplace(trimmed(name), family).second) << "twice: " << line;
  }
  return out;
}

/// What a scrape shows: types from its comments, labels from its samples ("le" is the format's own).
Families shown(const std::string& scrape) {
  Families out;
  std::istringstream lines(scrape);
  std::string family;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# TYPE ")) {
      std::istringstream words(line.substr(7));
      std::string type;
      words >> family >> type;
      out[family].type = type;
    }
    if (line.starts_with("#") || line.find('{') == std::string::npos) continue;
    for (std::size_t at = line.find('{'); at != std::string::npos && line[at] != '}';) {
      const std::size_t equals = line.find('=', at), quote = line.find('"', equals + 2);
      const std::string label = line.substr(at + 1, equals - at - 1);
      if (label != "le") out[family].labels.insert(label);
      at = quote + 1;
    }
  }
  return out;
}

class Metrics : public GatewayFixture {
 protected:
  /// A gateway in which every family has shown itself: engines, records, recordings, and a call that is over.
  std::string full_scrape() {
    use_real_agents();
    config.records.recordings_dir = directory() + "/recordings";
    start();
    RawPeer peer = open_call("CA0001");
    peer.text(media_message(base64_text(frame_bytes(1, 1)), 1));
    EXPECT_TRUE(peer.read_frame());
    peer.text(stop_message("CA0001"));
    EXPECT_EQ(peer.read_close(), 1000);
    peer.shut();
    EXPECT_TRUE(back_to_baseline()) << difference();
    return http(server().doors().metrics_port, "GET", "/metrics").body;
  }
};

TEST_F(Metrics, AreTheDocumentedOnesWithTheirTypesAndLabels) {
  const Families page = shown(full_scrape()), list = documented();
  for (const auto& [name, family] : page) {
    const auto found = list.find(name);
    if (found == list.end()) {
      ADD_FAILURE() << name << " is not in config/metrics.md";
    } else {
      EXPECT_EQ(found->second, family) << name << ": documented, then shown";
    }
  }
  for (const auto& [name, family] : list) {
    EXPECT_TRUE(page.contains(name)) << name << " is documented and not there";
  }
}

TEST_F(Metrics, AreAcceptedByPromtool) {
  ASSERT_EQ(std::system("command -v promtool >/dev/null 2>&1"), 0) << "scripts/install-deps.sh test brings it";
  const std::string page = directory() + "/page";
  std::ofstream(page) << full_scrape();
  std::FILE* tool = popen(("promtool check metrics < " + page + " 2>&1").c_str(), "r");
  ASSERT_NE(tool, nullptr);
  std::string said;
  for (char buffer[512]; std::fgets(buffer, sizeof buffer, tool) != nullptr;) said += buffer;
  EXPECT_EQ(pclose(tool), 0);
  EXPECT_EQ(said, "");
}

TEST_F(Metrics, HistogramsAreCumulative) {
  const std::string page = full_scrape();
  std::istringstream lines(page);
  std::string series;
  double last = 0;
  int buckets = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t at = line.find("le=\"");
    if (at == std::string::npos) continue;
    const std::string name = line.substr(0, at);
    const double value = std::strtod(line.c_str() + line.rfind(' '), nullptr);
    EXPECT_TRUE(name != series || value >= last) << line;
    series = name;
    last = value;
    ++buckets;
  }
  EXPECT_GT(buckets, 50);
}

}  // namespace
}  // namespace voxgate::test
