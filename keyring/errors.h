// Making Errors.
#pragma once

#include <cstring>
#include <expected>
#include <string>
#include <utility>

#include "keyring/keyring.h"

namespace gaiter::keyring {

inline std::unexpected<Error> fail(Error::Kind kind, std::string message) {
  return std::unexpected(Error{kind, std::move(message)});
}

// Hands an Error on to a caller whose Result holds something else.
template <class T>
std::unexpected<Error> pass_on(Result<T>& failed) {
  return std::unexpected(std::move(failed.error()));
}

// `number` is an errno. Its words never depend on the locale of the program
// that we are loaded into.
inline std::string errno_words(int number) {
  const char* words = strerrordesc_np(number);
  return words != nullptr ? words : "errno " + std::to_string(number);
}

// "cannot read /etc/gaiter/keyring/a/key.pem: Permission denied"
inline std::unexpected<Error> fail_errno(int number, const std::string& what) {
  const Error::Kind kind = number == ENOENT || number == ENOTDIR ? Error::Kind::not_found
                           : number == EACCES || number == EPERM ? Error::Kind::unreadable
                                                                 : Error::Kind::system;
  return fail(kind, what + ": " + errno_words(number));
}

}  // namespace gaiter::keyring
