// The atoms of a working set, group by group, and what the sparse-group penalty makes of their codes.
#pragma once

#include "working_set.hpp"

namespace sparsight {
namespace {

template <class T>
class GroupedSet {
 public:
  GroupedSet(const ConvexProblem<T>& problem, Scratch& scratch)
      : group(scratch.take<std::int32_t>(problem.capacity)),
        members(scratch.take<std::int32_t>(problem.capacity)),
        used(scratch.take<std::int32_t>(problem.n_groups)),
        start(scratch.take<std::int64_t>(problem.n_groups + 1)),
        p_(problem),
        number_(scratch.take<std::int32_t>(problem.n_groups)),
        count_(scratch.take<std::int64_t>(problem.n_groups)) {
    if (scratch.counting()) return;
    for (std::int64_t g = 0; g < problem.n_groups; ++g) count_[g] = 0;
  }

  void clear() { n_used = 0; }

  // Lists the set's atoms group by group: `used_` groups, those of number u from members[start[u]] on, and the
  // number u of each atom.
  void sort(const WorkingSet<T>& set) {
    n_used = 0;
    for (std::int64_t k = 0; k < set.size; ++k) {
      const std::int32_t g = p_.group_of_atom[set.atoms[k]];
      if (count_[g]++ == 0) {
        number_[g] = static_cast<std::int32_t>(n_used);
        used[n_used++] = g;
      }
      group[k] = number_[g];
    }
    start[0] = 0;
    for (std::int64_t u = 0; u < n_used; ++u) {
      start[u + 1] = start[u] + count_[used[u]];
      count_[used[u]] = 0;  // as all groups have it outside this function
    }
    for (std::int64_t k = 0; k < set.size; ++k) {
      const std::int64_t u = group[k];
      members[start[u] + count_[used[u]]++] = static_cast<std::int32_t>(k);
    }
    for (std::int64_t u = 0; u < n_used; ++u) count_[used[u]] = 0;
  }

  // ‖x_j‖₂ of group number u.
  T norm(const WorkingSet<T>& set, std::int64_t u) const {
    T energy = 0;
    for (std::int64_t i = start[u]; i < start[u + 1]; ++i) energy += set.codes[members[i]] * set.codes[members[i]];
    return square_root(energy);
  }

  // Σ λ_k |x_k| + Σ ξ_j ‖x_j‖
  T value(const WorkingSet<T>& set) const {
    T sum = 0;
    for (std::int64_t u = 0; u < n_used; ++u) {
      for (std::int64_t i = start[u]; i < start[u + 1]; ++i)
        sum += set.threshold[members[i]] * absolute(set.codes[members[i]]);
      sum += p_.group_thresholds[used[u]] * norm(set, u);
    }
    return sum;
  }

  std::int64_t n_used = 0;  // groups of which there are atoms in the set
  std::int32_t* group;      // number of each atom's group among those
  std::int32_t* members;    // atoms, by their place in the set, group after group
  std::int32_t* used;       // the groups, by their number in the problem
  std::int64_t* start;      // where their members begin

 private:
  const ConvexProblem<T>& p_;
  std::int32_t* number_;
  std::int64_t* count_;
};

}  // namespace
}  // namespace sparsight
