#include "shim/context_settings.h"

#include <utility>

#include "keyring/keyring.h"
#include "keyring/ticket_keys.h"
#include "keyring/trust_of.h"
#include "policy/user_map.h"

namespace gaiter::shim {
namespace {

using Made = std::expected<void, engine::Failure>;

std::unexpected<engine::Failure> local_failure(const keyring::Error& error) {
  return std::unexpected(
      engine::Failure{engine::Cause::local, error.message, "gaiter check tells what is wrong"});
}

engine::Version version_of(policy::Version version) {
  return version == policy::Version::tls13 ? engine::Version::tls13 : engine::Version::tls12;
}

engine::Profile profile_of(policy::Profile profile) {
  switch (profile) {
    case policy::Profile::modern:
      return engine::Profile::modern;
    case policy::Profile::fips:
      return engine::Profile::fips;
    case policy::Profile::intermediate:
      break;
  }
  return engine::Profile::intermediate;
}

engine::PeerCheck check_of(policy::Verify verify) {
  switch (verify) {
    case policy::Verify::none:
      return engine::PeerCheck::none;
    case policy::Verify::pinned:
      return engine::PeerCheck::pinned;
    case policy::Verify::chain:
      return engine::PeerCheck::chain;
    case policy::Verify::full:
      break;
  }
  return engine::PeerCheck::full;
}

engine::PeerCertificate demand_of(policy::ClientAuth client_auth) {
  switch (client_auth) {
    case policy::ClientAuth::none:
      return engine::PeerCertificate::none;
    case policy::ClientAuth::optional:
      return engine::PeerCertificate::optional;
    case policy::ClientAuth::required:
      break;
  }
  return engine::PeerCertificate::required;
}

engine::Revocation revocation_of(policy::Revocation revocation) {
  switch (revocation) {
    case policy::Revocation::off:
      return engine::Revocation::off;
    case policy::Revocation::soft:
      return engine::Revocation::soft;
    case policy::Revocation::hard:
      break;
  }
  return engine::Revocation::hard;
}

engine::RecordEngine engine_of(policy::Engine engine) {
  switch (engine) {
    case policy::Engine::kernel:
      return engine::RecordEngine::kernel;
    case policy::Engine::ipsec_mb:
      return engine::RecordEngine::ipsec_mb;
    case policy::Engine::openssl:
      return engine::RecordEngine::openssl;
    case policy::Engine::automatic:
      break;
  }
  return engine::RecordEngine::automatic;
}

engine::Accelerator accelerator_of(policy::Accelerator accelerator) {
  switch (accelerator) {
    case policy::Accelerator::off:
      return engine::Accelerator::off;
    case policy::Accelerator::require:
      return engine::Accelerator::require;
    case policy::Accelerator::automatic:
      break;
  }
  return engine::Accelerator::automatic;
}

// Both sides list the kinds in the same order.
static_assert(static_cast<int>(policy::PeerPattern::Kind::dns) ==
                  static_cast<int>(engine::PeerPattern::Kind::dns) &&
              static_cast<int>(policy::PeerPattern::Kind::fingerprint) ==
                  static_cast<int>(engine::PeerPattern::Kind::fingerprint));

std::vector<engine::PeerPattern> patterns_of(const std::vector<policy::PeerPattern>& patterns) {
  std::vector<engine::PeerPattern> made;
  for (const policy::PeerPattern& pattern : patterns) {
    engine::PeerPattern& one =
        made.emplace_back(static_cast<engine::PeerPattern::Kind>(pattern.kind), pattern.text);
    for (const policy::NameAttribute& attribute : pattern.name)
      one.attributes.push_back({attribute.type, attribute.value});
  }
  return made;
}

Made add_user_map(const policy::Rule& rule, engine::ContextSettings& wanted) {
  const std::string& file = rule.settings.map_file;
  auto filters = policy::load_user_map(file.empty() ? policy::default_user_map(rule.file) : file);
  if (!filters)
    return std::unexpected(engine::Failure{engine::Cause::local, filters.error().text(),
                                           "it is the policy's map_file; see docs/tls.md"});
  wanted.map_user = true;
  wanted.user_exists = policy::is_local_user;
  for (const policy::UserFilter& filter : *filters)
    wanted.user_map.push_back({patterns_of(filter.patterns), filter.user});
  return {};
}

// What the policy alone says.
engine::ContextSettings settings_of(const policy::Rule& rule) {
  const policy::Settings& settings = rule.settings;
  engine::ContextSettings wanted;
  wanted.role = is_server(rule) ? engine::Role::server : engine::Role::client;
  wanted.profile = profile_of(settings.profile);
  wanted.min_version = version_of(settings.min_version);
  wanted.max_version = version_of(settings.max_version);
  wanted.suites = settings.suites;
  for (const policy::Group& group : settings.groups)
    wanted.groups.push_back({group.name, group.required});
  wanted.signatures = settings.signatures;
  wanted.alpn = settings.alpn;
  wanted.refuse_unknown_names = settings.sni_unmatched == policy::SniUnmatched::refuse;
  wanted.staple = settings.ocsp == policy::Ocsp::automatic;
  wanted.client_auth = demand_of(settings.client_auth);
  wanted.verify = check_of(settings.verify);
  wanted.pins = settings.pins;
  wanted.must_staple = settings.must_staple;
  wanted.revocation = revocation_of(settings.revocation);
  wanted.allow = patterns_of(settings.allow);
  wanted.deny = patterns_of(settings.deny);
  wanted.session_scope = rule.name;
  wanted.session_cache = settings.session.cache;
  wanted.session_lifetime = settings.session.lifetime;
  wanted.tickets = settings.session.tickets;
  wanted.rekey_bytes = settings.rekey.bytes;
  wanted.record_engine = engine_of(settings.engine);
  wanted.accelerator = accelerator_of(settings.accelerator);
  return wanted;
}

Made add_identities(const keyring::Keyring& keyring, const std::vector<std::string>& labels,
                    std::vector<keyring::Identity>& to) {
  for (const std::string& label : labels) {
    auto identity = keyring.identity(label);
    if (!identity) return local_failure(identity.error());
    to.push_back(std::move(*identity));
  }
  return {};
}

Made add_trust(const keyring::Keyring& keyring, const std::vector<std::string>& labels,
               engine::ContextSettings& wanted) {
  auto trust = keyring::trust_of(keyring, labels);
  if (!trust) return local_failure(trust.error());
  wanted.trust = std::move(trust->authorities);
  wanted.sites = std::move(trust->sites);
  if (wanted.revocation == engine::Revocation::off) return {};
  // Of all CAs: a list vouches for nobody.
  auto crls = keyring.crls();
  if (!crls) return local_failure(crls.error());
  wanted.crls = std::move(*crls);
  return {};
}

// The keys that the policy names must be there; the keyring's own need not.
Made add_ticket_keys(const std::string& keyring_path, const std::string& file,
                     engine::ContextSettings& wanted) {
  auto keys =
      file.empty() ? keyring::read_ticket_keys(keyring_path) : keyring::read_ticket_keys_file(file);
  if (keys) {
    wanted.ticket_keys = std::move(*keys);
  } else if (!file.empty() || keys.error().kind != keyring::Error::Kind::not_found) {
    return local_failure(keys.error());
  }
  return {};
}

}  // namespace

bool is_server(const policy::Rule& rule) {
  if (rule.settings.role == policy::Role::automatic)
    return rule.direction == policy::Direction::inbound;
  return rule.settings.role == policy::Role::server;
}

std::expected<engine::ContextSettings, engine::Failure> context_settings(
    const policy::Rule& rule, const std::string& keyring_path) {
  const policy::Settings& settings = rule.settings;
  const bool server = is_server(rule);
  engine::ContextSettings wanted = settings_of(rule);
  const bool trusts =
      server ? settings.client_auth != policy::ClientAuth::none
             : settings.verify == policy::Verify::full || settings.verify == policy::Verify::chain;
  if (!server && !trusts && settings.certificates.empty()) return wanted;

  const auto keyring = keyring::Keyring::open(keyring_path);
  if (!keyring) return local_failure(keyring.error());
  if (auto done = add_identities(*keyring, settings.certificates, wanted.identities); !done)
    return std::unexpected(std::move(done.error()));
  if (trusts)
    if (auto done = add_trust(*keyring, settings.trust, wanted); !done)
      return std::unexpected(std::move(done.error()));
  if (!server) return wanted;
  if (settings.map_user)
    if (auto done = add_user_map(rule, wanted); !done)
      return std::unexpected(std::move(done.error()));
  for (const policy::SniEntry& entry : settings.sni) {
    engine::NamedIdentities& named = wanted.sni.emplace_back();
    named.pattern = entry.pattern;
    if (auto done = add_identities(*keyring, entry.labels, named.identities); !done)
      return std::unexpected(std::move(done.error()));
  }
  if (wanted.tickets != 0)
    if (auto done = add_ticket_keys(keyring_path, settings.session.ticket_keys, wanted); !done)
      return std::unexpected(std::move(done.error()));
  return wanted;
}

}  // namespace gaiter::shim
