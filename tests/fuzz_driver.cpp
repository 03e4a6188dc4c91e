// Runs a fuzz target where libFuzzer cannot be had (its compiler does not know
// this C++): replays inputs, and mutates them led by coverage.
//
//   fuzz_NAME INPUT...                      each file, or each file of a folder, once
//   fuzz_NAME --seconds N --seed S FOLDER   mutates for so long; keeps what is new in FOLDER
//
// An input that ends the program is left in ./crash-NUMBER.
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr size_t map_size = 1 << 16;
constexpr size_t max_input = 4096;

uint8_t reached[map_size];  // by the input that runs
uint8_t known[map_size];    // by any before
std::string running;        // for the death callback

using Inputs = std::vector<std::string>;

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

void leave_crash() {
  const std::string path = "crash-" + std::to_string(std::hash<std::string>{}(running) % 1'000'000);
  write(path, running);
  fprintf(stderr, "the input is in %s\n", path.c_str());
}

void on_abort(int) {
  leave_crash();
  _exit(1);
}

// True if the input reached something new.
bool run(const std::string& input) {
  running = input;
  memset(reached, 0, sizeof reached);
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
  bool fresh = false;
  for (size_t i = 0; i < map_size; i++) {
    fresh |= reached[i] != 0 && known[i] == 0;
    known[i] |= reached[i];
  }
  return fresh;
}

std::string mutate(std::string text, const Inputs& inputs, std::mt19937_64& random) {
  constexpr char alphabet[] = "{}()[]=:;,\"\\#/*@.-+!%?0123456789aeLxtru \n\t\xff";
  const auto below = [&](size_t n) { return n == 0 ? 0 : random() % n; };
  for (size_t edits = 1 + below(5); edits > 0; edits--) {
    const size_t at = below(text.size() + 1);
    const std::string& other = inputs[below(inputs.size())];
    switch (below(6)) {
      case 0:
        text.insert(at, 1, alphabet[below(sizeof alphabet - 1)]);
        break;
      case 1:
        text.erase(at, below(16));
        break;
      case 2:
        text.insert(at, text.substr(below(text.size() + 1), below(40)));
        break;
      case 3:
        text.insert(at, other.substr(below(other.size() + 1), below(60)));
        break;
      case 4:
        if (at < text.size()) text[at] = static_cast<char>(random());
        break;
      case 5:
        text.replace(at, std::string::npos, other, below(other.size() + 1));
    }
  }
  text.resize(std::min(text.size(), max_input));
  return text;
}

Inputs replay(const std::vector<std::string>& paths) {
  Inputs inputs;
  const auto take = [&](const std::filesystem::path& path) {
    inputs.push_back(read(path));
    run(inputs.back());
  };
  for (const std::string& path : paths) {
    if (!std::filesystem::is_directory(path)) {
      take(path);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(path)) take(entry.path());
  }
  return inputs;
}

}  // namespace

// Called at every edge by code that was compiled with -fsanitize-coverage=trace-pc.
extern "C" void __sanitizer_cov_trace_pc() {
  static thread_local uintptr_t before;
  const auto here = reinterpret_cast<uintptr_t>(__builtin_return_address(0));
  reached[(here ^ before) % map_size] = 1;
  before = here >> 1;
}

int main(int argc, char** argv) {
  using Clock = std::chrono::steady_clock;
  long seconds = 0;
  uint64_t seed = std::random_device{}();
  std::vector<std::string> paths;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
      seconds = atol(argv[++i]);
    else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
      seed = strtoull(argv[++i], nullptr, 10);
    else
      paths.emplace_back(argv[i]);
  }
  __sanitizer_set_death_callback(leave_crash);
  signal(SIGABRT, on_abort);
  Inputs inputs = replay(paths);
  if (seconds == 0 || inputs.empty()) {
    printf("%s: %zu inputs\n", argv[0], inputs.size());
    return inputs.empty();
  }
  std::mt19937_64 random(seed);
  const auto end = Clock::now() + std::chrono::seconds(seconds);
  uint64_t runs = 0;
  const size_t given = inputs.size();
  for (; Clock::now() < end; runs++) {
    const std::string input = mutate(inputs[random() % inputs.size()], inputs, random);
    if (!run(input)) continue;
    inputs.push_back(input);
    write(std::filesystem::path(paths[0]) / ("found-" + std::to_string(random() % 1'000'000'000)),
          input);
  }
  printf("%s: %lu runs, %zu inputs of new coverage, seed %lu\n", argv[0], runs,
         inputs.size() - given, seed);
  return 0;
}
