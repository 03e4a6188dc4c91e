#include "engine/groups.h"

#include <openssl/ssl.h>

#include <memory>

#include "keyring/openssl.h"

namespace gaiter::engine {

bool has_group(const std::string& name) {
  const std::unique_ptr<SSL_CTX, OpenSslDeleter<SSL_CTX_free>> context(
      SSL_CTX_new_ex(library_context(), nullptr, TLS_method()));
  return context != nullptr && SSL_CTX_set1_groups_list(context.get(), name.c_str()) == 1;
}

}  // namespace gaiter::engine
