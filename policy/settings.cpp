#include "policy/settings.h"

namespace gaiter::policy {
namespace {

bool is_over(const Settings& settings, std::chrono::system_clock::time_point now) {
  return settings.until && now >= *settings.until;
}

}  // namespace

Tls tls_at(const Settings& settings, std::chrono::system_clock::time_point now) {
  const bool lenient = settings.tls == Tls::off || settings.tls == Tls::optional;
  return lenient && is_over(settings, now) ? Tls::required : settings.tls;
}

Mode mode_at(const Settings& settings, std::chrono::system_clock::time_point now) {
  return is_over(settings, now) ? Mode::enforce : settings.mode;
}

bool may_protect(const Settings& settings) {
  return settings.tls != Tls::block && (settings.tls != Tls::off || settings.until);
}

}  // namespace gaiter::policy
