#include "cli/stunnel_service.h"

#include "cli/text.h"

namespace gaiter::cli {

std::vector<const StunnelOption*> StunnelOptions::values(std::string_view name) const {
  for (const auto* options : {&service_.options, &file_.global}) {
    std::vector<const StunnelOption*> found;
    for (const StunnelOption& option : *options)
      if (option.name == name) found.push_back(&option);
    if (!found.empty()) return found;
  }
  return {};
}

const StunnelOption* StunnelOptions::last(std::string_view name) const {
  const auto found = values(name);
  return found.empty() ? nullptr : found.back();
}

bool StunnelOptions::yes(std::string_view name) const {
  const StunnelOption* option = last(name);
  return option != nullptr && lower_case(option->value) == "yes";
}

}  // namespace gaiter::cli
