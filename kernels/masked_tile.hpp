// Convex coding of patches with missing values: the correlations are those of the residual over the observed values. As
// many patches as a register block of the matrix product is high go through their rounds in step.
#pragma once

#include "convex_search.hpp"
#include "gemm.hpp"

namespace sparsight {
namespace {

// 0, 1, …, n − 1 as template arguments.
template <int... numbers>
struct Numbers {};
template <int n, int... numbers>
struct NumbersBelow : NumbersBelow<n - 1, n - 1, numbers...> {};
template <int... numbers>
struct NumbersBelow<0, numbers...> {
  using Type = Numbers<numbers...>;
};

template <class T, class Penalty>
class MaskedTile {
 public:
  MaskedTile(const ConvexProblem<T>& problem, Scratch& scratch)
      : MaskedTile(problem, scratch, typename NumbersBelow<block_rows>::Type()) {}

  static std::int64_t rows() { return block_rows; }

  void run(const Tile<T>& tile, const Output<T>& out, SparseSink<T>* sink) {
    const Dictionary<T>& d = p_.dictionary;
    const std::int64_t features = d.n_features;
    load_tile(tile, features, residuals_);
    std::int64_t active[block_rows], n_active = tile.count;
    for (std::int64_t i = 0; i < tile.count; ++i) {
      active[i] = i;
      const std::uint8_t* missing = missing_of(tile, i, features);
      mark_observed(missing, features, observed_ + i * features);
      searches_[i].begin(squared_norm(i));
    }
    while (n_active > 0) {
      for (std::int64_t a = 0; a < block_rows; ++a) {
        T* row = gathered_ + a * features;
        const std::size_t bytes = static_cast<std::size_t>(features) * sizeof(T);
        if (a < n_active) {
          __builtin_memcpy(row, residuals_ + active[a] * features, bytes);
        } else {
          __builtin_memset(row, 0, bytes);
        }
      }
      product(gathered_, std::int64_t(block_rows), d.panels, d.padded_atoms, features, correlations_);
      std::int64_t kept = 0;
      for (std::int64_t a = 0; a < n_active; ++a) {
        const std::int64_t i = active[a];
        const MaskedProducts<T> products(d, searches_[i].set, observed_ + i * features, buffer_);
        if (!searches_[i].step(correlations_ + a * d.padded_atoms, products, [&] { return squared_norm(i); })) continue;
        apply_changes(i);
        active[kept++] = i;
      }
      n_active = kept;
    }
    for (std::int64_t i = 0; i < tile.count; ++i) searches_[i].finish(tile.rows[i], out, sink);
  }

 private:
  template <int... numbers>
  MaskedTile(const ConvexProblem<T>& problem, Scratch& scratch, Numbers<numbers...>)
      : p_(problem),
        residuals_(scratch.take<T>(block_rows * problem.dictionary.n_features)),
        observed_(scratch.take<T>(block_rows * problem.dictionary.n_features)),
        gathered_(scratch.take<T>(block_rows * problem.dictionary.n_features)),
        correlations_(scratch.take<T>(block_rows * problem.dictionary.padded_atoms)),
        buffer_(scratch.take<T>(problem.dictionary.n_features)),
        searches_{(static_cast<void>(numbers), ConvexSearch<T, Penalty>(problem, scratch))...} {}

  T squared_norm(std::int64_t i) const {
    const T* residual = residuals_ + i * p_.dictionary.n_features;
    return dot(residual, residual, p_.dictionary.n_features);
  }

  // r −= Σ change_k m∘d_k
  void apply_changes(std::int64_t i) {
    const std::int64_t features = p_.dictionary.n_features;
    WorkingSet<T>& set = searches_[i].set;
    T* residual = residuals_ + i * features;
    const T* observed = observed_ + i * features;
    for (std::int64_t k = 0; k < set.size; ++k) {
      const T change = set.codes[k] - set.applied[k];
      if (change == 0) continue;
      set.applied[k] = set.codes[k];
      const T* atom = p_.dictionary.atoms + set.atoms[k] * features;
      for (std::int64_t p = 0; p < features; ++p) residual[p] -= change * observed[p] * atom[p];
    }
  }

  const ConvexProblem<T>& p_;
  T *residuals_, *observed_, *gathered_, *correlations_, *buffer_;
  ConvexSearch<T, Penalty> searches_[block_rows];
};

}  // namespace
}  // namespace sparsight
