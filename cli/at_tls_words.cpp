#include <algorithm>

#include "cli/foreign_words.h"

namespace gaiter::cli {
namespace {

using enum ForeignWord::Kind;

constexpr std::string_view nothing_is_fetched =
    "Gaiter fetches nothing while it verifies; keep CRLs and OCSP responses in the keyring";
constexpr std::string_view always_rfc_5280 = "certificates are always validated by RFC 5280";

constexpr ForeignWord words[] = {
    {"applicationcontrolled", converted},
    {"certificatelabel", converted},
    {"clientauthtype", converted},
    {"clientecurves", converted},
    {"clienthandshakesni", converted},
    {"clienthandshakesnilist", converted},
    {"clientkeysharegroups", converted},
    {"fips140", converted},
    {"gsk_crl_security_level", converted},
    {"gsk_session_ticket_server_count", converted},
    {"gsk_session_ticket_server_enable", converted},
    {"gsk_v3_session_timeout", converted},
    {"gsk_v3_sidcache_size", converted},
    {"handshakerole", converted},
    {"handshaketimeout", converted},
    {"hostreferenceidcn", converted},
    {"hostreferenceiddns", converted},
    {"keyring", converted},
    {"resetciphertimer", converted},
    {"revocationsecuritylevel", converted},
    {"servercertificatelabel", converted},
    {"serverhandshakesni", converted},
    {"serverhandshakesnilist", converted},
    {"serverhandshakesnimatch", converted},
    {"serverkeysharegroups", converted},
    {"signaturepairs", converted},
    {"sslv2", converted},
    {"sslv3", converted},
    {"tlsv1", converted},
    {"tlsv1.1", converted},
    {"tlsv1.2", converted},
    {"tlsv1.3", converted},
    {"ttlsenabled", converted},
    {"v3ciphersuites", converted},
    {"v3ciphersuites4char", converted},

    {"clientextendedmastersecret", not_needed},  // always used
    {"clienthandshakesnimatch", not_needed},     // a client verifies the name that it sends
    {"environmentuserinstance", not_needed},     // a changed keyring is noticed
    {"groupuserinstance", not_needed},
    {"hostrefwildcardvalidation", not_needed},  // RFC 6125
    {"middleboxcompatmode", not_needed},
    {"renegotiation", not_needed},  // always refused
    {"renegotiationcertcheck", not_needed},
    {"renegotiationindicator", not_needed},
    {"serverephemeraldhgroupsize", not_needed},  // no finite-field groups
    {"serverextendedmastersecret", not_needed},
    {"trace", not_needed},  // GAITER_LOG
    {"v2ciphersuites", not_needed},

    {"certvalidationmode", no_counterpart, always_rfc_5280},
    {"clientauth_certvalidationmode", no_counterpart, always_rfc_5280},
    {"clientmaxsslfragment", no_counterpart, "records have the size that TLS gives them"},
    {"ctracecleartext", no_counterpart, "what is sent is never traced"},
    {"envfile", no_counterpart, "everything is said in the policy"},
    {"gsk_session_ticket_client_enable", no_counterpart, "see session.cache"},
    {"gsk_session_ticket_server_timeout", no_counterpart, "see session.lifetime"},
    {"gsk_sysplex_sidcache", no_counterpart,
     "hosts share ticket keys: `gaiter keyring ticket-keys rotate` and session.ticket_keys"},
    {"httpcdpenable", no_counterpart, nothing_is_fetched},
    {"httpcdpproxyservername", no_counterpart, nothing_is_fetched},
    {"keyringpw", no_counterpart, "keys are protected by their files' modes"},
    {"keyringstashfile", no_counterpart, "keys are protected by their files' modes"},
    {"ldapserver", no_counterpart, nothing_is_fetched},
    {"gsk_crl_cache_timeout", no_counterpart, nothing_is_fetched},
    {"gsk_ldap_server", no_counterpart, nothing_is_fetched},
    {"ocspaiaenable", no_counterpart, nothing_is_fetched},
    {"ocspurl", no_counterpart, nothing_is_fetched},
    {"peermindhkeysize", no_counterpart, "key sizes are those of `profile`"},
    {"peermindsakeysize", no_counterpart, "key sizes are those of `profile`"},
    {"peermineckeysize", no_counterpart, "key sizes are those of `profile`"},
    {"peerminrsakeysize", no_counterpart, "key sizes are those of `profile`"},
    {"secondarymap", no_counterpart,
     "write a rule for the ports of the connections that belong to the first"},
    {"serverscsv", no_counterpart, "TLS 1.2 is the oldest version, there is nothing to fall to"},
    {"suitebprofile", no_counterpart, "see `suites`, `groups` and `signatures`"},
    {"sysplexsessioncache", no_counterpart,
     "hosts share ticket keys: `gaiter keyring ticket-keys rotate` and session.ticket_keys"},
    {"truncatedhmac", no_counterpart, "it belongs to suites that are not spoken"},
};

}  // namespace

const ForeignWord* at_tls_word(std::string_view name) {
  const auto found = std::ranges::find(words, name, &ForeignWord::name);
  return found == std::end(words) ? nullptr : found;
}

}  // namespace gaiter::cli
