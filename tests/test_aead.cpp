// Every back end, and every set of instructions that this CPU has, against known
// answers and against a plain EVP call: whole, scattered, in place, tampered with.
#include "engine/aead.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "tests/aead_fixture.h"

namespace gaiter::engine {
namespace {

// Memory with guards on both sides, since sanitizers do not see into assembler.
class Guarded {
 public:
  explicit Guarded(size_t length) : length_(length), bytes_(length + 2 * guard, 0xa5) {}
  explicit Guarded(const Data& content) : Guarded(content.size()) {
    std::copy(content.begin(), content.end(), data());
  }
  uint8_t* data() { return bytes_.data() + guard; }
  size_t size() const { return length_; }
  Data content() { return Data(data(), data() + length_); }
  void assert_intact() const {
    const auto is_guard = [](uint8_t byte) { return byte == 0xa5; };
    assert_true(std::all_of(bytes_.begin(), bytes_.begin() + guard, is_guard));
    assert_true(std::all_of(bytes_.end() - guard, bytes_.end(), is_guard));
  }

 private:
  static constexpr int guard = 128;
  size_t length_;
  Data bytes_;
};

// `length` bytes in pieces of their own, of sizes up to `longest`.
struct Pieces {
  Pieces(size_t length, size_t longest) {
    for (size_t left = length; left != 0;) {
      const size_t piece = std::min(left, roll(longest + 1));
      memory.emplace_back(piece);
      left -= piece;
    }
    for (Guarded& piece : memory) iov.push_back({piece.data(), piece.size()});
  }
  void set(const Data& content) {
    IovCursor(iov.data(), iov.size()).copy_in(content.data(), content.size());
  }
  Data get() {
    Data all;
    for (Guarded& piece : memory) {
      piece.assert_intact();
      const Data content = piece.content();
      all.insert(all.end(), content.begin(), content.end());
    }
    return all;
  }
  IovCursor cursor() const { return {iov.data(), iov.size()}; }

  std::vector<Guarded> memory;
  std::vector<iovec> iov;
};

bool all_zero(const uint8_t* data, size_t length) {
  return std::all_of(data, data + length, [](uint8_t byte) { return byte == 0; });
}

// Lengths where something changes: blocks, the wide loops, copying or not.
size_t interesting_length() {
  static constexpr size_t edges[] = {0,   1,    15,   16,   17,   255,  256,  257,   767,  768,
                                     769, 1022, 1023, 1024, 1025, 1280, 4096, 16383, 16384};
  return roll(3) == 0 ? edges[roll(std::size(edges))] : roll(roll(4) == 0 ? 17001 : 2500);
}

Data hex(const char* text) {
  Data out;
  for (; *text != '\0'; text += 2) {
    out.push_back(static_cast<uint8_t>(std::stoi(std::string(text, 2), nullptr, 16)));
  }
  return out;
}

void gives_the_published_answers(void**) {
  struct Vector {
    Cipher cipher;
    const char *key, *nonce, *additional, *plain, *sealed;
  };
  static constexpr Vector vectors[] = {
      // McGrew and Viega, test cases 1, 3, 13, 15
      {Cipher::aes_128_gcm, "00000000000000000000000000000000", "000000000000000000000000", "", "",
       "58e2fccefa7e3061367f1d57a4e7455a"},
      {Cipher::aes_128_gcm, "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "",
       "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449"
       "a6b525b16aedf5aa0de657ba637b391aafd255",
       "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac"
       "84aa051ba30b396a0aac973d58e091473f59854d5c2af327cd64a62cf35abd2ba6fab4"},
      {Cipher::aes_256_gcm, "0000000000000000000000000000000000000000000000000000000000000000",
       "000000000000000000000000", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
      {Cipher::aes_256_gcm, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
       "cafebabefacedbaddecaf888", "",
       "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449"
       "a6b525b16aedf5aa0de657ba637b391aafd255",
       "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056"
       "828838c5f61e6393ba7a0abcc9f662898015adb094dac5d93471bdec1a502270e3cc6c"},
      // RFC 8439, appendix A.5
      {Cipher::chacha20_poly1305,
       "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0",
       "000000000102030405060708", "f33388860000000000004e91",
       "496e7465726e65742d4472616674732061726520647261667420646f63756d656e74732076616c696420666f72"
       "2061206d6178696d756d206f6620736978206d6f6e74687320616e64206d617920626520757064617465642c20"
       "7265706c616365642c206f72206f62736f6c65746564206279206f7468657220646f63756d656e747320617420"
       "616e792074696d652e20497420697320696e617070726f70726961746520746f2075736520496e7465726e6574"
       "2d447261667473206173207265666572656e6365206d6174657269616c206f7220746f206369746520746865"
       "6d206f74686572207468616e206173202fe2809c776f726b20696e2070726f67726573732e2fe2809d",
       "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e38"
       "2d26b0bdb7b73c321b0100d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f9"
       "82b1ff37c8559797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4b9166c767b804d"
       "46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523eaf4534d7f83fa1155b0047718cbc546a0d072b04"
       "b3564eea1b422273f548271a0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a1049"
       "e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29a6ad5cb4022b02709beead9d6789"
       "0cbb22392336fea1851f38"},
  };
  on_all_code([](Cipher cipher, BackEnd back_end) {
    for (const Vector& vector : vectors) {
      if (vector.cipher != cipher) continue;
      AeadKey key{next_aead_key_id(), cipher, back_end, {}};
      const Data raw_key = hex(vector.key), raw_nonce = hex(vector.nonce);
      std::copy(raw_key.begin(), raw_key.end(), key.key);
      Nonce nonce;
      std::copy(raw_nonce.begin(), raw_nonce.end(), nonce);
      const Data additional = hex(vector.additional), plain = hex(vector.plain);

      Data sealed = seal_flat(key, nonce, additional, plain);
      assert_true(sealed == hex(vector.sealed));
      assert_true(open_flat(key, nonce, additional, sealed));
      assert_memory_equal(sealed.data(), plain.data(), plain.size());
    }
  });
}

void seals_alike_whole_and_scattered(void**) {
  on_all_code([](Cipher cipher, BackEnd back_end) {
    for (int round = 0; round != 120; ++round) {
      const AeadKey key = random_key(cipher, back_end);
      Nonce nonce;
      for (uint8_t& byte : nonce) byte = static_cast<uint8_t>(dice());
      const Data additional = random_data(std::array<size_t, 4>{5, 13, 0, roll(40)}[roll(4)]);
      const Data plain = random_data(interesting_length());
      const Data trailer = random_data(roll(2));

      Data whole = plain;
      whole.insert(whole.end(), trailer.begin(), trailer.end());
      const Data right = reference(key, nonce, additional, whole);

      Pieces pieces(plain.size(), std::array<size_t, 5>{17000, 17000, 3000, 600, 30}[roll(5)]);
      pieces.set(plain);
      Guarded out(right.size());
      IovCursor from = pieces.cursor();
      aead_seal(key, nonce, additional, from, plain.size(), trailer, out.data());
      out.assert_intact();
      assert_true(out.content() == right);
      assert_true(from.empty());
      assert_true(pieces.get() == plain);
    }
  });
}

// Any of the pieces may lie exactly where its ciphertext goes.
void seals_in_place(void**) {
  on_all_code([](Cipher cipher, BackEnd back_end) {
    for (int round = 0; round != 60; ++round) {
      const AeadKey key = random_key(cipher, back_end);
      const Nonce nonce = {9, 8, 7};
      const Data additional = random_data(5), trailer = random_data(roll(2));
      Data whole = random_data(interesting_length());
      const size_t length = whole.size();
      Guarded out(length + trailer.size() + aead_tag_length);

      std::vector<Data> elsewhere;
      std::vector<iovec> iov;
      const size_t longest = std::array<size_t, 3>{17000, 2000, 300}[roll(3)];
      for (size_t at = 0; at != length;) {
        const size_t piece = std::min(length - at, roll(longest) + 1);
        const auto from = whole.begin() + static_cast<ptrdiff_t>(at);
        const auto to = from + static_cast<ptrdiff_t>(piece);
        if (roll(2) == 0) {
          std::copy(from, to, out.data() + at);
          iov.push_back({out.data() + at, piece});
        } else {
          elsewhere.emplace_back(from, to);
          iov.push_back({elsewhere.back().data(), piece});
        }
        at += piece;
      }
      IovCursor cursor(iov.data(), iov.size());
      aead_seal(key, nonce, additional, cursor, length, trailer, out.data());
      out.assert_intact();
      whole.insert(whole.end(), trailer.begin(), trailer.end());
      assert_true(out.content() == reference(key, nonce, additional, whole));
    }
  });
}

void opens_into_any_sink(void**) {
  on_all_code([](Cipher cipher, BackEnd back_end) {
    for (int round = 0; round != 120; ++round) {
      const AeadKey key = random_key(cipher, back_end);
      const Nonce nonce = {1, 2, 3};
      const Data additional = random_data(13);
      const Data plain = random_data(interesting_length());
      Guarded text(reference(key, nonce, additional, plain));

      const size_t n = plain.size();
      const size_t sink_length =
          std::min(n, std::array<size_t, 5>{0, n, n - std::min<size_t>(n, 1), roll(n + 1),
                                            n - std::min(n, roll(40))}[roll(5)]);
      Pieces sink(sink_length + roll(100),
                  std::array<size_t, 5>{17000, 17000, 3000, 600, 30}[roll(5)]);
      IovCursor cursor = sink.cursor();
      const size_t room = cursor.remaining();
      assert_true(
          aead_open(key, nonce, additional, {text.data(), text.size()}, cursor, sink_length));
      text.assert_intact();
      assert_int_equal(cursor.remaining(), room - sink_length);
      const Data delivered = sink.get();
      assert_memory_equal(delivered.data(), plain.data(), sink_length);
      assert_memory_equal(text.data() + sink_length, plain.data() + sink_length, n - sink_length);
      // Nothing was written behind it.
      assert_true(std::all_of(delivered.begin() + static_cast<ptrdiff_t>(sink_length),
                              delivered.end(), [](uint8_t byte) { return byte == 0xa5; }));
    }
  });
}

void refuses_and_wipes_what_was_tampered_with(void**) {
  on_all_code([](Cipher cipher, BackEnd back_end) {
    for (int round = 0; round != 100; ++round) {
      AeadKey key = random_key(cipher, back_end);
      Nonce nonce = {4, 5, 6};
      Data additional = random_data(5);
      const Data plain = random_data(interesting_length() + 1);
      Guarded text(reference(key, nonce, additional, plain));
      const auto bit = static_cast<uint8_t>(1 << roll(8));
      switch (round % 5) {
        case 0:
          text.data()[plain.size() + roll(aead_tag_length)] ^= bit;
          break;
        case 1:
          text.data()[roll(plain.size())] ^= bit;
          break;
        case 2:
          additional[roll(additional.size())] ^= bit;
          break;
        case 3:
          nonce[roll(sizeof nonce)] ^= bit;
          break;
        case 4:
          key.key[roll(key_length(cipher))] ^= bit;
          break;
      }
      const size_t sink_length = roll(plain.size() + 1);
      Pieces sink(sink_length, std::array<size_t, 3>{17000, 2000, 30}[roll(3)]);
      IovCursor cursor = sink.cursor();
      assert_false(
          aead_open(key, nonce, additional, {text.data(), text.size()}, cursor, sink_length));
      text.assert_intact();
      assert_true(all_zero(text.data(), plain.size()));
      // Of the sink, what was written was wiped and the rest not touched.
      for (const uint8_t byte : sink.get()) assert_true(byte == 0 || byte == 0xa5);
    }
    const AeadKey key = random_key(cipher, back_end);
    Data shorter_than_a_tag(aead_tag_length - 1);
    assert_false(open_flat(key, {}, {}, shorter_than_a_tag));
  });
}

// A process that inherits a connection may lack the back end that its key names.
void goes_on_with_another_back_end(void**) {
  for (const Cipher cipher : ciphers) {
    AeadKey key = random_key(cipher, BackEnd::ipsec_mb);
    const Data plain = random_data(100);
    const Data sealed = seal_flat(key, {}, {}, plain);
    assert_true(sealed == reference(key, {}, {}, plain));
    key.back_end = BackEnd::openssl;
    Data text = sealed;
    assert_true(open_flat(key, {}, {}, text));
  }
}

void says_what_it_is(void**) {
  for (const Cipher cipher : ciphers) {
    assert_string_equal(name(cipher), evp_name(cipher));
    assert_true(available(best_back_end(cipher), cipher));
  }
  assert_string_equal(describe(BackEnd::openssl), "openssl");
#ifdef GAITER_IPSEC_MB
  assert_memory_equal(describe(BackEnd::ipsec_mb), "ipsec-mb", 8);
  assert_true(std::strlen(ipsec_mb_version()) > 0);
#endif
}

}  // namespace
}  // namespace gaiter::engine

int main() {
  using namespace gaiter::engine;
  const CMUnitTest tests[] = {
      cmocka_unit_test(gives_the_published_answers),
      cmocka_unit_test(seals_alike_whole_and_scattered),
      cmocka_unit_test(seals_in_place),
      cmocka_unit_test(opens_into_any_sink),
      cmocka_unit_test(refuses_and_wipes_what_was_tampered_with),
      cmocka_unit_test(goes_on_with_another_back_end),
      cmocka_unit_test(says_what_it_is),
  };
  return cmocka_run_group_tests_name("aead", tests, nullptr, nullptr);
}
