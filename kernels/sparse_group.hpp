// The sparse-group problem on a working set:
//   min ½‖s − D x‖² + Σ λ_k |x_k| + Σ_j ξ_j ‖x_j‖₂   (over x ≥ 0 if positive), the groups being a partition.
//
// Block coordinate descent finds which codes are zero:
//   a group leaves zero along S_λ(q_j), its direction of steepest descent, to the minimum on that ray;
//   it returns to zero where ‖S_λ(q_j + H_jj x_j)‖ ≤ ξ_j, and also where it is stuck next to zero;
//   in a group away from zero each code takes the minimum of a quadratic above the objective,
//   x_k ← S_λ(q_k + h_k x_k) / (h_k + ξ_j / ‖x_j‖).
// Newton's method on the codes away from zero, where the objective is smooth, then gives the digits.
// Source of the conditions: J. Friedman, T. Hastie, R. Tibshirani, "A note on the group lasso and a sparse group
// lasso", 2010.
#pragma once

#include "group_descent.hpp"
#include "group_newton.hpp"
#include "group_screening.hpp"

namespace sparsight {
namespace {

// The penalty Σ λ_k |x_k| + Σ ξ_j ‖x_j‖₂, as the rounds of convex.hpp want it.
template <class T>
class SparseGroupPenalty {
 public:
  SparseGroupPenalty(const ConvexProblem<T>& problem, Scratch& scratch)
      : groups_(problem, scratch),
        gram_(problem.capacity, scratch),
        screening_(problem, groups_, scratch),
        descent_(problem, groups_, gram_, scratch),
        newton_(problem, groups_, gram_, scratch) {}
  SparseGroupPenalty(const SparseGroupPenalty&) = delete;

  void clear() {
    gram_.clear();
    groups_.clear();
  }

  // Its set has room for all atoms, and none leaves it.
  template <class Products>
  void resume(const WorkingSet<T>&, const Products&) {}

  // Adds atoms of groups whose optimality condition is violated; false if there are none.
  bool screen(const T* correlations, WorkingSet<T>& set) { return screening_.screen(correlations, set); }

  template <class Products>
  void solve(WorkingSet<T>& set, const Products& products, bool grown) {
    groups_.sort(set);
    for (int s = 0; s < 3; ++s) descent_.sweep(set, products, s == 0);
    if (grown) {
      newton_.step(set, products);
      return;
    }
    // Steps that end early because a code becomes zero are not counted: descent would bring that code back.
    int whole_steps = 0;
    for (std::int64_t s = 0; s < 2 * set.size && whole_steps < 4; ++s) {
      const auto step = newton_.step(set, products);
      if (step == Newton::Step::none) return;
      if (step == Newton::Step::whole) ++whole_steps;
    }
  }

  T relative_gap(const WorkingSet<T>& set, T squared_residual) {
    groups_.sort(set);
    T overlap = 0;
    for (std::int64_t k = 0; k < set.size; ++k) overlap += set.codes[k] * set.gradient[k];
    const T penalty = groups_.value(set), loss = squared_residual / 2, rest = 1 - screening_.feasible_scale();
    const T gap = rest * rest * loss + penalty - screening_.feasible_scale() * overlap;
    return loss + penalty > 0 ? gap / (loss + penalty) : T(0);
  }

  void retune(WorkingSet<T>&, T, T) {}

 private:
  using Newton = GroupNewton<T>;

  GroupedSet<T> groups_;
  LocalGram<T> gram_;
  GroupScreening<T> screening_;
  GroupDescent<T> descent_;
  Newton newton_;
};

}  // namespace
}  // namespace sparsight
