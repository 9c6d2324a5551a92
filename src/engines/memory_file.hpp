#pragma once
// A file that is nowhere on disk, for libraries that only read paths.

#include <string>
#include <string_view>
#include <utility>

namespace voxgate::engines {

/// Owns an anonymous file (memfd). path() can be opened by this process as long as the object lives.
class MemoryFile {
 public:
  MemoryFile() = default;
  /// Throws std::runtime_error.
  MemoryFile(const char* name, std::string_view content);
  ~MemoryFile();
  MemoryFile(MemoryFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  MemoryFile& operator=(MemoryFile&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  std::string path() const;

 private:
  int fd_ = -1;
};

}  // namespace voxgate::engines
