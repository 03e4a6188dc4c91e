#include "engine/record_choice.h"

#include <algorithm>
#include <initializer_list>

namespace gaiter::engine {
namespace {

bool insists_on_ipsec_mb(const ContextSettings& settings) {
  return settings.record_engine == RecordEngine::ipsec_mb ||
         settings.accelerator == Accelerator::require;
}

Failure no_ipsec_mb(const std::string& for_what) {
  return {
      Cause::local,
      "the policy insists on an accelerator, but Intel ipsec-mb " +
          (ipsec_mb_version()[0] == '\0' ? "is not built in" : "cannot be used here" + for_what),
      "set accelerator and engine to \"auto\", or use a machine with AES instructions"};
}

}  // namespace

std::optional<Failure> missing_engine(const ContextSettings& settings) {
  if (settings.record_engine == RecordEngine::kernel)
    return Failure{Cause::local, "kernel TLS is not built into this Gaiter",
                   "set engine to \"auto\" in the policy"};
  const bool off = settings.accelerator == Accelerator::off;
  if (insists_on_ipsec_mb(settings) && (off || settings.record_engine == RecordEngine::openssl))
    return Failure{Cause::local, "engine and accelerator in the policy contradict each other",
                   "leave one of them out"};
  const std::initializer_list<Cipher> ciphers = {Cipher::aes_256_gcm, Cipher::aes_128_gcm};
  if (insists_on_ipsec_mb(settings) && std::ranges::none_of(ciphers, [](Cipher cipher) {
        return available(BackEnd::ipsec_mb, cipher);
      }))
    return no_ipsec_mb("");
  return std::nullopt;
}

std::expected<BackEnd, Failure> choose_back_end(const ContextSettings& settings, Cipher cipher) {
  if (settings.record_engine == RecordEngine::openssl || settings.accelerator == Accelerator::off)
    return BackEnd::openssl;
  if (!insists_on_ipsec_mb(settings)) return best_back_end(cipher);
  if (available(BackEnd::ipsec_mb, cipher)) return BackEnd::ipsec_mb;
  return std::unexpected(no_ipsec_mb(std::string(" for ") + name(cipher)));
}

}  // namespace gaiter::engine
