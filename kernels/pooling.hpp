// How many atoms the neighbourhood of a patch uses: sparse codes on a grid of patches, averaged atom by atom.
//
// With the size a_k of each atom's coefficient in a patch, a window w and a weight ω of each patch,
//   P_k(r, c) = Σ_ij w_i w_j ω(r + i, c + j) a_k(r + i, c + j)
// only Σ_k P_k² is wanted, so the averages themselves are never all held in memory: one row of the grid at a time is
// averaged down the columns, from the sparse codes, and then along the row.
#pragma once

#include "simd.hpp"
#include "table.hpp"

namespace sparsight {
namespace {

template <class T>
std::size_t pooling_scratch_bytes(const Pooling<T>& p) {
  Scratch scratch(nullptr);
  scratch.take<T>(p.n_columns * p.n_atoms);
  scratch.take<T>(p.n_atoms);
  return scratch.used();
}

// Σ_k P_k² of every patch of one row.
template <class T>
void pool_row(const Pooling<T>& p, std::int64_t row, void* block) {
  const std::int64_t M = p.n_atoms, R = p.radius;
  Scratch scratch(block);
  T* down = scratch.take<T>(p.n_columns * M);
  T* pooled = scratch.take<T>(M);
  __builtin_memset(down, 0, static_cast<std::size_t>(p.n_columns * M) * sizeof(T));
  const std::int64_t first = row > R ? row - R : 0, last = row + R < p.n_rows ? row + R : p.n_rows - 1;
  for (std::int64_t near = first; near <= last; ++near) {
    const T share = p.window[near - row + R];
    for (std::int64_t column = 0; column < p.n_columns; ++column) {
      const std::int64_t patch = near * p.n_columns + column;
      const T factor = share * p.weights[patch];
      T* sums = down + column * M;
      for (std::int64_t e = p.indptr[patch]; e < p.indptr[patch + 1]; ++e)
        sums[p.indices[e]] += factor * absolute(p.values[e]);
    }
  }
  for (std::int64_t column = 0; column < p.n_columns; ++column) {
    __builtin_memset(pooled, 0, static_cast<std::size_t>(M) * sizeof(T));
    const std::int64_t left = column > R ? column - R : 0;
    const std::int64_t right = column + R < p.n_columns ? column + R : p.n_columns - 1;
    for (std::int64_t near = left; near <= right; ++near) axpy(p.window[near - column + R], down + near * M, pooled, M);
    p.squares[row * p.n_columns + column] = dot(pooled, pooled, M);
  }
}

}  // namespace
}  // namespace sparsight
