// Numbers for the names of users, groups and services.
//
// Read from files of /etc alone: the directory services behind getpwnam(3) may
// open TCP connections, which a hooked process must not do while it loads its policy.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace gaiter::policy {

// Reads each file when it is first asked for, and keeps it.
class Accounts {
 public:
  std::optional<uid_t> user(std::string_view name);        // /etc/passwd
  std::optional<gid_t> group(std::string_view name);       // /etc/group
  std::optional<uint16_t> service(std::string_view name);  // of TCP in /etc/services

 private:
  using Numbers = std::map<std::string, uint32_t, std::less<>>;
  std::optional<Numbers> users_;
  std::optional<Numbers> groups_;
  std::optional<Numbers> services_;
};

}  // namespace gaiter::policy
