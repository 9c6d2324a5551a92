#pragma once
// A trigram language model counted from sample sentences, as ARPA text.

#include <string>
#include <vector>

namespace voxgate::engines {

/// Absolute discounting (D = 0.6) with back-off (Ney, Essen, Kneser 1994), each sentence between <s> and </s>. Every
/// word of `vocabulary` gets a unigram even if no sentence has it.
std::string trigram_arpa(const std::vector<std::vector<std::string>>& sentences,
                         const std::vector<std::string>& vocabulary);

}  // namespace voxgate::engines
