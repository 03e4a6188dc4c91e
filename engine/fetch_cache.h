// OpenSSL's algorithms, fetched once (EVP_MD_fetch(3) and its like).
//
// OpenSSL fetches the same few algorithms by name over and over, some 60 times
// in a handshake, each a walk through locks, a name map and a property cache:
// together a tenth of a resumed handshake. A link with --wrap of the functions in
// fetch_cache.cpp brings those calls here, where the second one of a name is a
// comparison of strings. Without that option all is as OpenSSL has it.
#pragma once

namespace gaiter::engine {

// From now on fetches in library_context() without properties are remembered,
// for good. Its providers and default properties must not change any more.
void remember_fetches();

}  // namespace gaiter::engine
