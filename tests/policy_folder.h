// A temporary directory of policy files for the tests, gone with its object.
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "policy/policy.h"

namespace gaiter::policy {

class Folder {
 public:
  Folder() {
    umask(022);  // whatever the caller's: what is made here has the modes that are asked for
    char name[] = "/tmp/gaiter-policy-XXXXXX";
    if (!mkdtemp(name)) abort();
    path_ = name;
  }
  Folder(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }
  std::string path(const std::string& name) const { return path_ + "/" + name; }

  // Makes the file and the directories before it; returns its path.
  std::string write(const std::string& name, const std::string& text) const {
    const std::string file = path(name);
    for (size_t slash = name.find('/'); slash != std::string::npos;
         slash = name.find('/', slash + 1))
      mkdir(path(name.substr(0, slash)).c_str(), 0755);
    const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || ::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
      abort();
    close(fd);
    return file;
  }

 private:
  std::string path_;
};

// Every error's text, one a line.
inline std::string check(const Source& source) {
  std::string all;
  for (const Error& error : Policy::check(source)) all += error.text() + "\n";
  return all;
}

// The rules' names, each with a space behind it; or the first error.
inline std::string rule_names(const Source& source) {
  auto policy = Policy::load(source);
  if (!policy) return policy.error().text();
  std::string names;
  for (const Rule& rule : policy->rules()) names += rule.name + " ";
  return names;
}

}  // namespace gaiter::policy
