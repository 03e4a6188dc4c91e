// {fmt}'s own code, compiled once: Debian has it as a shared library only, and with
// FMT_HEADER_ONLY every file of the command takes three times as long to compile.
#include <fmt/format-inl.h>

template fmt::detail::thousands_sep_result<char> fmt::detail::thousands_sep_impl<char>(
    fmt::detail::locale_ref);
template char fmt::detail::decimal_point_impl<char>(fmt::detail::locale_ref);
