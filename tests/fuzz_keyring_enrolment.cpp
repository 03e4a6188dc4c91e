// Fuzzes what `gaiter keyring enroll import` reads. Nothing is written: whatever is taken
// for an enrolment has labels that can be directories, a key that fits its certificate, and
// somebody to trust.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "keyring/enrolment.h"
#include "keyring/label.h"

namespace {

using namespace gaiter::keyring;

void require(bool condition) {
  if (!condition) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto parsed = parse_enrolment(bytes, "secret", "input");
  if (!parsed) return 0;
  require(check_label(parsed->label) && check_label(parsed->ca_label));
  require(!parsed->certificates.empty() && !parsed->trusted.empty());
  require(X509_check_private_key(parsed->certificates.front().get(), parsed->key.get()) == 1);
  return 0;
}
