#include "cli/program_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <set>
#include <string_view>
#include <vector>

#include "cli/elf_file.h"
#include "cli/library.h"
#include "cli/output.h"
#include "cli/preloadable.h"
#include "cli/raw_system_calls.h"

namespace gaiter::cli {
namespace {

// Functions of libc that use TCP by themselves, where no hook sees it.
constexpr std::string_view past_the_hooks[] = {"rcmd", "rcmd_af", "rexec", "rexec_af"};

// What makes a program one that Gaiter has to do with.
constexpr std::string_view opens_connections[] = {"connect", "accept", "accept4"};

struct Examined {
  std::string path;
  std::set<std::string> raw_calls;
};

struct ProgramReport {
  std::string binary;
  std::set<std::string> covered;
  std::set<std::string> not_covered;
  std::vector<Examined> libraries;  // the binary first
  bool libraries_known = true;
  bool opens_libraries = false;
};

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// libc's own system calls are what its functions make; the loader's are before all.
bool belongs_to_libc(std::string_view path) {
  constexpr std::string_view prefixes[] = {"libc.so.",  "ld-linux",   "libpthread.so.",
                                           "librt.so.", "libanl.so.", "libresolv.so."};
  return std::ranges::any_of(
      prefixes, [&](std::string_view prefix) { return base_name(path).starts_with(prefix); });
}

// The libraries that `binary` is started with, as the dynamic loader itself finds
// them; it does not run the program then (ld.so(8), --list).
bool list_libraries(const std::string& binary, std::vector<std::string>& paths) {
  const std::string loader = read_elf(File("/proc/self/exe")).loader;
  int ends[2];
  if (loader.empty() || pipe2(ends, O_CLOEXEC) != 0) return false;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  std::string words[] = {loader, "--list", binary};
  char* const arguments[] = {words[0].data(), words[1].data(), words[2].data(), nullptr};
  char language[] = "LC_ALL=C";
  char* const clean[] = {language, nullptr};
  pid_t child;
  const int error = posix_spawn(&child, loader.c_str(), &actions, nullptr, arguments, clean);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string output;
  char piece[4096];
  for (ssize_t got; (got = ::read(ends[0], piece, sizeof piece)) > 0;)
    output.append(piece, static_cast<size_t>(got));
  close(ends[0]);
  int status = 0;
  if (error != 0 || waitpid(child, &status, 0) != child || status != 0) return false;
  // "\tlibssl.so.3 => /usr/lib/libssl.so.3 (0x00007f...)"
  for (size_t at = 0, end; at < output.size(); at = end + 1) {
    end = std::min(output.find('\n', at), output.size());
    const std::string_view line = std::string_view(output).substr(at, end - at);
    const size_t path = line.find('/');
    const size_t address = line.rfind(" (0x");
    if (line.ends_with("not found")) return false;
    if (path != line.npos && address != line.npos && path < address)
      paths.emplace_back(line.substr(path, address - path));
  }
  return true;
}

void examine(const std::string& path, const std::set<std::string>& hooked, ProgramReport& report) {
  const File file(path);
  const DynamicSymbols symbols = read_dynamic_symbols(file);
  std::ranges::set_intersection(symbols.imports, hooked,
                                std::inserter(report.covered, report.covered.end()));
  for (const std::string_view name : past_the_hooks) {
    if (symbols.imports.contains(std::string(name))) report.not_covered.emplace(name);
  }
  report.opens_libraries = report.opens_libraries || symbols.imports.contains("dlopen");
  Examined examined{path, {}};
  for (const std::string& code : read_code(file))
    examined.raw_calls.merge(find_raw_system_calls(code));
  report.libraries.push_back(std::move(examined));
}

ProgramReport look_at(const std::string& binary, const std::set<std::string>& hooked) {
  ProgramReport report;
  report.binary = binary;
  examine(binary, hooked, report);
  std::vector<std::string> paths;
  report.libraries_known = list_libraries(binary, paths);
  for (const std::string& path : paths) {
    if (!belongs_to_libc(path)) examine(path, hooked, report);
  }
  return report;
}

bool needs_attention(const ProgramReport& report) {
  return !report.not_covered.empty() || !report.libraries_known ||
         std::ranges::any_of(report.libraries,
                             [](const Examined& one) { return !one.raw_calls.empty(); });
}

bool uses_tcp(const ProgramReport& report) {
  return std::ranges::any_of(opens_connections, [&](std::string_view name) {
    return report.covered.contains(std::string(name));
  });
}

void print_report(const std::string& program, const ProgramReport& report) {
  print(fmt::format("{}: can be protected\n", program));
  if (report.binary != program) print(fmt::format("  runs as: {}\n", report.binary));
  if (!uses_tcp(report)) print("  opens no connection, unless by a library that it loads later\n");
  print(fmt::format("  covered: {}\n", fmt::join(report.covered, " ")));
  if (!report.not_covered.empty()) {
    print(fmt::format("  not covered: {} (libc connects by itself, in the clear)\n",
                      fmt::join(report.not_covered, " ")));
  }
  for (const Examined& one : report.libraries) {
    if (one.raw_calls.empty()) continue;
    print(fmt::format("  perhaps past libc: {} in {}\n", fmt::join(one.raw_calls, " "), one.path));
  }
  if (!report.libraries_known)
    print("  its libraries could not be listed: only the program itself was looked at\n");
  if (report.opens_libraries)
    print("  opens libraries while it runs; these were not looked at (RTLD_DEEPBIND is cleared)\n");
}

void print_json_report(const std::string& program, const ProgramReport& report) {
  std::vector<Object> libraries;
  for (const Examined& one : report.libraries) {
    libraries.push_back({{"path", one.path},
                         {"raw_system_calls",
                          std::vector<std::string>(one.raw_calls.begin(), one.raw_calls.end())}});
  }
  print_json(
      Object{{"program", program},
             {"binary", report.binary},
             {"uses_tcp", uses_tcp(report)},
             {"covered", std::vector<std::string>(report.covered.begin(), report.covered.end())},
             {"not_covered",
              std::vector<std::string>(report.not_covered.begin(), report.not_covered.end())},
             {"files", std::move(libraries)},
             {"libraries_known", report.libraries_known},
             {"opens_libraries", report.opens_libraries}});
}

}  // namespace

int check_program(const ProgramCheckOptions& options) {
  const auto program = find_preloadable(options.program);
  if (!program) {
    say(program.error().message);
    return program.error().exit_code;
  }
  const auto library = find_library();
  if (!library) {
    say(library.error().message);
    return library.error().exit_code;
  }
  const ProgramReport report =
      look_at(program->binary, read_dynamic_symbols(File(*library)).exports);
  if (options.json)
    print_json_report(program->path, report);
  else
    print_report(program->path, report);
  return needs_attention(report) ? exit_attention : exit_ok;
}

}  // namespace gaiter::cli
