// The convex coding problems  min ½‖m∘(s − D x)‖² + g(x), patch by patch, to a stated duality gap.
//
// Rounds: with the correlations q = Dᵀ(m∘(s − D x)) of all atoms, add those that violate their optimality
// condition to a working set, solve the problem on the set, bring q up to date. When no atom is left to add, the gap
//   F(x) − F(x*) ≤ ½(1 − c)² ‖r‖² + g(x) − c ⟨x, q⟩,   c r feasible for the dual,
// decides. Complete patches get q from rows of the cached Gram matrix, one patch after another; patches with missing
// pixels, where that matrix is another for each, by a matrix product for a few of them at a time.
#pragma once

#include "lasso.hpp"
#include "outlier.hpp"
#include "sparse_group.hpp"

namespace sparsight {
namespace {

// One patch on its way to the optimum.
template <class T, class Penalty>
class ConvexSearch {
 public:
  ConvexSearch(const ConvexProblem<T>& problem, Scratch& scratch)
      : set(problem.capacity, problem.dictionary.padded_atoms, scratch),
        p_(problem),
        penalty_(problem, scratch),
        support_(scratch.take<std::int32_t>(problem.capacity)),
        codes_(scratch.take<T>(problem.capacity)) {}

  void begin(T energy) {
    set.clear();
    penalty_.clear();
    energy_ = energy;
    round_ = stalled_ = 0;
    gap_ = 0;
  }

  // One round, given the correlations at the present codes. `squared_residual` is called for ‖m∘(s − D x)‖² where it
  // is needed. False when the patch is done.
  template <class Products, class SquaredResidual>
  bool step(const T* correlations, const Products& products, const SquaredResidual& squared_residual) {
    if (set.full() && set.size < p_.dictionary.n_atoms) {  // else there would be no room for an atom that is needed
      set.keep_used();
      penalty_.resume(set, products);
    }
    for (std::int64_t k = 0; k < set.size; ++k) set.gradient[k] = correlations[set.atoms[k]];
    const bool grown = penalty_.screen(correlations, set);
    if (!grown) {
      const T before = gap_;
      squared_ = squared_residual();
      gap_ = penalty_.relative_gap(set, squared_);
      stalled_ = gap_ < before / 2 ? 0 : stalled_ + 1;
      if (!(gap_ > p_.tolerance) || stalled_ > 20) return false;
      penalty_.retune(set, squared_, energy_);
    }
    if (++round_ > p_.max_rounds) {
      squared_ = squared_residual();
      gap_ = penalty_.relative_gap(set, squared_);
      return false;
    }
    penalty_.solve(set, products, grown);
    return true;
  }

  void finish(std::int64_t row, const Output<T>& out, SparseSink<T>* sink) {
    std::int64_t count = 0;
    for (std::int64_t k = 0; k < set.size; ++k) {
      support_[count] = set.atoms[k];
      codes_[count] = set.codes[k];
      count += set.codes[k] != 0;
    }
    emit(p_.dictionary, row, support_, codes_, count, square_root(squared_), out, sink);
    out.optimality[row] = gap_;
  }

  WorkingSet<T> set;

 private:
  const ConvexProblem<T>& p_;
  Penalty penalty_;
  std::int32_t* support_;
  T* codes_;
  std::int64_t round_ = 0;
  int stalled_ = 0;
  T energy_ = 0, squared_ = 0, gap_ = 0;
};

// Complete patches: the correlations follow from the Gram matrix.
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

// 0, 1, …, n − 1 as template arguments.
template <int... numbers>
struct Numbers {};
template <int n, int... numbers>
struct NumbersBelow : NumbersBelow<n - 1, n - 1, numbers...> {};
template <int... numbers>
struct NumbersBelow<0, numbers...> {
  using Type = Numbers<numbers...>;
};

// Patches with missing pixels: the correlations are those of the residual over the observed pixels. As many
// patches as a register block of the matrix product is high go through their rounds in step.
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
      const std::uint8_t* missing = tile.missing + tile.rows[i] * features;
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

template <class T, class Tiles>
void code_tile(const ConvexProblem<T>& problem, const Tile<T>& tile, const Output<T>& out, SparseSink<T>* sink,
               void* block) {
  Scratch scratch(block);
  Tiles(problem, scratch).run(tile, out, sink);
}

template <class T, class Tiles>
TileSize tile_size(const ConvexProblem<T>& problem) {
  Scratch scratch(nullptr);
  const Tiles unused(problem, scratch);
  return {Tiles::rows(), scratch.used()};
}

template <class T>
TileSize convex_tile(const ConvexProblem<T>& problem, bool masked) {
  if (problem.n_groups > 0) {
    return masked ? tile_size<T, MaskedTile<T, SparseGroupPenalty<T>>>(problem)
                  : tile_size<T, CompleteTile<T, SparseGroupPenalty<T>>>(problem);
  }
  if (problem.outlier_threshold >= 0) {
    return masked ? tile_size<T, MaskedTile<T, OutlierPenalty<T>>>(problem)
                  : tile_size<T, CompleteTile<T, OutlierPenalty<T>>>(problem);
  }
  return masked ? tile_size<T, MaskedTile<T, LassoPenalty<T>>>(problem)
                : tile_size<T, CompleteTile<T, LassoPenalty<T>>>(problem);
}

template <class T>
void convex(const ConvexProblem<T>& problem, const Tile<T>& tile, const Output<T>& out, SparseSink<T>* sink,
            void* block) {
  const bool masked = tile.missing != nullptr;
  if (problem.n_groups > 0) {
    masked ? code_tile<T, MaskedTile<T, SparseGroupPenalty<T>>>(problem, tile, out, sink, block)
           : code_tile<T, CompleteTile<T, SparseGroupPenalty<T>>>(problem, tile, out, sink, block);
  } else if (problem.outlier_threshold >= 0) {
    masked ? code_tile<T, MaskedTile<T, OutlierPenalty<T>>>(problem, tile, out, sink, block)
           : code_tile<T, CompleteTile<T, OutlierPenalty<T>>>(problem, tile, out, sink, block);
  } else {
    masked ? code_tile<T, MaskedTile<T, LassoPenalty<T>>>(problem, tile, out, sink, block)
           : code_tile<T, CompleteTile<T, LassoPenalty<T>>>(problem, tile, out, sink, block);
  }
}

}  // namespace
}  // namespace sparsight
