// Coding with an outlier term:  min_{x,e} ½‖s − D x − e‖² + λ‖x‖₁ + β‖e‖₂.
//
// For given x with residual r = s − D x the best e is (1 − β/‖r‖)₊ r: it is zero unless ‖r‖ > β, and what is left to
// minimise is h(‖r‖) + λ‖x‖₁ with h quadratic up to β and linear beyond. Its optimality condition is that of the
// lasso with all thresholds multiplied by t = max(1, ‖r‖/β). So this is the lasso, at the level t for which
// ‖r(t)‖ = β t if already ‖r(1)‖ > β. While the signs of the lasso's solution last, ‖r(t)‖² = a + κ t²; the root of
// a + κ t² = β² t² is the next level, kept within a bracket, for ‖r(t)‖/t falls.
// Problem: A. Adler, M. Elad, Y. Hel-Or, E. Rivlin, "Sparse coding with anomaly detection", 2013.
#pragma once

#include "lasso.hpp"

namespace sparsight {
namespace {

template <class T>
class OutlierPenalty : public LassoPenalty<T> {
 public:
  OutlierPenalty(const ConvexProblem<T>& problem, Scratch& scratch)
      : LassoPenalty<T>(problem, scratch), bound_(problem.outlier_threshold) {}

  void clear() {
    LassoPenalty<T>::clear();
    below_ = 1;
    above_ = -1;
  }

  // With the dual point c ρ r, ρ = min(1, β/‖r‖).
  T relative_gap(const WorkingSet<T>& set, T squared_residual) const {
    const T norm = square_root(squared_residual);
    const bool beyond = norm > bound_;
    const T loss = beyond ? bound_ * (norm - bound_ / 2) : squared_residual / 2;
    const T shrink = beyond ? bound_ / norm : T(1), length = beyond ? bound_ : norm;
    const T level = this->level();
    // Thresholds and feasible factor are those of the present level.
    T c = this->feasible_scale() / (level * shrink);
    if (!(c < 1)) c = 1;
    T value = this->value(set) / level, overlap = 0;
    for (std::int64_t k = 0; k < set.size; ++k) overlap += set.codes[k] * set.gradient[k];
    // loss − c ρ‖r‖² + ½ c² ρ²‖r‖², without its cancellation
    const T rest = (1 - c) * (beyond ? length * (norm - length * (1 + c) / 2) : length * length * (1 - c) / 2);
    const T gap = rest + value - c * shrink * overlap;
    return loss + value > 0 ? gap / (loss + value) : T(0);
  }

  // The next level, the lasso being solved at the present one.
  void retune(WorkingSet<T>& set, T squared_residual, T energy) {
    const T level = this->level(), norm = square_root(squared_residual);
    if (norm > bound_ * level) {
      below_ = level;
    } else {
      above_ = level;
    }
    if (level == 1 && !(norm > bound_)) return;
    const T growth = this->search().sound() ? this->search().growth(set) / (level * level) : T(0);
    const T rest = squared_residual - growth * level * level, slope = bound_ * bound_ - growth;
    const T most = square_root(energy) / bound_;
    T next = slope > 0 && rest > 0 ? square_root(rest / slope) : most;
    if (!(next < most)) next = most;
    if (!(next > below_) || (above_ > 0 && !(next < above_))) {
      next = above_ > 0 ? square_root(below_ * above_) : square_root(below_ * most);
    }
    this->set_level(set, next);
  }

 private:
  T bound_, below_ = 1, above_ = -1;
};

}  // namespace
}  // namespace sparsight
