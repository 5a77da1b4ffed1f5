// Convex coding of complete patches, one after another: the correlations follow from rows of the cached Gram matrix.
#pragma once

#include "convex_search.hpp"
#include "gemm.hpp"

namespace sparsight {
namespace {

template <class T, class Penalty>
class CompleteTile {
 public:
  CompleteTile(const ConvexProblem<T>& problem, Scratch& scratch)
      : p_(problem),
        patches_(scratch.take<T>(usual_tile_rows * problem.dictionary.n_features)),
        correlations_(scratch.take<T>(usual_tile_rows * problem.dictionary.padded_atoms)),
        search_(problem, scratch),
        changes_(scratch.take<T>(problem.capacity)),
        atoms_(scratch.take<std::int32_t>(problem.capacity)) {}

  static std::int64_t rows() { return usual_tile_rows; }

  void run(const Tile<T>& tile, const Output<T>& out, SparseSink<T>* sink) {
    const Dictionary<T>& d = p_.dictionary;
    load_tile(tile, d.n_features, patches_);
    product(patches_, round_up(tile.count, block_rows), d.panels, d.padded_atoms, d.n_features, correlations_);
    const GramProducts<T> products(d, search_.set);
    for (std::int64_t i = 0; i < tile.count; ++i) {
      const T* patch = patches_ + i * d.n_features;
      T* correlations = correlations_ + i * d.padded_atoms;
      const T energy = squared_ = dot(patch, patch, d.n_features);
      search_.begin(energy);
      while (search_.step(correlations, products, [&] { return residual_of(patch, energy); }))
        apply_changes(correlations);
      search_.finish(tile.rows[i], out, sink);
    }
  }

 private:
  // q −= Σ change_k G_k, and ‖r‖² −= Σ change_k (q_k before + q_k after)
  void apply_changes(T* correlations) {
    WorkingSet<T>& set = search_.set;
    std::int64_t n = 0;
    for (std::int64_t k = 0; k < set.size; ++k) {
      const T change = set.codes[k] - set.applied[k];
      set.applied[k] = set.codes[k];
      atoms_[n] = set.atoms[k];
      changes_[n] = change;
      n += change != 0;
    }
    for (std::int64_t m = 0; m < n; ++m) squared_ -= changes_[m] * correlations[atoms_[m]];
    constexpr int together = 6;  // rows of the Gram matrix that are read in step
    std::int64_t k = 0;
    for (; k + together <= n; k += together) subtract_rows<together>(correlations, k);
    for (; k + 2 <= n; k += 2) subtract_rows<2>(correlations, k);
    if (k < n) subtract_rows<1>(correlations, k);
    for (std::int64_t m = 0; m < n; ++m) squared_ -= changes_[m] * correlations[atoms_[m]];
  }

  template <int rows>
  void subtract_rows(T* correlations, std::int64_t first) const {
    constexpr int L = Lanes<T>::count;
    const std::int64_t width = p_.dictionary.padded_atoms;
    const T* row[rows];
    T change[rows];
    for (int m = 0; m < rows; ++m) {
      row[m] = p_.dictionary.gram + atoms_[first + m] * width;
      change[m] = changes_[first + m];
    }
    for (std::int64_t i = 0; i < width; i += 2 * L) {
      Vector<T> v = load(correlations + i), w = load(correlations + i + L);
#pragma GCC unroll 8
      for (int m = 0; m < rows; ++m) {
        v -= change[m] * load(row[m] + i);
        w -= change[m] * load(row[m] + i + L);
      }
      store(correlations + i, v);
      store(correlations + i + L, w);
    }
  }

  // From what was subtracted so far, or where that would leave rounding errors, anew.
  T residual_of(const T* patch, T energy) {
    if (squared_ > energy / 16) return squared_;
    const WorkingSet<T>& set = search_.set;
    std::int64_t n = 0;
    for (std::int64_t k = 0; k < set.size; ++k) {
      if (set.codes[k] == 0) continue;
      atoms_[n] = set.atoms[k];
      changes_[n++] = set.codes[k];
    }
    return squared_residual(p_.dictionary, patch, atoms_, changes_, n);
  }

  const ConvexProblem<T>& p_;
  T *patches_, *correlations_;
  ConvexSearch<T, Penalty> search_;
  T* changes_;
  std::int32_t* atoms_;
  T squared_ = 0;  // ‖s − D x‖²
};

}  // namespace
}  // namespace sparsight
