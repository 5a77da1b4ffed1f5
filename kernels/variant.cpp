// Compiled once per instruction set, with SPARSIGHT_VARIANT naming the set.
//
// Everything in here must have internal linkage and must not use standard-library templates: an inline
// function with external linkage would be merged by the linker across variants, and an older processor
// could then be handed the AVX-512 copy. The build checks this (check_symbols.cmake).
#include "convex.hpp"
#include "greedy.hpp"
#include "ksvd.hpp"
#include "pooling.hpp"
#include "statistics.hpp"
#include "table.hpp"

#define SPARSIGHT_CONCAT_(a, b) a##b
#define SPARSIGHT_CONCAT(a, b) SPARSIGHT_CONCAT_(a, b)
#define SPARSIGHT_TEXT_(a) #a
#define SPARSIGHT_TEXT(a) SPARSIGHT_TEXT_(a)

namespace sparsight {
namespace {

template <class T>
constexpr Kernels<T> kernels_of = {
    atom_padding<T>, pack_panels<T>, gram_panel<T>, greedy_tile<T>, greedy<T>, convex_tile<T>, convex<T>,
    form_residuals<T>, sum_users<T>, fit_atom<T>, fit_codes<T>, measure_residuals<T>,
    complete_patch<T>, add_patches<T>, panel_width<T>, block_rows, combine_atoms<T>, move_atoms<T>,
    pooling_scratch_bytes<T>, pool_row<T>, product<T>,
};

constexpr KernelTable table = {SPARSIGHT_TEXT(SPARSIGHT_VARIANT), kernels_of<float>, kernels_of<double>};

}  // namespace

const KernelTable& SPARSIGHT_CONCAT(kernels_, SPARSIGHT_VARIANT)() { return table; }

}  // namespace sparsight
