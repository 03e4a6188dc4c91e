#include "keyring/host_names.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <ctime>

#include "keyring/subject_names.h"

namespace gaiter::keyring {
namespace {

// A certificate that names hundreds of containers' bridges helps nobody.
constexpr size_t max_addresses = 64;
constexpr timespec name_server_patience{.tv_sec = 2, .tv_nsec = 0};

void add_once(std::vector<std::string>& list, std::string_view item) {
  if (std::ranges::find(list, item) == list.end()) list.emplace_back(item);
}

// The canonical name that the resolver gives for `name`, or "". The look-up is
// asynchronous, as a name server that does not answer would hold us for long;
// the request must then outlive us.
std::string canonical_name(const std::string& name) {
  static std::string asked;
  static const addrinfo hints{.ai_flags = AI_CANONNAME,
                              .ai_family = AF_UNSPEC,
                              .ai_socktype = SOCK_STREAM,
                              .ai_protocol = 0,
                              .ai_addrlen = 0,
                              .ai_addr = nullptr,
                              .ai_canonname = nullptr,
                              .ai_next = nullptr};
  static gaicb request{};
  if (!asked.empty()) return {};  // once a process; an unanswered request still refers to it
  asked = name;
  request.ar_name = asked.c_str();
  request.ar_request = &hints;
  gaicb* requests[] = {&request};
  if (getaddrinfo_a(GAI_NOWAIT, requests, 1, nullptr) != 0) return {};
  const gaicb* waiting[] = {&request};
  gai_suspend(waiting, 1, &name_server_patience);
  if (gai_error(&request) != 0) return {};
  std::string canonical;
  if (request.ar_result->ai_canonname != nullptr) canonical = request.ar_result->ai_canonname;
  freeaddrinfo(request.ar_result);
  return canonical;
}

bool is_link_local(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    return (ntohl(v4->sin_addr.s_addr) >> 16) == 0xa9fe;  // 169.254/16, RFC 3927
  }
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
  return IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr);
}

std::string address_text(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
  } else {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
  }
  return text;
}

void add_interface_addresses(std::vector<std::string>& addresses) {
  ifaddrs* interfaces = nullptr;
  if (getifaddrs(&interfaces) != 0) return;
  for (const ifaddrs* at = interfaces; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr || (at->ifa_flags & IFF_UP) == 0) continue;
    if (at->ifa_addr->sa_family != AF_INET && at->ifa_addr->sa_family != AF_INET6) continue;
    if (is_link_local(at->ifa_addr) || addresses.size() == max_addresses) continue;
    add_once(addresses, address_text(at->ifa_addr));
  }
  freeifaddrs(interfaces);
}

}  // namespace

HostNames host_names() {
  HostNames host{
      .name = "localhost", .dns_names = {"localhost"}, .ip_addresses = {"127.0.0.1", "::1"}};
  char name[HOST_NAME_MAX + 1] = "";
  const auto is_good = [](const std::string& text) {
    return is_dns_name(text) && why_unacceptable(text) == nullptr;
  };
  if (gethostname(name, sizeof name) == 0 && is_good(name)) {
    host.name = name;
    add_once(host.dns_names, host.name);
    if (!host.name.contains('.')) {
      const std::string canonical = canonical_name(host.name);
      if (is_good(canonical)) add_once(host.dns_names, canonical);
    }
  }
  add_interface_addresses(host.ip_addresses);
  return host;
}

}  // namespace gaiter::keyring
