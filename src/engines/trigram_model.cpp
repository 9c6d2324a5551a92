#include "engines/trigram_model.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <map>
#include <unordered_map>

namespace voxgate::engines {

namespace {

constexpr double kDiscount = 0.6;

using Id = std::uint32_t;
using Bigram = std::pair<Id, Id>;
using Trigram = std::pair<Bigram, Id>;

struct Counts {
  std::vector<std::string> words;  // by id; 0 is <s>, 1 is </s>
  std::vector<double> unigrams;
  std::map<Bigram, double> bigrams;
  std::map<Trigram, double> trigrams;
};

Counts count(const std::vector<std::vector<std::string>>& sentences, const std::vector<std::string>& vocabulary) {
  Counts c;
  std::unordered_map<std::string, Id> ids;
  const auto id_of = [&](const std::string& word) {
    const auto [it, fresh] = ids.emplace(word, static_cast<Id>(c.words.size()));
    if (fresh) {
      c.words.push_back(word);
      c.unigrams.push_back(0);
    }
    return it->second;
  };
  const Id begin = id_of("<s>");
  const Id end = id_of("</s>");
  for (const std::string& word : vocabulary) c.unigrams[id_of(word)] = 1;
  std::vector<Id> line;
  for (const auto& sentence : sentences) {
    line.assign(1, begin);
    for (const std::string& word : sentence) line.push_back(id_of(word));
    line.push_back(end);
    for (std::size_t i = 1; i < line.size(); ++i) {
      c.unigrams[line[i]] += 1;
      c.bigrams[{line[i - 1], line[i]}] += 1;
      if (i >= 2) c.trigrams[{{line[i - 2], line[i - 1]}, line[i]}] += 1;
    }
  }
  return c;
}

struct Context {
  double total = 0;
  double distinct = 0;
  double seen_lower = 0;  // probability, in the next lower order, of the words seen here
};

/// What is left for back-off: the discounted mass over the lower order's mass of everything unseen.
double backoff(const Context& context) {
  const double left = kDiscount * context.distinct / context.total;
  return left / std::max(1e-6, 1.0 - context.seen_lower);
}

double log_10(double p) {
  return std::log10(std::max(p, 1e-10));
}

void append(std::string& out, double p, const std::string& words, const double* back) {
  char number[64];
  std::snprintf(number, sizeof number, "%.4f ", log_10(p));
  out += number;
  out += words;
  if (back != nullptr) {
    std::snprintf(number, sizeof number, " %.4f", log_10(*back));
    out += number;
  }
  out += '\n';
}

}  // namespace

std::string trigram_arpa(const std::vector<std::vector<std::string>>& sentences,
                         const std::vector<std::string>& vocabulary) {
  const Counts c = count(sentences, vocabulary);
  double total = 0;
  for (const double n : c.unigrams) total += n;
  std::vector<double> p1(c.words.size());
  for (std::size_t i = 0; i < p1.size(); ++i) p1[i] = c.unigrams[i] / total;

  std::vector<Context> one(c.words.size());
  for (const auto& [gram, n] : c.bigrams) {
    Context& context = one[gram.first];
    context.total += n;
    context.distinct += 1;
    context.seen_lower += p1[gram.second];
  }
  std::map<Bigram, double> p2;
  for (const auto& [gram, n] : c.bigrams) {
    const Context& context = one[gram.first];
    p2[gram] = (n - kDiscount) / context.total;
  }
  std::map<Bigram, Context> two;
  for (const auto& [gram, n] : c.trigrams) {
    Context& context = two[gram.first];
    context.total += n;
    context.distinct += 1;
    context.seen_lower += p2[{gram.first.second, gram.second}];
  }

  std::string out = "\\data\\\nngram 1=" + std::to_string(c.words.size()) + "\nngram 2=" + std::to_string(p2.size()) +
                    "\nngram 3=" + std::to_string(c.trigrams.size()) + "\n\n\\1-grams:\n";
  for (std::size_t i = 0; i < c.words.size(); ++i) {
    double back = one[i].total > 0 ? backoff(one[i]) : 1.0;
    append(out, i == 0 ? 1e-10 : p1[i], c.words[i], i == 1 ? nullptr : &back);
  }
  out += "\n\\2-grams:\n";
  for (const auto& [gram, p] : p2) {
    const auto context = two.find(gram);
    const double back = context == two.end() ? 1.0 : backoff(context->second);
    append(out, p, c.words[gram.first] + " " + c.words[gram.second], &back);
  }
  out += "\n\\3-grams:\n";
  for (const auto& [gram, n] : c.trigrams) {
    append(out, (n - kDiscount) / two[gram.first].total,
           c.words[gram.first.first] + " " + c.words[gram.first.second] + " " + c.words[gram.second], nullptr);
  }
  out += "\n\\end\\\n";
  return out;
}

}  // namespace voxgate::engines
