#include "cli/elf_file.h"

#include <algorithm>

namespace gaiter::cli {
namespace {

using std::string_literals::operator""s;

// Nothing is read into memory that is larger.
constexpr uint64_t largest_section = 512 * 1024 * 1024;

// Go puts its build id into a note of its own name (elf(5)).
bool has_go_note(const File& file, const Elf64_Phdr& segment) {
  constexpr size_t longest = 64 * 1024;
  const auto aligned = [](size_t size) { return (size + 3) & ~size_t{3}; };
  uint64_t at = 0;
  while (at < std::min<uint64_t>(segment.p_filesz, longest)) {
    const auto note = file.read_struct<Elf64_Nhdr>(segment.p_offset + at);
    if (!note) return false;
    at += sizeof(Elf64_Nhdr);
    if (note->n_namesz == 4 && file.read(segment.p_offset + at, 4) == "Go\0\0"s) return true;
    at += aligned(note->n_namesz) + aligned(note->n_descsz);
  }
  return false;
}

std::vector<Elf64_Shdr> read_sections(const File& file) {
  std::vector<Elf64_Shdr> sections;
  const auto header = file.read_struct<Elf64_Ehdr>(0);
  if (!header || header->e_ident[EI_CLASS] != ELFCLASS64) return sections;
  for (unsigned i = 0; i < header->e_shnum; i++) {
    const auto section =
        file.read_struct<Elf64_Shdr>(header->e_shoff + uint64_t{i} * header->e_shentsize);
    if (!section) break;
    sections.push_back(*section);
  }
  return sections;
}

std::string read_section(const File& file, const Elf64_Shdr& section) {
  return file.read(section.sh_offset, std::min<uint64_t>(section.sh_size, largest_section));
}

}  // namespace

Elf read_elf(const File& file) {
  Elf elf;
  const auto header = file.read_struct<Elf64_Ehdr>(0);
  if (!header) return elf;
  elf.elf_class = header->e_ident[EI_CLASS];
  elf.machine = header->e_machine;  // at the same place in both classes
  if (elf.elf_class == ELFCLASS64) {
    for (unsigned i = 0; i < header->e_phnum; i++) {
      const auto segment =
          file.read_struct<Elf64_Phdr>(header->e_phoff + uint64_t{i} * header->e_phentsize);
      if (!segment) return elf;
      if (segment->p_type == PT_INTERP && segment->p_filesz < 4096)
        elf.loader = file.read(segment->p_offset, segment->p_filesz).c_str();
      if (segment->p_type == PT_NOTE && has_go_note(file, *segment)) elf.is_go = true;
    }
  }
  elf.valid = true;
  return elf;
}

DynamicSymbols read_dynamic_symbols(const File& file) {
  DynamicSymbols symbols;
  const std::vector<Elf64_Shdr> sections = read_sections(file);
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_type != SHT_DYNSYM || section.sh_link >= sections.size()) continue;
    const std::string table = read_section(file, section);
    const std::string names = read_section(file, sections[section.sh_link]);
    for (size_t at = 0; at + sizeof(Elf64_Sym) <= table.size(); at += sizeof(Elf64_Sym)) {
      Elf64_Sym symbol;
      std::memcpy(&symbol, table.data() + at, sizeof symbol);
      if (symbol.st_name == 0 || symbol.st_name >= names.size()) continue;
      (symbol.st_shndx == SHN_UNDEF ? symbols.imports : symbols.exports)
          .insert(names.c_str() + symbol.st_name);
    }
  }
  return symbols;
}

std::vector<std::string> read_code(const File& file) {
  std::vector<std::string> code;
  for (const Elf64_Shdr& section : read_sections(file)) {
    if (section.sh_type == SHT_PROGBITS && (section.sh_flags & SHF_EXECINSTR) != 0)
      code.push_back(read_section(file, section));
  }
  return code;
}

}  // namespace gaiter::cli
