// Orthogonal matching pursuit of patches with missing pixels, each patch with a mask of its own.
//
// Every mask makes another dictionary m∘D, so there is no Gram matrix to cache. The chosen atoms are
// orthonormalised in the space of the observed pixels (modified Gram-Schmidt), and the correlations of all
// atoms with the newest direction q_n are one matrix product for the whole tile:
//   a ← a − z_n D q_n,   w ← w − (D q_n)²   (order-recursive rule only),   w starts as ‖m∘d_j‖².
// Both rules choose j = argmax |a_j|² / w_j: an atom of which little is observed is judged by what is seen
// of it, not by its full norm.
#pragma once

#include "screened_omp.hpp"

namespace sparsight {
namespace {

// score = a² / w; atoms of which (almost) nothing is observed are never chosen.
template <class T>
std::int64_t choose_observed(const T* correlation, const T* outside, std::int64_t padded_atoms) {
  return choose_first<T, true>(correlation, outside, padded_atoms);
}

// Every patch of a tile holds a basis of its own: fewer patches when many atoms may be chosen.
template <class T>
std::int64_t masked_tile_rows(const GreedyProblem<T>& problem) {
  constexpr std::int64_t entries = 1 << 20;
  const std::int64_t fitting = entries / (problem.max_nonzero * (problem.dictionary.n_features + problem.max_nonzero));
  if (fitting >= usual_tile_rows) return usual_tile_rows;
  return round_up(fitting > 0 ? fitting : 1, block_rows);
}

template <class T>
struct MaskedScratch {
  T *patches, *observed, *correlations, *outside, *basis, *newest, *projections;
  T *lower, *target, *codes, *energy;
  std::int32_t* support;
  std::int64_t *count, *active;
  MaskedScratch(const GreedyProblem<T>& problem, Scratch& scratch) {
    const std::int64_t k = problem.max_nonzero, n = masked_tile_rows(problem);
    const std::int64_t features = problem.dictionary.n_features, atoms = problem.dictionary.padded_atoms;
    patches = scratch.take<T>(n * features);
    observed = scratch.take<T>(n * features);
    correlations = scratch.take<T>(n * atoms);
    outside = scratch.take<T>(n * atoms);
    basis = scratch.take<T>(n * k * features);
    newest = scratch.take<T>(n * features);
    projections = scratch.take<T>(n * atoms);
    lower = scratch.take<T>(n * k * k);
    target = scratch.take<T>(n * k);
    codes = scratch.take<T>(k);
    energy = scratch.take<T>(n);
    support = scratch.take<std::int32_t>(n * k);
    count = scratch.take<std::int64_t>(n);
    active = scratch.take<std::int64_t>(n);
  }
};

// Part of `atom` outside the span of the first `n` rows of `basis`, normalised, as row n; coefficients to
// `lower`. Returns its squared norm before normalisation. A second round restores orthogonality (Kahan).
template <class T>
T orthonormalise(const T* atom, const T* observed, std::int64_t n, std::int64_t features, T* basis, T* lower) {
  T* fresh = basis + n * features;
  for (std::int64_t p = 0; p < features; ++p) fresh[p] = observed[p] * atom[p];
  for (std::int64_t m = 0; m < n; ++m) lower[m] = 0;
  const int rounds = n > 0 ? 2 : 0;
  for (int round = 0; round < rounds; ++round) {
    for (std::int64_t m = 0; m < n; ++m) {
      const T part = dot(basis + m * features, fresh, features);
      lower[m] += part;
      axpy(-part, basis + m * features, fresh, features);
    }
  }
  const T norm = dot(fresh, fresh, features);
  lower[n] = square_root(norm);
  const T scale = T(1) / lower[n];
  for (std::int64_t p = 0; p < features; ++p) fresh[p] *= scale;
  return norm;
}

template <class T>
class MaskedPursuit {
 public:
  MaskedPursuit(const GreedyProblem<T>& problem, const Tile<T>& tile, Scratch& scratch)
      : problem_(problem), d_(problem.dictionary), tile_(tile), s_(problem, scratch) {}

  void run(const Output<T>& out, SparseSink<T>* sink) {
    start();
    while (n_active_ > 0) {
      extend_each();
      if (n_active_ > 0) correlate_newest();
    }
    for (std::int64_t i = 0; i < tile_.count; ++i) finish(i, out, sink);
  }

 private:
  void start() {
    const std::int64_t features = d_.n_features, rows = round_up(tile_.count, block_rows);
    load_tile(tile_, features, s_.patches);
    __builtin_memset(s_.observed, 0, static_cast<std::size_t>(rows * features) * sizeof(T));
    for (std::int64_t i = 0; i < tile_.count; ++i) {
      const std::uint8_t* missing = tile_.missing + tile_.rows[i] * features;
      for (std::int64_t p = 0; p < features; ++p) s_.observed[i * features + p] = missing[p] ? T(0) : T(1);
      s_.energy[i] = dot(s_.patches + i * features, s_.patches + i * features, features);
      s_.count[i] = 0;
      if (!(s_.energy[i] <= problem_.tolerance)) s_.active[n_active_++] = i;
    }
    product(s_.patches, rows, d_.panels, d_.padded_atoms, features, s_.correlations);
    product(s_.observed, rows, d_.squared_panels, d_.padded_atoms, features, s_.outside);
  }

  // One more atom for every active patch; those that are done leave the list.
  void extend_each() {
    std::int64_t kept = 0;
    for (std::int64_t a = 0; a < n_active_; ++a) {
      const std::int64_t i = s_.active[a];
      if (extend(i)) s_.active[kept++] = i;
    }
    n_active_ = kept;
  }

  bool extend(std::int64_t i) {
    const std::int64_t k = problem_.max_nonzero, features = d_.n_features, n = s_.count[i];
    const T* correlation = s_.correlations + i * d_.padded_atoms;
    const T* outside = s_.outside + i * d_.padded_atoms;
    const std::int64_t atom = choose_observed(correlation, outside, d_.padded_atoms);
    if (atom < 0) return false;
    const T score = correlation[atom] * correlation[atom] / outside[atom];
    if (!(score > negligible<T> * negligible<T> * s_.energy[i])) return false;

    T* basis = s_.basis + i * k * features;
    T* lower = s_.lower + (i * k + n) * k;
    const T norm = orthonormalise(d_.atoms + atom * features, s_.observed + i * features, n, features, basis, lower);
    if (!(norm > dependent<T>)) return false;
    T* residual = s_.patches + i * features;
    const T target = dot(basis + n * features, residual, features);
    axpy(-target, basis + n * features, residual, features);
    s_.target[i * k + n] = target;
    s_.support[i * k + n] = static_cast<std::int32_t>(atom);
    s_.count[i] = n + 1;
    return n + 1 < k && !(dot(residual, residual, features) <= problem_.tolerance);
  }

  // Correlations of all atoms with the residuals of the active patches.
  void correlate_newest() {
    constexpr int L = Lanes<T>::count;
    const std::int64_t k = problem_.max_nonzero, features = d_.n_features, padded = d_.padded_atoms;
    for (std::int64_t a = 0; a < n_active_; ++a) {
      const std::int64_t i = s_.active[a];
      __builtin_memcpy(s_.newest + a * features, s_.basis + (i * k + s_.count[i] - 1) * features,
                       static_cast<std::size_t>(features) * sizeof(T));
    }
    const std::int64_t rows = round_up(n_active_, block_rows);
    __builtin_memset(s_.newest + n_active_ * features, 0,
                     static_cast<std::size_t>((rows - n_active_) * features) * sizeof(T));
    product(s_.newest, rows, d_.panels, padded, features, s_.projections);
    for (std::int64_t a = 0; a < n_active_; ++a) {
      const std::int64_t i = s_.active[a];
      const T target = s_.target[i * k + s_.count[i] - 1];
      const T* projection = s_.projections + a * padded;
      T* correlation = s_.correlations + i * padded;
      T* outside = s_.outside + i * padded;
      axpy(-target, projection, correlation, padded);
      if (problem_.order_recursive) {
        for (std::int64_t j = 0; j < padded; j += L) {
          const Vector<T> v = load(projection + j);
          store(outside + j, load(outside + j) - v * v);
        }
      }
    }
  }

  void finish(std::int64_t i, const Output<T>& out, SparseSink<T>* sink) {
    const std::int64_t k = problem_.max_nonzero, features = d_.n_features;
    const GreedyState<T> state = {s_.support + i * k, s_.lower + i * k * k, s_.target + i * k, s_.codes};
    solve_codes(state, k, s_.count[i]);
    const T* residual = s_.patches + i * features;
    emit(d_, tile_.rows[i], state.support, state.codes, s_.count[i], square_root(dot(residual, residual, features)),
         out, sink);
  }

  const GreedyProblem<T>& problem_;
  const Dictionary<T>& d_;
  const Tile<T>& tile_;
  MaskedScratch<T> s_;
  std::int64_t n_active_ = 0;
};

template <class T>
void pursue_complete(const GreedyProblem<T>& problem, const Tile<T>& tile, const Output<T>& out, SparseSink<T>* sink,
                     Scratch& scratch, bool order_recursive) {
  if constexpr (sizeof(T) == sizeof(double)) {
    if (problem.screening != nullptr) {
      if (order_recursive) return pursue_screened_tile<true>(problem, tile, out, sink, scratch);
      return pursue_screened_tile<false>(problem, tile, out, sink, scratch);
    }
  }
  if (order_recursive) return pursue_tile<T, true>(problem, tile, out, sink, scratch);
  pursue_tile<T, false>(problem, tile, out, sink, scratch);
}

template <class T>
void greedy(const GreedyProblem<T>& problem, const Tile<T>& tile, const Output<T>& out, SparseSink<T>* sink,
            void* block) {
  Scratch scratch(block);
  if (tile.missing != nullptr) {
    MaskedPursuit<T>(problem, tile, scratch).run(out, sink);
  } else {
    pursue_complete(problem, tile, out, sink, scratch, problem.order_recursive);
  }
}

template <class T>
TileSize greedy_tile(const GreedyProblem<T>& problem, bool masked) {
  Scratch scratch(nullptr);
  if (masked) {
    const MaskedScratch<T> unused(problem, scratch);
    return {masked_tile_rows(problem), scratch.used()};
  }
  pursue_complete<T>(problem, {}, {}, nullptr, scratch, true);  // an empty tile only takes its memory
  return {usual_tile_rows, scratch.used()};
}

}  // namespace
}  // namespace sparsight
