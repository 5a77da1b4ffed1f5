// Small symmetric systems, one per vector lane.
#pragma once

#include "restoration_product.hpp"

namespace sparsight {
namespace {

constexpr int pair_count(int rank) { return rank * (rank + 1) / 2; }
constexpr int pair_index(int i, int j) { return i * (i + 1) / 2 + j; }  // j <= i

// Exchanges the parts of two vectors that lie off the diagonal of blocks of STEP lanes.
template <int STEP>
SPARSIGHT_INLINE void exchange(Floats& a, Floats& b) {
#if defined(__clang__)
  Floats low = a, high = b;
  for (int k = 0; k < kLanes; ++k) {
    if (k & STEP) low[k] = b[k - STEP];
    else high[k] = a[k + STEP];
  }
#else
  Lanes<float>::Index to_low = {}, to_high = {};
  for (int k = 0; k < kLanes; ++k) {
    to_low[k] = k & STEP ? kLanes + k - STEP : k;
    to_high[k] = k & STEP ? kLanes + k : k + STEP;
  }
  const Floats low = __builtin_shuffle(a, b, to_low), high = __builtin_shuffle(a, b, to_high);
#endif
  a = low;
  b = high;
}

template <int STEP>
SPARSIGHT_INLINE void exchange_all(Floats* v) {
  for (int i = 0; i < kLanes; ++i)
    if (!(i & STEP)) exchange<STEP>(v[i], v[i + STEP]);
}

// columns[i] holds element i of every row: kLanes rows of `length` elements, a multiple of kLanes, `stride` apart.
void transpose_rows(const float* rows, std::int64_t stride, int length, Floats* columns) {
  for (int first = 0; first < length; first += kLanes) {
    Floats v[kLanes];
    for (int i = 0; i < kLanes; ++i) v[i] = load<float>(rows + i * stride + first);
    exchange_all<1>(v);
    exchange_all<2>(v);
    if constexpr (kLanes > 4) exchange_all<4 % kLanes>(v);
    if constexpr (kLanes > 8) exchange_all<8 % kLanes>(v);
    for (int i = 0; i < kLanes; ++i) columns[first + i] = v[i];
  }
}

// A = L D L' in place: rows of the unit lower triangle L, and the reciprocals of D. Element (i, j), j <= i, is
// a[pair_index(i, j)]; the rank is even.
void factorise_lanes(Floats* a, int rank, Floats* reciprocal) {
  for (int j = 0; j < rank; j += 2) {
    Floats* first = a + pair_index(j, 0);
    Floats* second = a + pair_index(j + 1, 0);
    // Rows hold L D up to here; those of the two pivots become rows of L.
    Floats d0 = first[j], d10 = second[j], d1 = second[j + 1];
    for (int k = 0; k < j; ++k) {
      const Floats u = first[k] * reciprocal[k], v = second[k] * reciprocal[k];
      d0 -= u * first[k];
      d10 -= v * first[k];
      d1 -= v * second[k];
      first[k] = u;
      second[k] = v;
    }
    reciprocal[j] = 1.0f / d0;
    const Floats across = d10 * reciprocal[j];
    reciprocal[j + 1] = 1.0f / (d1 - across * d10);
    second[j] = across;
    for (int i = j + 2; i < rank; i += 2) {
      Floats* upper = a + pair_index(i, 0);
      Floats* lower = a + pair_index(i + 1, 0);
      Floats s00 = upper[j], s01 = upper[j + 1], s10 = lower[j], s11 = lower[j + 1];
      for (int k = 0; k < j; ++k) {
        s00 -= upper[k] * first[k];
        s01 -= upper[k] * second[k];
        s10 -= lower[k] * first[k];
        s11 -= lower[k] * second[k];
      }
      upper[j] = s00;
      upper[j + 1] = s01 - across * s00;
      lower[j] = s10;
      lower[j + 1] = s11 - across * s10;
    }
  }
}

// Row j of `inverse` (rank x rank) becomes column j of L^-1, from its diagonal on.
void invert_triangle_lanes(const Floats* l, int rank, Floats* inverse) {
  const Floats zero = {}, one = zero + 1.0f;
  for (int j = 0; j < rank; j += 2) {
    Floats* first = inverse + j * rank;
    Floats* second = first + rank;
    first[j] = second[j + 1] = one;
    second[j] = zero;
    first[j + 1] = -l[pair_index(j + 1, j)];
  }
  for (int i = 2; i < rank; i += 2) {
    const Floats* upper = l + pair_index(i, 0);
    const Floats* lower = l + pair_index(i + 1, 0);
    for (int j = 0; j < i; j += 2) {
      Floats* first = inverse + j * rank;
      Floats* second = first + rank;
      Floats s00 = {}, s01 = {}, s10 = {}, s11 = {};
      for (int k = j; k < i; ++k) {
        s00 -= upper[k] * first[k];
        s01 -= upper[k] * second[k];
        s10 -= lower[k] * first[k];
        s11 -= lower[k] * second[k];
      }
      first[i] = s00;
      second[i] = s01;
      first[i + 1] = s10 - lower[i] * s00;
      second[i + 1] = s11 - lower[i] * s01;
    }
  }
}

// x = A^-1 right and the diagonal of A^-1. A is overwritten; `right` too; `inverse` has room for rank x rank.
void solve_lanes(Floats* a, Floats* right, int rank, Floats* reciprocal, Floats* inverse, Floats* x, Floats* diagonal) {
  factorise_lanes(a, rank, reciprocal);
  invert_triangle_lanes(a, rank, inverse);
  for (int i = 0; i < rank; ++i) {
    const Floats* row = a + pair_index(i, 0);
    Floats sum = right[i];
    for (int k = 0; k < i; ++k) sum -= row[k] * right[k];
    right[i] = sum;
  }
  for (int i = 0; i < rank; ++i) right[i] *= reciprocal[i];
  for (int j = 0; j < rank; ++j) {
    const Floats* column = inverse + j * rank;
    Floats sum = {}, squares = {};
    for (int i = j; i < rank; ++i) {
      sum += column[i] * right[i];
      squares += column[i] * column[i] * reciprocal[i];
    }
    x[j] = sum;
    diagonal[j] = squares;
  }
}

// sum (pair_count(rank)) += A^-1, from the inverse of the triangle and the reciprocals left by solve_lanes.
void add_inverses(const Floats* inverse, const Floats* reciprocal, int rank, Floats* sum) {
  for (int i = 0; i < rank; i += 2) {
    const Floats* first = inverse + i * rank;
    const Floats* second = first + rank;
    for (int j = 0; j <= i; j += 2) {
      const Floats* third = inverse + j * rank;
      const Floats* fourth = third + rank;
      Floats s00 = {}, s01 = {}, s10 = {}, s11 = {};
      for (int k = i; k < rank; ++k) {
        const Floats a = third[k] * reciprocal[k], b = fourth[k] * reciprocal[k];
        s00 += first[k] * a;
        s01 += first[k] * b;
        s10 += second[k] * a;
        s11 += second[k] * b;
      }
      sum[pair_index(i, j)] += s00;
      sum[pair_index(i + 1, j)] += s10;
      sum[pair_index(i + 1, j + 1)] += s11;
      if (j < i) sum[pair_index(i, j + 1)] += s01;
    }
  }
}

}  // namespace
}  // namespace sparsight
