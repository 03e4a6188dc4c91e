#include "engine/hand_over.h"

#include <openssl/crypto.h>
#include <openssl/objects.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "engine/key_schedule.h"
#include "engine/record_choice.h"

namespace gaiter::engine {
namespace {

std::optional<Cipher> cipher_of(const SSL_CIPHER* suite) {
  switch (SSL_CIPHER_get_cipher_nid(suite)) {
    case NID_aes_128_gcm:
      return Cipher::aes_128_gcm;
    case NID_aes_256_gcm:
      return Cipher::aes_256_gcm;
    case NID_chacha20_poly1305:
      return Cipher::chacha20_poly1305;
    default:
      return std::nullopt;
  }
}

std::optional<Hash> hash_of(const SSL_CIPHER* suite) {
  switch (EVP_MD_get_type(SSL_CIPHER_get_handshake_digest(suite))) {
    case NID_sha256:
      return Hash::sha256;
    case NID_sha384:
      return Hash::sha384;
    default:
      return std::nullopt;
  }
}

void derive_from_master_secret(SSL* ssl, Cipher cipher, BackEnd back_end, Hash hash,
                               DirectionState& client, DirectionState& server) {
  uint8_t master[48];
  uint8_t client_random[32];
  uint8_t server_random[32];
  SSL_SESSION_get_master_key(SSL_get_session(ssl), master, sizeof master);
  SSL_get_client_random(ssl, client_random, sizeof client_random);
  SSL_get_server_random(ssl, server_random, sizeof server_random);
  derive_tls12(client, server, cipher, back_end, hash, master, client_random, server_random);
  OPENSSL_cleanse(master, sizeof master);
}

void keep(std::span<const uint8_t> from, TrafficSecrets::Secret& to) {
  if (from.size() > sizeof to.bytes) return;
  std::memcpy(to.bytes, from.data(), from.size());
  to.length = from.size();
}

}  // namespace

void TrafficSecrets::wipe() {
  OPENSSL_cleanse(&client_, sizeof client_);
  OPENSSL_cleanse(&server_, sizeof server_);
}

void TrafficSecrets::note(std::string_view label, std::span<const uint8_t> secret) {
  if (label == "CLIENT_TRAFFIC_SECRET_0") keep(secret, client_);
  if (label == "SERVER_TRAFFIC_SECRET_0") keep(secret, server_);
}

std::expected<HandedOver, Failure> hand_over(SSL* ssl, const ContextSettings& settings,
                                             const TrafficSecrets& secrets) {
  const SSL_CIPHER* suite = SSL_get_current_cipher(ssl);
  const std::optional<Cipher> cipher = cipher_of(suite);
  const std::optional<Hash> hash = hash_of(suite);
  if (!cipher || !hash)
    return std::unexpected(Failure{
        Cause::local, std::string("no record protection for ") + SSL_CIPHER_get_name(suite), ""});
  const std::expected<BackEnd, Failure> back_end = choose_back_end(settings, *cipher);
  if (!back_end) return std::unexpected(back_end.error());

  DirectionState client = {};
  DirectionState server = {};
  const bool tls13 = SSL_version(ssl) == TLS1_3_VERSION;
  if (tls13) {
    const size_t length = *hash == Hash::sha256 ? 32 : 48;
    if (secrets.client().length != length || secrets.server().length != length)
      return std::unexpected(Failure{Cause::local, "OpenSSL did not tell the traffic secrets", ""});
    derive_tls13(client, *cipher, *back_end, *hash, {secrets.client().bytes, length});
    derive_tls13(server, *cipher, *back_end, *hash, {secrets.server().bytes, length});
  } else {
    derive_from_master_secret(ssl, *cipher, *back_end, *hash, client, server);
  }

  HandedOver states = {};
  const bool is_client = settings.role == Role::client;
  states.read.role = settings.role;
  states.read.keys = is_client ? server : client;
  states.write.keys = is_client ? client : server;
  states.write.key_update_at = key_update_limit(client.version, *cipher);
  // Counted in records of the greatest length: so never more bytes than that.
  if (settings.rekey_bytes != 0)
    states.write.key_update_at = std::min(
        states.write.key_update_at, std::max<uint64_t>(settings.rekey_bytes / max_plaintext, 1));
  OPENSSL_cleanse(&client, sizeof client);
  OPENSSL_cleanse(&server, sizeof server);
  return states;
}

}  // namespace gaiter::engine
