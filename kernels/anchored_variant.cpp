// Anchored regression, compiled once per instruction set: the rules of variant.cpp hold here too.
#include "anchored_kernels.hpp"

#define SPARSIGHT_CONCAT_(a, b) a##b
#define SPARSIGHT_CONCAT(a, b) SPARSIGHT_CONCAT_(a, b)

namespace sparsight {
const AnchoredKernels& SPARSIGHT_CONCAT(anchored_kernels_, SPARSIGHT_VARIANT)() {
  static const AnchoredKernels table = {kLanes, kColumns, kBlockPack, describe, nearest, correct};
  return table;
}
}  // namespace sparsight
