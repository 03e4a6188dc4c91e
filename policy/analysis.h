// What can be said of a policy's rules without a connection.
#pragma once

#include <vector>

#include "policy/rule.h"

namespace gaiter::policy {

// A rule that no connection can reach, since earlier rules take them all.
struct Unreachable {
  const Rule* rule;
  std::vector<const Rule*> shadowed_by;  // each takes a part of what is left to the rule
};

// Rules that can never match, in their order; pointers are into `rules`, which are
// in the order in which they are tried.
//
// What is found is certain. Not found is a rule that is shadowed only because of
// what patterns or names have in common: `program` and `unit` of an earlier rule
// count if they are the same patterns, or match the later rule's where that has no
// * or ?; `user` and `group` count as numbers; several earlier rules shadow
// together only where their addresses and ports do. Nor is it found if the
// remainder falls into very many pieces.
//
// A rule with direction = "both" is two rules here.
std::vector<Unreachable> find_unreachable(const std::vector<Rule>& rules);

}  // namespace gaiter::policy
