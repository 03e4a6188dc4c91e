// Changing a keyring: one writer at a time, each change whole or not at all.
//
// Private keys are written under the keyring's passphrase if keyring.conf says `keys =
// encrypted`; if that is not to be had, nothing is written. An entry is built in `.tmp-entry`,
// synced, and renamed into place. What a writer that died left behind is ignored by readers and
// swept by the next one.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
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

// A file of an entry as it shall be; `content` is borrowed. Without content: gone.
struct FileChange {
  std::string name;
  std::optional<std::string_view> content = std::nullopt;
  mode_t mode = public_mode;
};

class Writer {
 public:
  // Waits for the lock (flock(2)) and holds it for the Writer's life. The
  // directory must be there, but need not be a keyring yet. `ask`: the passphrase of
  // new keys.
  static Result<Writer> lock(const std::string& path, AskPassphrase ask = nullptr);

  // Makes the directory and its parents if need be, then locks. Fails with
  // Kind::invalid if something else than a keyring, or the beginning of one, is
  // in it already.
  static Result<Writer> lock_new(const std::string& path);

  // False for a directory in which the making of a keyring has only begun.
  bool is_keyring() const { return exists(directory_, keyring_conf); }

  // Fails with Kind::exists if the label is taken, unless `replace`.
  Result<void> put(const std::string& label, const NewEntry& entry, bool replace);

  // Makes an entry of nothing but these files. Kind::exists if the label is taken.
  Result<void> add(const std::string& label, const std::vector<FileChange>& files);

  // Changes files of an entry that is there, all of them in one step, and leaves its
  // other files as they are. Kind::not_found if there is no such entry.
  Result<void> change(const std::string& label, const std::vector<FileChange>& files);

  // Gives the entry another label, and keeps it the default if it is that. At no moment
  // is there neither. Kind::exists if `to` is taken.
  Result<void> rename(const std::string& from, const std::string& to);

  // Removes the entry. If it is the default, the keyring has none before it goes.
  Result<void> remove(const std::string& label);

  // What keyring.conf says; of a keyring that is only begun: nothing.
  Result<KeyringConf> conf() const;

  const Directory& directory() const { return directory_; }

  // Writes keyring.conf, which makes the directory a keyring. Read it first: this
  // replaces all of it.
  Result<void> put_conf(const KeyringConf& conf);

  // Writes or replaces a file of the keyring itself.
  Result<void> put_file(const std::string& name, std::string_view content, mode_t mode);

 private:
  Writer(Directory directory, Fd lock, AskPassphrase ask)
      : directory_(std::move(directory)), lock_(std::move(lock)), ask_(std::move(ask)) {}
  static Result<Writer> lock(Directory directory, AskPassphrase ask);
  Result<void> write_entry(const Directory& directory, const NewEntry& entry) const;
  Result<void> write_files(const Directory& directory, const std::vector<FileChange>& files) const;
  Result<void> write_key(const Directory& directory, const std::string& name,
                         const EVP_PKEY* key) const;
  // Builds `.tmp-entry` by `fill` and puts it into the label's place.
  Result<void> put_built(const std::string& label,
                         const std::function<Result<void>(const Directory&)>& fill);

  Directory directory_;
  Fd lock_;
  AskPassphrase ask_;
};

}  // namespace gaiter::keyring
