// Block coordinate descent on the sparse-group problem (see sparse_group.hpp): finds which codes are zero.
#pragma once

#include "grouped_set.hpp"

namespace sparsight {
namespace {

template <class T>
class GroupDescent {
 public:
  GroupDescent(const ConvexProblem<T>& problem, const GroupedSet<T>& groups, LocalGram<T>& gram, Scratch& scratch)
      : p_(problem),
        groups_(groups),
        gram_(gram),
        ray_(scratch.take<T>(row_stride<T>(problem.capacity + 1))),
        at_zero_(scratch.take<T>(row_stride<T>(problem.capacity + 1))),
        bend_(scratch.take<T>(row_stride<T>(problem.capacity + 1))) {}

  // Goes through all groups once; `test_zero`: those away from zero may return to it.
  template <class Products>
  void sweep(WorkingSet<T>& set, const Products& products, bool test_zero) {
    for (std::int64_t u = 0; u < groups_.n_used; ++u) {
      const std::int64_t first = groups_.start[u], last = groups_.start[u + 1];
      const T bound = p_.group_thresholds[groups_.used[u]];
      T energy = 0;
      for (std::int64_t i = first; i < last; ++i) energy += set.codes[groups_.members[i]] * set.codes[groups_.members[i]];
      if (!(energy > 0)) {
        leave_zero(set, products, first, last, bound);
        continue;
      }
      if (test_zero && bound > 0 && is_near_zero(set, products, first, bound, energy) &&
          restart(set, products, first, last, bound, energy))
        continue;
      const T pull_back = bound / square_root(energy);  // of the quadratic above the norm, kept for the whole group
      for (std::int64_t i = first; i < last; ++i) {
        const std::int64_t k = groups_.members[i];
        const T code = set.codes[k];
        if (code == 0 && absolute(set.gradient[k]) <= set.threshold[k]) continue;
        const T* row = gram_.row(set, products, k);
        const T pull = soft_threshold(set.gradient[k] + row[k] * code, set.threshold[k], p_.positive);
        const T others = energy - code * code;
        T fresh;
        if (others > epsilon<T> * energy) {
          fresh = pull / (row[k] + pull_back);
        } else {
          fresh = soft_threshold(pull, bound, false) / row[k];
        }
        if (fresh == code) continue;
        energy += fresh * fresh - code * code;
        move_code(set, k, fresh - code, row);
        set.codes[k] = fresh;
        if (!(energy > 0)) break;
      }
    }
  }

 private:
  static constexpr int L = Lanes<T>::count;

  // From zero to the minimum on the ray of steepest descent, if the group is to leave zero.
  template <class Products>
  void leave_zero(WorkingSet<T>& set, const Products& products, std::int64_t first, std::int64_t last, T bound) {
    T length;
    if (!(ray(set, products, set.gradient, first, last, bound, &length) > 0)) return;
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t k = groups_.members[i];
      if (ray_[k] != 0) move_code(set, k, length * ray_[k], gram_.row(set, products, k));
    }
  }

  // Whether a group may belong to zero: the others either do not, or descent takes them there.
  template <class Products>
  bool is_near_zero(const WorkingSet<T>& set, const Products& products, std::int64_t first, T bound, T energy) {
    const std::int64_t k = groups_.members[first];
    const T curvature = gram_.row(set, products, k)[k];
    return curvature * curvature * energy < 4 * bound * bound;
  }

  // Puts a group to zero that belongs there, or to the minimum on the ray from zero where that is lower than where
  // it is, as it often is next to zero; true if so.
  template <class Products>
  bool restart(WorkingSet<T>& set, const Products& products, std::int64_t first, std::int64_t last, T bound, T energy) {
    const std::int64_t width = round_up(set.size, L);
    __builtin_memcpy(at_zero_, set.gradient, static_cast<std::size_t>(width) * sizeof(T));
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t k = groups_.members[i];
      if (set.codes[k] != 0) axpy(set.codes[k], gram_.row(set, products, k), at_zero_, width);
    }
    T here = bound * square_root(energy);
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t k = groups_.members[i];
      here += set.threshold[k] * absolute(set.codes[k]) - set.codes[k] * (at_zero_[k] + set.gradient[k]) / 2;
    }
    T length;
    const T fall = ray(set, products, at_zero_, first, last, bound, &length);
    if (fall > 0 && here < -fall) return false;
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t k = groups_.members[i];
      const T fresh = fall > 0 ? length * ray_[k] : T(0);
      if (fresh != set.codes[k]) move_code(set, k, fresh - set.codes[k], gram_.row(set, products, k));
      set.codes[k] = fresh;
    }
    return true;
  }

  // With the correlations q at zero codes of the group: the direction S_λ(q) in `ray_`, the length at which the
  // objective is least along it, and by how much it falls there; 0 if zero is best.
  template <class Products>
  T ray(const WorkingSet<T>& set, const Products& products, const T* q, std::int64_t first, std::int64_t last, T bound,
        T* length) {
    T energy = 0;
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t k = groups_.members[i];
      ray_[k] = soft_threshold(q[k], set.threshold[k], p_.positive);
      energy += ray_[k] * ray_[k];
    }
    if (!(energy > bound * bound)) return 0;
    const std::int64_t width = round_up(set.size, L);
    for (std::int64_t c = 0; c < width; c += L) store(bend_ + c, Vector<T>{});
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t k = groups_.members[i];
      if (ray_[k] != 0) axpy(ray_[k], gram_.row(set, products, k), bend_, width);
    }
    T curvature = 0;
    for (std::int64_t i = first; i < last; ++i) curvature += ray_[groups_.members[i]] * bend_[groups_.members[i]];
    if (!(curvature > 0)) return 0;
    const T slope = energy - bound * square_root(energy);
    *length = slope / curvature;
    return slope * *length / 2;
  }

  const ConvexProblem<T>& p_;
  const GroupedSet<T>& groups_;
  LocalGram<T>& gram_;
  T *ray_, *at_zero_, *bend_;
};

}  // namespace
}  // namespace sparsight
