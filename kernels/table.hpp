// What the bindings and the instruction-set variants of the kernels share: plain data and function pointers.
// No functions are defined here, so nothing in this header can be merged across variants by the linker.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sparsight {

// Atoms as the kernels want them. Rows after the last atom, up to `padded_atoms`, are zero.
template <class T>
struct Dictionary {
  std::int64_t n_atoms;
  std::int64_t n_features;
  std::int64_t padded_atoms;
  const T* atoms;           // (padded_atoms, n_features)
  const T* squared_norms;   // (padded_atoms)
  const std::int32_t* names;  // (n_atoms): the caller's number of an atom; null: as here
  const T* scale;           // (n_atoms): code of the caller's atom = code of our atom × scale
  const T* panels;          // atoms interleaved for the matrix product, see gemm.hpp
  const T* squared_panels;  // the same for the squared entries; null without masks
  const T* gram;            // (padded_atoms, padded_atoms); null when not needed
};

// Patches to be coded together. `rows` lists which patches of the whole batch these are.
template <class T>
struct Tile {
  const T* patches;             // the whole batch, (n, n_features)
  const std::uint8_t* missing;  // the whole batch, or null: 1 = not observed
  const std::int64_t* rows;
  std::int64_t count;
  const std::int64_t* sources;  // which of `patches` each row of the batch is; null: that of the same number
};

// How many patches a tile may hold and what scratch memory it then needs.
struct TileSize {
  std::int64_t rows;
  std::size_t scratch_bytes;
};

// Where the results of a batch go; null pointers are not wanted. One row per patch of the whole batch.
template <class T>
struct Output {
  T* dense;  // (n, n_atoms), zero on entry
  T* residual_norm;
  T* l1_norm;
  std::int32_t* n_nonzero;
  T* optimality;
  T* group_norms;  // (n, n_groups), zero on entry
  const std::int32_t* group_of_atom;
  std::int64_t n_groups;
};

// Non-zeros of one tile, patch after patch, atoms ascending. Null pointers: not wanted.
template <class T>
struct SparseSink {
  std::int32_t* indices;
  T* values;
  std::int64_t size;
};

template <class T>
struct GreedyProblem {
  Dictionary<T> dictionary;  // atoms of unit norm
  std::int64_t max_nonzero;
  T tolerance;  // squared residual norm at which to stop; negative: not used
  bool order_recursive;
  const Dictionary<float>* screening;  // the same atoms in single precision, to choose by; null: not used
};

template <class T>
struct ConvexProblem {
  Dictionary<T> dictionary;  // with groups: atoms sorted by group
  const T* thresholds;          // (padded_atoms) λ_m
  const T* inverse_thresholds;  // (padded_atoms) 1 / λ_m
  bool positive;                // only x ≥ 0
  std::int64_t n_groups;        // 0: no group penalty, and the next three are null
  const std::int64_t* group_start;    // (n_groups + 1) into the atoms
  const std::int32_t* group_of_atom;  // (padded_atoms)
  const T* group_thresholds;          // (n_groups) ξ_j
  T outlier_threshold;                // β; negative: no outlier term
  T tolerance;                        // relative duality gap to reach
  std::int64_t max_rounds;
  std::int64_t capacity;  // atoms a patch may turn on
};

// One pass of dictionary updates over all atoms (see ksvd.hpp).
template <class T>
struct AtomUpdate {
  std::int64_t n_features;
  const T* patches;             // (n_patches, n_features)
  const std::uint8_t* missing;  // the same shape, or null: 1 = not observed
  const std::int64_t* indptr;   // codes as CSR, with `values`
  const std::int32_t* indices;
  const std::int32_t* users;  // patches that use an atom, atom after atom
  const std::int64_t* slots;  // and where in `values` that code stands
  T* values;                  // updated
  const T* dictionary;        // (n_atoms, n_features) before the update
  T* residual;                // (n_patches, n_features)
  T* residual_norm;           // (n_patches)
};

// Patches, their codes, and the sums they are added to (see statistics.hpp).
template <class T>
struct Statistics {
  std::int64_t n_features;
  std::int64_t n_atoms;
  const T* patches;             // (any number, n_features)
  const std::uint8_t* missing;  // the same shape, or null: 1 = not observed
  const std::int64_t* sources;  // which of `patches` each is; null: that of the same number
  const T* dictionary;          // (n_atoms, n_features); used where values are missing
  T* completed;                 // (n_patches, n_features), filled by complete_patch; null: nothing is missing
  const std::int64_t* indptr;   // codes as CSR
  const std::int32_t* indices;
  const T* values;
  double* code_products;   // A, (n_atoms, n_atoms)
  double* patch_products;  // B, (n_atoms, n_features)
};

// Sparse codes of the patches of a grid, row after row, to be averaged over neighbouring patches (see pooling.hpp).
template <class T>
struct Pooling {
  std::int64_t n_rows;
  std::int64_t n_columns;
  std::int64_t n_atoms;
  std::int64_t radius;
  const std::int64_t* indptr;  // codes as CSR
  const std::int32_t* indices;
  const T* values;
  const T* weights;  // (n_rows, n_columns) of the patches
  const T* window;   // (2 radius + 1)
  T* squares;        // (n_rows, n_columns)
};

template <class T>
struct Kernels {
  std::int64_t atom_padding;  // atoms are padded to a multiple of this
  void (*pack)(const T* atoms, std::int64_t padded_atoms, std::int64_t n_features, T* panels);
  void (*gram_panel)(const Dictionary<T>&, std::int64_t panel, T* gram);
  TileSize (*greedy_tile)(const GreedyProblem<T>&, bool masked);
  void (*greedy)(const GreedyProblem<T>&, const Tile<T>&, const Output<T>&, SparseSink<T>*, void* scratch);
  TileSize (*convex_tile)(const ConvexProblem<T>&, bool masked);
  void (*convex)(const ConvexProblem<T>&, const Tile<T>&, const Output<T>&, SparseSink<T>*, void* scratch);
  void (*form_residuals)(const AtomUpdate<T>&, std::int64_t first, std::int64_t last);
  void (*sum_users)(const AtomUpdate<T>&, std::int64_t first, std::int64_t last, T* sums);
  bool (*fit_atom)(const AtomUpdate<T>&, const T* atom, const T* sums, std::int64_t n_sums, T* fresh, T* moved);
  void (*fit_codes)(const AtomUpdate<T>&, const T* atom, const T* fresh, std::int64_t first, std::int64_t last);
  void (*measure_residuals)(const AtomUpdate<T>&, std::int64_t first, std::int64_t last);
  void (*complete_patch)(const Statistics<T>&, std::int64_t patch);
  void (*add_patches)(const Statistics<T>&, std::int64_t n_patches, double kept, std::int64_t part,
                      std::int64_t n_parts);
  std::int64_t panel_width;  // features of a panel of atoms
  std::int64_t block_rows;   // atoms moved together
  void (*combine_atoms)(const double* code_products, std::int64_t n_atoms, std::int64_t n_features, std::int64_t first,
                        std::int64_t first_panel, std::int64_t last_panel, const T* panels, T* factors,
                        T* combinations);
  T (*move_atoms)(const double* code_products, const double* patch_products, std::int64_t n_atoms,
                  std::int64_t n_features, std::int64_t first, T* panels, T* combinations, T* scratch);
  std::size_t (*pooling_scratch_bytes)(const Pooling<T>&);
  void (*pool_row)(const Pooling<T>&, std::int64_t row, void* scratch);
  void (*product)(const T* a, std::int64_t n_rows, const T* panels, std::int64_t padded_atoms,
                  std::int64_t n_features, T* c);
};

struct KernelTable {
  const char* name;
  Kernels<float> single;
  Kernels<double> real;
};

// One getter per compiled variant (see variant.cpp and CMakeLists.txt).
const KernelTable& kernels_baseline();
const KernelTable& kernels_avx2();
const KernelTable& kernels_avx512();

}  // namespace sparsight
