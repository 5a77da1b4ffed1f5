// Which variant of the kernels this processor runs.
#pragma once

#include <string>
#include <type_traits>
#include <vector>

#include "table.hpp"

namespace sparsight {

// Names this processor can run, best last.
std::vector<std::string> available_instruction_sets();

// The best available one, or that named by the environment variable SPARSIGHT_INSTRUCTION_SET.
const KernelTable& kernels();

template <class T>
const Kernels<T>& kernels_for() {
  if constexpr (std::is_same_v<T, float>) return kernels().single;
  else return kernels().real;
}

}  // namespace sparsight
