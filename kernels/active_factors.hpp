// The active atoms of a working set, orthonormalised in the order in which they came: Dᵀ D = L Lᵀ. Of the directions only
// their products v_n with the atoms of the set are held, beside L⁻¹. An atom is dropped by rotating the directions after
// it until one of them alone needs it.
#pragma once

#include "projection.hpp"
#include "selection.hpp"
#include "working_set.hpp"

namespace sparsight {
namespace {

// values[i] = value by way of a whole vector, which is then read sooner than after the store of one entry.
template <class T>
SPARSIGHT_INLINE void put(T* values, std::int64_t i, T value) {
  constexpr int L = Lanes<T>::count;
  T* const around = values + i / L * L;
  const auto here = lane_numbers<T>() == static_cast<typename Lanes<T>::Integer>(i % L);
  store(around, here ? Vector<T>{} + value : load(around));
}

template <class T>
class ActiveFactors {
 public:
  ActiveFactors(std::int64_t capacity, std::int64_t stride, Scratch& scratch)
      : order(scratch.take<std::int32_t>(capacity)),
        stride_(stride),
        directions_(scratch.take<T>(capacity * stride)),
        inverse_(scratch.take<T>(capacity * stride)),
        scale_(scratch.take<T>(stride)) {}

  const T* direction(std::int64_t i) const { return directions_ + i * stride_; }  // v_i over the set
  const T* inverse(std::int64_t i) const { return inverse_ + i * stride_; }       // a row of L⁻¹
  T scale(std::int64_t i) const { return scale_[i]; }                             // 1 / L_ii

  // Takes in the atoms from place `from` on, a whole number of vectors, which were added to the set.
  template <class Products>
  void extend(const WorkingSet<T>& set, const Products& products, std::int64_t from) {
    for (std::int64_t i = 0; i < n; ++i) {
      T* row = directions_ + i * stride_;
      products(order[i], from, row);
      project_row(row, directions_ + order[i], stride_, i, directions_, stride_, from, set.size);
      scale_row(row, from, set.size, scale_[i]);
    }
  }

  // The next direction and the next row of L⁻¹, for atom number k of the set; false if that depends on the active ones.
  // The atom is active once append() is called.
  template <class Products>
  bool factorise(const WorkingSet<T>& set, const Products& products, std::int64_t k) {
    T* row = directions_ + n * stride_;
    products(k, 0, row);
    const T whole = row[k];
    const T* lower = directions_ + k;  // a row of L, entry by entry `stride_` apart
    project_row(row, lower, stride_, n, directions_, stride_, 0, set.size);
    const T pivot = row[k];
    if (!(pivot > dependent<T> * whole)) return false;
    scale_[n] = T(1) / square_root(pivot);
    scale_row(row, 0, set.size, scale_[n]);
    T* inverse = inverse_ + n * stride_;
    for (std::int64_t c = 0; c < n + 1; c += L) store(inverse + c, Vector<T>{});
    put(inverse, n, T(1));
    if (n % L == 0)  // earlier rows are zero in the columns that come into use
      for (std::int64_t m = 0; m < n; ++m) store(inverse_ + m * stride_ + n, Vector<T>{});
    project_row(inverse, lower, stride_, n, inverse_, stride_, 0, n + 1);
    scale_row(inverse, 0, n + 1, scale_[n]);
    return true;
  }

  void append(std::int64_t k) { order[n++] = static_cast<std::int32_t>(k); }

  // Each of the later directions is rotated with the one before it until the last one is the only one in which the
  // atom has a part, and is left out.
  void drop(std::int64_t which, std::int64_t set_size) {
    for (std::int64_t i = which; i + 1 < n; ++i) {
      T* direction = directions_ + i * stride_;
      const T above = direction[order[i + 1]], below = direction[stride_ + order[i + 1]];
      const T scale = T(1) / square_root(above * above + below * below);
      rotate_rows(direction, above * scale, below * scale, set_size);
      rotate_rows(inverse_ + i * stride_, above * scale, below * scale, n);
      order[i] = order[i + 1];
      scale_[i] = scale;
    }
    --n;
    for (std::int64_t i = which; i < n; ++i) {
      T* inverse = inverse_ + i * stride_;
      for (std::int64_t m = which; m <= i; ++m) inverse[m] = inverse[m + 1];
      inverse[i + 1] = 0;
    }
  }

  std::int64_t n = 0;
  std::int32_t* order;  // active atoms, by their place in the set

 private:
  static constexpr int L = Lanes<T>::count;

  // A row and the one after it.
  void rotate_rows(T* row, T cosine, T sine, std::int64_t width) const {
    T* other = row + stride_;
    for (std::int64_t c = 0; c < width; c += L) {
      const Vector<T> a = load(row + c), b = load(other + c);
      store(row + c, cosine * a + sine * b);
      store(other + c, cosine * b - sine * a);
    }
  }

  const std::int64_t stride_;
  T *directions_, *inverse_, *scale_;
};

}  // namespace
}  // namespace sparsight
