#include "cli/stunnel_file.h"

#include "cli/text.h"

namespace gaiter::cli {

std::expected<StunnelFile, policy::Error> parse_stunnel(std::string_view text,
                                                        const std::string& name) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  StunnelFile file;
  int number = 0;
  const auto wrong = [&](std::string message) {
    return std::unexpected(policy::Error{name, number, std::move(message)});
  };
  for (std::string_view line : lines_of(text)) {
    number++;
    line = trimmed(line);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      if (line.back() != ']') return wrong("expected ] after the service's name");
      const std::string_view service = trimmed(line.substr(1, line.size() - 2));
      if (service.empty()) return wrong("expected a service's name between [ and ]");
      file.services.push_back({std::string(service), number, {}});
      continue;
    }
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos)
      return wrong("expected OPTION = VALUE, [SERVICE], or a comment");
    auto& options = file.services.empty() ? file.global : file.services.back().options;
    const std::string_view option = trimmed(line.substr(0, equals));
    options.push_back({lower_case(option), std::string(option),
                       std::string(trimmed(line.substr(equals + 1))), number});
  }
  return file;
}

}  // namespace gaiter::cli
