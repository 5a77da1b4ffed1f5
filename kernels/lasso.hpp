// The lasso on a working set:  min ½‖s − D x‖² + Σ λ_k |x_k|, or the same over x ≥ 0: by feature-sign search, and by
// coordinate descent where dependent atoms come in its way.
#pragma once

#include "sign_search.hpp"

namespace sparsight {
namespace {

// Cyclic coordinate descent on the set, for dictionaries with dependent atoms: slower, but never at a loss.
template <class T, class Products>
void descend(WorkingSet<T>& set, const Products& products, LocalGram<T>& gram, bool positive, T excess) {
  constexpr int most_sweeps = 1000;
  bool moving = true;
  for (int sweep = 0; sweep < most_sweeps && moving; ++sweep) {
    moving = false;
    for (std::int64_t k = 0; k < set.size; ++k) {
      const T* row = gram.row(set, products, k);
      const T fresh = soft_threshold(set.gradient[k] + row[k] * set.codes[k], set.threshold[k], positive) / row[k];
      const T change = fresh - set.codes[k];
      if (change == 0) continue;
      move_code(set, k, change, row);
      set.codes[k] = fresh;
      moving |= absolute(change) * row[k] > excess * set.threshold[k];
    }
  }
}

// The penalty Σ λ_m |x_m| (over x ≥ 0 if positive), as the rounds of convex.hpp want it.
template <class T>
class LassoPenalty {
 public:
  LassoPenalty(const ConvexProblem<T>& problem, Scratch& scratch)
      : p_(problem),
        search_(problem.capacity, problem.positive, problem.tolerance / 8, scratch),
        gram_(problem.capacity, scratch) {}

  void clear() {
    search_.clear();
    gram_.clear();
    level_ = 1;
  }

  // A common factor of all thresholds, 1 for the lasso itself.
  T level() const { return level_; }
  void set_level(WorkingSet<T>& set, T level) {
    level_ = level;
    for (std::int64_t k = 0; k < set.size; ++k) set.threshold[k] = level * p_.thresholds[set.atoms[k]];
    search_.adopt_thresholds(set);
  }

  // To be called when atoms have left the set.
  template <class Products>
  void resume(const WorkingSet<T>& set, const Products& products) {
    gram_.clear();
    search_.resume(set, products);
  }

  // Adds atoms whose optimality condition is violated; false if there are none. With `correlations` of all atoms.
  bool screen(const T* correlations, WorkingSet<T>& set) {
    const T largest = largest_ratio(correlations), enough = 1 + p_.tolerance / 4;
    feasible_ = largest > 1 ? 1 / largest : 1;
    if (!(largest > enough)) return false;
    // Those far below the worst at first often turn out not to be needed; later ones mostly are.
    const T share = set.size == 0 ? T(0.7) : T(0.1), cutoff = 1 + (largest - 1) * share;
    return add_above(correlations, cutoff > enough ? cutoff : enough, set);
  }

  // The optimum of the set. `grown`: atoms were added since.
  template <class Products>
  void solve(WorkingSet<T>& set, const Products& products, bool grown) {
    if (search_.sound() && !grown) search_.settle(set, products);
    if (search_.sound()) search_.solve(set, products);
    if (!search_.sound()) descend(set, products, gram_, p_.positive, p_.tolerance / 8);
  }

  T value(const WorkingSet<T>& set) const {
    T sum = 0;
    for (std::int64_t k = 0; k < set.size; ++k) sum += set.threshold[k] * absolute(set.codes[k]);
    return sum;
  }

  // Duality gap over objective; `feasible_scale` c gives the dual point c r.
  T relative_gap(const WorkingSet<T>& set, T squared_residual) const {
    const T loss = squared_residual / 2, rest = 1 - feasible_;
    T penalty = 0, gap = rest * rest * loss;
    for (std::int64_t k = 0; k < set.size; ++k) {
      const T part = set.threshold[k] * absolute(set.codes[k]);
      penalty += part;
      gap += part - feasible_ * set.codes[k] * set.gradient[k];
    }
    return loss + penalty > 0 ? gap / (loss + penalty) : T(0);
  }

  void retune(WorkingSet<T>&, T, T) {}

  // A factor c ≤ 1 with which the residual becomes feasible for the dual: |c q_m| ≤ λ_m.
  T feasible_scale() const { return feasible_; }

  const SignSearch<T>& search() const { return search_; }

 private:
  static constexpr int L = Lanes<T>::count;

  // |q_m| / λ_m
  SPARSIGHT_INLINE Vector<T> ratio(const T* correlations, std::int64_t i) const {
    const Vector<T> q = load(correlations + i);
    return (p_.positive ? q : absolute_vector<T>(q)) * load(p_.inverse_thresholds + i);
  }

  T largest_ratio(const T* correlations) const {
    Vector<T> most[4] = {};
    for (std::int64_t i = 0; i < p_.dictionary.padded_atoms; i += 4 * L) {
#pragma GCC unroll 4
      for (int u = 0; u < 4; ++u) {
        const Vector<T> r = ratio(correlations, i + u * L);
        most[u] = r > most[u] ? r : most[u];
      }
    }
    T largest = 0;
    for (int u = 0; u < 4; ++u)
      for (int l = 0; l < L; ++l) largest = most[u][l] > largest ? most[u][l] : largest;
    return largest / level_;
  }

  // Sixty-four atoms at a time, so that the few to be added cost no guesses of which.
  bool add_above(const T* correlations, T cutoff, WorkingSet<T>& set) const {
    const std::int64_t before = set.size, padded = p_.dictionary.padded_atoms;
    for (std::int64_t first = 0; first < padded; first += 64) {
      const std::int64_t end = first + 64 < padded ? first + 64 : padded;
      std::uint64_t above = 0;
      for (std::int64_t i = first; i < end; i += L)
        above |= lanes_that_hold<T>(ratio(correlations, i) > cutoff * level_) << (i - first);
      for (; above != 0 && !set.full(); above &= above - 1) {
        const std::int64_t j = first + __builtin_ctzll(above);
        if (!set.contains(j)) set.add(j, correlations[j], level_ * p_.thresholds[j]);
      }
    }
    return set.size > before;
  }

  const ConvexProblem<T>& p_;
  SignSearch<T> search_;
  LocalGram<T> gram_;
  T level_ = 1, feasible_ = 1;
};

}  // namespace
}  // namespace sparsight
