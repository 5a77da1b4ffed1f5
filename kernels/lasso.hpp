// The lasso on a working set:  min ½‖s − D x‖² + Σ λ_k |x_k|, or the same over x ≥ 0.
//
// Feature-sign search. Atoms are made active one by one, the one whose correlation q exceeds its threshold most
// first; the codes of the active atoms then move along the line to the optimum for their signs, where
// q_A = λ sign(x_A). Where a code would change its sign the move ends early and that atom is dropped. Each
// move lowers the objective, so the search ends, and it ends at the optimum.
//
// The active atoms are orthonormalised as in omp.hpp: of the directions only their products v_n with the atoms of
// the set are held, and with those a move costs one step along the newest direction:
//   q ← q − t v_n,  t = (q_j − λ_j sign) / L_nn,  Δx = L⁻ᵀ (0, …, 0, t).
// Source: H. Lee, A. Battle, R. Raina, A. Ng, "Efficient sparse coding algorithms", 2006.
#pragma once

#include "selection.hpp"
#include "working_set.hpp"

namespace sparsight {
namespace {

// row ← (row − Σ_{m<n} factors[m] · basis_m) · scale, over `width` entries rounded up to four vectors
template <class T>
SPARSIGHT_INLINE void project_row(T* row, const T* factors, std::int64_t n, const T* basis, std::int64_t stride,
                                  std::int64_t from, std::int64_t width, T scale) {
  constexpr int L = Lanes<T>::count;
  for (std::int64_t c = from; c < width; c += 4 * L) {
    Vector<T> v[4];
#pragma GCC unroll 4
    for (int u = 0; u < 4; ++u) v[u] = load(row + c + u * L);
    const T* earlier = basis + c;
    for (std::int64_t m = 0; m < n; ++m, earlier += stride) {
      const T f = factors[m];
#pragma GCC unroll 4
      for (int u = 0; u < 4; ++u) v[u] -= f * load(earlier + u * L);
    }
#pragma GCC unroll 4
    for (int u = 0; u < 4; ++u) store(row + c + u * L, v[u] * scale);
  }
}

// Feature-sign search; the active atoms are kept in the order in which they came.
template <class T>
class SignSearch {
 public:
  SignSearch(std::int64_t capacity, bool positive, T excess, Scratch& scratch)
      : positive_(positive),
        excess_(excess),
        stride_(row_stride<T>(capacity)),
        inactive_(scratch.take<T>(stride_)),
        directions_(scratch.take<T>(capacity * stride_)),
        inverse_(scratch.take<T>(capacity * stride_)),
        lower_(scratch.take<T>(capacity * stride_)),
        scale_(scratch.take<T>(stride_)),
        change_(scratch.take<T>(stride_)),
        parts_(scratch.take<T>(stride_)),
        order_(scratch.take<std::int32_t>(capacity)),
        sign_(scratch.take<T>(capacity)) {}

  // Before the first atoms of a patch are added to the set.
  void clear() {
    n_ = columns_ = 0;
    sound_ = true;
  }

  // False when dependent atoms came in the way; the codes stay usable, this search does not.
  bool sound() const { return sound_; }

  // To the optimum of the set.
  template <class Products>
  void solve(WorkingSet<T>& set, const Products& products) {
    extend(set, products);
    std::int64_t steps = 8 * set.size + 32;
    for (std::int64_t k = worst(set); k >= 0 && sound_; k = worst(set)) {
      sound_ = --steps > 0 && activate(set, products, k);
      if (!sound_) return;
      bool arrived = advance_newest(set, products);
      while (!arrived && n_ > 0 && sound_) arrived = advance_all(set, products);
    }
  }

  // Moves the active codes to the optimum for their signs: after rounding, or a change of the thresholds.
  template <class Products>
  void settle(WorkingSet<T>& set, const Products& products) {
    extend(set, products);
    while (n_ > 0 && sound_ && !advance_all(set, products)) {
    }
  }

  // ‖Σ λ_k sign_k d_k‖² in the metric of the inverse Gram matrix: how the squared residual norm of the optimum
  // grows with the square of a common factor of the thresholds, as long as the signs last.
  T growth(const WorkingSet<T>& set) const {
    T sum = 0;
    for (std::int64_t i = 0; i < n_; ++i) {
      T part = 0;
      for (std::int64_t m = 0; m <= i; ++m) part += inverse_[i * stride_ + m] * sign_[m] * set.threshold[order_[m]];
      sum += part * part;
    }
    return sum;
  }

 private:
  static constexpr int L = Lanes<T>::count;

  // Takes in the atoms added to the set since, which are inactive, and new thresholds.
  template <class Products>
  void extend(const WorkingSet<T>& set, const Products& products) {
    for (std::int64_t k = columns_; k < set.size; ++k) inactive_[k] = 1;
    for (std::int64_t k = 0; k < set.size; ++k) inactive_[k] = inactive_[k] > 0 ? T(1) / set.threshold[k] : T(0);
    for (std::int64_t k = set.size; k < round_up(set.size, 4 * L); ++k) inactive_[k] = 0;
    if (columns_ == set.size) return;
    const std::int64_t from = columns_ / (4 * L) * (4 * L);
    for (std::int64_t i = 0; i < n_; ++i) {
      T* row = directions_ + i * stride_;
      products(order_[i], from, row);
      project_row(row, lower_ + i * stride_, i, directions_, stride_, from, set.size, scale_[i]);
    }
    columns_ = set.size;
  }

  // The inactive atom that violates its condition most, or -1.
  std::int64_t worst(const WorkingSet<T>& set) const {
    Candidates<T, false> best;
    best.score = Vector<T>{} + (1 + excess_);
    best.atom = typename Lanes<T>::Index{} - 1;
    auto lane = lane_numbers<T>();
    for (std::int64_t c = 0; c < set.size; c += L, lane += L) {
      const Vector<T> q = load(set.gradient + c);
      best.challenge({(positive_ ? q : absolute_vector<T>(q)) * load(inactive_ + c), Vector<T>{}, lane});
    }
    return best.best();
  }

  template <class Products>
  bool activate(WorkingSet<T>& set, const Products& products, std::int64_t k) {
    order_[n_] = static_cast<std::int32_t>(k);
    sign_[n_] = set.gradient[k] > 0 ? T(1) : T(-1);
    if (!factorise(set, products, n_)) {
      exchange(set, products, k);
      if (!sound_ || !factorise(set, products, n_)) return false;
    }
    inactive_[k] = 0;
    ++n_;
    return true;
  }

  // For an atom that depends on the active ones, d_k = Σ a_i d_i: moving along that identity changes no residual but
  // lowers the penalty, until the first code is zero. That atom is dropped, and the new one is independent.
  template <class Products>
  void exchange(WorkingSet<T>& set, const Products& products, std::int64_t k) {
    const T sign = sign_[n_];
    const T* lower = lower_ + n_ * stride_;
    for (std::int64_t i = 0; i < n_; ++i) change_[i] = 0;
    for (std::int64_t m = 0; m < n_; ++m) axpy(-sign * lower[m], inverse_ + m * stride_, change_, m + 1);
    T length = -1;
    std::int64_t stopper = -1;
    for (std::int64_t i = 0; i < n_; ++i) {
      if (!(change_[i] * sign_[i] < 0)) continue;
      const T until = -set.codes[order_[i]] / change_[i];
      if (stopper >= 0 && !(until < length)) continue;
      length = until;
      stopper = i;
    }
    sound_ = stopper >= 0;
    if (!sound_) return;
    for (std::int64_t i = 0; i < n_; ++i) set.codes[order_[i]] += length * change_[i];
    set.codes[k] += length * sign;
    drop(set, products, stopper);
    order_[n_] = static_cast<std::int32_t>(k);
    sign_[n_] = sign;
  }

  // Row i of L, of its inverse, and of the directions' products.
  template <class Products>
  bool factorise(const WorkingSet<T>& set, const Products& products, std::int64_t i) {
    const std::int64_t k = order_[i];
    T* lower = lower_ + i * stride_;
    T* row = directions_ + i * stride_;
    products(k, 0, row);
    const T whole = row[k];
    T pivot = whole;
    for (std::int64_t m = 0; m < i; ++m) {
      lower[m] = directions_[m * stride_ + k];
      pivot -= lower[m] * lower[m];
    }
    if (!(pivot > dependent<T> * whole)) return false;
    scale_[i] = T(1) / square_root(pivot);
    project_row(row, lower, i, directions_, stride_, 0, set.size, scale_[i]);
    T* inverse = inverse_ + i * stride_;
    for (std::int64_t c = 0; c < round_up(i + 1, 4 * L); ++c) inverse[c] = c == i;
    if (i % (4 * L) == 0)  // earlier rows are zero in the columns that come into use
      for (std::int64_t m = 0; m < i; ++m)
        for (std::int64_t c = i; c < i + 4 * L; ++c) inverse_[m * stride_ + c] = 0;
    project_row(inverse, lower, i, inverse_, stride_, 0, i + 1, scale_[i]);
    return true;
  }

  // Moves the active codes as the newest atom asks, the others being optimal; false if one was dropped.
  template <class Products>
  bool advance_newest(WorkingSet<T>& set, const Products& products) {
    const std::int64_t last = n_ - 1, newest = order_[last];
    const T whole = (set.gradient[newest] - sign_[last] * set.threshold[newest]) * scale_[last];
    const T* ray = inverse_ + last * stride_;
    for (std::int64_t i = 0; i < n_; ++i) change_[i] = whole * ray[i];
    T length;
    const std::int64_t stopper = first_to_vanish(set, &length);
    for (std::int64_t i = 0; i < n_; ++i) set.codes[order_[i]] += length * change_[i];
    shift_gradient(set, last, length * whole);
    if (stopper < 0) return true;
    drop(set, products, stopper);
    return false;
  }

  // The same for any gradient of the active codes.
  template <class Products>
  bool advance_all(WorkingSet<T>& set, const Products& products) {
    for (std::int64_t i = 0; i < n_; ++i) change_[i] = 0;
    for (std::int64_t i = 0; i < n_; ++i) {
      T part = 0;
      for (std::int64_t m = 0; m <= i; ++m)
        part += inverse_[i * stride_ + m] * (set.gradient[order_[m]] - sign_[m] * set.threshold[order_[m]]);
      parts_[i] = part;
      axpy(part, inverse_ + i * stride_, change_, i + 1);
    }
    T length;
    const std::int64_t stopper = first_to_vanish(set, &length);
    for (std::int64_t i = 0; i < n_; ++i) set.codes[order_[i]] += length * change_[i];
    for (std::int64_t i = 0; i < n_; ++i) shift_gradient(set, i, length * parts_[i]);
    if (stopper < 0) return true;
    drop(set, products, stopper);
    return false;
  }

  // Which active code becomes zero first on the way, and the part of the way until then; -1 if none does. A new
  // atom starts at zero and leaves it.
  std::int64_t first_to_vanish(const WorkingSet<T>& set, T* length) const {
    std::int64_t stopper = -1;
    *length = 1;
    for (std::int64_t i = 0; i < n_; ++i) {
      const T code = set.codes[order_[i]];
      if ((code + change_[i]) * sign_[i] > 0) continue;
      const T until = code * sign_[i] > 0 ? -code / change_[i] : T(0);
      if (!(until >= *length)) {
        *length = until;
        stopper = i;
      }
    }
    return stopper;
  }

  void shift_gradient(WorkingSet<T>& set, std::int64_t i, T step) const {
    const T* direction = directions_ + i * stride_;
    for (std::int64_t c = 0; c < set.size; c += L)
      store(set.gradient + c, load(set.gradient + c) - step * load(direction + c));
  }

  template <class Products>
  void drop(WorkingSet<T>& set, const Products& products, std::int64_t which) {
    const std::int64_t k = order_[which];
    set.codes[k] = 0;
    inactive_[k] = T(1) / set.threshold[k];
    --n_;
    for (std::int64_t i = which; i < n_; ++i) {
      order_[i] = order_[i + 1];
      sign_[i] = sign_[i + 1];
    }
    for (std::int64_t i = which; i < n_ && sound_; ++i) sound_ = factorise(set, products, i);
  }

  bool positive_;
  T excess_;
  std::int64_t stride_;
  std::int64_t n_ = 0, columns_ = 0;
  bool sound_ = true;
  T* inactive_;    // 1 / λ_k, or 0 for active atoms
  T* directions_;  // v_n over the set, row by row
  T* inverse_;     // L⁻¹
  T* lower_;       // L without its diagonal
  T* scale_;       // 1 / L_nn
  T* change_;      // Δx
  T* parts_;       // L⁻¹ of the active codes' gradient
  std::int32_t* order_;  // active atoms, by their place in the set
  T* sign_;
};

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
  }

  // Adds atoms whose optimality condition is violated; false if there are none. With `correlations` of all atoms.
  bool screen(const T* correlations, WorkingSet<T>& set) {
    const T largest = largest_ratio(correlations), enough = 1 + p_.tolerance / 4;
    feasible_ = largest > 1 ? 1 / largest : 1;
    if (!(largest > enough)) return false;
    // Those far below the worst often turn out not to be needed.
    const T share = set.size == 0 ? T(0.7) : T(0.4), cutoff = 1 + (largest - 1) * share;
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

  bool add_above(const T* correlations, T cutoff, WorkingSet<T>& set) const {
    const std::int64_t before = set.size;
    for (std::int64_t i = 0; i < p_.dictionary.padded_atoms; i += 4 * L) {
      typename Lanes<T>::Index any = {};
#pragma GCC unroll 4
      for (int u = 0; u < 4; ++u) any |= ratio(correlations, i + u * L) > cutoff * level_;
      typename Lanes<T>::Integer found = 0;
      for (int l = 0; l < L; ++l) found |= any[l];
      if (found == 0) continue;
      for (std::int64_t j = i; j < i + 4 * L && !set.full(); ++j) {
        const T q = p_.positive ? correlations[j] : absolute(correlations[j]);
        if (q * p_.inverse_thresholds[j] > cutoff * level_ && !set.contains(j))
          set.add(j, correlations[j], level_ * p_.thresholds[j]);
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
