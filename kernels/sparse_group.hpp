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

#include "projection.hpp"
#include "working_set.hpp"

namespace sparsight {
namespace {

// Solves A x = d for a symmetric positive matrix held row-wise at `stride` (its upper part is read), with d in column n,
// by Cholesky factors formed in place. Pivots that dependent atoms leave are raised: the solution runs far along
// directions in which the matrix says nothing.
template <class T>
void solve_symmetric(T* a, std::int64_t stride, std::int64_t n, T* x) {
  for (std::int64_t i = 0; i < n; ++i) {
    T* row = a + i * stride;
    const T least = square_root(epsilon<T>) * row[i];
    project_row(row, a + i, stride, i, a, stride, i, n + 1);
    const T scale = T(1) / square_root(row[i] > least ? row[i] : least);
    for (std::int64_t c = i; c <= n; ++c) row[c] *= scale;
    row[i] = scale;  // the diagonal is kept inverted
  }
  for (std::int64_t i = n - 1; i >= 0; --i) {
    const T* row = a + i * stride;
    x[i] = (row[n] - dot(row + i + 1, x + i + 1, n - i - 1)) * row[i];
  }
}

template <class T>
class SparseGroupPenalty {
 public:
  SparseGroupPenalty(const ConvexProblem<T>& problem, Scratch& scratch)
      : p_(problem),
        stride_(row_stride<T>(problem.capacity + 1)),
        gram_(problem.capacity, scratch),
        matrix_(scratch.take<T>(problem.capacity * stride_)),
        step_(scratch.take<T>(problem.capacity)),
        ray_(scratch.take<T>(stride_)),
        at_zero_(scratch.take<T>(stride_)),
        bend_(scratch.take<T>(stride_)),
        slope_(scratch.take<T>(problem.capacity)),
        group_(scratch.take<std::int32_t>(problem.capacity)),
        members_(scratch.take<std::int32_t>(problem.capacity)),
        active_(scratch.take<std::int32_t>(problem.capacity)),
        used_(scratch.take<std::int32_t>(problem.n_groups)),
        number_(scratch.take<std::int32_t>(problem.n_groups)),
        frozen_(scratch.take<std::int32_t>(problem.n_groups)),
        start_(scratch.take<std::int64_t>(problem.n_groups + 1)),
        count_(scratch.take<std::int64_t>(problem.n_groups)),
        energy_(scratch.take<T>(problem.n_groups)) {
    if (scratch.counting()) return;
    for (std::int64_t g = 0; g < problem.n_groups; ++g) count_[g] = 0;
  }

  void clear() {
    gram_.clear();
    n_used_ = 0;
  }

  // Adds atoms of groups whose optimality condition is violated; false if there are none.
  bool screen(const T* correlations, WorkingSet<T>& set) {
    sort_by_group(set);
    for (std::int64_t g = 0; g < p_.n_groups; ++g) energy_[g] = 0;
    for (std::int64_t k = 0; k < set.size; ++k) energy_[used_[group_[k]]] += set.codes[k] * set.codes[k];
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

  template <class Products>
  void solve(WorkingSet<T>& set, const Products& products, bool grown) {
    sort_by_group(set);
    for (int s = 0; s < 3; ++s) sweep(set, products, s == 0);
    if (grown) {
      newton(set, products);
      return;
    }
    // Steps that end early because a code becomes zero are not counted: descent would bring that code back.
    int whole_steps = 0;
    for (std::int64_t s = 0; s < 2 * set.size && whole_steps < 4; ++s) {
      const Step step = newton(set, products);
      if (step == Step::none) return;
      if (step == Step::whole) ++whole_steps;
    }
  }

  T relative_gap(const WorkingSet<T>& set, T squared_residual) {
    sort_by_group(set);
    T overlap = 0;
    for (std::int64_t k = 0; k < set.size; ++k) overlap += set.codes[k] * set.gradient[k];
    const T penalty = value(set), loss = squared_residual / 2, rest = 1 - feasible_;
    const T gap = rest * rest * loss + penalty - feasible_ * overlap;
    return loss + penalty > 0 ? gap / (loss + penalty) : T(0);
  }

  void retune(WorkingSet<T>&, T, T) {}

 private:
  static constexpr int L = Lanes<T>::count;

  enum class Step { none, shortened, whole, blocked };

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

  // Lists the set's atoms group by group: `used_` groups, those of number u from members_[start_[u]] on, and the
  // number u of each atom.
  void sort_by_group(const WorkingSet<T>& set) {
    n_used_ = 0;
    for (std::int64_t k = 0; k < set.size; ++k) {
      const std::int32_t g = p_.group_of_atom[set.atoms[k]];
      if (count_[g]++ == 0) {
        number_[g] = static_cast<std::int32_t>(n_used_);
        used_[n_used_++] = g;
      }
      group_[k] = number_[g];
    }
    start_[0] = 0;
    for (std::int64_t u = 0; u < n_used_; ++u) {
      start_[u + 1] = start_[u] + count_[used_[u]];
      count_[used_[u]] = 0;  // as all groups have it outside this function
    }
    for (std::int64_t k = 0; k < set.size; ++k) {
      const std::int64_t u = group_[k];
      members_[start_[u] + count_[used_[u]]++] = static_cast<std::int32_t>(k);
    }
    for (std::int64_t u = 0; u < n_used_; ++u) count_[used_[u]] = 0;
  }

  template <class Products>
  void sweep(WorkingSet<T>& set, const Products& products, bool test_zero) {
    for (std::int64_t u = 0; u < n_used_; ++u) {
      const std::int64_t first = start_[u], last = start_[u + 1];
      const T bound = p_.group_thresholds[used_[u]];
      T energy = 0;
      for (std::int64_t i = first; i < last; ++i) energy += set.codes[members_[i]] * set.codes[members_[i]];
      if (!(energy > 0)) {
        leave_zero(set, products, first, last, bound);
        continue;
      }
      if (test_zero && bound > 0 && restart(set, products, first, last, bound, energy)) continue;
      const T pull_back = bound / square_root(energy);  // of the quadratic above the norm, kept for the whole group
      for (std::int64_t i = first; i < last; ++i) {
        const std::int64_t k = members_[i];
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

  // From zero to the minimum on the ray of steepest descent, if the group is to leave zero.
  template <class Products>
  void leave_zero(WorkingSet<T>& set, const Products& products, std::int64_t first, std::int64_t last, T bound) {
    T length;
    if (!(ray(set, products, set.gradient, first, last, bound, &length) > 0)) return;
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t k = members_[i];
      if (ray_[k] != 0) move_code(set, k, length * ray_[k], gram_.row(set, products, k));
    }
  }

  // Puts a group to zero that belongs there, or to the minimum on the ray from zero where that is lower than where
  // it is, as it often is next to zero; true if so.
  template <class Products>
  bool restart(WorkingSet<T>& set, const Products& products, std::int64_t first, std::int64_t last, T bound, T energy) {
    const std::int64_t width = round_up(set.size, L);
    __builtin_memcpy(at_zero_, set.gradient, static_cast<std::size_t>(width) * sizeof(T));
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t k = members_[i];
      if (set.codes[k] != 0) axpy(set.codes[k], gram_.row(set, products, k), at_zero_, width);
    }
    T here = bound * square_root(energy);
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t k = members_[i];
      here += set.threshold[k] * absolute(set.codes[k]) - set.codes[k] * (at_zero_[k] + set.gradient[k]) / 2;
    }
    T length;
    const T fall = ray(set, products, at_zero_, first, last, bound, &length);
    if (fall > 0 && here < -fall) return false;
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t k = members_[i];
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
      const std::int64_t k = members_[i];
      ray_[k] = soft_threshold(q[k], set.threshold[k], p_.positive);
      energy += ray_[k] * ray_[k];
    }
    if (!(energy > bound * bound)) return 0;
    const std::int64_t width = round_up(set.size, L);
    for (std::int64_t c = 0; c < width; c += L) store(bend_ + c, Vector<T>{});
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t k = members_[i];
      if (ray_[k] != 0) axpy(ray_[k], gram_.row(set, products, k), bend_, width);
    }
    T curvature = 0;
    for (std::int64_t i = first; i < last; ++i) curvature += ray_[members_[i]] * bend_[members_[i]];
    if (!(curvature > 0)) return 0;
    const T slope = energy - bound * square_root(energy);
    *length = slope / curvature;
    return slope * *length / 2;
  }

  // One damped Newton step of the codes away from zero; none when there is nothing left to gain. A group that the
  // step takes almost to zero is put there if that lowers the objective; else it is left as it is while the others
  // move.
  template <class Products>
  Step newton(WorkingSet<T>& set, const Products& products) {
    sweep_dust(set, products);
    for (std::int64_t u = 0; u < n_used_; ++u) frozen_[u] = 0;
    for (;;) {
      const std::int64_t n = downhill(set, slope_);
      if (n == 0 || !newton_direction(set, products, n)) return Step::none;
      T length;
      const std::int64_t stopper = first_to_vanish(set, n, &length);
      std::int64_t collapsing = first_to_collapse(set, n, &length);
      if (collapsing < 0) {
        const Step step = move_along(set, products, n, stopper, length, &collapsing);
        if (step != Step::blocked) return step;
      }
      if (move_dropping(set, products, n, length, collapsing)) return Step::shortened;
      frozen_[collapsing] = 1;
    }
  }

  // Puts groups to zero that are nothing but rounding.
  template <class Products>
  void sweep_dust(WorkingSet<T>& set, const Products& products) {
    T most = 0;
    for (std::int64_t u = 0; u < n_used_; ++u) {
      const T norm = group_norm(set, u);
      most = norm > most ? norm : most;
    }
    for (std::int64_t u = 0; u < n_used_; ++u) {
      if (group_norm(set, u) > epsilon<T> * most) continue;
      for (std::int64_t i = start_[u]; i < start_[u + 1]; ++i) {
        const std::int64_t k = members_[i];
        if (set.codes[k] != 0) move_code(set, k, -set.codes[k], gram_.row(set, products, k));
        set.codes[k] = 0;
      }
    }
  }

  // step = Hessian⁻¹ · slope over the `n` active codes, shortened where it runs out of all proportion; false if it
  // cannot be computed.
  template <class Products>
  bool newton_direction(WorkingSet<T>& set, const Products& products, std::int64_t n) {
    for (std::int64_t i = 0; i < n;) {
      const std::int64_t u = group_[active_[i]];
      const T norm = group_norm(set, u), bend = p_.group_thresholds[used_[u]] / norm;
      for (; i < n && group_[active_[i]] == u; ++i) {
        const std::int64_t k = active_[i];
        const T* row = gram_.row(set, products, k);
        T* entries = matrix_ + i * stride_;
        for (std::int64_t m = i; m < n; ++m) entries[m] = row[active_[m]];
        const T pull = bend * (set.codes[k] / norm) / norm;
        for (std::int64_t m = i; m < n && group_[active_[m]] == u; ++m) entries[m] -= pull * set.codes[active_[m]];
        entries[i] += bend;
        entries[n] = slope_[i];
      }
    }
    solve_symmetric(matrix_, stride_, n, step_);
    T code = 0, step = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      code = absolute(set.codes[active_[i]]) > code ? absolute(set.codes[active_[i]]) : code;
      step = absolute(step_[i]) > step ? absolute(step_[i]) : step;
      if (!(step_[i] - step_[i] == 0)) return false;
    }
    if (step > 1000 * code)
      for (std::int64_t i = 0; i < n; ++i) step_[i] *= 1000 * code / step;
    return true;
  }

  // The active code that becomes zero first along the step, and the part of the step until then; -1 if none does.
  std::int64_t first_to_vanish(const WorkingSet<T>& set, std::int64_t n, T* length) const {
    std::int64_t stopper = -1;
    *length = 1;
    for (std::int64_t i = 0; i < n; ++i) {
      const T code = set.codes[active_[i]];
      // Without a penalty of its own a code may pass through zero.
      const T arrived = code + step_[i];
      if ((code > 0 ? arrived > 0 : arrived < 0) || (set.threshold[active_[i]] == 0 && !p_.positive)) continue;
      const T until = -code / step_[i];
      if (!(until < *length)) continue;
      *length = until;
      stopper = i;
    }
    return stopper;
  }

  // Takes the step, halved until the objective falls. Blocked, and nothing changed, where a group next to zero
  // bars all but very short steps; that group is named.
  template <class Products>
  Step move_along(WorkingSet<T>& set, const Products& products, std::int64_t n, std::int64_t stopper, T length,
                  std::int64_t* barring) {
    T largest = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      largest = absolute(slope_[i]) > largest ? absolute(slope_[i]) : largest;
      slope_[i] = set.gradient[active_[i]];
    }
    if (!(largest > 16 * epsilon<T>)) return Step::none;
    const T before = value(set);
    advance(set, products, n, length);
    if (stopper >= 0) set.codes[active_[stopper]] = 0;
    for (int halvings = 0; halvings < 30; ++halvings) {
      T fall = before - value(set);
      for (std::int64_t i = 0; i < n; ++i) fall += length * step_[i] * (slope_[i] + set.gradient[active_[i]]) / 2;
      if (fall >= -4 * epsilon<T> * before) return stopper >= 0 && halvings == 0 ? Step::shortened : Step::whole;
      length /= 2;
      advance(set, products, n, -length);
      if (halvings != 9) continue;
      *barring = smallest_group(set, n, length);
      if (*barring < 0) continue;
      advance(set, products, n, -length);
      return Step::blocked;
    }
    return Step::whole;
  }

  // The group whose norm is smallest beside its part of a step of that length, if it is smaller than that; else -1.
  std::int64_t smallest_group(const WorkingSet<T>& set, std::int64_t n, T length) const {
    T most = 1;
    std::int64_t found = -1;
    for (std::int64_t i = 0; i < n;) {
      const std::int32_t u = group_[active_[i]];
      T norm = 0, change = 0;
      for (; i < n && group_[active_[i]] == u; ++i) {
        const T part = length * step_[i], code = set.codes[active_[i]] - part;
        norm += code * code;
        change += part * part;
      }
      if (change > most * norm) {
        most = change / norm;
        found = u;
      }
    }
    return found;
  }

  // The group that passes next to zero first, before `length`, where the quadratic model of its norm means nothing,
  // and the part of the step until then; -1 if none does.
  std::int64_t first_to_collapse(const WorkingSet<T>& set, std::int64_t n, T* length) const {
    std::int64_t found = -1;
    for (std::int64_t i = 0; i < n;) {
      const std::int32_t u = group_[active_[i]];
      T before = 0, along = 0, squared = 0;
      for (; i < n && group_[active_[i]] == u; ++i) {
        const T code = set.codes[active_[i]];
        before += code * code;
        along += code * step_[i];
        squared += step_[i] * step_[i];
      }
      if (!(along < 0) || -along > *length * squared) continue;
      if (before + along * (along / squared) > before / 100) continue;
      *length = -along / squared;
      found = u;
    }
    return found;
  }

  // Takes the step with one group put to zero, if that lowers the objective.
  template <class Products>
  bool move_dropping(WorkingSet<T>& set, const Products& products, std::int64_t n, T length, std::int64_t u) {
    T fall = value(set);
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t k = active_[i];
      step_[i] = group_[k] == u ? -set.codes[k] : length * step_[i];
      fall += step_[i] * set.gradient[k] / 2;
    }
    advance(set, products, n, T(1));
    for (std::int64_t i = 0; i < n; ++i) {
      if (group_[active_[i]] == u) set.codes[active_[i]] = 0;
      fall += step_[i] * set.gradient[active_[i]] / 2;
    }
    if (fall - value(set) > 0) return true;
    advance(set, products, n, T(-1));
    return false;
  }

  // Σ λ_k |x_k| + Σ ξ_j ‖x_j‖
  T value(const WorkingSet<T>& set) const {
    T sum = 0;
    for (std::int64_t u = 0; u < n_used_; ++u) {
      for (std::int64_t i = start_[u]; i < start_[u + 1]; ++i)
        sum += set.threshold[members_[i]] * absolute(set.codes[members_[i]]);
      sum += p_.group_thresholds[used_[u]] * group_norm(set, u);
    }
    return sum;
  }

  // Lists the codes away from zero, group by group but for frozen ones, and the negative slope of the objective in
  // each.
  std::int64_t downhill(const WorkingSet<T>& set, T* slope) {
    std::int64_t n = 0;
    for (std::int64_t u = 0; u < n_used_; ++u) {
      const T norm = group_norm(set, u);
      if (frozen_[u] || !(norm > 0)) continue;
      const T pull = p_.group_thresholds[used_[u]] / norm;
      for (std::int64_t i = start_[u]; i < start_[u + 1]; ++i) {
        const std::int64_t k = members_[i];
        const T code = set.codes[k];
        if (code == 0) continue;
        active_[n] = static_cast<std::int32_t>(k);
        slope[n++] = set.gradient[k] - (code > 0 ? set.threshold[k] : -set.threshold[k]) - pull * code;
      }
    }
    return n;
  }

  T group_norm(const WorkingSet<T>& set, std::int64_t u) const {
    T energy = 0;
    for (std::int64_t i = start_[u]; i < start_[u + 1]; ++i) energy += set.codes[members_[i]] * set.codes[members_[i]];
    return square_root(energy);
  }

  template <class Products>
  void advance(WorkingSet<T>& set, const Products& products, std::int64_t n, T length) {
    for (std::int64_t i = 0; i < n; ++i)
      move_code(set, active_[i], length * step_[i], gram_.row(set, products, active_[i]));
  }

  const ConvexProblem<T>& p_;
  std::int64_t stride_;
  LocalGram<T> gram_;
  T *matrix_, *step_, *ray_, *at_zero_, *bend_, *slope_;
  std::int32_t *group_, *members_, *active_, *used_, *number_, *frozen_;
  std::int64_t *start_, *count_;
  T* energy_;
  std::int64_t n_used_ = 0;
  T feasible_ = 1;
};

}  // namespace
}  // namespace sparsight
