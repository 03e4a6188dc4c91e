// Changing a keyring: one writer at a time, each change whole or not at all.
//
// An entry is built in `.tmp-entry`, synced, and renamed into place. What a
// writer that died left behind is ignored by readers and swept by the next one.
#pragma once

#include <string>
#include <vector>

#include "keyring/files.h"
#include "keyring/format.h"

namespace gaiter::keyring {

// What is written of an entry; borrowed. `key` may be null.
struct NewEntry {
  EntryConf conf;
  std::vector<const X509*> certificates;
  const EVP_PKEY* key = nullptr;
};

class Writer {
 public:
  // Waits for the lock (flock(2)) and holds it for the Writer's life. The
  // directory must be there, but need not be a keyring yet.
  static Result<Writer> lock(const std::string& path);

  // Makes the directory and its parents if need be, then locks. Fails with
  // Kind::invalid if something else than a keyring, or the beginning of one, is
  // in it already.
  static Result<Writer> lock_new(const std::string& path);

  // False for a directory in which the making of a keyring has only begun.
  bool is_keyring() const { return exists(directory_, keyring_conf); }

  // Fails with Kind::exists if the label is taken, unless `replace`.
  Result<void> put(const std::string& label, const NewEntry& entry, bool replace);

  // Writes keyring.conf, which makes the directory a keyring.
  Result<void> put_conf(const KeyringConf& conf);

 private:
  Writer(Directory directory, Fd lock) : directory_(std::move(directory)), lock_(std::move(lock)) {}
  static Result<Writer> lock(Directory directory);

  Directory directory_;
  Fd lock_;
};

}  // namespace gaiter::keyring
