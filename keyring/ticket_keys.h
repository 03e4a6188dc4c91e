// The keys of session tickets that several servers or restarts share (RFC 5077 4,
// RFC 8446 4.6.1): `ticket.keys` in a keyring (keyring/FORMAT.md).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "keyring/keyring.h"

namespace gaiter::keyring {

// How many keys the file holds at most: tickets live two rotations.
inline constexpr size_t max_ticket_keys = 3;

// Wiped when it goes.
struct TicketKey {
  std::array<uint8_t, 16> name{};  // public: it stands in the ticket
  std::array<uint8_t, 32> seed{};  // secret: what encrypts and authenticates is derived from it
  std::chrono::sys_seconds made{};

  TicketKey() = default;
  TicketKey(const TicketKey&) = default;
  TicketKey& operator=(const TicketKey&) = default;
  ~TicketKey();
};

// The keys of the keyring `path`, newest first: the first encrypts, all decrypt.
// Never empty. Kind::not_found if there is no such file, Kind::insecure if group or
// others may read it, Kind::invalid with file and line. As Keyring's functions, it
// may be called inside a hook.
Result<std::vector<TicketKey>> read_ticket_keys(const std::string& path);

// The same of a file of that format anywhere.
Result<std::vector<TicketKey>> read_ticket_keys_file(const std::string& file);

// Puts a new key before those that are there, and drops the oldest beyond
// max_ticket_keys. Returns what the file holds now.
Result<std::vector<TicketKey>> rotate_ticket_keys(const Keyring& keyring);

}  // namespace gaiter::keyring
