// Feature-sign search, for the lasso on a working set.
//
// Atoms are made active one by one, the one whose correlation q exceeds its threshold most first; the codes of the
// active atoms then move along the line to the optimum for their signs, where q_A = λ sign(x_A). Where a code would
// change its sign the move ends early and that atom is dropped. Each move lowers the objective, so the search ends, and
// it ends at the optimum.
//
// With the orthonormalised active atoms (active_factors.hpp) a move costs one step along the newest direction:
//   q ← q − t v_n,  t = (q_j − λ_j sign) / L_nn,  Δx = L⁻ᵀ (0, …, 0, t).
// Source: H. Lee, A. Battle, R. Raina, A. Ng, "Efficient sparse coding algorithms", 2006.
#pragma once

#include "active_factors.hpp"

namespace sparsight {
namespace {

// The active atoms are kept in the order in which they came.
template <class T>
class SignSearch {
 public:
  SignSearch(std::int64_t capacity, bool positive, T excess, Scratch& scratch)
      : positive_(positive),
        excess_(excess),
        stride_(row_stride<T>(capacity)),
        inactive_(scratch.take<T>(stride_)),
        active_(capacity, stride_, scratch),
        change_(scratch.take<T>(stride_)),
        parts_(scratch.take<T>(stride_)),
        codes_(scratch.take<T>(stride_)),
        sign_(scratch.take<T>(stride_)) {
    if (scratch.counting()) return;
    for (std::int64_t i = 0; i < stride_; ++i) codes_[i] = sign_[i] = 1;
  }

  // Before the first atoms of a patch are added to the set.
  void clear() {
    for (std::int64_t i = 0; i < active_.n; ++i) codes_[i] = sign_[i] = 1;
    active_.n = columns_ = 0;
    sound_ = true;
  }

  // To be called when the thresholds have changed.
  void adopt_thresholds(const WorkingSet<T>& set) {
    for (std::int64_t k = 0; k < columns_; ++k) inactive_[k] = inactive_[k] > 0 ? T(1) / set.threshold[k] : T(0);
  }

  // False when dependent atoms came in the way; the codes stay usable, this search does not.
  bool sound() const { return sound_; }

  // To the optimum of the set, the active codes being optimal for their signs.
  template <class Products>
  void solve(WorkingSet<T>& set, const Products& products) {
    extend(set, products);
    std::int64_t steps = 8 * set.size + 32;
    for (std::int64_t k = worst(set); k >= 0 && sound_; k = worst(set)) {
      sound_ = --steps > 0 && activate(set, products, k);
      // Also after a drop it is only the newest code that is not optimal.
      while (sound_ && active_.n > 0 && !advance_newest(set)) {
      }
    }
    publish(set);
  }

  // Moves the active codes to the optimum for their signs: after rounding, or a change of the thresholds.
  template <class Products>
  void settle(WorkingSet<T>& set, const Products& products) {
    extend(set, products);
    while (active_.n > 0 && !advance_all(set)) {
    }
    publish(set);
  }

  // Begins anew with the codes of the set, whose atoms stand in other places now.
  template <class Products>
  void resume(const WorkingSet<T>& set, const Products& products) {
    clear();
    extend(set, products);
    for (std::int64_t k = 0; k < set.size && sound_; ++k) {
      if (set.codes[k] == 0) continue;
      sound_ = active_.factorise(set, products, k);
      if (sound_) append(k, set.codes[k] > 0 ? T(1) : T(-1), set.codes[k]);
    }
  }

  // ‖Σ λ_k sign_k d_k‖² in the metric of the inverse Gram matrix: how the squared residual norm of the optimum
  // grows with the square of a common factor of the thresholds, as long as the signs last.
  T growth(const WorkingSet<T>& set) const {
    T sum = 0;
    for (std::int64_t i = 0; i < active_.n; ++i) {
      T part = 0;
      for (std::int64_t m = 0; m <= i; ++m) part += active_.inverse(i)[m] * sign_[m] * set.threshold[active_.order[m]];
      sum += part * part;
    }
    return sum;
  }

 private:
  static constexpr int L = Lanes<T>::count;

  // Takes in the atoms added to the set since, which are inactive.
  template <class Products>
  void extend(const WorkingSet<T>& set, const Products& products) {
    if (columns_ == set.size) return;
    for (std::int64_t k = columns_; k < set.size; ++k) inactive_[k] = T(1) / set.threshold[k];
    for (std::int64_t k = set.size; k < round_up(set.size, L); ++k) inactive_[k] = 0;
    active_.extend(set, products, columns_ / L * L);
    columns_ = set.size;
  }

  void publish(WorkingSet<T>& set) const {
    for (std::int64_t i = 0; i < active_.n; ++i) set.codes[active_.order[i]] = codes_[i];
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
    const T sign = set.gradient[k] > 0 ? T(1) : T(-1);
    T code = 0;
    if (!active_.factorise(set, products, k)) {
      code = exchange(set, k, sign);
      if (!sound_ || !active_.factorise(set, products, k)) return false;
    }
    append(k, sign, code);
    return true;
  }

  void append(std::int64_t k, T sign, T code) {
    put(sign_, active_.n, sign);
    put(codes_, active_.n, code);
    inactive_[k] = 0;
    active_.append(k);
  }

  // For an atom that depends on the active ones, d_k = Σ a_i d_i: moving along that identity changes no residual but
  // lowers the penalty, until the first code is zero. That atom is dropped, and the new one is independent. Returns
  // the code of the new one.
  T exchange(WorkingSet<T>& set, std::int64_t k, T sign) {
    for (std::int64_t i = 0; i < active_.n; ++i) change_[i] = 0;
    for (std::int64_t m = 0; m < active_.n; ++m) axpy(-sign * active_.direction(m)[k], active_.inverse(m), change_, m + 1);
    T length = -1;
    std::int64_t stopper = -1;
    for (std::int64_t i = 0; i < active_.n; ++i) {
      if (!(change_[i] * sign_[i] < 0)) continue;
      const T until = -codes_[i] / change_[i];
      if (stopper >= 0 && !(until < length)) continue;
      length = until;
      stopper = i;
    }
    sound_ = stopper >= 0;
    if (!sound_) return 0;
    for (std::int64_t i = 0; i < active_.n; ++i) codes_[i] += length * change_[i];
    set.codes[k] = length * sign;
    drop(set, stopper);
    return length * sign;
  }

  // Moves the active codes as the newest atom asks, the others being optimal; false if one was dropped.
  bool advance_newest(WorkingSet<T>& set) {
    const std::int64_t last = active_.n - 1, newest = active_.order[last];
    const T whole = (set.gradient[newest] - sign_[last] * set.threshold[newest]) * active_.scale(last);
    const T* ray = active_.inverse(last);
    typename Lanes<T>::Index lasting = ~typename Lanes<T>::Index{};
    for (std::int64_t i = 0; i < active_.n; i += L) {
      const Vector<T> change = whole * load(ray + i);
      lasting &= (load(codes_ + i) + change) * load(sign_ + i) > 0;
      store(change_ + i, change);
    }
    T length = 1;
    const std::int64_t stopper = lanes_that_hold<T>(~lasting) == 0 ? -1 : first_to_vanish(&length);
    for (std::int64_t i = 0; i < active_.n; i += L) store(codes_ + i, load(codes_ + i) + length * load(change_ + i));
    shift_gradient(set, last, length * whole);
    if (stopper < 0) return true;
    drop(set, stopper);
    return false;
  }

  // The same for any gradient of the active codes.
  bool advance_all(WorkingSet<T>& set) {
    for (std::int64_t i = 0; i < active_.n; ++i) change_[i] = 0;
    for (std::int64_t i = 0; i < active_.n; ++i) {
      T part = 0;
      for (std::int64_t m = 0; m <= i; ++m)
        part += active_.inverse(i)[m] * (set.gradient[active_.order[m]] - sign_[m] * set.threshold[active_.order[m]]);
      parts_[i] = part;
      axpy(part, active_.inverse(i), change_, i + 1);
    }
    T length;
    const std::int64_t stopper = first_to_vanish(&length);
    for (std::int64_t i = 0; i < active_.n; ++i) codes_[i] += length * change_[i];
    for (std::int64_t i = 0; i < active_.n; ++i) shift_gradient(set, i, length * parts_[i]);
    if (stopper < 0) return true;
    drop(set, stopper);
    return false;
  }

  // Which active code becomes zero first on the way, and the part of the way until then; -1 if none does. A new
  // atom starts at zero and leaves it.
  std::int64_t first_to_vanish(T* length) const {
    std::int64_t stopper = -1;
    *length = 1;
    for (std::int64_t i = 0; i < active_.n; ++i) {
      if ((codes_[i] + change_[i]) * sign_[i] > 0) continue;
      const T until = codes_[i] * sign_[i] > 0 ? -codes_[i] / change_[i] : T(0);
      if (!(until >= *length)) {
        *length = until;
        stopper = i;
      }
    }
    return stopper;
  }

  void shift_gradient(WorkingSet<T>& set, std::int64_t i, T step) const {
    const T* direction = active_.direction(i);
    for (std::int64_t c = 0; c < set.size; c += L)
      store(set.gradient + c, load(set.gradient + c) - step * load(direction + c));
  }

  void drop(WorkingSet<T>& set, std::int64_t which) {
    const std::int64_t k = active_.order[which];
    set.codes[k] = 0;
    inactive_[k] = T(1) / set.threshold[k];
    active_.drop(which, set.size);
    for (std::int64_t i = which; i < active_.n; ++i) {
      codes_[i] = codes_[i + 1];
      sign_[i] = sign_[i + 1];
    }
    codes_[active_.n] = sign_[active_.n] = 1;
  }

  bool positive_;
  T excess_;
  std::int64_t stride_;
  std::int64_t columns_ = 0;  // of the set's atoms, those that were taken in
  bool sound_ = true;
  T* inactive_;  // 1 / λ_k, or 0 for active atoms
  ActiveFactors<T> active_;
  T* change_;    // Δx
  T* parts_;     // L⁻¹ of the active codes' gradient
  T* codes_;     // x of the active atoms; this and the next are 1 beyond them
  T* sign_;
};

}  // namespace
}  // namespace sparsight
