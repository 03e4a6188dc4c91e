// The settings of an inbound or outbound section, or of a rule: what each may say.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "policy/node.h"
#include "policy/policy.h"
#include "policy/report.h"

namespace gaiter::policy {

// Settings while they are read: what stands already, and what is written over it.
struct Layer {
  Settings settings;
  std::array<Origin, setting_count> origins{};
};

// Where a setting has its Origin.
enum class Setting : uint8_t {
  tls,
  role,
  mode,
  until,
  certificate,
  sni,
  sni_unmatched,
  trust,
  client_auth,
  allow,
  deny,
  map_user,
  map_file,
  verify,
  pins,
  server_name,
  interchangeable,
  profile,
  min_version,
  max_version,
  suites,
  groups,
  signatures,
  alpn,
  session,
  rekey,
  handshake_timeout,
  close_timeout,
  truncation,
  ocsp,
  must_staple,
  revocation,
  on_change,
  engine,
  accelerator
};

// Whether `name` is a setting's key in some role.
bool is_setting_key(std::string_view name);

// Reads the settings of `group` over `layer`, and reports what cannot stand there.
// Keys of `also` are valid too; somebody else reads them. `both`: the group is for
// both directions, so settings of the other TLS role are left to the other reading.
void read_settings(const Node& group, Direction direction, bool both,
                   std::span<const std::string_view> also, Layer& layer, const Report& report);

// Makes the settings of a rule fit each other (profile, defaults of the TLS role),
// and reports what contradicts. `file` is where the rule stands, `base` what stood
// before its own settings.
void resolve(Rule& rule, int file, const Layer& base, const Report& report);

}  // namespace gaiter::policy
