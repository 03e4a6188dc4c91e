// Where OpenSSL's random numbers come from: the kernel, each time.
//
// OpenSSL's own generator lies in the process's memory, and a fork child would go on with its
// parent's numbers; it tells one from the other by getpid(2), which says 1 in every new PID
// namespace. The kernel's numbers are nobody's copy.
#pragma once

namespace gaiter {

// For RAND_bytes_ex(3), RAND_priv_bytes_ex(3) and all that OpenSSL's default provider draws:
// randoms, ephemeral keys, salts, serial numbers. A provider with a generator of its own
// (FIPS) keeps to that.
void install_openssl_random();

}  // namespace gaiter
