#include "engine/fork_guard.h"

#include <pthread.h>

#include "engine/aead.h"
#include "engine/handshake.h"

namespace gaiter::engine {
namespace {

// Writers first: a server under a storm of handshakes must still get to fork.
constinit pthread_rwlock_t steps = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

// Steps that this thread is in: a nested one must not lock again, since that
// would wait for a writer who waits for us.
constinit thread_local int depth = 0;

}  // namespace

OpenSslStep::OpenSslStep() {
  if (depth++ == 0) pthread_rwlock_rdlock(&steps);
}

OpenSslStep::~OpenSslStep() {
  if (--depth == 0) pthread_rwlock_unlock(&steps);
}

void before_fork() {
  if (depth == 0) pthread_rwlock_wrlock(&steps);
}

void after_fork_in_parent() {
  if (depth == 0) pthread_rwlock_unlock(&steps);
}

void after_fork_in_child() {
  // The lock's owner is a thread id of the parent: begin anew.
  pthread_rwlockattr_t attributes;
  pthread_rwlockattr_init(&attributes);
  pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
  pthread_rwlock_init(&steps, &attributes);
  pthread_rwlockattr_destroy(&attributes);
  if (depth != 0) pthread_rwlock_rdlock(&steps);
  aead_after_fork();
}

}  // namespace gaiter::engine
