// Feature-sign search, for the lasso on a working set.
//
// Atoms are made active one by one, the one whose correlation q exceeds its threshold most first; the codes of the
// active atoms then move along the line to the optimum for their signs, where q_A = λ sign(x_A). Where a code would
// change its sign the move ends early and that atom is dropped. Each move lowers the objective, so the search ends, and
// it ends at the optimum.
//
// The active atoms are orthonormalised as in omp.hpp: of the directions only their products v_n with the atoms of
// the set are held, and with those a move costs one step along the newest direction:
//   q ← q − t v_n,  t = (q_j − λ_j sign) / L_nn,  Δx = L⁻ᵀ (0, …, 0, t).
// An atom is dropped by rotating the directions after it until one of them alone needs it.
// Source: H. Lee, A. Battle, R. Raina, A. Ng, "Efficient sparse coding algorithms", 2006.
#pragma once

#include "projection.hpp"
#include "selection.hpp"
#include "working_set.hpp"

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
        directions_(scratch.take<T>(capacity * stride_)),
        inverse_(scratch.take<T>(capacity * stride_)),
        scale_(scratch.take<T>(stride_)),
        change_(scratch.take<T>(stride_)),
        parts_(scratch.take<T>(stride_)),
        codes_(scratch.take<T>(stride_)),
        sign_(scratch.take<T>(stride_)),
        order_(scratch.take<std::int32_t>(capacity)) {
    if (scratch.counting()) return;
    for (std::int64_t i = 0; i < stride_; ++i) codes_[i] = sign_[i] = 1;
  }

  // Before the first atoms of a patch are added to the set.
  void clear() {
    for (std::int64_t i = 0; i < n_; ++i) codes_[i] = sign_[i] = 1;
    n_ = columns_ = 0;
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
      while (sound_ && n_ > 0 && !advance_newest(set)) {
      }
    }
    publish(set);
  }

  // Moves the active codes to the optimum for their signs: after rounding, or a change of the thresholds.
  template <class Products>
  void settle(WorkingSet<T>& set, const Products& products) {
    extend(set, products);
    while (n_ > 0 && !advance_all(set)) {
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
      sound_ = factorise(set, products, k);
      if (sound_) append(k, set.codes[k] > 0 ? T(1) : T(-1), set.codes[k]);
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

  // Takes in the atoms added to the set since, which are inactive.
  template <class Products>
  void extend(const WorkingSet<T>& set, const Products& products) {
    if (columns_ == set.size) return;
    for (std::int64_t k = columns_; k < set.size; ++k) inactive_[k] = T(1) / set.threshold[k];
    for (std::int64_t k = set.size; k < round_up(set.size, L); ++k) inactive_[k] = 0;
    const std::int64_t from = columns_ / L * L;
    for (std::int64_t i = 0; i < n_; ++i) {
      T* row = directions_ + i * stride_;
      products(order_[i], from, row);
      project_row(row, directions_ + order_[i], stride_, i, directions_, stride_, from, set.size);
      scale_row(row, from, set.size, scale_[i]);
    }
    columns_ = set.size;
  }

  void publish(WorkingSet<T>& set) const {
    for (std::int64_t i = 0; i < n_; ++i) set.codes[order_[i]] = codes_[i];
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
    if (!factorise(set, products, k)) {
      code = exchange(set, k, sign);
      if (!sound_ || !factorise(set, products, k)) return false;
    }
    append(k, sign, code);
    return true;
  }

  void append(std::int64_t k, T sign, T code) {
    order_[n_] = static_cast<std::int32_t>(k);
    put(sign_, n_, sign);
    put(codes_, n_, code);
    inactive_[k] = 0;
    ++n_;
  }

  // values[i] = value by way of a whole vector, which is then read sooner than after the store of one entry.
  SPARSIGHT_INLINE static void put(T* values, std::int64_t i, T value) {
    T* const around = values + i / L * L;
    const auto here = lane_numbers<T>() == static_cast<typename Lanes<T>::Integer>(i % L);
    store(around, here ? Vector<T>{} + value : load(around));
  }

  // For an atom that depends on the active ones, d_k = Σ a_i d_i: moving along that identity changes no residual but
  // lowers the penalty, until the first code is zero. That atom is dropped, and the new one is independent. Returns
  // the code of the new one.
  T exchange(WorkingSet<T>& set, std::int64_t k, T sign) {
    for (std::int64_t i = 0; i < n_; ++i) change_[i] = 0;
    for (std::int64_t m = 0; m < n_; ++m) axpy(-sign * directions_[m * stride_ + k], inverse_ + m * stride_, change_, m + 1);
    T length = -1;
    std::int64_t stopper = -1;
    for (std::int64_t i = 0; i < n_; ++i) {
      if (!(change_[i] * sign_[i] < 0)) continue;
      const T until = -codes_[i] / change_[i];
      if (stopper >= 0 && !(until < length)) continue;
      length = until;
      stopper = i;
    }
    sound_ = stopper >= 0;
    if (!sound_) return 0;
    for (std::int64_t i = 0; i < n_; ++i) codes_[i] += length * change_[i];
    set.codes[k] = length * sign;
    drop(set, stopper);
    return length * sign;
  }

  // The next row of the inverse of L, and the next direction's products, for atom number k of the set; false if that
  // depends on the active ones.
  template <class Products>
  bool factorise(const WorkingSet<T>& set, const Products& products, std::int64_t k) {
    T* row = directions_ + n_ * stride_;
    products(k, 0, row);
    const T whole = row[k];
    const T* lower = directions_ + k;  // a row of L, entry by entry `stride_` apart
    project_row(row, lower, stride_, n_, directions_, stride_, 0, set.size);
    const T pivot = row[k];
    if (!(pivot > dependent<T> * whole)) return false;
    scale_[n_] = T(1) / square_root(pivot);
    scale_row(row, 0, set.size, scale_[n_]);
    T* inverse = inverse_ + n_ * stride_;
    for (std::int64_t c = 0; c < n_ + 1; c += L) store(inverse + c, Vector<T>{});
    put(inverse, n_, T(1));
    if (n_ % L == 0)  // earlier rows are zero in the columns that come into use
      for (std::int64_t m = 0; m < n_; ++m) store(inverse_ + m * stride_ + n_, Vector<T>{});
    project_row(inverse, lower, stride_, n_, inverse_, stride_, 0, n_ + 1);
    scale_row(inverse, 0, n_ + 1, scale_[n_]);
    return true;
  }

  // Moves the active codes as the newest atom asks, the others being optimal; false if one was dropped.
  bool advance_newest(WorkingSet<T>& set) {
    const std::int64_t last = n_ - 1, newest = order_[last];
    const T whole = (set.gradient[newest] - sign_[last] * set.threshold[newest]) * scale_[last];
    const T* ray = inverse_ + last * stride_;
    typename Lanes<T>::Index lasting = ~typename Lanes<T>::Index{};
    for (std::int64_t i = 0; i < n_; i += L) {
      const Vector<T> change = whole * load(ray + i);
      lasting &= (load(codes_ + i) + change) * load(sign_ + i) > 0;
      store(change_ + i, change);
    }
    T length = 1;
    const std::int64_t stopper = lanes_that_hold<T>(~lasting) == 0 ? -1 : first_to_vanish(&length);
    for (std::int64_t i = 0; i < n_; i += L) store(codes_ + i, load(codes_ + i) + length * load(change_ + i));
    shift_gradient(set, last, length * whole);
    if (stopper < 0) return true;
    drop(set, stopper);
    return false;
  }

  // The same for any gradient of the active codes.
  bool advance_all(WorkingSet<T>& set) {
    for (std::int64_t i = 0; i < n_; ++i) change_[i] = 0;
    for (std::int64_t i = 0; i < n_; ++i) {
      T part = 0;
      for (std::int64_t m = 0; m <= i; ++m)
        part += inverse_[i * stride_ + m] * (set.gradient[order_[m]] - sign_[m] * set.threshold[order_[m]]);
      parts_[i] = part;
      axpy(part, inverse_ + i * stride_, change_, i + 1);
    }
    T length;
    const std::int64_t stopper = first_to_vanish(&length);
    for (std::int64_t i = 0; i < n_; ++i) codes_[i] += length * change_[i];
    for (std::int64_t i = 0; i < n_; ++i) shift_gradient(set, i, length * parts_[i]);
    if (stopper < 0) return true;
    drop(set, stopper);
    return false;
  }

  // Which active code becomes zero first on the way, and the part of the way until then; -1 if none does. A new
  // atom starts at zero and leaves it.
  std::int64_t first_to_vanish(T* length) const {
    std::int64_t stopper = -1;
    *length = 1;
    for (std::int64_t i = 0; i < n_; ++i) {
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
    const T* direction = directions_ + i * stride_;
    for (std::int64_t c = 0; c < set.size; c += L)
      store(set.gradient + c, load(set.gradient + c) - step * load(direction + c));
  }

  // Each of the later directions is rotated with the one before it until the last one is the only one in which the
  // atom has a part, and is left out.
  void drop(WorkingSet<T>& set, std::int64_t which) {
    const std::int64_t k = order_[which];
    set.codes[k] = 0;
    inactive_[k] = T(1) / set.threshold[k];
    for (std::int64_t i = which; i + 1 < n_; ++i) {
      const std::int64_t next = order_[i + 1];
      T* direction = directions_ + i * stride_;
      const T above = direction[next], below = direction[stride_ + next];
      const T scale = T(1) / square_root(above * above + below * below);
      rotate_rows(direction, above * scale, below * scale, set.size);
      rotate_rows(inverse_ + i * stride_, above * scale, below * scale, n_);
      order_[i] = order_[i + 1];
      codes_[i] = codes_[i + 1];
      sign_[i] = sign_[i + 1];
      scale_[i] = scale;
    }
    --n_;
    codes_[n_] = sign_[n_] = 1;
    for (std::int64_t i = which; i < n_; ++i) {
      T* inverse = inverse_ + i * stride_;
      for (std::int64_t m = which; m <= i; ++m) inverse[m] = inverse[m + 1];
      inverse[i + 1] = 0;
    }
  }

  // A row and the one after it.
  void rotate_rows(T* row, T cosine, T sine, std::int64_t width) const {
    T* other = row + stride_;
    for (std::int64_t c = 0; c < width; c += L) {
      const Vector<T> a = load(row + c), b = load(other + c);
      store(row + c, cosine * a + sine * b);
      store(other + c, cosine * b - sine * a);
    }
  }

  bool positive_;
  T excess_;
  std::int64_t stride_;
  std::int64_t n_ = 0, columns_ = 0;
  bool sound_ = true;
  T* inactive_;    // 1 / λ_k, or 0 for active atoms
  T* directions_;  // v_n over the set, row by row
  T* inverse_;     // L⁻¹
  T* scale_;       // 1 / L_nn
  T* change_;      // Δx
  T* parts_;       // L⁻¹ of the active codes' gradient
  T* codes_;       // x of the active atoms; this and the next are 1 beyond them
  T* sign_;
  std::int32_t* order_;  // active atoms, by their place in the set
};

}  // namespace
}  // namespace sparsight
