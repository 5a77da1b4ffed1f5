#include "instruction_set.hpp"

#include <cstdlib>
#include <stdexcept>

namespace sparsight {
namespace {

std::vector<const KernelTable*> available() {
  std::vector<const KernelTable*> tables = {&kernels_baseline()};
#if defined(SPARSIGHT_X86)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    tables.push_back(&kernels_avx2());
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
      tables.push_back(&kernels_avx512());
  }
#endif
  return tables;
}

// The widest, but on AMD's Zen 4, which works on 512 bits in two halves: there they gain nothing, and where rows are
// short they waste more (docs/benchmarks.md).
const KernelTable& best_of(const std::vector<const KernelTable*>& tables) {
#if defined(SPARSIGHT_X86)
  const bool zen_4 = tables.back() == &kernels_avx512() && __builtin_cpu_is("amdfam19h");
  if (zen_4) return kernels_avx2();
#endif
  return *tables.back();
}

const KernelTable& choose() {
  const std::vector<const KernelTable*> tables = available();
  const char* wanted = std::getenv("SPARSIGHT_INSTRUCTION_SET");
  if (wanted == nullptr || *wanted == '\0') return best_of(tables);
  std::string names;
  for (const KernelTable* table : tables) {
    if (std::string(wanted) == table->name) return *table;
    names += std::string(names.empty() ? "" : ", ") + table->name;
  }
  throw std::invalid_argument("SPARSIGHT_INSTRUCTION_SET is '" + std::string(wanted) +
                              "', but this processor offers: " + names);
}

}  // namespace

std::vector<std::string> available_instruction_sets() {
  std::vector<std::string> names;
  for (const KernelTable* table : available()) names.emplace_back(table->name);
  return names;
}

const KernelTable& kernels() {
  static const KernelTable& table = choose();
  return table;
}

}  // namespace sparsight
