// Hooks: name look-ups, only observed.
#include "shim/decision.h"
#include "shim/hooks.h"
#include "shim/names.h"

namespace gaiter::shim {
namespace {

bool observes() { return concerned(policy::Direction::outbound); }

void observe(const char* name, const hostent* entry) {
  if (entry == nullptr || !observes()) return;
  for (char** address = entry->h_addr_list; address != nullptr && *address != nullptr; ++address) {
    if (entry->h_addrtype == AF_INET) {
      sockaddr_in v4{};
      v4.sin_family = AF_INET;
      __builtin_memcpy(&v4.sin_addr, *address, sizeof v4.sin_addr);
      names::remember(name, reinterpret_cast<sockaddr*>(&v4));
    } else if (entry->h_addrtype == AF_INET6) {
      sockaddr_in6 v6{};
      v6.sin6_family = AF_INET6;
      __builtin_memcpy(&v6.sin6_addr, *address, sizeof v6.sin6_addr);
      names::remember(name, reinterpret_cast<sockaddr*>(&v6));
    }
  }
}

}  // namespace
}  // namespace gaiter::shim

using namespace gaiter::shim;

int hook_getaddrinfo(const char* node, const char* service, const addrinfo* hints,
                     addrinfo** results) {
  const int result = real::getaddrinfo(node, service, hints, results);
  if (result == 0 && node != nullptr && results != nullptr && observes()) {
    const int saved_errno = errno;
    for (const addrinfo* found = *results; found != nullptr; found = found->ai_next)
      names::remember(node, found->ai_addr);
    errno = saved_errno;
  }
  return result;
}

hostent* hook_gethostbyname(const char* name) {
  hostent* const entry = real::gethostbyname(name);
  observe(name, entry);
  return entry;
}

hostent* hook_gethostbyname2(const char* name, int family) {
  hostent* const entry = real::gethostbyname2(name, family);
  observe(name, entry);
  return entry;
}

int hook_gethostbyname_r(const char* name, hostent* entry, char* buffer, size_t length,
                         hostent** result, int* error) {
  const int status = real::gethostbyname_r(name, entry, buffer, length, result, error);
  if (status == 0 && result != nullptr) observe(name, *result);
  return status;
}

int hook_gethostbyname2_r(const char* name, int family, hostent* entry, char* buffer, size_t length,
                          hostent** result, int* error) {
  const int status = real::gethostbyname2_r(name, family, entry, buffer, length, result, error);
  if (status == 0 && result != nullptr) observe(name, *result);
  return status;
}
