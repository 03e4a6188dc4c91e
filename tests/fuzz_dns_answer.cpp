// Whatever comes from port 53 is read within its bounds, and says no more than it may.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "shim/dns_answer.h"

using namespace gaiter::shim;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<uint8_t> exact(data, data + size);
  DnsAnswer answer;
  if (!read_dns_answer(exact, answer)) return 0;
  if (answer.host_count == 0 || answer.host_count > DnsAnswer::most_hosts) abort();
  const size_t length = strnlen(answer.name, sizeof answer.name);
  if (length == 0 || length > longest_name) abort();
  return 0;
}
