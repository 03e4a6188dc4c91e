// Hooks: name look-ups, only observed.
#include "shim/a_labels.h"
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

// With AI_IDN libc has made another name of one beyond ASCII, by the locale.
void observe(const char* name, const addrinfo* hints, const addrinfo* found) {
  if (!observes()) return;
  const int saved_errno = errno;
  NameText converted;
  if (hints != nullptr && (hints->ai_flags & AI_IDN) != 0 && !is_ascii(name) &&
      looked_up(name, converted))
    name = converted;
  for (; found != nullptr; found = found->ai_next)
    names::remember(name, found->ai_addr, found->ai_addr);
  errno = saved_errno;
}

}  // namespace
}  // namespace gaiter::shim

using namespace gaiter::shim;

int hook_getaddrinfo(const char* node, const char* service, const addrinfo* hints,
                     addrinfo** results) {
  const int result = real::getaddrinfo(node, service, hints, results);
  if (result == 0 && node != nullptr && results != nullptr) observe(node, hints, *results);
  return result;
}

void hook_freeaddrinfo(addrinfo* results) {
  for (const addrinfo* one = results; one != nullptr; one = one->ai_next)
    names::forget_memory(one->ai_addr);
  real::freeaddrinfo(results);
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

// In the background: what came of it is seen when the program asks whether it has come.
int hook_getaddrinfo_a(int mode, gaicb** requests, int count, sigevent* event) {
  const int result = real::getaddrinfo_a(mode, requests, count, event);
  for (int i = 0; mode == GAI_WAIT && requests != nullptr && i < count; ++i) {
    if (requests[i] != nullptr) hook_gai_error(requests[i]);
  }
  return result;
}

int hook_gai_error(gaicb* request) {
  const int result = real::gai_error(request);
  if (result == 0 && request->ar_name != nullptr)
    observe(request->ar_name, request->ar_request, request->ar_result);
  return result;
}
