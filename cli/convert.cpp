#include "cli/convert.h"

#include "cli/certificate_file.h"
#include "cli/output.h"
#include "cli/text.h"

namespace gaiter::cli {
namespace {

// What the first line that is no comment looks like; "" if like neither. AT-TLS
// writes "TTLSRule NAME", stunnel "[service]" or "option = value".
std::string_view format_of(std::string_view text) {
  for (const std::string_view whole : lines_of(text)) {
    const std::string_view line = trimmed(whole);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[' || line.find('=') != std::string_view::npos) return "stunnel";
    const std::string word =
        lower_case(split(line, " \t{").empty() ? line : split(line, " \t{")[0]);
    const bool statement = word.starts_with("ttls") || word.starts_with("ipaddr") ||
                           word.starts_with("port") || word == "commonttlsconfig" ||
                           word == "tcpimage" || word == "loglevel";
    return statement ? "at-tls" : "";
  }
  return "";
}

}  // namespace

int convert(const ConvertOptions& options) {
  const auto text = read_file(options.file);
  if (!text) {
    say(text.error());
    return exit_refused;
  }
  const std::string_view from = options.from.empty() ? format_of(*text) : options.from;
  if (from.empty()) {
    say(printable(options.file) +
        ": looks like neither stunnel.conf nor an AT-TLS policy; say which with --from");
    return exit_refused;
  }
  const auto conversion = from == "stunnel" ? convert_stunnel(*text, options.file)
                                            : convert_at_tls(*text, options.file);
  if (!conversion) {
    say(conversion.error().text());
    return exit_refused;
  }
  for (const Conversion::Note& note : conversion->notes())
    say(printable(policy::Error{options.file, note.line, note.text}.text()));
  print(conversion->policy());
  return conversion->notes().empty() ? exit_ok : exit_attention;
}

}  // namespace gaiter::cli
