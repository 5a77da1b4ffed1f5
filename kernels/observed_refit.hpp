// Least-squares codes over the observed pixels of a patch, in double precision, of atoms already chosen.
#pragma once

#include "normal_equations.hpp"
#include "table.hpp"

namespace sparsight {
namespace {

SPARSIGHT_INLINE Vector<double> load_double(const double* p) { return load(p); }
SPARSIGHT_INLINE Vector<double> load_double(const float* p) {
  Vector<double> v;
  for (int i = 0; i < Lanes<double>::count; ++i) v[i] = p[i];
  return v;
}

// Fewer than a vector; the others are zero.
template <class T>
SPARSIGHT_INLINE Vector<double> load_some_double(const T* p, std::int64_t n) {
  Vector<double> v = {};
  for (int i = 0; i < Lanes<double>::count; ++i)
    if (i < n) v[i] = p[i];
  return v;
}

template <class T>
double squared_norm(const T* values, std::int64_t n) {
  constexpr int L = Lanes<double>::count;
  Vector<double> sums[2] = {};
  std::int64_t p = 0;
  for (; p + 2 * L <= n; p += 2 * L)
    for (int u = 0; u < 2; ++u) sums[u] += load_double(values + p + u * L) * load_double(values + p + u * L);
  double sum = horizontal_sum<double>(sums[0] + sums[1]);
  for (; p < n; ++p) sum += double(values[p]) * double(values[p]);
  return sum;
}

// Σ_p observed_p x_p y_p for each x of a few rows and each y of some others, into products[x * apart + y].
template <class T, int n_x, int n_y>
SPARSIGHT_INLINE void multiply_rows(const T* observed, const T* const* x, const T* const* y, std::int64_t width,
                                    double* products, std::int64_t apart) {
  constexpr int L = Lanes<double>::count;
  Vector<double> sum[n_x][n_y] = {};
  const auto add = [&](std::int64_t p, const auto& take) __attribute__((always_inline)) {
    const Vector<double> seen = take(observed + p);
    Vector<double> left[n_x];
#pragma GCC unroll 2
    for (int a = 0; a < n_x; ++a) left[a] = seen * take(x[a] + p);
#pragma GCC unroll 4
    for (int b = 0; b < n_y; ++b) {
      const Vector<double> right = take(y[b] + p);
#pragma GCC unroll 2
      for (int a = 0; a < n_x; ++a) sum[a][b] += left[a] * right;
    }
  };
  std::int64_t p = 0;
  for (; p + L <= width; p += L) add(p, [](const T* at) __attribute__((always_inline)) { return load_double(at); });
  if (p < width) add(p, [&](const T* at) __attribute__((always_inline)) { return load_some_double(at, width - p); });
#pragma GCC unroll 2
  for (int a = 0; a < n_x; ++a)
#pragma GCC unroll 4
    for (int b = 0; b < n_y; ++b) products[a * apart + b] = horizontal_sum<double>(sum[a][b]);
}

template <class T, int n_x>
void multiply_with_all(const T* observed, const T* const* x, const T* const* y, std::int64_t n_y, std::int64_t width,
                       double* products, std::int64_t apart) {
  std::int64_t b = 0;
  for (; b + 4 <= n_y; b += 4) multiply_rows<T, n_x, 4>(observed, x, y + b, width, products + b, apart);
  switch (n_y - b) {
    case 3: return multiply_rows<T, n_x, 3>(observed, x, y + b, width, products + b, apart);
    case 2: return multiply_rows<T, n_x, 2>(observed, x, y + b, width, products + b, apart);
    case 1: return multiply_rows<T, n_x, 1>(observed, x, y + b, width, products + b, apart);
  }
}

// T: precision of the patches and atoms.
template <class T>
class ObservedRefit : public NormalEquations {
 public:
  // For `k` atoms a patch.
  ObservedRefit(const Dictionary<T>& dictionary, std::int64_t k, Scratch& scratch)
      : NormalEquations(k, scratch),
        d_(dictionary),
        k_(k),
        rows_(scratch.take<const T*>(k + 1)),
        products_(scratch.take<double>(2 * (k + 2))) {}

  // Takes up one patch: zero where not observed.
  void set(int lane, const T* patch, const T* observed, const std::int32_t* support) {
    rows_[0] = patch;
    for (std::int64_t n = 0; n < k_; ++n) rows_[n + 1] = d_.atoms + support[n] * d_.n_features;
    const std::int64_t apart = k_ + 2;
    for (std::int64_t n = 0; n < k_; n += 2) {
      if (n + 1 == k_) {
        multiply_with_all<T, 1>(observed, rows_ + n + 1, rows_, n + 2, d_.n_features, products_, apart);
      } else {
        multiply_with_all<T, 2>(observed, rows_ + n + 1, rows_, n + 3, d_.n_features, products_, apart);
        take_row(lane, n + 1, products_ + apart);
      }
      take_row(lane, n, products_);
    }
  }

  // ‖m∘(patch − Σ codes · atoms)‖²
  double squared_residual(const T* patch, const T* observed, const std::int32_t* support, const double* codes) const {
    constexpr int L = Lanes<double>::count;
    const std::int64_t width = d_.n_features;
    Vector<double> sum = {};
    const auto add = [&](std::int64_t p, const auto& take) __attribute__((always_inline)) {
      Vector<double> rest = take(patch + p);
      for (std::int64_t n = 0; n < k_; ++n) rest -= codes[n] * take(d_.atoms + support[n] * width + p);
      rest *= take(observed + p);
      sum += rest * rest;
    };
    std::int64_t p = 0;
    for (; p + L <= width; p += L) add(p, [](const T* at) __attribute__((always_inline)) { return load_double(at); });
    if (p < width) add(p, [&](const T* at) __attribute__((always_inline)) { return load_some_double(at, width - p); });
    return horizontal_sum<double>(sum);
  }

 private:
  void take_row(int lane, std::int64_t n, const double* products) {
    set_target(lane, n, products[0]);
    for (std::int64_t m = 0; m < n; ++m) set_product(lane, n, m, products[m + 1]);
    set_norm(lane, n, products[n + 1]);
  }

  const Dictionary<T>& d_;
  std::int64_t k_;
  const T** rows_;  // the patch and its atoms
  double* products_;
};

}  // namespace
}  // namespace sparsight
