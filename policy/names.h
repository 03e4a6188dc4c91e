// What a policy may call a name: hosts, labels of the keyring.
#pragma once

#include <string>
#include <string_view>

namespace gaiter::policy {

// As keyring/FORMAT.md defines it; "" is none.
bool is_label(std::string_view text);

// Letters, digits, hyphens and (as seen in the wild) underscores between dots.
bool is_host_name(std::string_view text);

std::string lower_case(std::string_view text);

}  // namespace gaiter::policy
