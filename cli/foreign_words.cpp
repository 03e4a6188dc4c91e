#include "cli/foreign_words.h"

#include "cli/text.h"

namespace gaiter::cli {

void note_word(Conversion& conversion, const ForeignWord* word, int line, std::string_view name,
               std::string_view value) {
  if (word == nullptr) return conversion.note(line, std::string(name) + ": not known");
  const std::string choice = lower_case(value);
  if (word->kind == ForeignWord::Kind::not_needed) {
    conversion.not_needed(line, name);
  } else if (word->kind == ForeignWord::Kind::no_counterpart && choice != "no" && choice != "off" &&
             choice != "0" && choice != "none") {
    conversion.note(line, std::string(name) + ": " + std::string(word->advice));
  }
}

}  // namespace gaiter::cli
