#include "policy/source.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>

#include "policy/ports.h"
#include "policy/read.h"
#include "policy/vocabulary.h"

namespace gaiter::policy {
namespace {

constexpr std::string_view suffix = ".conf";

std::string_view stem_of(std::string_view name) {
  return name.substr(0, name.size() - suffix.size());
}

// Hidden files are left alone, and with them what editors and package managers
// leave behind; so is what does not end in .conf (6379.conf~, 6379.conf.dpkg-new).
bool is_policy_file(std::string_view name) {
  return name.ends_with(suffix) && !name.starts_with('.');
}

bool is_all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

class Reader {
 public:
  Reader(std::vector<Document>& documents, std::vector<Error>& errors)
      : documents_(documents), errors_(errors) {}

  void read_file(const std::string& path) {
    const std::string name = path.substr(path.rfind('/') + 1);
    uint16_t port = 0;
    if (name.ends_with(suffix) && is_all_digits(stem_of(name))) {
      auto named = port_of(name);
      if (!named) {
        errors_.push_back({path, 0, named.error()});
        return;
      }
      port = *named;
    }
    add(path, name, port, policy::read_file(path));
  }

  // Either layout: gaiter.conf and policy.d, or a directory of <port>.conf files.
  void read_root(std::string path) {
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    const size_t errors_before = errors_.size();
    const size_t documents_before = documents_.size();
    const bool has_ports = read_directory(path, true);
    if (has_ports) read_directory(path == "/" ? "/policy.d" : path + "/policy.d", false);
    const bool nothing = documents_.size() == documents_before && errors_.size() == errors_before;
    if (nothing && !has_ports && path != default_directory)
      errors_.push_back(
          {path, 0, "holds no policy: neither gaiter.conf, policy.d nor a <port>.conf"});
  }

 private:
  // Whether policy.d is in it. The listing tells: stat(2) fails as well for one
  // that is there but out of reach, and that must not pass for no policy.
  bool read_directory(const std::string& path, bool is_root) {
    auto directory = Directory::open(path);
    if (!directory) {
      errors_.push_back(directory.error());
      return false;
    }
    auto names = directory->names();
    if (!names) {
      errors_.push_back(names.error());
      return false;
    }
    for (const std::string& name : *names) {
      if (!is_policy_file(name)) continue;
      if (is_root && name == "gaiter.conf") {
        add(directory->path_of(name), name, 0, directory->read(name));
      } else if (auto port = port_of(name)) {
        add(directory->path_of(name), name, *port, directory->read(name));
      } else {
        errors_.push_back({directory->path_of(name), 0, port.error()});
      }
    }
    return is_root && std::find(names->begin(), names->end(), "policy.d") != names->end();
  }

  void add(const std::string& path, const std::string& name, uint16_t port,
           std::expected<std::string, Error> text) {
    if (!text) {
      errors_.push_back(text.error());
      return;
    }
    documents_.push_back({path, name, std::move(*text), port});
  }

  std::vector<Document>& documents_;
  std::vector<Error>& errors_;
};

// A port has one file: 6379.conf beside policy.d/6379.conf would hide it.
void refuse_twins(std::vector<Document>& sorted, std::vector<Error>& errors) {
  const auto same_port = [](const Document& a, const Document& b) {
    return a.port != 0 && a.port == b.port;
  };
  for (auto twin = sorted.begin();;) {
    twin = std::adjacent_find(twin, sorted.end(), same_port);
    if (twin == sorted.end()) return;
    errors.push_back({std::next(twin)->name, 0,
                      "port " + std::to_string(twin->port) + " has a policy already, " +
                          twin->name + "; remove one of the two"});
    sorted.erase(std::next(twin));
  }
}

}  // namespace

Source Source::from_environment() {
  if (getauxval(AT_SECURE) != 0) return from_values(nullptr, nullptr);
  return from_values(getenv("GAITER_POLICY"), getenv("GAITER_POLICY_TEXT"));
}

Source Source::from_values(const char* path, const char* text) {
  Source source;
  if (path != nullptr) source.path = path;
  if (text != nullptr) source.text = text;
  if (!source.path.empty() || !source.text.empty()) return source;
  // Only a directory that is certainly not there is no policy: one that cannot
  // be reached must be an error when it is loaded.
  struct stat status;
  const std::string directory(default_directory);
  const bool absent =
      stat(directory.c_str(), &status) != 0 && (errno == ENOENT || errno == ENOTDIR);
  if (!absent) source.path = directory;
  return source;
}

std::expected<uint16_t, std::string> port_of(std::string_view basename) {
  const std::string_view stem = stem_of(basename);
  const std::string wants = "the name of this file must be a port, as in 6379.conf: ";
  if (!is_all_digits(stem))
    return std::unexpected(wants + quote(stem) +
                           " is not a number (rules for all ports belong in gaiter.conf)");
  if (auto port = parse_port(stem)) return *port;
  const std::string digits(stem.substr(std::min(stem.find_first_not_of('0'), stem.size())));
  if (auto port = parse_port(digits))
    return std::unexpected(wants + "call it " + digits + std::string(suffix));
  return std::unexpected(wants + "ports are 1 to 65535");
}

std::vector<Document> read_documents(const Source& source, std::vector<Error>& errors) {
  std::vector<Document> documents;
  if (!source.text.empty()) documents.push_back({std::string(text_name), "", source.text, 0});
  if (source.path.empty()) return documents;
  Reader reader(documents, errors);
  if (Directory::exists(source.path)) {
    reader.read_root(source.path);
  } else {
    reader.read_file(source.path);
  }
  std::stable_sort(documents.begin(), documents.end(),
                   [](const Document& a, const Document& b) { return a.port < b.port; });
  refuse_twins(documents, errors);
  return documents;
}

}  // namespace gaiter::policy
