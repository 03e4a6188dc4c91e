#include "shim/live.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "keyring/keyring.h"
#include "shim/connection.h"
#include "shim/core.h"
#include "shim/drain.h"
#include "shim/exec_environment.h"
#include "shim/lock.h"
#include "shim/log.h"
#include "shim/process.h"
#include "shim/watch.h"

namespace gaiter::shim::live {

namespace {

constexpr int64_t interval = 1'000'000'000;
constexpr int64_t interval_unsettled = Watch::settling / 2;
// What went wrong may have been the moment: no descriptor was left, a signer was
// not done. Tried again silently.
constexpr int64_t interval_failed = 10'000'000'000;

// policy.d/PORT.conf, keyring/LABEL/FILE
constexpr int policy_levels = 2;
constexpr int keyring_levels = 2;

constinit std::atomic<Snapshot*> in_use = nullptr;
constinit std::atomic<int64_t> next_look = INT64_MAX;
constinit std::atomic<uint32_t> uses = 0;
constinit std::atomic<uint32_t> installed = 0;
constinit std::atomic<bool> named = false;

// All of this under `loading`.
constinit Lock loading;
constinit LockResult frozen = LockResult::reentered;
struct KeyringFiles {
  Watch files;
  // Also of entries that it shares with other keyrings. Of what `user` may see.
  std::optional<keyring::Stamp> stamp;
  std::string path;
  uid_t user = geteuid();

  Watch::Change look() const {
    const Watch::Change change = files.look();
    if (change != Watch::Change::none || !stamp || user != geteuid()) return change;
    const auto now = keyring::stamp(path);
    return now && *now != *stamp ? Watch::Change::settled : change;
  }
};
struct Files {
  policy::Source source;
  std::string default_keyring;
  Watch policy;
  KeyringFiles keyring;
  struct stat root {};           // as it was at first: chroot(2) has not happened
  bool keyring_differs = false;  // from what the snapshot in use has read
  std::string failure;           // of the last attempt to follow
  int64_t next_attempt = 0;
};
constinit Files* files = nullptr;
// Their connections may go on.
constinit std::vector<std::unique_ptr<Snapshot>>* retired = nullptr;
constinit bool must_sweep = false;

// The vDSO answers it, from the last tick.
int64_t coarse_now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// Daemons change their directory after start.
std::string absolute(const std::string& path) {
  char here[PATH_MAX];
  if (path.empty() || path.starts_with('/') || getcwd(here, sizeof here) == nullptr) return path;
  return std::string(here) + "/" + path;
}

Watch watch_policy(const policy::Source& source, const Snapshot* snapshot) {
  Watch watch;
  if (!source.path.empty()) watch.add(source.path, policy_levels);
  if (snapshot != nullptr) {  // what is included from elsewhere
    for (const std::string& file : snapshot->policy().files())
      if (file.starts_with('/') && !file.starts_with(source.path + "/")) watch.add(file);
  }
  return watch;
}

KeyringFiles watch_keyring(const Snapshot& snapshot) {
  KeyringFiles watch;
  if (snapshot.why_blocked() != nullptr) return watch;
  watch.path = snapshot.keyring();
  watch.files.add(snapshot.keyring(), keyring_levels);
  if (const auto stamp = keyring::stamp(snapshot.keyring())) watch.stamp = *stamp;
  for (const policy::Rule& rule : snapshot.policy().rules()) {
    for (const std::string& file : {rule.settings.map_file, rule.settings.session.ticket_keys})
      if (!file.empty()) watch.files.add(file);
  }
  return watch;
}

std::unique_ptr<Snapshot> load_first() {
  files = new Files;
  // Not the environment of now: exim and Dovecot have cleaned theirs by then.
  files->source =
      policy::Source::from_values(exec_environment::value_at_start("GAITER_POLICY"),
                                  exec_environment::value_at_start("GAITER_POLICY_TEXT"));
  files->default_keyring = keyring::default_path();
  policy::Source& source = files->source;
  source.path = absolute(source.path);
  stat("/", &files->root);
  const bool names_none = source.path.empty() && source.text.empty();
  named.store(!names_none);
  // One may come to be there.
  if (names_none) files->policy.add(std::string(policy::default_directory));
  Watch watch = watch_policy(source, nullptr);
  auto read = Snapshot::load(source, files->default_keyring);
  next_look.store(coarse_now() + interval, std::memory_order_relaxed);
  if (!read) {
    files->policy = std::move(watch);
    files->failure = read.error();
    files->next_attempt = coarse_now() + interval;
    log::line(log::Level::error,
              "policy refused, so every TCP connection of this process is, until it is mended "
              "(gaiter check): {}",
              read.error());
    return Snapshot::blocked("the policy could not be loaded");
  }
  if (names_none) {
    log::line(log::Level::warning,
              "no policy: nothing is protected; name one in GAITER_POLICY or /etc/gaiter");
  } else {
    files->policy = watch_policy(source, read->get());
  }
  files->keyring = watch_keyring(**read);
  return std::move(*read);
}

// Ends the snapshots that nothing refers to any more. Who else could refer to one:
// a connection, as this process knows it, or somebody with a Use.
void sweep() {
  must_sweep = uses.load() != 0;
  if (must_sweep || retired == nullptr) return;
  std::vector<const ActiveRule*> in_connections = Connection::rules_in_use();
  std::sort(in_connections.begin(), in_connections.end());
  std::erase_if(*retired, [&](const std::unique_ptr<Snapshot>& old) {
    return std::none_of(old->rules().begin(), old->rules().end(), [&](const ActiveRule& rule) {
      return std::binary_search(in_connections.begin(), in_connections.end(), &rule);
    });
  });
}

void install(std::unique_ptr<Snapshot> fresh) {
  if (retired == nullptr) retired = new std::vector<std::unique_ptr<Snapshot>>;
  installed.fetch_add(1);
  retired->emplace_back(in_use.exchange(fresh.release()));
  sweep();
}

void stay(const std::string& why) {
  files->next_attempt = coarse_now() + interval_failed;
  if (why == files->failure) return;
  files->failure = why;
  log::line(log::Level::error, "policy not followed, the one in use stays: {}", why);
}

void reload() {
  Snapshot& before = *in_use.load();
  policy::Source source = files->source;
  if (source.path.empty() && source.text.empty()) source.path = policy::default_directory;
  // Stamps before reading: what changes meanwhile will show.
  files->policy = watch_policy(source, &before);
  auto read = Snapshot::load(source, files->default_keyring);
  if (!read) return stay(read.error());
  Snapshot& fresh = **read;
  if (fresh.policy().files().empty() && !before.policy().files().empty())
    return stay(source.path + " holds no policy any more");
  files->policy = watch_policy(source, &fresh);
  KeyringFiles keyring = watch_keyring(fresh);
  files->keyring_differs |= files->keyring.look() != Watch::Change::none;
  files->keyring = std::move(keyring);
  // Another user's keys are no better than none.
  const bool must = before.is_of_another_user();
  if (auto ready = fresh.succeed(before, files->keyring_differs); !ready && !must)
    return stay(ready.error());
  log::line(log::Level::info, "policy followed: {} rules, keyring {}",
            fresh.policy().rules().size(), files->keyring_differs ? "changed" : "unchanged");
  files->source = std::move(source);
  named.store(true);
  files->keyring_differs = false;
  files->failure.clear();
  install(std::move(*read));
}

bool root_has_moved() {
  struct stat now;
  return stat("/", &now) == 0 &&
         (now.st_dev != files->root.st_dev || now.st_ino != files->root.st_ino);
}

void look() {
  if (files == nullptr) return;
  if (root_has_moved()) {
    // What lies under these names in here is not what they meant.
    next_look.store(INT64_MAX, std::memory_order_relaxed);
    log::line(log::Level::info, "policy not followed any more: this process changed its root");
    return;
  }
  const Watch::Change policy = files->policy.look();
  const Watch::Change keyring = files->keyring.look();
  if (policy == Watch::Change::recent || keyring == Watch::Change::recent) {
    next_look.store(coarse_now() + interval_unsettled, std::memory_order_relaxed);
  } else if (policy != Watch::Change::none || keyring != Watch::Change::none) {
    reload();
  } else if (in_use.load()->is_of_another_user()) {
    reload();
  } else if (!files->failure.empty() && coarse_now() >= files->next_attempt) {
    reload();
  } else if (must_sweep) {
    sweep();
  }
  drain_quiet_connections();
}

// Whether it is time to look, and nobody else does.
bool is_due() {
  int64_t seen = next_look.load(std::memory_order_relaxed);
  const int64_t now = coarse_now();
  return now >= seen && next_look.compare_exchange_strong(seen, now + interval);
}

}  // namespace

Use::Use() { uses.fetch_add(1); }
Use::Use(Use&& other) noexcept : counts_(std::exchange(other.counts_, false)) {}
Use& Use::operator=(Use&& other) noexcept {
  std::swap(counts_, other.counts_);
  return *this;
}
Use::~Use() {
  if (counts_) uses.fetch_sub(1);
}

Snapshot& current() {
  Snapshot* present = in_use.load();
  if (present != nullptr) [[likely]]
    return *present;
  // The dynamic loader may not be called between vfork and exec.
  if (process::memory_is_borrowed()) {
    static Snapshot* const in_vfork_child =
        Snapshot::blocked("a vfork child has no policy yet").release();
    return *in_vfork_child;
  }
  // Not under our lock: a library's constructor may wait for that, within dlopen.
  // Tried again by the next who asks: there may be descriptors then.
  if (!core::load()) {
    static Snapshot* const without_core =
        Snapshot::blocked("libgaiter-core.so could not be loaded").release();
    return *without_core;
  }
  const LockGuard guard(loading, true);
  if (!guard.held()) {
    static Snapshot* const in_handler =
        Snapshot::blocked("a signal handler interrupted the reading of the policy").release();
    return *in_handler;
  }
  present = in_use.load();
  if (present == nullptr) {
    present = load_first().release();
    Self::remember(present->questions());
    in_use.store(present);
  }
  return *present;
}

ActiveRule* rule_numbered(uint64_t number) {
  if (number == 0 || !is_in_use()) return nullptr;
  const LockGuard guard(loading, true);
  if (!guard.held()) return nullptr;
  const auto among = [number](Snapshot& snapshot) -> ActiveRule* {
    for (ActiveRule& rule : snapshot.rules())
      if (rule.number() == number) return &rule;
    return nullptr;
  };
  if (ActiveRule* const found = among(*in_use.load())) return found;
  if (retired == nullptr) return nullptr;
  for (const auto& old : *retired)
    if (ActiveRule* const found = among(*old)) return found;
  return nullptr;
}

uint32_t generation() { return installed.load(); }

bool is_named() { return named.load(std::memory_order_relaxed); }

bool is_in_use() { return in_use.load(std::memory_order_relaxed) != nullptr; }

void follow() {
  const Snapshot* const present = in_use.load(std::memory_order_acquire);
  if (present == nullptr || !(is_due() || present->is_of_another_user())) return;
  if (process::memory_is_borrowed()) return;  // no memory of its own to do it in
  const LockGuard guard(loading, true);
  if (!guard.held()) return;
  const int saved_errno = errno;
  look();
  errno = saved_errno;
}

void before_fork() {
  follow();
  frozen = loading.acquire(true);
  contexts_before_fork();
}

void after_fork_in_parent() {
  contexts_after_fork_in_parent();
  loading.release(frozen);
}

void after_fork_in_child() {
  contexts_after_fork_in_child();
  new (&loading) Lock;
  uses.store(0);
  Self::after_fork_in_child();
}

}  // namespace gaiter::shim::live
