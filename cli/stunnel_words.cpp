#include "cli/foreign_words.h"

#include <algorithm>

namespace gaiter::cli {
namespace {

using enum ForeignWord::Kind;

constexpr std::string_view no_engines = "OpenSSL's engines are not used, nor are keys in tokens";
constexpr std::string_view nothing_is_fetched =
    "Gaiter fetches nothing while it verifies; keep CRLs and OCSP responses in the keyring";
constexpr std::string_view ticket_keys =
    "make keys with `gaiter keyring ticket-keys rotate` and name them in session.ticket_keys";

constexpr ForeignWord words[] = {
    {"accept", converted},
    {"cafile", converted},
    {"capath", converted},
    {"cert", converted},
    {"checkemail", converted},
    {"checkhost", converted},
    {"checkip", converted},
    {"ciphers", converted},
    {"ciphersuites", converted},
    {"client", converted},
    {"connect", converted},
    {"crlfile", converted},
    {"crlpath", converted},
    {"curve", converted},
    {"curves", converted},
    {"exec", converted},
    {"execargs", converted},
    {"fips", converted},
    {"key", converted},
    {"options", converted},
    {"protocol", converted},
    {"psksecrets", converted},
    {"requirecert", converted},
    {"sessioncachesize", converted},
    {"sessioncachetimeout", converted},
    {"sessionresume", converted},
    {"sni", converted},
    {"sslversion", converted},
    {"sslversionmax", converted},
    {"sslversionmin", converted},
    {"timeoutbusy", converted},
    {"timeoutclose", converted},
    {"verify", converted},
    {"verifychain", converted},
    {"verifypeer", converted},

    {"chroot", not_needed},
    {"debug", not_needed},
    {"delay", not_needed},
    {"egd", not_needed},
    {"foreground", not_needed},
    {"iconactive", not_needed},
    {"iconerror", not_needed},
    {"iconidle", not_needed},
    {"log", not_needed},
    {"logid", not_needed},
    {"output", not_needed},
    {"pid", not_needed},
    {"protocolauthentication", not_needed},
    {"protocoldomain", not_needed},
    {"protocolheader", not_needed},
    {"protocolhost", not_needed},
    {"protocolpassword", not_needed},
    {"protocolusername", not_needed},
    {"pskidentity", not_needed},
    {"pty", not_needed},
    {"reset", not_needed},
    {"rndbytes", not_needed},
    {"rndfile", not_needed},
    {"rndoverwrite", not_needed},
    {"service", not_needed},
    {"setgid", not_needed},
    {"setuid", not_needed},
    {"socket", not_needed},
    {"stack", not_needed},
    {"syslog", not_needed},
    {"taskbar", not_needed},
    {"timeoutconnect", not_needed},
    {"transparent", not_needed},  // the program sees the peer's own address

    {"caengine", no_counterpart, no_engines},
    {"compression", no_counterpart, "TLS never compresses here: it would leak what is secret"},
    {"config", no_counterpart, "OpenSSL's own settings are not read; see policy/GRAMMAR.md"},
    {"engine", no_counterpart, no_engines},
    {"enginectrl", no_counterpart, no_engines},
    {"enginedefault", no_counterpart, no_engines},
    {"engineid", no_counterpart, no_engines},
    {"enginenum", no_counterpart, no_engines},
    {"failover", no_counterpart, "which server it connects to is the program's own choice"},
    {"ident", no_counterpart, "no RFC 1413 look-ups are made; authorise by certificate"},
    {"include", no_counterpart, "convert each file of that directory by itself"},
    {"libwrap", no_counterpart, "say which addresses may connect with `remote`, in a rule"},
    {"local", no_counterpart, "the source address is the program's own choice"},
    {"ocsp", no_counterpart, nothing_is_fetched},
    {"ocspaia", no_counterpart, nothing_is_fetched},
    {"ocspflag", no_counterpart, nothing_is_fetched},
    {"ocspnonce", no_counterpart, nothing_is_fetched},
    {"ocsprequire", no_counterpart, nothing_is_fetched},
    {"redirect", no_counterpart, "a client without a good certificate is refused"},
    {"renegotiation", no_counterpart, "TLS 1.2 renegotiation is always refused"},
    {"retry", no_counterpart, "a program connects again by itself, or not"},
    {"securitylevel", no_counterpart, "key sizes are those of `profile`"},
    {"sessiond", no_counterpart, ticket_keys},
    {"ticketkeysecret", no_counterpart, ticket_keys},
    {"ticketmacsecret", no_counterpart, ticket_keys},
    {"timeoutidle", no_counterpart, "how long a connection may idle is the program's own choice"},
};

}  // namespace

const ForeignWord* stunnel_word(std::string_view name) {
  const auto found = std::ranges::find(words, name, &ForeignWord::name);
  return found == std::end(words) ? nullptr : found;
}

}  // namespace gaiter::cli
