#include "keyring/listing.h"

#include "keyring/errors.h"
#include "keyring/pending.h"
#include "keyring/repository.h"

namespace gaiter::keyring {
namespace {

Result<Requested> read_requested(const Keyring& keyring, const Repository& repository,
                                 const std::string& label) {
  auto files = repository.read(label, Depth::conf);
  if (!files) return pass_on(files);
  auto request = waiting_request(keyring, label);
  if (!request) return pass_on(request);
  return Requested{label, files->conf.usage, std::move(files->conf.origin), *std::move(request)};
}

}  // namespace

Result<Listing> read_listing(const Keyring& keyring) {
  const auto repository = open_repository(keyring);
  if (!repository) return std::unexpected(repository.error());
  const auto labels = (*repository)->labels();
  if (!labels) return std::unexpected(labels.error());
  Listing listing;
  for (const std::string& label : *labels) {
    auto files = (*repository)->read(label, Depth::listing);
    if (files) {
      listing.entries.push_back(to_entry(label, (*repository)->default_label(), *std::move(files)));
      continue;
    }
    Error error = std::move(files.error());
    if (error.kind == Error::Kind::pending) {
      auto requested = read_requested(keyring, **repository, label);
      if (requested) {
        listing.requested.push_back(*std::move(requested));
        continue;
      }
      error = std::move(requested.error());
    }
    // An entry that was deleted meanwhile is no error.
    if (error.kind != Error::Kind::not_found)
      listing.unreadable.push_back({label, std::move(error)});
  }
  return listing;
}

}  // namespace gaiter::keyring
