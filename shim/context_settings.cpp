#include "shim/context_settings.h"

#include "keyring/keyring.h"

namespace gaiter::shim {
namespace {

engine::Failure local_failure(const keyring::Error& error) {
  return {engine::Cause::local, error.message, "gaiter check tells what is wrong"};
}

}  // namespace

std::expected<engine::ContextSettings, engine::Failure> context_settings(
    const policy::Rule& rule, const std::string& keyring_path) {
  const policy::Settings& settings = rule.settings;
  const bool inbound = rule.direction == policy::Direction::inbound;
  engine::ContextSettings wanted;
  wanted.role = inbound ? engine::Role::server : engine::Role::client;
  wanted.min_version = settings.min_version == policy::Version::tls13 ? engine::Version::tls13
                                                                      : engine::Version::tls12;
  wanted.client_auth = static_cast<engine::PeerCertificate>(settings.client_auth);
  wanted.verify = settings.verify == policy::Verify::none    ? engine::PeerCheck::none
                  : settings.verify == policy::Verify::chain ? engine::PeerCheck::chain
                                                             : engine::PeerCheck::full;
  wanted.session_scope = rule.file + ":" + std::to_string(rule.line) + ":" + rule.name;

  auto keyring = keyring::Keyring::open(keyring_path);
  const bool verifies = inbound ? settings.client_auth != policy::ClientAuth::none
                                : settings.verify != policy::Verify::none;
  const bool needs_identity = !settings.certificates.empty();
  if (!keyring && (verifies || needs_identity))
    return std::unexpected(local_failure(keyring.error()));
  if (needs_identity) {
    auto identity = keyring->identity(settings.certificates.front());
    if (!identity) return std::unexpected(local_failure(identity.error()));
    wanted.identity = std::move(*identity);
  }
  if (verifies) {
    auto trust = keyring->trust();
    if (!trust) return std::unexpected(local_failure(trust.error()));
    wanted.trust = std::move(*trust);
  }
  return wanted;
}

}  // namespace gaiter::shim
