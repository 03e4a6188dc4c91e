// What can be typed. Each commands_*.cpp registers the verbs of one part of the
// command with CLI11 and says what --help says of them; main.cpp parses.
//
// Only these files include CLI11, which takes long to compile.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace gaiter::cli {

// What the arguments ask for; set by the callback of the verb that was typed.
struct Chosen {
  std::function<int()> action;                  // returns the exit code; empty = no verb
  std::vector<std::string>* program = nullptr;  // of `run`: takes the program and its arguments
};

// One function for each commands_*.cpp. What a verb's options are parsed into
// belongs to the verb's callback, so to `app`.
void add_run_verb(CLI::App& app, Chosen& chosen);
void add_policy_verbs(CLI::App& app, Chosen& chosen);
void add_keyring_verbs(CLI::App& app, Chosen& chosen);

// ---- shared by them ----

// The first line of `description` stands in the list of verbs; `footer` holds an
// example and the exit codes.
CLI::App* add_verb(CLI::App& parent, const std::string& name, const std::string& description,
                   const std::string& footer);

// An option or argument that must not be empty.
CLI::Option* add_path(CLI::App* verb, const std::string& name, std::string& path,
                      const std::string& help);

// May be given again and again, one value each time.
CLI::Option* add_repeatable(CLI::App* verb, const std::string& name,
                            std::vector<std::string>& values, const std::string& type,
                            const std::string& help);

void add_json(CLI::App* verb, bool& json);

}  // namespace gaiter::cli
