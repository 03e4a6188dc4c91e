// What becomes of each word of another program's configuration.
#pragma once

#include <string>
#include <string_view>

#include "cli/conversion.h"

namespace gaiter::cli {

struct ForeignWord {
  enum class Kind {
    converted,       // by convert_*.cpp
    not_needed,      // about the other program itself, or always so with Gaiter
    no_counterpart,  // `advice` says what to do instead
  };
  std::string_view name;  // in lower case
  Kind kind;
  std::string_view advice = {};
};

// An option of stunnel.conf(5), a parameter of AT-TLS; nullptr if there is none of
// this name, which is in lower case.
const ForeignWord* stunnel_word(std::string_view name);
const ForeignWord* at_tls_word(std::string_view name);

// Notes what is not converted. A `value` of "no" or "off" is what Gaiter does anyway.
void note_word(Conversion& conversion, const ForeignWord* word, int line, std::string_view name,
               std::string_view value);

}  // namespace gaiter::cli
