// Orthogonal matching pursuit of patches with missing pixels, each patch with a mask of its own.
//
// Every mask makes another dictionary m∘D, so there is no Gram matrix to cache. The chosen atoms are
// orthonormalised in the space of the observed pixels (Gram-Schmidt), and the correlations of all atoms are one
// matrix product for the whole tile and step:
//   orthogonal rule:       with the residuals r,             a = D r
//   order-recursive rule:  with the newest directions q_n,   a ← a − z_n D q_n,   w ← w − (D q_n)²
// where w starts as ‖m∘d_j‖². Both rules choose j = argmax |a_j|² / w_j: an atom of which little is observed is
// judged by what is seen of it, not by its full norm.
//
// For pursuits that end at an error, and for patches that screened_masked_omp.hpp leaves: this one loses no digits where
// the residual is small or atoms are nearly dependent.
#pragma once

#include "omp.hpp"

namespace sparsight {
namespace {

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
  T *patches, *observed, *basis, *lower, *target, *codes, *energy;
  T *vectors, *correlations, *outside, *projections;
  std::int32_t* support;
  std::int64_t *count, *active;
  MaskedScratch(const GreedyProblem<T>& problem, std::int64_t n, Scratch& scratch) {
    const std::int64_t k = problem.max_nonzero, features = problem.dictionary.n_features;
    const std::int64_t padded = problem.dictionary.padded_atoms;
    patches = scratch.take<T>(n * features);
    observed = scratch.take<T>(n * features);
    basis = scratch.take<T>(n * k * features);
    lower = scratch.take<T>(n * k * k);
    target = scratch.take<T>(n * k);
    codes = scratch.take<T>(k);
    energy = scratch.take<T>(n);
    vectors = scratch.take<T>(n * features);
    correlations = scratch.take<T>(n * padded);
    outside = scratch.take<T>(n * padded);
    projections = scratch.take<T>(problem.order_recursive ? n * padded : 0);
    support = scratch.take<std::int32_t>(n * k);
    count = scratch.take<std::int64_t>(n);
    active = scratch.take<std::int64_t>(n);
  }
};

// Takes the part in the span of the first `n` rows of `basis` out of `fresh`, and adds its coefficients to `lower`.
// Returns the squared norm of what is left.
template <class T>
T take_out(const T* basis, std::int64_t n, std::int64_t features, T* fresh, T* parts, T* lower) {
  for (std::int64_t m = 0; m < n; ++m) parts[m] = dot(basis + m * features, fresh, features);
  for (std::int64_t m = 0; m < n; ++m) {
    lower[m] += parts[m];
    axpy(-parts[m], basis + m * features, fresh, features);
  }
  return dot(fresh, fresh, features);
}

// Part of `atom` outside the span of the first `n` rows of `basis`, normalised, as row n; coefficients to `lower`.
// Returns its squared norm before normalisation. `parts` is room for n numbers.
template <class T>
T orthonormalise(const T* atom, const T* observed, std::int64_t n, std::int64_t features, T* basis, T* lower,
                 T* parts) {
  T* fresh = basis + n * features;
  for (std::int64_t p = 0; p < features; ++p) fresh[p] = observed[p] * atom[p];
  for (std::int64_t m = 0; m < n; ++m) lower[m] = 0;
  T norm = take_out(basis, n, features, fresh, parts, lower);
  // Where much was taken out, a second round restores orthogonality (Kahan: twice is enough).
  if (dot(lower, lower, n) > norm) norm = take_out(basis, n, features, fresh, parts, lower);
  lower[n] = square_root(norm);
  const T scale = T(1) / lower[n];
  for (std::int64_t p = 0; p < features; ++p) fresh[p] *= scale;
  return norm;
}

template <class T>
class MaskedPursuit {
 public:
  MaskedPursuit(const GreedyProblem<T>& problem, std::int64_t n_rows, Scratch& scratch)
      : problem_(problem), d_(problem.dictionary), s_(problem, n_rows, scratch) {}

  void run(const Tile<T>& tile) {
    start(tile);
    while (n_active_ > 0) {
      extend_each();
      if (n_active_ == 0) break;
      if (problem_.order_recursive) project_newest();
      else correlate_residuals();
    }
  }

  void finish(std::int64_t i, std::int64_t row, const Output<T>& out, SparseSink<T>* sink) {
    const std::int64_t k = problem_.max_nonzero, features = d_.n_features;
    const GreedyState<T> state = {s_.support + i * k, s_.lower + i * k * k, s_.target + i * k, s_.codes};
    solve_codes(state, k, s_.count[i]);
    const T* residual = s_.patches + i * features;
    emit(d_, row, state.support, state.codes, s_.count[i], square_root(dot(residual, residual, features)), out, sink);
  }

 private:
  void start(const Tile<T>& tile) {
    const std::int64_t features = d_.n_features, rows = round_up(tile.count, block_rows);
    load_tile(tile, features, s_.patches);
    __builtin_memset(s_.vectors, 0, static_cast<std::size_t>(rows * features) * sizeof(T));
    n_active_ = 0;
    for (std::int64_t i = 0; i < tile.count; ++i) {
      const std::uint8_t* missing = missing_of(tile, i, features);
      T* observed = s_.observed + i * features;
      mark_observed(missing, features, observed);
      copy(observed, i);
      s_.energy[i] = dot(s_.patches + i * features, s_.patches + i * features, features);
      s_.count[i] = 0;
      if (!(s_.energy[i] <= problem_.tolerance)) s_.active[n_active_++] = i;
    }
    product(s_.vectors, rows, d_.squared_panels, d_.padded_atoms, features, s_.outside);
    if (problem_.order_recursive) {
      for (std::int64_t i = 0; i < tile.count; ++i) copy(s_.patches + i * features, i);
      product(s_.vectors, rows, d_.panels, d_.padded_atoms, features, s_.correlations);
    } else {
      correlate_residuals();
    }
  }

  // A vector as row `to` of what is multiplied with all atoms.
  void copy(const T* vector, std::int64_t to) {
    __builtin_memcpy(s_.vectors + to * d_.n_features, vector, static_cast<std::size_t>(d_.n_features) * sizeof(T));
  }

  // One more atom for every active patch; those that are done leave the list.
  void extend_each() {
    std::int64_t kept = 0;
    for (std::int64_t a = 0; a < n_active_; ++a) {
      const std::int64_t i = s_.active[a];
      if (extend(i, problem_.order_recursive ? i : a)) s_.active[kept++] = i;
    }
    n_active_ = kept;
  }

  // `at`: row of its correlations.
  bool extend(std::int64_t i, std::int64_t at) {
    const std::int64_t k = problem_.max_nonzero, features = d_.n_features, n = s_.count[i];
    const T* correlation = s_.correlations + at * d_.padded_atoms;
    const T* outside = s_.outside + i * d_.padded_atoms;
    // Atoms of which (almost) nothing is observed are never chosen.
    const std::int64_t atom = choose_first<T, true>(correlation, outside, d_.padded_atoms);
    if (atom < 0) return false;
    const T score = correlation[atom] * correlation[atom] / outside[atom];
    if (!(score > negligible<T> * negligible<T> * s_.energy[i])) return false;

    T* basis = s_.basis + i * k * features;
    T* lower = s_.lower + (i * k + n) * k;
    const T norm =
        orthonormalise(d_.atoms + atom * features, s_.observed + i * features, n, features, basis, lower, s_.codes);
    if (!(norm > dependent<T>)) return false;
    T* residual = s_.patches + i * features;
    const T target = dot(basis + n * features, residual, features);
    axpy(-target, basis + n * features, residual, features);
    s_.target[i * k + n] = target;
    s_.support[i * k + n] = static_cast<std::int32_t>(atom);
    s_.count[i] = n + 1;
    return n + 1 < k && !(problem_.tolerance >= 0 && dot(residual, residual, features) <= problem_.tolerance);
  }

  // Correlations of all atoms with the residuals of the active patches, in the order of their list.
  void correlate_residuals() {
    for (std::int64_t a = 0; a < n_active_; ++a) {
      const std::int64_t i = s_.active[a];
      copy(s_.patches + i * d_.n_features, a);
    }
    product(s_.vectors, round_up(n_active_, block_rows), d_.panels, d_.padded_atoms, d_.n_features,
            s_.correlations);
  }

  // What the newest directions of the active patches change.
  void project_newest() {
    constexpr int L = Lanes<T>::count;
    const std::int64_t k = problem_.max_nonzero, features = d_.n_features, padded = d_.padded_atoms;
    for (std::int64_t a = 0; a < n_active_; ++a) {
      const std::int64_t i = s_.active[a];
      copy(s_.basis + (i * k + s_.count[i] - 1) * features, a);
    }
    product(s_.vectors, round_up(n_active_, block_rows), d_.panels, padded, features, s_.projections);
    for (std::int64_t a = 0; a < n_active_; ++a) {
      const std::int64_t i = s_.active[a];
      const T target = s_.target[i * k + s_.count[i] - 1];
      const T* projection = s_.projections + a * padded;
      T* correlation = s_.correlations + i * padded;
      T* outside = s_.outside + i * padded;
      for (std::int64_t j = 0; j < padded; j += L) {
        const Vector<T> v = load(projection + j);
        store(correlation + j, load(correlation + j) - target * v);
        store(outside + j, load(outside + j) - v * v);
      }
    }
  }

  const GreedyProblem<T>& problem_;
  const Dictionary<T>& d_;
  MaskedScratch<T> s_;
  std::int64_t n_active_ = 0;
};

}  // namespace
}  // namespace sparsight
