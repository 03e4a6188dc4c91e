#include "cli/commands.h"

namespace gaiter::cli {

CLI::App* add_verb(CLI::App& parent, const std::string& name, const std::string& description,
                   const std::string& footer) {
  return parent.add_subcommand(name, description)->footer(footer)->group("Verbs");
}

CLI::Option* add_path(CLI::App* verb, const std::string& name, std::string& path,
                      const std::string& help) {
  return verb->add_option(name, path, help)->type_name("PATH")->check([](const std::string& text) {
    return std::string(text.empty() ? "the path is empty" : "");
  });
}

CLI::Option* add_repeatable(CLI::App* verb, const std::string& name,
                            std::vector<std::string>& values, const std::string& type,
                            const std::string& help) {
  return verb->add_option(name, values, help)->allow_extra_args(false)->type_name(type);
}

void add_json(CLI::App* verb, bool& json) { verb->add_flag("--json", json, "print JSON"); }

}  // namespace gaiter::cli
