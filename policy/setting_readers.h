// The settings whose values are more than a word: each reads its node over
// `out`, or reports what is wrong and returns false.
#pragma once

#include <string>

#include "policy/node.h"
#include "policy/report.h"
#include "policy/settings.h"

namespace gaiter::policy {

// setting_peers.cpp
bool read_until(const Node& node, Settings& out, const Report& report);
bool read_certificate(const Node& node, Settings& out, const Report& report);
bool read_sni(const Node& node, Settings& out, const Report& report);
bool read_trust(const Node& node, Settings& out, const Report& report);
bool read_allow(const Node& node, Settings& out, const Report& report);
bool read_deny(const Node& node, Settings& out, const Report& report);
bool read_pins(const Node& node, Settings& out, const Report& report);
bool read_server_name(const Node& node, Settings& out, const Report& report);
bool read_interchangeable(const Node& node, Settings& out, const Report& report);

// setting_protocol.cpp
bool read_min_version(const Node& node, Settings& out, const Report& report);
bool read_max_version(const Node& node, Settings& out, const Report& report);
bool read_suites(const Node& node, Settings& out, const Report& report);
bool read_groups(const Node& node, Settings& out, const Report& report);
bool read_signatures(const Node& node, Settings& out, const Report& report);
bool read_alpn(const Node& node, Settings& out, const Report& report);
bool read_session(const Node& node, Settings& out, const Report& report);
bool read_rekey(const Node& node, Settings& out, const Report& report);

}  // namespace gaiter::policy
