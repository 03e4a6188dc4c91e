// Which descriptor numbers are open.
#pragma once

namespace gaiter::shim {

// Calls visit(fd) for each descriptor that is open now. By /proc/self/fd, or, where that is not
// mounted, by asking poll(2) about every number that the limits allow (a million at most).
// Allocates nothing; takes three system calls where few descriptors are open.
void for_each_open_number(void (*visit)(int fd));

}  // namespace gaiter::shim
