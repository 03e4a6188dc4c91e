#include "keyring/subject_names.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "keyring/errors.h"
#include "keyring/x509_text.h"

namespace gaiter::keyring {
namespace {

using NamePtr = std::unique_ptr<GENERAL_NAME, OpenSslDeleter<GENERAL_NAME_free>>;
using StringPtr = std::unique_ptr<ASN1_STRING, OpenSslDeleter<ASN1_STRING_free>>;

std::unexpected<Error> refuse(const std::string& why) { return fail(Error::Kind::invalid, why); }

std::unexpected<Error> out_of_memory() {
  return fail(Error::Kind::system, "cannot make a name: " + take_openssl_reason());
}

std::string_view bytes_of(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<size_t>(ASN1_STRING_length(string))};
}

bool is_plain(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

// RFC 3986 3: a scheme and what follows it. RFC 5280 forbids relative ones.
bool is_uri(std::string_view text) {
  const size_t colon = text.find(':');
  return is_plain(text) && colon != text.npos && colon > 0 && colon + 1 < text.size() &&
         std::ranges::all_of(text.substr(0, colon), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '+' || c == '-' || c == '.';
         });
}

bool is_email(std::string_view text) {
  const size_t at = text.find('@');
  return is_plain(text) && at != text.npos && at > 0 && is_dns_name(text.substr(at + 1));
}

NamePtr make_name(int name_type, int string_type, std::string_view data) {
  NamePtr name(GENERAL_NAME_new());
  StringPtr value(ASN1_STRING_type_new(string_type));
  if (name == nullptr || value == nullptr ||
      ASN1_STRING_set(value.get(), data.data(), static_cast<int>(data.size())) != 1) {
    return nullptr;
  }
  GENERAL_NAME_set0_value(name.get(), name_type, value.release());
  return name;
}

std::string_view view(const std::vector<unsigned char>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string address_text(std::string_view bytes) {
  char text[INET6_ADDRSTRLEN] = "";
  if (bytes.size() != 4 && bytes.size() != 16) return "malformed";
  inet_ntop(bytes.size() == 4 ? AF_INET : AF_INET6, bytes.data(), text, sizeof text);
  return text;
}

// An address and a mask of as many bytes, as a constraint holds them; empty if
// `text` is neither ADDRESS/BITS nor an address.
std::vector<unsigned char> network_bytes(const std::string& text) {
  const size_t slash = text.find('/');
  std::vector<unsigned char> bytes = address_bytes(text.substr(0, slash));
  const size_t width = bytes.size();
  if (width == 0) return {};
  size_t bits = 8 * width;
  if (slash != text.npos) {
    const char* const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + slash + 1, end, bits);
    if (parsed.ec != std::errc() || parsed.ptr != end || bits > 8 * width) return {};
  }
  for (size_t i = 0; i < width; ++i) {
    const size_t here = std::min<size_t>(bits > 8 * i ? bits - 8 * i : 0, 8);
    const auto mask = static_cast<unsigned char>(0xff00 >> here);
    bytes[i] &= mask;
    bytes.push_back(mask);
  }
  return bytes;
}

// Of a constraint on DNS names, hosts of URIs and e-mail: "example.org" or
// ".example.org", which leaves out the name itself.
bool is_domain(std::string_view text) {
  if (text.starts_with('.')) text.remove_prefix(1);
  return is_dns_name(text) && !text.starts_with('*');
}

Result<NamePtr> constraint(const std::string& text) {
  const size_t colon = text.find(':');
  std::string kind = text.substr(0, colon);
  std::string value = colon != text.npos ? text.substr(colon + 1) : text;
  if (kind != "dns" && kind != "ip" && kind != "email" && kind != "uri") {
    value = text;
    kind = text.contains('/') || !network_bytes(text).empty() ? "ip" : "dns";
  }
  NamePtr name;
  if (kind == "ip") {
    const auto bytes = network_bytes(value);
    if (bytes.empty()) {
      return refuse("\"" + value + "\" is no network; right would be: ip:10.0.0.0/8");
    }
    name = make_name(GEN_IPADD, V_ASN1_OCTET_STRING, view(bytes));
  } else if (!is_domain(value)) {
    return refuse("\"" + value + "\" is no domain; right would be: " + kind + ":example.org");
  } else {
    const int type = kind == "dns" ? GEN_DNS : kind == "email" ? GEN_EMAIL : GEN_URI;
    name = make_name(type, V_ASN1_IA5STRING, value);
  }
  if (name == nullptr) return out_of_memory();
  return name;
}

Result<void> add_constraints(STACK_OF(GENERAL_SUBTREE) * *trees,
                             const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    auto name = constraint(text);
    if (!name) return pass_on(name);
    if (*trees == nullptr) *trees = sk_GENERAL_SUBTREE_new_null();
    GENERAL_SUBTREE* const tree = GENERAL_SUBTREE_new();
    if (*trees == nullptr || tree == nullptr || sk_GENERAL_SUBTREE_push(*trees, tree) <= 0) {
      GENERAL_SUBTREE_free(tree);
      return out_of_memory();
    }
    GENERAL_NAME_free(tree->base);
    tree->base = name->release();
  }
  return {};
}

constexpr const char* unshown = "other";

std::string object_text(const ASN1_OBJECT* object) {
  char text[128] = "";
  return OBJ_obj2txt(text, sizeof text, object, 1) > 0 ? text : "?";
}

// Of those whose value is a string, as a user's principal name.
std::string other_name_text(const OTHERNAME& name) {
  const int type = name.value != nullptr ? name.value->type : V_ASN1_NULL;
  if (type != V_ASN1_UTF8STRING && type != V_ASN1_IA5STRING && type != V_ASN1_PRINTABLESTRING)
    return unshown;
  return "other:" + object_text(name.type_id) + "=" +
         std::string(bytes_of(name.value->value.asn1_string));
}

bool is_good(const GENERAL_NAME* name) {
  switch (name->type) {
    case GEN_DNS:
      return is_dns_name(bytes_of(name->d.dNSName));
    case GEN_IPADD: {
      const int length = ASN1_STRING_length(name->d.iPAddress);
      return length == 4 || length == 16;
    }
    case GEN_URI:
      return is_uri(bytes_of(name->d.uniformResourceIdentifier));
    case GEN_EMAIL:
      return is_email(bytes_of(name->d.rfc822Name));
    default:
      return true;
  }
}

}  // namespace

bool is_dns_name(std::string_view name) {
  if (name.starts_with("*.")) name.remove_prefix(2);
  if (name.empty() || name.size() > 253) return false;
  size_t label = 0;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_';
    if (c == '.' ? label == 0 : !plain || label == 63) return false;
    label = c == '.' ? 0 : label + 1;
  }
  return label != 0;
}

const char* why_unacceptable(std::string_view name) {
  if (!address_bytes(std::string(name)).empty())
    return "is an address, which clients look for among the IP addresses of a certificate (IP:, or "
           "--ip)";
  if (name.contains('_')) return "has an underscore, which names of hosts do not have";
  if (!name.starts_with("*.")) return nullptr;
  name.remove_prefix(2);
  if (!name.contains('.'))
    return "has a * with one label behind it, which clients do not take for any name; it needs "
           "two, "
           "as in *.apps.internal";
  if (name.starts_with('-') || name.ends_with('-') || name.contains("-.") || name.contains(".-"))
    return "has a label that begins or ends with a hyphen behind its *";
  return nullptr;
}

std::vector<unsigned char> address_bytes(const std::string& text) {
  std::vector<unsigned char> bytes(16);
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) return bytes;
  bytes.resize(4);
  if (inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) return bytes;
  return {};
}

Result<NamesPtr> general_names(const SubjectNames& names) {
  if (names.empty()) return NamesPtr();
  NamesPtr made(sk_GENERAL_NAME_new_null());
  const auto add = [&](int name_type, int string_type, std::string_view data) -> Result<void> {
    NamePtr name = make_name(name_type, string_type, data);
    if (made == nullptr || name == nullptr || sk_GENERAL_NAME_push(made.get(), name.get()) <= 0) {
      return out_of_memory();
    }
    static_cast<void>(name.release());
    return {};
  };
  const auto add_all = [&](const std::vector<std::string>& texts, int type,
                           bool (*good)(std::string_view), const char* what) -> Result<void> {
    for (const std::string& text : texts) {
      if (!good(text)) return refuse("\"" + text + "\" is no " + what);
      if (auto added = add(type, V_ASN1_IA5STRING, text); !added) return added;
    }
    return {};
  };
  auto added = add_all(names.dns, GEN_DNS, is_dns_name, "DNS name");
  for (const std::string& text : names.dns) {
    if (const char* const why = why_unacceptable(text); added && why != nullptr)
      return refuse("\"" + text + "\" " + why);
  }
  for (const std::string& text : names.ip) {
    if (!added) break;
    const auto bytes = address_bytes(text);
    if (bytes.empty()) return refuse("\"" + text + "\" is no IP address");
    added = add(GEN_IPADD, V_ASN1_OCTET_STRING, view(bytes));
  }
  if (added) added = add_all(names.uris, GEN_URI, is_uri, "URI; right would be: spiffe://prod/web");
  if (added) added = add_all(names.emails, GEN_EMAIL, is_email, "e-mail address");
  if (!added) return pass_on(added);
  return made;
}

Result<void> check_names(const GENERAL_NAMES* names, const std::string& whose) {
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    if (!is_good(sk_GENERAL_NAME_value(names, i))) {
      return refuse(whose + " holds a malformed name, number " + std::to_string(i + 1) +
                    " of its subject alternative names");
    }
  }
  return {};
}

std::string alternative_name_text(const GENERAL_NAME* name) {
  switch (name->type) {
    case GEN_DNS:
      return "dns:" + std::string(bytes_of(name->d.dNSName));
    case GEN_IPADD:
      return "ip:" + address_text(bytes_of(name->d.iPAddress));
    case GEN_URI:
      return "uri:" + std::string(bytes_of(name->d.uniformResourceIdentifier));
    case GEN_EMAIL:
      return "email:" + std::string(bytes_of(name->d.rfc822Name));
    case GEN_DIRNAME:
      return "directory:" + name_text(name->d.directoryName);
    case GEN_RID:
      return "registered:" + object_text(name->d.registeredID);
    case GEN_OTHERNAME:
      return other_name_text(*name->d.otherName);
    default:
      return unshown;
  }
}

bool can_be_shown(const GENERAL_NAME* name) {
  const std::string text = alternative_name_text(name);
  return text != unshown && base::is_visible(text);
}

std::vector<std::string> alternative_name_texts(const GENERAL_NAMES* names) {
  std::vector<std::string> texts;
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    texts.push_back(alternative_name_text(sk_GENERAL_NAME_value(names, i)));
  }
  return texts;
}

Result<NameConstraintsPtr> name_constraints(const std::vector<std::string>& permitted,
                                            const std::vector<std::string>& excluded) {
  if (permitted.empty() && excluded.empty()) return NameConstraintsPtr();
  NameConstraintsPtr made(NAME_CONSTRAINTS_new());
  if (made == nullptr) return out_of_memory();
  if (auto added = add_constraints(&made->permittedSubtrees, permitted); !added) {
    return pass_on(added);
  }
  if (auto added = add_constraints(&made->excludedSubtrees, excluded); !added) {
    return pass_on(added);
  }
  return made;
}

}  // namespace gaiter::keyring
