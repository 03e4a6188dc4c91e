#include "policy/match.h"

#include <netinet/in.h>

#include <algorithm>

#include "policy/address.h"
#include "policy/glob.h"
#include "policy/matcher.h"
#include "policy/policy.h"

namespace gaiter::policy {
namespace {

using Known = Point::Known;

// False if it is of a family that policies do not know.
bool read_end(const sockaddr& from, Point::End& end) {
  if (from.sa_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(from);
    end.address = address_of(in.sin_addr);
    end.port = ntohs(in.sin_port);
  } else if (from.sa_family == AF_INET6) {
    const auto& in = reinterpret_cast<const sockaddr_in6&>(from);
    end.address = address_of(in.sin6_addr);
    end.port = ntohs(in.sin6_port);
  } else {
    return false;
  }
  end.address_is = is_unspecified(end.address) ? Known::unknown : Known::exact;
  end.port_is = end.port == 0 ? Known::unknown : Known::exact;
  return true;
}

constexpr Address loopback4{0, 0xffff'7f00'0001};
constexpr Address loopback6{0, 1};

bool is_ipv4(const Address& address) {
  return all_ipv4.first <= address && address <= all_ipv4.last;
}

// Who connects to no address at all reaches this host (tcp_v4_connect and tcp_v6_connect of
// Linux 6.1): by 0.0.0.0, mapped too, the address that the socket is bound to, or 127.0.0.1; by ::
// the loopback address of its kind.
void complete_destination(const sockaddr& remote, const Point::End& local, Point::End& end) {
  if (end.address_is != Known::unknown) return;
  const bool is_bound = local.address_is == Known::exact;
  if (is_ipv4(end.address)) {
    end.address = is_bound && is_ipv4(local.address) ? local.address : loopback4;
  } else {
    const bool is_mapped = is_bound && remote.sa_family == AF_INET6 && is_ipv4(local.address);
    end.address = is_mapped ? loopback4 : loopback6;
  }
  end.address_is = Known::exact;
}

template <class Range, class Value>
bool holds(const std::vector<Range>& ranges, Known known, const Value& value) {
  if (ranges.empty() || known == Known::any) return true;
  return known == Known::exact && std::ranges::any_of(ranges, [&](const Range& range) {
           return range.first <= value && value <= range.last;
         });
}

template <class List, class Test>
bool holds_for(const List& list, const Process* process, Test test) {
  return list.empty() || (process != nullptr && std::ranges::any_of(list, test));
}

bool is_in_group(const Process& process, gid_t group) {
  return process.gid == group || std::ranges::find(process.groups, group) != process.groups.end();
}

}  // namespace

std::string_view to_string(Condition condition) {
  constexpr std::string_view names[] = {"direction", "local_ports", "remote_ports",
                                        "local",     "remote",      "program",
                                        "user",      "group",       "unit"};
  return names[static_cast<size_t>(condition)];
}

std::optional<Point> Point::of(const Subject& subject) {
  Point point{subject.direction, {}, {}, subject.process};
  if (subject.local == nullptr && subject.remote == nullptr) return {};
  if (subject.local != nullptr && !read_end(*subject.local, point.local)) return {};
  if (subject.remote != nullptr) {
    if (!read_end(*subject.remote, point.remote)) return {};
    if (subject.direction == Direction::outbound)
      complete_destination(*subject.remote, point.local, point.remote);
    return point;
  }
  point.remote.address_is = point.remote.port_is = Known::any;
  if (point.local.address_is == Known::unknown) point.local.address_is = Known::any;
  return point;
}

std::optional<Condition> mismatch(const Rule& rule, const Point& point) {
  const Process* const process = point.process;
  if (rule.direction != point.direction) return Condition::direction;
  if (!holds(rule.local_ports, point.local.port_is, point.local.port))
    return Condition::local_ports;
  if (!holds(rule.remote_ports, point.remote.port_is, point.remote.port))
    return Condition::remote_ports;
  if (!holds(rule.local, point.local.address_is, point.local.address)) return Condition::local;
  if (!holds(rule.remote, point.remote.address_is, point.remote.address)) return Condition::remote;
  if (!holds_for(rule.programs, process, [&](const std::string& pattern) {
        return program_matches(pattern, process->program);
      }))
    return Condition::program;
  if (!holds_for(rule.users, process, [&](uid_t user) { return user == process->uid; }))
    return Condition::user;
  if (!holds_for(rule.groups, process, [&](gid_t group) { return is_in_group(*process, group); }))
    return Condition::group;
  if (!holds_for(rule.units, process,
                 [&](const std::string& pattern) { return glob_matches(pattern, process->unit); }))
    return Condition::unit;
  return {};
}

const Rule* Policy::match(const Subject& subject) const {
  const auto point = matcher_ ? Point::of(subject) : std::nullopt;
  const uint32_t number = point ? matcher_->find(rules_, *point) : no_rule;
  return number == no_rule ? nullptr : &rules_[number];
}

bool Policy::trusts_child(std::string_view path) const {
  return std::ranges::any_of(trusted_children_, [&](const std::string& pattern) {
    return program_matches(pattern, path);
  });
}

void Policy::narrow_to(std::string_view program) {
  matcher_ = std::make_shared<const Matcher>(rules_, program);
}

}  // namespace gaiter::policy
