// Which atoms the sparse-group problem turns on: those of groups whose optimality condition is violated.
#pragma once

#include "grouped_set.hpp"

namespace sparsight {
namespace {

template <class T>
class GroupScreening {
 public:
  GroupScreening(const ConvexProblem<T>& problem, GroupedSet<T>& groups, Scratch& scratch)
      : p_(problem), groups_(groups), energy_(scratch.take<T>(problem.n_groups)) {}

  // Adds atoms of groups whose optimality condition is violated; false if there are none.
  bool screen(const T* correlations, WorkingSet<T>& set) {
    groups_.sort(set);
    for (std::int64_t g = 0; g < p_.n_groups; ++g) energy_[g] = 0;
    for (std::int64_t k = 0; k < set.size; ++k) energy_[groups_.used[groups_.group[k]]] += set.codes[k] * set.codes[k];
    const std::int64_t before = set.size;
    feasible_ = 1;
    for (std::int64_t g = 0; g < p_.n_groups; ++g) {
      const Excess all = excess(correlations, g);
      const T bound = p_.group_thresholds[g], norm = square_root(all.energy);
      if (!(norm > bound)) continue;
      const T by_group = bound / norm, by_atoms = 1 / all.ratio;
      const T scale = by_group > by_atoms ? by_group : by_atoms;
      if (scale < feasible_) feasible_ = scale;
      if (scale > 1 - p_.tolerance / 4) continue;
      add_worst(correlations, g, all, energy_[g] > 0, set);
    }
    return set.size > before;
  }

  // A factor c ≤ 1 with which the residual becomes feasible for the dual.
  T feasible_scale() const { return feasible_; }

 private:
  static constexpr int L = Lanes<T>::count;

  struct Excess {
    T energy;   // ‖S_λ(q_j)‖²
    T largest;  // max |q_m| − λ_m
    T ratio;    // max |q_m| / λ_m
  };
  Excess excess(const T* correlations, std::int64_t g) const {
    Vector<T> energies = {}, largests = {}, ratios = {};
    Excess found = {0, 0, 0};
    std::int64_t j = p_.group_start[g];
    const std::int64_t end = p_.group_start[g + 1];
    for (; j + L <= end; j += L) {
      const Vector<T> q = load(correlations + j), size = p_.positive ? q : absolute_vector<T>(q);
      const Vector<T> over = size - load(p_.thresholds + j), kept = over > 0 ? over : Vector<T>{};
      const Vector<T> ratio = size * load(p_.inverse_thresholds + j);
      energies += kept * kept;
      largests = over > largests ? over : largests;
      ratios = ratio > ratios ? ratio : ratios;
    }
    for (int l = 0; l < L; ++l) {
      found.energy += energies[l];
      found.largest = largests[l] > found.largest ? largests[l] : found.largest;
      found.ratio = ratios[l] > found.ratio ? ratios[l] : found.ratio;
    }
    for (; j < end; ++j) {
      const T size = p_.positive ? correlations[j] : absolute(correlations[j]);
      const T over = size - p_.thresholds[j], ratio = size * p_.inverse_thresholds[j];
      if (over > 0) found.energy += over * over;
      found.largest = over > found.largest ? over : found.largest;
      found.ratio = ratio > found.ratio ? ratio : found.ratio;
    }
    return found;
  }

  // Adds the atoms of a violating group that exceed their threshold most; of a group at zero, so many that it
  // can leave zero with them.
  void add_worst(const T* correlations, std::int64_t g, const Excess& all, bool away_from_zero, WorkingSet<T>& set) {
    const T norm = square_root(all.energy), bound = p_.group_thresholds[g];
    const T wanted = bound + T(0.3) * (norm - bound);
    constexpr T shares[] = {T(0.75), T(0.4), T(0.15), T(0)};
    for (const T share : shares) {
      const std::int64_t before = set.size;
      const T energy = add_above(correlations, g, share * all.largest, set);
      if (away_from_zero ? set.size > before : energy >= wanted * wanted) return;
    }
  }

  // Adds the atoms of a group that exceed their threshold by more than `least`; the energy of all that do.
  T add_above(const T* correlations, std::int64_t g, T least, WorkingSet<T>& set) {
    Vector<T> energies = {};
    T energy = 0;
    std::int64_t j = p_.group_start[g];
    const std::int64_t end = p_.group_start[g + 1];
    const auto add = [&](std::int64_t atom) {
      if (!set.contains(atom) && !set.full()) set.add(atom, correlations[atom], p_.thresholds[atom]);
    };
    for (; j + L <= end; j += L) {
      const Vector<T> q = load(correlations + j), size = p_.positive ? q : absolute_vector<T>(q);
      const Vector<T> over = size - load(p_.thresholds + j), kept = over > least ? over : Vector<T>{};
      energies += kept * kept;
      for (std::uint64_t bits = lanes_that_hold<T>(over > least); bits != 0; bits &= bits - 1)
        add(j + __builtin_ctzll(bits));
    }
    for (; j < end; ++j) {
      const T size = p_.positive ? correlations[j] : absolute(correlations[j]), over = size - p_.thresholds[j];
      if (!(over > least)) continue;
      energy += over * over;
      add(j);
    }
    return energy + horizontal_sum<T>(energies);
  }

  const ConvexProblem<T>& p_;
  GroupedSet<T>& groups_;
  T* energy_;  // of each group's codes
  T feasible_ = 1;
};

}  // namespace
}  // namespace sparsight
