// `gaiter version`: Gaiter, the libraries in it, and the AEAD back ends that this
// CPU gets.
#pragma once

namespace gaiter::cli {

int version(bool json);

}  // namespace gaiter::cli
