// A name server's answer (RFC 1035 4): which name was asked for, and which addresses it has.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <span>

#include "shim/a_labels.h"
#include "shim/name_record.h"

namespace gaiter::shim {

struct DnsAnswer {
  static constexpr size_t most_hosts = 64;

  NameText name;  // of the question, in lower case
  size_t host_count = 0;
  HostBytes hosts[most_hosts];  // of A and AAAA records; the rest of very many is left out
};

// `message` is one whole message, without TCP's length. Follows aliases (CNAME) from the
// question's name. False if it is no answer, or one without addresses: then `answer` means
// nothing. Reads nothing outside of `message`, in time that is bounded by its length;
// no allocation, no state.
bool read_dns_answer(std::span<const uint8_t> message, DnsAnswer& answer);

// Of an address of the internet.
sockaddr_storage address_of(const HostBytes& host);

}  // namespace gaiter::shim
