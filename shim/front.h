// Another library that comes before this one in the program's search order, and has one of the
// functions by which bytes move or descriptors come and go: what calls it may go past every hook.
//
// The program itself may have such functions: they are the program. So may the runtimes of
// sanitizers, which call the next ones. What is opened later (dlopen(3)) comes later in the order,
// and cannot take anything from us.
#pragma once

namespace gaiter::shim::front {

// Once, at start: looks, while no thread and no vfork child is there.
void start();

// Whether TCP must be refused for that: then the log is told, once, and errno is EACCES. Looks at
// the first call; a load and a branch afterwards. Not for signal handlers at the first call.
bool refuses();

}  // namespace gaiter::shim::front
