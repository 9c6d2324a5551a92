#pragma once
// The commands of voxctl. Each takes the words after its name and returns the exit status:
// 0 done, 1 done but not as expected, 2 could not be done (one line on stderr says why).

#include <string>
#include <vector>

namespace voxgate::voxctl {

using Args = std::vector<std::string>;

int run_listen(const Args& args);
int run_jitter(const Args& args);
int run_g711(const Args& args);
int run_call(const Args& args);

}  // namespace voxgate::voxctl
