#include "engine/self_test.h"

#include <array>
#include <cstring>

#include "engine/aead_cache.h"

namespace gaiter::engine {
namespace {

consteval uint8_t nibble(char digit) {
  return static_cast<uint8_t>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

template <size_t size>
consteval auto hex(const char (&text)[size]) {
  std::array<uint8_t, size / 2> bytes{};
  for (size_t i = 0; i != bytes.size(); ++i) {
    bytes[i] = static_cast<uint8_t>(nibble(text[2 * i]) << 4 | nibble(text[2 * i + 1]));
  }
  return bytes;
}

// McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 4 and 16
// (the second with a longer key), as used by NIST.
constexpr auto gcm_key = hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
constexpr auto gcm_nonce = hex("cafebabefacedbaddecaf888");
constexpr auto gcm_additional = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
constexpr auto gcm_plaintext = hex(
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6"
    "b525b16aedf5aa0de657ba637b39");
constexpr auto aes_128_sealed = hex(
    "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84"
    "aa051ba30b396a0aac973d58e0915bc94fbc3221a5db94fae95ae7121a47");
constexpr auto aes_256_sealed = hex(
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b105682"
    "8838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b");

// RFC 8439, section 2.8.2.
constexpr auto chacha_key = hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
constexpr auto chacha_nonce = hex("070000004041424344454647");
constexpr auto chacha_additional = hex("50515253c0c1c2c3c4c5c6c7");
constexpr auto chacha_plaintext = hex(
    "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a204966204920"
    "636f756c64206f6666657220796f75206f6e6c79206f6e652074697020666f7220746865206675747572652c207375"
    "6e73637265656e20776f756c642062652069742e");
constexpr auto chacha_sealed = hex(
    "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da9272"
    "8b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831"
    "d7bc3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691");

// The published vectors are too short for the wide inner loops. So the same keys
// seal bytes 3, 10, 17... and a last byte 23 as well; these are the tags for
// 1,000 bytes (one call) and 3,000 (in parts), from an independent implementation.
struct Answers {
  std::array<uint8_t, 32> key;
  std::array<uint8_t, aead_nonce_length> nonce;
  std::span<const uint8_t> additional, plaintext, sealed;
  std::array<uint8_t, aead_tag_length> tag_of_1000, tag_of_3000;
};

constexpr Answers answers[] = {
    {gcm_key, gcm_nonce, gcm_additional, gcm_plaintext, aes_128_sealed,
     hex("31c443295e142028ad62a53f6841e3b8"), hex("f671eb1ad930a531a1bef5f795bce8b2")},
    {gcm_key, gcm_nonce, gcm_additional, gcm_plaintext, aes_256_sealed,
     hex("0f244c7314f586c18a93df10ff297a79"), hex("55f998c5ffe7f22cd46ed4a5ba064842")},
    {chacha_key, chacha_nonce, chacha_additional, chacha_plaintext, chacha_sealed,
     hex("4eeb9608022e746506b32e58886e3366"), hex("e783d32f481997787ddf982c6b2f0665")},
};

constexpr size_t long_length = 3000;
constexpr uint8_t last_byte = 23;

class Examination {
 public:
  Examination(const AeadBackEnd& back_end, Cipher cipher)
      : back_end_(back_end), answers_(answers[static_cast<size_t>(cipher)]), key_{} {
    key_.id = next_aead_key_id();
    key_.cipher = cipher;
    std::memcpy(key_.key, answers_.key.data(), key_length(cipher));
    std::memcpy(nonce_, answers_.nonce.data(), sizeof nonce_);
  }
  ~Examination() { back_end_.forget(key_); }
  Examination(const Examination&) = delete;
  Examination& operator=(const Examination&) = delete;

  bool passed() {
    return published_vector() && long_record(1000, answers_.tag_of_1000) &&
           long_record(long_length, answers_.tag_of_3000);
  }

 private:
  // In place, opened into pieces.
  bool published_vector() {
    const size_t length = answers_.plaintext.size();
    std::memcpy(text_, answers_.plaintext.data(), length);
    const iovec in_place = {text_, length};
    seal({&in_place, 1}, length, {});
    if (std::memcmp(text_, answers_.sealed.data(), answers_.sealed.size()) != 0) return false;

    const iovec pieces[] = {{plain_, 5}, {plain_ + 5, length - 6}};
    if (!open({pieces, 2}, length, length - 1)) return false;
    return std::memcmp(plain_, answers_.plaintext.data(), length - 1) == 0 &&
           text_[length - 1] == answers_.plaintext[length - 1];
  }

  // From and into pieces of all kinds; then with a wrong tag.
  bool long_record(size_t length, std::span<const uint8_t, aead_tag_length> tag) {
    const size_t body = length - 1;
    for (size_t i = 0; i != body; ++i) plain_[i] = static_cast<uint8_t>(7 * i + 3);
    const iovec pieces[] = {{plain_, 1},
                            {plain_ + 1, 0},
                            {plain_ + 1, 600},
                            {plain_ + 601, 17},
                            {plain_ + 618, body - 618}};
    seal(pieces, body, {&last_byte, 1});
    if (std::memcmp(text_ + length, tag.data(), tag.size()) != 0) return false;

    std::memset(plain_, 0, sizeof plain_);
    if (!open(pieces, length, body) || text_[body] != last_byte) return false;
    for (size_t i = 0; i != body; ++i) {
      if (plain_[i] != static_cast<uint8_t>(7 * i + 3)) return false;
    }

    seal(pieces, body, {&last_byte, 1});
    text_[length + aead_tag_length - 1] ^= 0x80;
    if (open(pieces, length, body)) return false;
    for (size_t i = 0; i != body; ++i) {
      if (text_[i] != 0) return false;
    }
    return true;
  }

  void seal(std::span<const iovec> pieces, size_t length, std::span<const uint8_t> trailer) {
    IovCursor from(pieces.data(), pieces.size());
    back_end_.seal(key_, nonce_, answers_.additional, from, length, trailer, text_);
  }
  bool open(std::span<const iovec> pieces, size_t length, size_t sink_length) {
    IovCursor sink(pieces.data(), pieces.size());
    return back_end_.open(key_, nonce_, answers_.additional, {text_, length + aead_tag_length},
                          sink, sink_length);
  }

  const AeadBackEnd& back_end_;
  const Answers& answers_;
  AeadKey key_;
  Nonce nonce_;
  uint8_t plain_[long_length]{};
  uint8_t text_[long_length + aead_tag_length]{};
};

}  // namespace

bool self_test(const AeadBackEnd& back_end, Cipher cipher) {
  return Examination(back_end, cipher).passed();
}

}  // namespace gaiter::engine
