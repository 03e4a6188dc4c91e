// Whether a rule is for a connection, and which rule is the first.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "policy/rule.h"

namespace gaiter::policy {

// The conditions of a rule, in the order in which they are looked at.
enum class Condition : uint8_t {
  direction,
  local_ports,
  remote_ports,
  local,
  remote,
  program,
  user,
  group,
  unit
};
std::string_view to_string(Condition);  // as a policy writes the key: "remote_ports"

// A Subject in numbers.
struct Point {
  // What is known of an address or a port. `any` fits every condition, `unknown`
  // none but the empty one.
  enum class Known : uint8_t { exact, any, unknown };
  struct End {
    Known address_is = Known::unknown;
    Known port_is = Known::unknown;
    Address address;
    uint16_t port = 0;
  };
  Direction direction;
  End local;
  End remote;
  const Process* process;

  // Nothing if no rule can match: no address at all, or of another family.
  static std::optional<Point> of(const Subject& subject);
};

// The first condition of `rule` that does not hold; nothing if the rule is for
// this connection. Async-signal-safe.
std::optional<Condition> mismatch(const Rule& rule, const Point& point);

}  // namespace gaiter::policy
