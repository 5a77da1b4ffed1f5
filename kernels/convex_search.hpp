// One patch on its way to the optimum of a convex coding problem (convex.hpp), round by round.
#pragma once

#include "tile.hpp"
#include "working_set.hpp"

namespace sparsight {
namespace {

template <class T, class Penalty>
class ConvexSearch {
 public:
  ConvexSearch(const ConvexProblem<T>& problem, Scratch& scratch)
      : set(problem.capacity, problem.dictionary.padded_atoms, scratch),
        p_(problem),
        penalty_(problem, scratch),
        support_(scratch.take<std::int32_t>(problem.capacity)),
        codes_(scratch.take<T>(problem.capacity)) {}

  void begin(T energy) {
    set.clear();
    penalty_.clear();
    energy_ = energy;
    round_ = stalled_ = 0;
    gap_ = 0;
  }

  // One round, given the correlations at the present codes. `squared_residual` is called for ‖m∘(s − D x)‖² where it
  // is needed. False when the patch is done.
  template <class Products, class SquaredResidual>
  bool step(const T* correlations, const Products& products, const SquaredResidual& squared_residual) {
    if (set.full() && set.size < p_.dictionary.n_atoms) {  // else there would be no room for an atom that is needed
      set.keep_used();
      penalty_.resume(set, products);
    }
    for (std::int64_t k = 0; k < set.size; ++k) set.gradient[k] = correlations[set.atoms[k]];
    const bool grown = penalty_.screen(correlations, set);
    if (!grown) {
      const T before = gap_;
      squared_ = squared_residual();
      gap_ = penalty_.relative_gap(set, squared_);
      stalled_ = gap_ < before / 2 ? 0 : stalled_ + 1;
      if (!(gap_ > p_.tolerance) || stalled_ > 20) return false;
      penalty_.retune(set, squared_, energy_);
    }
    if (++round_ > p_.max_rounds) {
      squared_ = squared_residual();
      gap_ = penalty_.relative_gap(set, squared_);
      return false;
    }
    penalty_.solve(set, products, grown);
    return true;
  }

  void finish(std::int64_t row, const Output<T>& out, SparseSink<T>* sink) {
    std::int64_t count = 0;
    for (std::int64_t k = 0; k < set.size; ++k) {
      support_[count] = set.atoms[k];
      codes_[count] = set.codes[k];
      count += set.codes[k] != 0;
    }
    emit(p_.dictionary, row, support_, codes_, count, square_root(squared_), out, sink);
    out.optimality[row] = gap_;
  }

  WorkingSet<T> set;

 private:
  const ConvexProblem<T>& p_;
  Penalty penalty_;
  std::int32_t* support_;
  T* codes_;
  std::int64_t round_ = 0;
  int stalled_ = 0;
  T energy_ = 0, squared_ = 0, gap_ = 0;
};

}  // namespace
}  // namespace sparsight
