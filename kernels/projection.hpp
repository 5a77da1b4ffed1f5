// Rows of a triangular factor, one after another: the inner loop of every orthogonalisation and Cholesky factor here.
#pragma once

#include "simd.hpp"

namespace sparsight {
namespace {

template <class T, int vectors>
SPARSIGHT_INLINE void project_block(T* row, const T* factors, std::int64_t apart, std::int64_t n, const T* earlier,
                                    std::int64_t stride) {
  constexpr int L = Lanes<T>::count;
  // The row itself comes last: it has often just been written, entry by entry, and takes a while to be readable.
  Vector<T> v[vectors] = {};
  for (std::int64_t m = 0; m < n; ++m, earlier += stride, factors += apart) {
    const T f = *factors;
#pragma GCC unroll 8
    for (int u = 0; u < vectors; ++u) v[u] += f * load(earlier + u * L);
  }
#pragma GCC unroll 8
  for (int u = 0; u < vectors; ++u) store(row + u * L, load(row + u * L) - v[u]);
}

// row ← row − Σ_{m<n} factor_m · basis_m, over entries [from, width) rounded outwards to whole vectors; the factors are
// `apart` from each other.
template <class T>
SPARSIGHT_INLINE void project_row(T* row, const T* factors, std::int64_t apart, std::int64_t n, const T* basis,
                                  std::int64_t stride, std::int64_t from, std::int64_t width) {
  constexpr int L = Lanes<T>::count;
  std::int64_t c = from / L * L;
  for (; c + 8 * L < width; c += 8 * L) project_block<T, 8>(row + c, factors, apart, n, basis + c, stride);
  // What is left in one go: every pass over the basis ends with a branch that is hard to foresee.
  switch ((width - c + L - 1) / L) {
    case 8: return project_block<T, 8>(row + c, factors, apart, n, basis + c, stride);
    case 7: return project_block<T, 7>(row + c, factors, apart, n, basis + c, stride);
    case 6: return project_block<T, 6>(row + c, factors, apart, n, basis + c, stride);
    case 5: return project_block<T, 5>(row + c, factors, apart, n, basis + c, stride);
    case 4: return project_block<T, 4>(row + c, factors, apart, n, basis + c, stride);
    case 3: return project_block<T, 3>(row + c, factors, apart, n, basis + c, stride);
    case 2: return project_block<T, 2>(row + c, factors, apart, n, basis + c, stride);
    case 1: return project_block<T, 1>(row + c, factors, apart, n, basis + c, stride);
  }
}

// row ← scale · row, over the same entries
template <class T>
SPARSIGHT_INLINE void scale_row(T* row, std::int64_t from, std::int64_t width, T scale) {
  constexpr int L = Lanes<T>::count;
  for (std::int64_t c = from / L * L; c < width; c += L) store(row + c, scale * load(row + c));
}

}  // namespace
}  // namespace sparsight
