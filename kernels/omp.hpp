// Orthogonal matching pursuit of complete patches on the cached Gram matrix.
//
// The chosen atoms are orthonormalised one by one into directions q_1, q_2, … that are never formed:
// all that is needed of q_n is v_n = (<q_n, d_i>)_i over all atoms, and that follows from the Gram row of
// the chosen atom j:  v_n = (G_j − Σ_{m<n} v_m[j] v_m) / L_nn  with  L_nn² = 1 − Σ_{m<n} v_m[j]².
// With z_n = <q_n, y> the correlations of the residual are  a ← a − z_n v_n, the squared norms of the
// atoms' parts outside the chosen span are  w ← w − v_n², and the code solves Lᵀ x = z.
//   orthogonal rule:       choose j = argmax |a_j|          (atoms have unit norm)
//   order-recursive rule:  choose j = argmax |a_j|² / w_j   (largest decrease of the residual)
// Source: R. Rubinstein, M. Zibulevsky, M. Elad, "Efficient implementation of the K-SVD algorithm using
// batch orthogonal matching pursuit", 2008, in the orthogonalised form of L. Rebollo-Neira and D. Lowe 2002.
#pragma once

#include "tile.hpp"

namespace sparsight {
namespace {

// An atom whose part outside the span of those chosen is below this squared norm (of 1) adds nothing but
// rounding error.
template <class T>
constexpr T dependent = 64 * epsilon<T>;

// A residual whose largest normalised correlation is below this fraction of the patch's norm is rounding error.
template <class T>
constexpr T negligible = 16 * epsilon<T>;

template <class T>
struct GreedyState {
  std::int32_t* support;
  T* lower;   // L, row n at n * max_nonzero
  T* target;  // z
  T* codes;
};

template <class T>
GreedyState<T> take_state(Scratch& scratch, std::int64_t k) {
  return {scratch.take<std::int32_t>(k), scratch.take<T>(k * k), scratch.take<T>(k), scratch.take<T>(k)};
}

// codes = L⁻ᵀ z
template <class T>
void solve_codes(const GreedyState<T>& s, std::int64_t k, std::int64_t count) {
  for (std::int64_t n = count - 1; n >= 0; --n) {
    T sum = s.target[n];
    for (std::int64_t m = n + 1; m < count; ++m) sum -= s.lower[m * k + n] * s.codes[m];
    s.codes[n] = sum / s.lower[n * k + n];
  }
}

// residual = patch − Σ codes · atoms; returns its squared norm
template <class T>
T squared_residual(const Dictionary<T>& d, const T* patch, const std::int32_t* support, const T* codes,
                   std::int64_t count, T* residual) {
  __builtin_memcpy(residual, patch, static_cast<std::size_t>(d.n_features) * sizeof(T));
  for (std::int64_t n = 0; n < count; ++n)
    axpy(-codes[n], d.atoms + support[n] * d.n_features, residual, d.n_features);
  return dot(residual, residual, d.n_features);
}

template <class T, bool order_recursive>
SPARSIGHT_INLINE Vector<T> selection_score(Vector<T> correlation, Vector<T> outside) {
  if (!order_recursive) return absolute_vector<T>(correlation);
  const Vector<T> score = correlation * correlation / outside;
  return outside > dependent<T> ? score : Vector<T>{};
}

template <class T, bool order_recursive>
std::int64_t choose_first(const T* correlation, const T* outside, std::int64_t padded_atoms) {
  constexpr int L = Lanes<T>::count;
  Largest<T> largest;
  auto where = lane_numbers<T>();
  for (std::int64_t i = 0; i < padded_atoms; i += L, where += L)
    largest.consider(selection_score<T, order_recursive>(load(correlation + i),
                                                         order_recursive ? load(outside + i) : Vector<T>{}),
                     where);
  return largest.place();
}

// Forms v_n, updates correlations (and the atoms' norms outside the span), and chooses the next atom.
template <class T, bool order_recursive>
std::int64_t project_out(const T* gram_row, const T* lower, std::int64_t n, T target, std::int64_t padded_atoms,
                         T* directions, T* correlation, T* outside) {
  constexpr int L = Lanes<T>::count;
  const T scale = T(1) / lower[n];
  T* direction = directions + n * padded_atoms;
  Largest<T> largest;
  auto where = lane_numbers<T>();
  for (std::int64_t i = 0; i < padded_atoms; i += 4 * L) {
    Vector<T> v[4];
#pragma GCC unroll 4
    for (int u = 0; u < 4; ++u) v[u] = load(gram_row + i + u * L);
    const T* earlier = directions + i;
    for (std::int64_t m = 0; m < n; ++m, earlier += padded_atoms) {
      const T l = lower[m];
#pragma GCC unroll 4
      for (int u = 0; u < 4; ++u) v[u] -= l * load(earlier + u * L);
    }
#pragma GCC unroll 4
    for (int u = 0; u < 4; ++u, where += L) {
      const std::int64_t at = i + u * L;
      v[u] *= scale;
      store(direction + at, v[u]);
      const Vector<T> a = load(correlation + at) - target * v[u];
      store(correlation + at, a);
      Vector<T> w = {};
      if (order_recursive) {
        w = load(outside + at) - v[u] * v[u];
        store(outside + at, w);
      }
      largest.consider(selection_score<T, order_recursive>(a, w), where);
    }
  }
  return largest.place();
}

template <class T, bool order_recursive>
void pursue(const GreedyProblem<T>& problem, const T* patch, T* correlation, T* outside, T* directions, T* residual,
            const GreedyState<T>& s, std::int64_t row, const Output<T>& out, SparseSink<T>* sink) {
  const Dictionary<T>& d = problem.dictionary;
  const std::int64_t k = problem.max_nonzero, padded = d.padded_atoms;
  const T energy = dot(patch, patch, d.n_features);
  const T floor = negligible<T> * square_root(energy);
  if (order_recursive)
    for (std::int64_t i = 0; i < padded; ++i) outside[i] = d.gram[i * padded + i];

  T rest = energy, exact = energy;
  std::int64_t count = 0;
  std::int64_t atom = energy <= problem.tolerance ? -1 : choose_first<T, order_recursive>(correlation, outside, padded);
  while (atom >= 0) {
    T* lower = s.lower + count * k;
    T norm = 1;
    for (std::int64_t m = 0; m < count; ++m) {
      lower[m] = directions[m * padded + atom];
      norm -= lower[m] * lower[m];
    }
    if (!(absolute(correlation[atom]) > floor) || !(norm > dependent<T>)) break;
    lower[count] = square_root(norm);
    const T target = correlation[atom] / lower[count];
    s.support[count] = static_cast<std::int32_t>(atom);
    s.target[count] = target;
    rest -= target * target;
    ++count;
    // The running residual norm loses digits; near the tolerance the residual itself decides.
    if (problem.tolerance >= 0 && rest <= problem.tolerance + 64 * epsilon<T> * energy) {
      solve_codes(s, k, count);
      exact = squared_residual(d, patch, s.support, s.codes, count, residual);
      if (exact <= problem.tolerance) break;
    }
    if (count == k) break;
    atom = project_out<T, order_recursive>(d.gram + atom * padded, lower, count - 1, target, padded, directions,
                                           correlation, outside);
  }
  solve_codes(s, k, count);
  exact = squared_residual(d, patch, s.support, s.codes, count, residual);
  emit(d, row, s.support, s.codes, count, square_root(exact), out, sink);
}

template <class T>
struct GreedyScratch {
  T *patches, *correlations, *outside, *directions, *residual;
  GreedyState<T> state;
  GreedyScratch(const GreedyProblem<T>& problem, Scratch& scratch)
      : patches(scratch.take<T>(usual_tile_rows * problem.dictionary.n_features)),
        correlations(scratch.take<T>(usual_tile_rows * problem.dictionary.padded_atoms)),
        outside(scratch.take<T>(problem.dictionary.padded_atoms)),
        directions(scratch.take<T>(problem.max_nonzero * problem.dictionary.padded_atoms)),
        residual(scratch.take<T>(problem.dictionary.n_features)),
        state(take_state<T>(scratch, problem.max_nonzero)) {}
};

template <class T>
void pursue_tile(const GreedyProblem<T>& problem, const Tile<T>& tile, const Output<T>& out, SparseSink<T>* sink,
                 void* block) {
  const Dictionary<T>& d = problem.dictionary;
  Scratch scratch(block);
  const GreedyScratch<T> s(problem, scratch);
  load_tile(tile, d.n_features, s.patches);
  product(s.patches, round_up(tile.count, block_rows), d.panels, d.padded_atoms, d.n_features, s.correlations);
  const auto one = problem.order_recursive ? pursue<T, true> : pursue<T, false>;
  for (std::int64_t i = 0; i < tile.count; ++i)
    one(problem, s.patches + i * d.n_features, s.correlations + i * d.padded_atoms, s.outside, s.directions,
        s.residual, s.state, tile.rows[i], out, sink);
}

}  // namespace
}  // namespace sparsight
