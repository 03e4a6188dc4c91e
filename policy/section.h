// The settings of an inbound or outbound section, or of a rule: what each may say.
#pragma once

#include <libconfig.h>

#include <array>
#include <span>
#include <string_view>

#include "policy/policy.h"
#include "policy/report.h"

namespace gaiter::policy {

// Settings while they are read: what stands already, and what is written over it.
struct Layer {
  Settings settings;
  std::array<Origin, setting_count> origins{};
};

// Whether `name` is a setting's key in some direction.
bool is_setting_key(std::string_view name);

// Reads one setting over `layer`, or reports why it cannot stand in a section of
// this direction. `file` is the document's place in Policy::files(); `also` are
// the further keys that are valid there, which a suggestion may name.
void read_setting(const config_setting_t& setting, Direction direction, int file,
                  std::span<const std::string_view> also, Layer& layer, const Report& report);

}  // namespace gaiter::policy
