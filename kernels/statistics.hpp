// A dictionary from sums over the patches: A = Σ_i x_i x_iᵀ and B = Σ_i x_i s_iᵀ are all that
//   min_D Σ_i ‖s_i − D x_i‖²,  ‖d_j‖ ≤ 1
// depends on. It is solved by block coordinate descent, atom after atom:
//   u = d_j + (b_j − Σ_m A_jm d_m) / A_jj,   d_j ← u / max(‖u‖, 1).
// Source: J. Mairal, F. Bach, J. Ponce, G. Sapiro, "Online learning for matrix factorization and sparse coding",
// 2010, algorithm 2.
//
// Missing values are completed by what the code says of them, s_ip = Σ_j x_ij d_jp: the sums then belong to an upper
// bound of the error over the observed values that touches it at the present dictionary.
#pragma once

#include "gemm.hpp"
#include "table.hpp"

namespace sparsight {
namespace {

template <class T>
void complete_patch(const Statistics<T>& s, std::int64_t patch) {
  const std::int64_t P = s.n_features;
  T* completed = s.completed + patch * P;
  for (std::int64_t p = 0; p < P; ++p) completed[p] = 0;
  for (std::int64_t e = s.indptr[patch]; e < s.indptr[patch + 1]; ++e)
    axpy(s.values[e], s.dictionary + s.indices[e] * P, completed, P);
  const std::int64_t source = s.sources == nullptr ? patch : s.sources[patch];
  const std::uint8_t* missing = s.missing + source * P;
  for (std::int64_t p = 0; p < P; ++p)
    if (!missing[p]) completed[p] = s.patches[source * P + p];
}

// What is the part'th of `n_parts` of `n` things, in whole multiples: its beginning; the end is that of the next one.
constexpr std::int64_t part_start(std::int64_t n, std::int64_t multiple, std::int64_t part, std::int64_t n_parts) {
  const std::int64_t start = (n + multiple - 1) / multiple * part / n_parts * multiple;
  return start < n ? start : n;
}

// Multiplies the sums by `kept` and adds the patches: a part of the rows of A and of the columns of B. No two parts
// share anything, so they can be done at once. Patch after patch, so that each is fetched once; the sums stay near.
template <class T>
void add_patches(const Statistics<T>& s, std::int64_t n_patches, double kept, std::int64_t part, std::int64_t n_parts) {
  const std::int64_t M = s.n_atoms, P = s.n_features;
  const std::int64_t first_atom = part_start(M, 1, part, n_parts), last_atom = part_start(M, 1, part + 1, n_parts);
  const std::int64_t first = part_start(P, 8, part, n_parts), last = part_start(P, 8, part + 1, n_parts);
  if (kept != 1) {
    for (std::int64_t i = first_atom * M; i < last_atom * M; ++i) s.code_products[i] *= kept;
    for (std::int64_t j = 0; j < M; ++j)
      for (std::int64_t p = first; p < last; ++p) s.patch_products[j * P + p] *= kept;
  }
  const auto patch = [&](std::int64_t i) {
    if (s.completed != nullptr) return static_cast<const T*>(s.completed + i * P);
    return s.patches + (s.sources == nullptr ? i : s.sources[i]) * P;
  };
  for (std::int64_t i = 0; i < n_patches; ++i) {
    const T* values = patch(i);
    if (i + 4 < n_patches) fetch_ahead(patch(i + 4) + first, last - first);
    const std::int64_t begin = s.indptr[i], end = s.indptr[i + 1];
    for (std::int64_t e = begin; e < end; ++e) {
      const std::int64_t atom = s.indices[e];
      const double code = s.values[e];
      double* sums = s.patch_products + atom * P;
      for (std::int64_t p = first; p < last; ++p) sums[p] += code * values[p];
      if (atom < first_atom || atom >= last_atom) continue;
      double* products = s.code_products + atom * M;
      for (std::int64_t other = begin; other < end; ++other) products[s.indices[other]] += code * s.values[other];
    }
  }
}

// Copies one atom out of, or into, the panels of the matrix product over atoms: `panel_width` features of all atoms,
// then the next features. Features are padded with zeros to whole panels.
template <class T>
void read_atom(const T* panels, std::int64_t n_atoms, std::int64_t atom, std::int64_t width, T* values) {
  constexpr std::int64_t W = panel_width<T>;
  for (std::int64_t p = 0; p < width; p += W) __builtin_memcpy(values + p, panels + p * n_atoms + atom * W, W * sizeof(T));
}

template <class T>
void write_atom(const T* values, std::int64_t n_atoms, std::int64_t atom, std::int64_t width, T* panels) {
  constexpr std::int64_t W = panel_width<T>;
  for (std::int64_t p = 0; p < width; p += W) __builtin_memcpy(panels + p * n_atoms + atom * W, values + p, W * sizeof(T));
}

// Atoms that are moved together: block_rows of them from `first` on, or what is left of them.
constexpr std::int64_t atoms_in_block(std::int64_t n_atoms, std::int64_t first) {
  return n_atoms - first < block_rows ? n_atoms - first : block_rows;
}

// The combinations Σ_m A_jm d_m / A_jj of a block of atoms, in some panels of features: one matrix product for the whole
// block. `factors` (block_rows, n_atoms) is overwritten.
template <class T>
void combine_atoms(const double* code_products, std::int64_t n_atoms, std::int64_t n_features, std::int64_t first,
                   std::int64_t first_panel, std::int64_t last_panel, const T* panels, T* factors, T* combinations) {
  constexpr std::int64_t W = panel_width<T>;
  const std::int64_t width = round_up(n_features, W), count = atoms_in_block(n_atoms, first);
  for (std::int64_t i = 0; i < block_rows; ++i) {
    const double* products = code_products + (first + i) * n_atoms;
    const double energy = i < count ? products[first + i] : 0, inverse = energy > 0 ? 1 / energy : 0;
    for (std::int64_t m = 0; m < n_atoms; ++m) factors[i * n_atoms + m] = T(products[m] * inverse);
  }
  for (std::int64_t panel = first_panel; panel < last_panel; ++panel)
    multiply_block(factors, panels + panel * W * n_atoms, n_atoms, combinations + panel * W, width);
}

// Moves a block of atoms to their best places, one after another, and passes each move on to the combinations of those
// that follow; returns the square of the longest way. An atom that no code uses, or whose best place is zero, stays.
// `scratch` holds two atoms, padded to whole panels.
template <class T>
T move_atoms(const double* code_products, const double* patch_products, std::int64_t n_atoms, std::int64_t n_features,
             std::int64_t first, T* panels, T* combinations, T* scratch) {
  const std::int64_t width = round_up(n_features, panel_width<T>), count = atoms_in_block(n_atoms, first);
  T *old = scratch, *fresh = scratch + width;
  T farthest = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t atom = first + i;
    const double energy = code_products[atom * n_atoms + atom];
    if (!(energy > 0)) continue;
    const double inverse = 1 / energy;
    read_atom(panels, n_atoms, atom, width, old);
    for (std::int64_t p = 0; p < n_features; ++p)
      fresh[p] = old[p] + T(patch_products[atom * n_features + p] * inverse) - combinations[i * width + p];
    for (std::int64_t p = n_features; p < width; ++p) fresh[p] = 0;
    const T norm = square_root(dot(fresh, fresh, width));
    if (!(norm > 0)) continue;
    const T shrink = norm > 1 ? 1 / norm : T(1);
    for (std::int64_t p = 0; p < width; ++p) fresh[p] *= shrink;
    write_atom(fresh, n_atoms, atom, width, panels);
    for (std::int64_t p = 0; p < width; ++p) fresh[p] -= old[p];
    const T way = dot(fresh, fresh, width);
    if (way > farthest) farthest = way;
    for (std::int64_t later = i + 1; later < count; ++later) {
      const double* products = code_products + (first + later) * n_atoms;
      const double its_energy = products[first + later];
      if (its_energy > 0) axpy(T(products[atom] / its_energy), fresh, combinations + later * width, width);
    }
  }
  return farthest;
}

}  // namespace
}  // namespace sparsight
