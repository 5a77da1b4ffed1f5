// Restoration, compiled once per instruction set: the rules of variant.cpp hold here too.
#include "restoration_denoising.hpp"
#include "restoration_fill.hpp"
#include "restoration_groups.hpp"
#include "restoration_mixture.hpp"

#define SPARSIGHT_CONCAT_(a, b) a##b
#define SPARSIGHT_CONCAT(a, b) SPARSIGHT_CONCAT_(a, b)

namespace sparsight {
namespace {

constexpr RestorationKernels table = {label_memory,   label_patches,  restore_memory, restore_class, inpaint_memory,
                                      inpaint_groups, denoise_memory, denoise_groups, relax};

}  // namespace

const RestorationKernels& SPARSIGHT_CONCAT(restoration_kernels_, SPARSIGHT_VARIANT)() { return table; }

}  // namespace sparsight
