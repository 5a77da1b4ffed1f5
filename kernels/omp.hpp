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

#include "selection.hpp"
#include "tile.hpp"

namespace sparsight {
namespace {

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

// What the correlations are judged by: nothing, as all atoms have unit norm; the norms that they start with, where
// those differ; or the norms of their parts outside the span, which are then kept up to date.
enum class Measure { none, first_norms, present_norms };

// Forms v_n, updates correlations (and norms), and chooses the next atom. `fixed_n` is n where it is known to the
// compiler, else -1.
template <class T, Measure measure, int fixed_n>
std::int64_t project_out(const T* gram_row, const T* lower, std::int64_t given_n, T target, std::int64_t padded_atoms,
                         T* directions, T* correlation, const T* outside_before, T* outside) {
  constexpr int L = Lanes<T>::count;
  const std::int64_t n = fixed_n >= 0 ? fixed_n : given_n;
  const T scale = T(1) / lower[n];
  T* direction = directions + n * padded_atoms;
  constexpr bool divided = measure != Measure::none;
  Candidates<T, divided> best;
  for (std::int64_t i = 0; i < padded_atoms; i += 4 * L) {
    Vector<T> v[4], a[4], w[4] = {};
#pragma GCC unroll 4
    for (int u = 0; u < 4; ++u) v[u] = load(gram_row + i + u * L);
    const T* earlier = directions + i;
#pragma GCC unroll 8
    for (std::int64_t m = 0; m < n; ++m, earlier += padded_atoms) {
      const T l = lower[m];
#pragma GCC unroll 4
      for (int u = 0; u < 4; ++u) v[u] -= l * load(earlier + u * L);
    }
#pragma GCC unroll 4
    for (int u = 0; u < 4; ++u) {
      const std::int64_t at = i + u * L;
      v[u] *= scale;
      store(direction + at, v[u]);
      a[u] = load(correlation + at) - target * v[u];
      store(correlation + at, a[u]);
      if (divided) w[u] = load(outside_before + at);
      if (measure == Measure::present_norms) {
        w[u] -= v[u] * v[u];
        store(outside + at, w[u]);
      }
    }
    best.challenge(best_of_four<T, divided>(a, w, i));
  }
  return best.best();
}

// The first steps, of which most patches need no more, with their inner loop unrolled.
template <class T, Measure measure>
SPARSIGHT_INLINE auto projection_step(std::int64_t n) {
  switch (n) {
    case 0: return project_out<T, measure, 0>;
    case 1: return project_out<T, measure, 1>;
    case 2: return project_out<T, measure, 2>;
    case 3: return project_out<T, measure, 3>;
    case 4: return project_out<T, measure, 4>;
    case 5: return project_out<T, measure, 5>;
    default: return project_out<T, measure, -1>;
  }
}

// The pursuit of one patch, advanced atom by atom.
template <class T, bool order_recursive>
class Pursuit {
 public:
  // The pursuit ends when no correlation exceeds `floor` times the norm of the patch.
  Pursuit(const GreedyProblem<T>& problem, Scratch& scratch, T floor = negligible<T>)
      : problem_(problem),
        d_(problem.dictionary),
        relative_floor_(floor),
        outside_(scratch.take<T>(order_recursive ? d_.padded_atoms : 0)),
        directions_(scratch.take<T>(problem.max_nonzero * d_.padded_atoms)),
        s_(take_state<T>(scratch, problem.max_nonzero)) {}

  // Takes up a patch. `correlation` (with all atoms) is overwritten.
  void begin(const T* patch, T* correlation) {
    patch_ = patch;
    correlation_ = correlation;
    count_ = 0;
    energy_ = rest_ = dot(patch, patch, d_.n_features);
    floor_ = relative_floor_ * square_root(energy_);
    // At first the norms of all atoms are one, and both rules the same.
    atom_ = energy_ <= problem_.tolerance ? -1 : choose_first<T, false>(correlation_, nullptr, d_.padded_atoms);
    prefetch_gram();
  }

  // Adds the atom chosen before and chooses the next; false when the code is complete.
  bool advance() {
    const std::int64_t k = problem_.max_nonzero, padded = d_.padded_atoms;
    if (atom_ < 0 || !(absolute(correlation_[atom_]) > floor_)) return false;
    T* lower = s_.lower + count_ * k;
    T norm = 1;
    for (std::int64_t m = 0; m < count_; ++m) {
      lower[m] = directions_[m * padded + atom_];
      norm -= lower[m] * lower[m];
    }
    if (!(norm > dependent<T>)) return false;
    lower[count_] = square_root(norm);
    const T target = correlation_[atom_] / lower[count_];
    s_.support[count_] = static_cast<std::int32_t>(atom_);
    s_.target[count_] = target;
    rest_ -= target * target;
    ++count_;
    if (within_tolerance() || count_ == k) return false;
    const T* outside_before = count_ == 1 ? d_.squared_norms : outside_;
    constexpr Measure measure = order_recursive ? Measure::present_norms : Measure::none;
    atom_ = projection_step<T, measure>(count_ - 1)(d_.gram + atom_ * padded, lower, count_ - 1, target, padded,
                                                    directions_, correlation_, outside_before, outside_);
    prefetch_gram();
    return true;
  }

  // The atoms chosen so far, in the order of their choice.
  const std::int32_t* support() const { return s_.support; }
  std::int64_t count() const { return count_; }

  void finish(std::int64_t row, const Output<T>& out, SparseSink<T>* sink) {
    solve_codes(s_, problem_.max_nonzero, count_);
    const T squared = squared_residual(d_, patch_, s_.support, s_.codes, count_);
    emit(d_, row, s_.support, s_.codes, count_, square_root(squared), out, sink);
  }

 private:
  // The running residual norm loses digits; near the tolerance the residual itself decides.
  bool within_tolerance() {
    if (problem_.tolerance < 0 || rest_ > problem_.tolerance + 64 * epsilon<T> * energy_) return false;
    solve_codes(s_, problem_.max_nonzero, count_);
    return squared_residual(d_, patch_, s_.support, s_.codes, count_) <= problem_.tolerance;
  }

  // The Gram matrix is larger than the first caches; its row arrives while another patch is advanced.
  void prefetch_gram() const {
    if (atom_ >= 0) fetch_ahead(d_.gram + atom_ * d_.padded_atoms, d_.padded_atoms);
  }

  const GreedyProblem<T>& problem_;
  const Dictionary<T>& d_;
  const T relative_floor_;
  T *outside_, *directions_;
  GreedyState<T> s_;
  const T* patch_ = nullptr;
  T* correlation_ = nullptr;
  std::int64_t count_ = 0, atom_ = -1;
  T energy_ = 0, rest_ = 0, floor_ = 0;
};

// Pursues patches 0, 1, …, count − 1 two at a time, turn by turn, so that one's memory accesses and long chains of
// dependent operations hide behind the other's.
template <class Search, class Begin, class Finish>
SPARSIGHT_INLINE void pursue_in_pairs(Search& one, Search& other, std::int64_t count, const Begin& begin,
                                      const Finish& finish) {
  for (std::int64_t i = 0; i < count; i += 2) {
    const bool pair = i + 1 < count;
    begin(one, i);
    if (pair) begin(other, i + 1);
    for (bool go_one = true, go_other = pair; go_one || go_other;) {
      if (go_one) go_one = one.advance();
      if (go_other) go_other = other.advance();
    }
    finish(one, i);
    if (pair) finish(other, i + 1);
  }
}

template <class T, bool order_recursive>
void pursue_tile(const GreedyProblem<T>& problem, const Tile<T>& tile, const Output<T>& out, SparseSink<T>* sink,
                 Scratch& scratch) {
  using Search = Pursuit<T, order_recursive>;
  const Dictionary<T>& d = problem.dictionary;
  T* patches = scratch.take<T>(usual_tile_rows * d.n_features);
  T* correlations = scratch.take<T>(usual_tile_rows * d.padded_atoms);
  Search one(problem, scratch), other(problem, scratch);
  if (tile.count == 0) return;
  load_tile(tile, d.n_features, patches);
  product(patches, round_up(tile.count, block_rows), d.panels, d.padded_atoms, d.n_features, correlations);
  pursue_in_pairs(
      one, other, tile.count,
      [&](Search& search, std::int64_t i) {
        search.begin(patches + i * d.n_features, correlations + i * d.padded_atoms);
      },
      [&](Search& search, std::int64_t i) { search.finish(tile.rows[i], out, sink); });
}

}  // namespace
}  // namespace sparsight
