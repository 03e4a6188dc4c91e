// What this host is called: for the certificate made at the first use.
#pragma once

#include <string>
#include <vector>

namespace gaiter::keyring {

struct HostNames {
  std::string name;  // gethostname(2); "localhost" if it is unfit for a certificate
  std::vector<std::string> dns_names;     // localhost, the name, the fully qualified name
  std::vector<std::string> ip_addresses;  // 127.0.0.1, ::1, and every interface's but link-local
};

// May wait up to 2 s for a name server. For a command, not for a hook.
HostNames host_names();

}  // namespace gaiter::keyring
