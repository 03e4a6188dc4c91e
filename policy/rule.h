// A rule: the connections that it is for, and what happens to them.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/settings.h"

namespace gaiter::policy {

enum class Direction : uint8_t { inbound, outbound };  // the program accepts, or connects
std::string_view to_string(Direction);

// An IPv4 or IPv6 address as a number. IPv4 is ::ffff:a.b.c.d (RFC 4291, section
// 2.5.5.2), so that the two ways to write it are one address.
struct Address {
  uint64_t high = 0;
  uint64_t low = 0;
  auto operator<=>(const Address&) const = default;
};

struct AddressRange {
  Address first;
  Address last;  // included
  bool operator==(const AddressRange&) const = default;
};

struct PortRange {
  uint16_t first;
  uint16_t last;  // included
  bool operator==(const PortRange&) const = default;
};

// "10.0.0.0/8, 10.1.2.3-10.1.2.9", "6379, 6000-6100"; "any" for an empty list.
std::string to_string(const std::vector<AddressRange>& ranges);
std::string to_string(const std::vector<PortRange>& ranges);

// Where one setting of a rule was written.
struct Origin {
  int file = -1;  // index into Policy::files(); -1 = nowhere: Gaiter's own default
  int line = 0;
  bool operator==(const Origin&) const = default;
};

struct Rule {
  std::string name;  // as log lines show it: "6379.conf:inbound"
  std::string file;  // where it was written
  int line = 0;
  int priority = 0;

  // The conditions. All must hold; a list holds if one of its elements does, and
  // an empty one always.
  Direction direction = Direction::inbound;
  std::vector<AddressRange> local;
  std::vector<AddressRange> remote;
  std::vector<PortRange> local_ports;
  std::vector<PortRange> remote_ports;
  std::vector<std::string>
      programs;                    // globs: see glob.h; of the path, without "/" of the last part
  std::vector<uid_t> users;        // effective
  std::vector<gid_t> groups;       // effective, or supplementary
  std::vector<std::string> units;  // globs on the systemd unit

  Settings settings;
  std::array<Origin, setting_count> origins;  // of the settings, in the order of struct Settings

  // Whether this host is the TLS server of the connections, as direction and role say.
  bool is_tls_server() const {
    return settings.role == Role::automatic ? direction == Direction::inbound
                                            : settings.role == Role::server;
  }
};

// Whether they are for the same connections, by what they say themselves.
inline bool same_conditions(const Rule& a, const Rule& b) {
  return a.direction == b.direction && a.local == b.local && a.remote == b.remote &&
         a.local_ports == b.local_ports && a.remote_ports == b.remote_ports &&
         a.programs == b.programs && a.users == b.users && a.groups == b.groups &&
         a.units == b.units;
}

// Who makes or accepts a connection. Refers to what its maker owns.
struct Process {
  std::string_view program;       // the executable's absolute path (/proc/self/exe)
  uid_t uid = 0;                  // effective
  gid_t gid = 0;                  // effective
  std::span<const gid_t> groups;  // supplementary
  std::string_view unit;          // "redis.service"; "" = in none
};

// A connection, as rules look at it. Addresses are AF_INET or AF_INET6; no rule
// matches another family.
struct Subject {
  Direction direction;
  // nullptr, or with port 0, for a socket that is not bound yet: then no rule
  // matches that names local ports. With an unspecified address (0.0.0.0, ::) or
  // nullptr, none that names local addresses, but see `remote`.
  const sockaddr* local = nullptr;
  // nullptr for "some remote", as at listen(2): then a rule matches if it could
  // match any remote, and an unspecified local address stands for any as well.
  const sockaddr* remote = nullptr;
  // nullptr if not known: then no rule matches that names program, user, group or unit.
  const Process* process = nullptr;
};

}  // namespace gaiter::policy
