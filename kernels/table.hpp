// The functions that every instruction-set variant of the kernels provides.
#pragma once

namespace sparsight {

struct KernelTable {
  const char* name;
};

// One getter per compiled variant (see variant.cpp and CMakeLists.txt).
const KernelTable& kernels_baseline();
const KernelTable& kernels_avx2();
const KernelTable& kernels_avx512();

}  // namespace sparsight
