// Hooks: a process gives up the right, or the way, to its keys.
//
// Who calls listen(2) has read the keys by then. A listener that came with exec
// (Dovecot's login processes, socket activation) was not listened on here: its keys
// are read at the last moment at which they can be.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "shim/arena.h"
#include "shim/decision.h"
#include "shim/hooks.h"
#include "shim/log.h"
#include "shim/names.h"
#include "shim/process.h"
#include "shim/relay_nursery.h"
#include "shim/tcp.h"

namespace gaiter::shim {
namespace {

constexpr auto unchanged = static_cast<uid_t>(-1);

constinit std::atomic<bool> inherited_are_known = false;

bool listens(int fd) {
  int value = 0;
  socklen_t length = sizeof value;
  return real::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) == 0 && value != 0 &&
         is_tcp(fd);
}

void read_keys_of(int listener) {
  sockaddr_storage storage;
  socklen_t length = sizeof storage;
  auto* const local = reinterpret_cast<sockaddr*>(&storage);
  if (real::getsockname(listener, local, &length) != 0) return;
  const Decision decision = decide(policy::Direction::inbound, local, nullptr);
  // What is wrong with them will be said when a connection wants them.
  if (decision.verdict == Verdict::protect) [[maybe_unused]]
    const auto context = decision.rule->context();
  prepare_identities(local);
}

// Once for this program image: some daemons change their user at every request.
void read_keys_of_inherited_listeners() {
  constexpr rlim_t inheritable = 1024;  // nobody passes listeners by higher numbers
  if (inherited_are_known.load(std::memory_order_relaxed) || process::memory_is_borrowed()) return;
  inherited_are_known.store(true, std::memory_order_relaxed);
  const int saved_errno = errno;
  rlimit limit{inheritable, 0};
  getrlimit(RLIMIT_NOFILE, &limit);
  for (int fd = 0; fd < static_cast<int>(std::min(limit.rlim_cur, inheritable)); ++fd) {
    if (listens(fd)) read_keys_of(fd);
  }
  errno = saved_errno;
}

void read_keys() {
  read_keys_of_inherited_listeners();
  const int saved_errno = errno;
  prepare_identities();
  errno = saved_errno;
}

// Around a change of user: what the family shares with those who have all its rights is not
// for who gave some of them up.
class UserChange {
 public:
  UserChange() { getresuid(&before_[0], &before_[1], &before_[2]); }

  // `result` is the call's.
  int done(int result) const {
    if (result != 0 || process::memory_is_borrowed()) return result;
    log::user_changed();
    uid_t now[3];
    getresuid(&now[0], &now[1], &now[2]);
    const auto is_lost = [&](uid_t id) { return std::ranges::find(now, id) == std::end(now); };
    if (std::ranges::any_of(before_, is_lost)) {
      names::give_up();
      arena::give_up_rest();
    }
    return result;
  }

 private:
  uid_t before_[3];
};

}  // namespace

void prepare_for_filter() {
  if (process::memory_is_borrowed()) return;
  names::give_up();
  arena::prepare_for_filter();
}

}  // namespace gaiter::shim

using namespace gaiter::shim;

int hook_chroot(const char* path) {
  // Inside there is neither our core nor a policy: both are loaded while they can be
  // found.
  const int saved_errno = errno;
  concerned(gaiter::policy::Direction::inbound);
  errno = saved_errno;
  read_keys();
  const int result = real::chroot(path);
  if (result == 0 && !process::memory_is_borrowed()) names::give_up();
  return result;
}

int hook_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
  if (option == PR_SET_SECCOMP) prepare_for_filter();
  return real::prctl(option, a, b, c, d);
}

int hook_capset(void* header, const void* data) {
  const int result = real::capset(header, data);
  if (result == 0 && !process::memory_is_borrowed()) arena::give_up_rest();
  return result;
}

int hook_setuid(uid_t user) {
  read_keys();
  relay_nursery::prepare_for(user);
  return UserChange().done(real::setuid(user));
}

int hook_seteuid(uid_t effective) {
  read_keys();
  return UserChange().done(real::seteuid(effective));
}

int hook_setreuid(uid_t real_user, uid_t effective) {
  read_keys();
  if (real_user != unchanged && effective != unchanged) relay_nursery::prepare_for(effective);
  return UserChange().done(real::setreuid(real_user, effective));
}

int hook_setresuid(uid_t real_user, uid_t effective, uid_t saved) {
  read_keys();
  if (real_user != unchanged && effective != unchanged) relay_nursery::prepare_for(effective);
  return UserChange().done(real::setresuid(real_user, effective, saved));
}
