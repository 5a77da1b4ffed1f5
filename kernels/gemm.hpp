// Products of a tile of rows with all atoms: C (rows, atoms) = A (rows, features) · atomsᵀ.
//
// Atoms are packed into panels of a few vectors' width, feature after feature, so that the inner loop
// reads one contiguous stream; a block of C stays in registers over the whole sum.
#pragma once

#include "simd.hpp"
#include "table.hpp"

namespace sparsight {
namespace {

// Shape of the block of C held in registers.
#if defined(__AVX512F__)
constexpr int block_rows = 12;
#elif defined(__AVX2__)
constexpr int block_rows = 6;
#elif defined(__aarch64__)
constexpr int block_rows = 8;
#else
constexpr int block_rows = 4;
#endif
constexpr int block_vectors = 2;

template <class T>
constexpr int panel_width = block_vectors * Lanes<T>::count;

// Loops over atoms take four vectors at a time.
template <class T>
constexpr int atom_padding = 4 * Lanes<T>::count;

constexpr std::int64_t round_up(std::int64_t n, std::int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

template <class T>
void pack_panels(const T* atoms, std::int64_t padded_atoms, std::int64_t n_features, T* panels) {
  constexpr int W = panel_width<T>;
  for (std::int64_t first = 0; first < padded_atoms; first += W)
    for (std::int64_t p = 0; p < n_features; ++p)
      for (int w = 0; w < W; ++w) *panels++ = atoms[(first + w) * n_features + p];
}

// One register block of C, whose rows are `apart`.
template <class T>
SPARSIGHT_INLINE void multiply_block(const T* left, const T* panel, std::int64_t n_features, T* c, std::int64_t apart) {
  constexpr int L = Lanes<T>::count, W = panel_width<T>;
  Vector<T> sum[block_rows][block_vectors] = {};
  for (std::int64_t p = 0; p < n_features; ++p, panel += W) {
    const Vector<T> r0 = load(panel), r1 = load(panel + L);
#pragma GCC unroll 16
    for (int i = 0; i < block_rows; ++i) {
      const T x = left[i * n_features + p];
      sum[i][0] += x * r0;
      sum[i][1] += x * r1;
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < block_rows; ++i) {
    store(c + i * apart, sum[i][0]);
    store(c + i * apart + L, sum[i][1]);
  }
}

// n_rows is a multiple of block_rows.
template <class T>
void product(const T* a, std::int64_t n_rows, const T* panels, std::int64_t padded_atoms, std::int64_t n_features,
             T* c) {
  constexpr int W = panel_width<T>;
  for (std::int64_t first = 0; first < padded_atoms; first += W, panels += W * n_features)
    for (std::int64_t row = 0; row < n_rows; row += block_rows)
      multiply_block(a + row * n_features, panels, n_features, c + row * padded_atoms + first, padded_atoms);
}

// Products of the atoms of a panel with all atoms from that panel on, and their mirror images. No two panels write to
// the same place, so they can be done at once. The last register block overlaps the one before it where the atoms are
// no multiple of its height.
template <class T>
void gram_panel(const Dictionary<T>& d, std::int64_t which, T* gram) {
  static_assert(atom_padding<T> >= block_rows, "the padded atoms fill at least one register block");
  constexpr std::int64_t W = panel_width<T>;
  const std::int64_t n = d.padded_atoms, first = which * W;
  const T* panel = d.panels + first * d.n_features;
  for (std::int64_t row = first; row < n; row += block_rows) {
    row = row + block_rows <= n ? row : n - block_rows;
    if (row >= first) {
      multiply_block(d.atoms + row * d.n_features, panel, d.n_features, gram + row * n + first, n);
      continue;
    }
    // The block is higher than what is left of the Gram matrix; its upper part belongs to the panels before.
    T block[block_rows * W];
    multiply_block(d.atoms + row * d.n_features, panel, d.n_features, block, W);
    for (std::int64_t i = first; i < n; ++i)
      __builtin_memcpy(gram + i * n + first, block + (i - row) * W, W * sizeof(T));
  }
  // Some rows at a time, so that whole cache lines are written.
  for (std::int64_t row = first + W; row < n; row += W)
    for (std::int64_t i = first; i < first + W; ++i)
      for (std::int64_t r = row; r < row + W; ++r) gram[i * n + r] = gram[r * n + i];
}

}  // namespace
}  // namespace sparsight
