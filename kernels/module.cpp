// Python bindings of the compiled kernels, and the choice of instruction set at run time.
#include <nanobind/nanobind.h>

#include <cstdlib>
#include <cstring>

#include "table.hpp"

namespace nb = nanobind;

namespace sparsight {
namespace {

const KernelTable& choose_kernels() {
#if defined(SPARSIGHT_X86)
  __builtin_cpu_init();
  const char* forced = std::getenv("SPARSIGHT_INSTRUCTION_SET");
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                          __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  if (forced && std::strcmp(forced, "baseline") == 0) return kernels_baseline();
  if (has_avx512 && !(forced && std::strcmp(forced, "avx2") == 0)) return kernels_avx512();
  if (has_avx2) return kernels_avx2();
#endif
  return kernels_baseline();
}

const KernelTable& kernels() {
  static const KernelTable& table = choose_kernels();
  return table;
}

}  // namespace

void bind_anchored(nb::module_& m, const char* instruction_set);  // anchored_bindings.cpp

}  // namespace sparsight

NB_MODULE(_kernels, m) {
  m.doc() = "Compiled loops of sparsight.";
  m.def("instruction_set", [] { return sparsight::kernels().name; }, "Name of the instruction set in use.");
  sparsight::bind_anchored(m, sparsight::kernels().name);
}
