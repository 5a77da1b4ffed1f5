// The few atoms that a convex coding problem turns on.
//
// A code has few non-zeros: the problem is solved on a working set of atoms, and only then all atoms are
// looked at for one whose optimality condition is violated.
#pragma once

#include "tile.hpp"

namespace sparsight {
namespace {

// Distance of the rows of a small matrix: whole vectors, and not so round that all rows share a cache set.
template <class T>
constexpr std::int64_t row_stride(std::int64_t width) {
  const std::int64_t rounded = round_up(width, 4 * Lanes<T>::count);
  return rounded * sizeof(T) % 1024 == 0 ? rounded + 4 * Lanes<T>::count : rounded;
}

template <class T>
class WorkingSet {
 public:
  // Room for `capacity` atoms of a dictionary of `padded_atoms`.
  WorkingSet(std::int64_t capacity, std::int64_t padded_atoms, Scratch& scratch)
      : atoms(scratch.take<std::int32_t>(round_up(capacity, Lanes<T>::count))),
        codes(scratch.take<T>(capacity)),
        applied(scratch.take<T>(capacity)),
        threshold(scratch.take<T>(capacity)),
        gradient(scratch.take<T>(round_up(capacity, 4 * Lanes<T>::count))),
        capacity_(capacity),
        place_(scratch.take<std::int32_t>(padded_atoms)) {
    if (scratch.counting()) return;
    for (std::int64_t j = 0; j < padded_atoms; ++j) place_[j] = -1;
    for (std::int64_t k = 0; k < round_up(capacity, Lanes<T>::count); ++k) atoms[k] = 0;
  }

  void clear() {
    for (std::int64_t k = 0; k < size; ++k) place_[atoms[k]] = -1;
    size = 0;
  }

  bool contains(std::int64_t atom) const { return place_[atom] >= 0; }
  bool full() const { return size == capacity_; }

  // Adds an atom with code 0; `correlation` is that with the present residual.
  void add(std::int64_t atom, T correlation, T its_threshold) {
    atoms[size] = static_cast<std::int32_t>(atom);
    place_[atom] = static_cast<std::int32_t>(size);
    codes[size] = applied[size] = 0;
    gradient[size] = correlation;
    threshold[size] = its_threshold;
    ++size;
  }

  // Takes the atoms out whose codes are zero; the codes are those that the residual knows of.
  void keep_used() {
    std::int64_t kept = 0;
    for (std::int64_t k = 0; k < size; ++k) {
      place_[atoms[k]] = -1;
      if (codes[k] == 0) continue;
      atoms[kept] = atoms[k];
      codes[kept] = codes[k];
      applied[kept] = applied[k];
      threshold[kept] = threshold[k];
      place_[atoms[kept]] = static_cast<std::int32_t>(kept);
      ++kept;
    }
    size = kept;
  }

  std::int64_t size = 0;
  std::int32_t* atoms;  // beyond the set: some atom or other, to whole vectors
  T* codes;
  T* applied;    // the codes that the residual knows of
  T* threshold;  // λ_k
  T* gradient;   // q_k, correlations with the residual at `codes`; lanes beyond the set mean nothing

 private:
  std::int64_t capacity_;
  std::int32_t* place_;
};

// Products of an atom of the set with all of them, from the Gram matrix.
template <class T>
class GramProducts {
 public:
  GramProducts(const Dictionary<T>& d, const WorkingSet<T>& set) : d_(d), set_(set) {}

  // Writes those of atom number k of the set with atoms from number `from` on, rounded outwards to whole vectors.
  void operator()(std::int64_t k, std::int64_t from, T* row) const {
    constexpr int L = Lanes<T>::count;
    const T* gram = d_.gram + set_.atoms[k] * d_.padded_atoms;
    for (std::int64_t c = from / L * L; c < set_.size; c += L) {
      const std::int32_t* atoms = set_.atoms + c;
      Vector<T> v;
#pragma GCC unroll 16
      for (int lane = 0; lane < L; ++lane) v[lane] = gram[atoms[lane]];
      store(row + c, v);
    }
  }

 private:
  const Dictionary<T>& d_;
  const WorkingSet<T>& set_;
};

// The same over the observed pixels of a patch.
template <class T>
class MaskedProducts {
 public:
  MaskedProducts(const Dictionary<T>& d, const WorkingSet<T>& set, const T* observed, T* buffer)
      : d_(d), set_(set), observed_(observed), buffer_(buffer) {}

  void operator()(std::int64_t k, std::int64_t from, T* row) const {
    const T* atom = d_.atoms + set_.atoms[k] * d_.n_features;
    for (std::int64_t p = 0; p < d_.n_features; ++p) buffer_[p] = observed_[p] * atom[p];
    for (std::int64_t c = from; c < set_.size; ++c)
      row[c] = dot(buffer_, d_.atoms + set_.atoms[c] * d_.n_features, d_.n_features);
  }

 private:
  const Dictionary<T>& d_;
  const WorkingSet<T>& set_;
  const T* observed_;
  T* buffer_;
};

// Gram matrix of the set's atoms, filled row by row as rows are asked for.
template <class T>
class LocalGram {
 public:
  LocalGram(std::int64_t capacity, Scratch& scratch)
      : stride_(row_stride<T>(capacity)),
        rows_(scratch.take<T>(capacity * stride_)),
        filled_(scratch.take<std::int64_t>(capacity)) {}

  void clear() { known_ = 0; }

  template <class Products>
  const T* row(const WorkingSet<T>& set, const Products& products, std::int64_t k) {
    for (; known_ < set.size; ++known_) filled_[known_] = 0;
    T* row = rows_ + k * stride_;
    if (filled_[k] < set.size) products(k, filled_[k], row);
    filled_[k] = set.size;
    return row;
  }

 private:
  std::int64_t stride_, known_ = 0;
  T* rows_;
  std::int64_t* filled_;
};

// codes[k] += change, and the gradient with it; `row` is that of the Gram matrix.
template <class T>
SPARSIGHT_INLINE void move_code(WorkingSet<T>& set, std::int64_t k, T change, const T* row) {
  set.codes[k] += change;
  for (std::int64_t i = 0; i < set.size; i += Lanes<T>::count)
    store(set.gradient + i, load(set.gradient + i) - change * load(row + i));
}

template <class T>
SPARSIGHT_INLINE T soft_threshold(T x, T threshold, bool positive) {
  if (x > threshold) return x - threshold;
  return !positive && x < -threshold ? x + threshold : T(0);
}

}  // namespace
}  // namespace sparsight
