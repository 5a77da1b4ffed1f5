// Compiled once per instruction set, with SPARSIGHT_VARIANT naming the set.
//
// Everything in here must have internal linkage and must not use standard-library templates: an inline
// function with external linkage would be merged by the linker across variants, and an older processor
// could then be handed the AVX-512 copy.
#include "table.hpp"

#define SPARSIGHT_CONCAT_(a, b) a##b
#define SPARSIGHT_CONCAT(a, b) SPARSIGHT_CONCAT_(a, b)
#define SPARSIGHT_TEXT_(a) #a
#define SPARSIGHT_TEXT(a) SPARSIGHT_TEXT_(a)

namespace sparsight {
const KernelTable& SPARSIGHT_CONCAT(kernels_, SPARSIGHT_VARIANT)() {
  static const KernelTable table = {SPARSIGHT_TEXT(SPARSIGHT_VARIANT)};
  return table;
}
}  // namespace sparsight
