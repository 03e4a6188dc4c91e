// Certificates read without their public keys.
#pragma once

namespace gaiter::keyring {

// While one with `leave` lives, OpenSSL decodes no key on this thread: d2i_X509() takes a
// fifth of the time, and X509_get0_pubkey() of what it reads is null. They nest.
class KeysUndecoded {
 public:
  explicit KeysUndecoded(bool leave);
  ~KeysUndecoded();
  KeysUndecoded(const KeysUndecoded&) = delete;
  KeysUndecoded& operator=(const KeysUndecoded&) = delete;

 private:
  bool before_;
};

}  // namespace gaiter::keyring
