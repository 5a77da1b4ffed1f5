// Rows of a triangular factor, one after another: the inner loop of every orthogonalisation and Cholesky factor here.
#pragma once

#include "simd.hpp"

namespace sparsight {
namespace {

template <class T, int vectors>
SPARSIGHT_INLINE void project_block(T* row, const T* factors, std::int64_t n, const T* earlier, std::int64_t stride,
                                    T scale) {
  constexpr int L = Lanes<T>::count;
  Vector<T> v[vectors];
#pragma GCC unroll 4
  for (int u = 0; u < vectors; ++u) v[u] = load(row + u * L);
  for (std::int64_t m = 0; m < n; ++m, earlier += stride) {
    const T f = factors[m];
#pragma GCC unroll 4
    for (int u = 0; u < vectors; ++u) v[u] -= f * load(earlier + u * L);
  }
#pragma GCC unroll 4
  for (int u = 0; u < vectors; ++u) store(row + u * L, v[u] * scale);
}

// row ← (row − Σ_{m<n} factors[m] · basis_m) · scale, over entries [from, width) rounded outwards to whole vectors
template <class T>
SPARSIGHT_INLINE void project_row(T* row, const T* factors, std::int64_t n, const T* basis, std::int64_t stride,
                                  std::int64_t from, std::int64_t width, T scale) {
  constexpr int L = Lanes<T>::count;
  std::int64_t c = from / L * L;
  for (; c + 3 * L < width; c += 4 * L) project_block<T, 4>(row + c, factors, n, basis + c, stride, scale);
  if (c + L < width) {
    project_block<T, 2>(row + c, factors, n, basis + c, stride, scale);
    c += 2 * L;
  }
  if (c < width) project_block<T, 1>(row + c, factors, n, basis + c, stride, scale);
}

}  // namespace
}  // namespace sparsight
