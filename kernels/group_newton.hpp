// Newton's method on those codes of the sparse-group problem that are away from zero, where the objective is smooth (see
// sparse_group.hpp).
#pragma once

#include "grouped_set.hpp"
#include "projection.hpp"

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
class GroupNewton {
 public:
  enum class Step { none, shortened, whole, blocked };

  GroupNewton(const ConvexProblem<T>& problem, const GroupedSet<T>& groups, LocalGram<T>& gram, Scratch& scratch)
      : p_(problem),
        groups_(groups),
        gram_(gram),
        stride_(row_stride<T>(problem.capacity + 1)),
        matrix_(scratch.take<T>(problem.capacity * stride_)),
        step_(scratch.take<T>(problem.capacity)),
        slope_(scratch.take<T>(problem.capacity)),
        active_(scratch.take<std::int32_t>(problem.capacity)),
        frozen_(scratch.take<std::int32_t>(problem.n_groups)) {}

  // One damped Newton step of the codes away from zero; none when there is nothing left to gain. A group that the
  // step takes almost to zero is put there if that lowers the objective; else it is left as it is while the others
  // move.
  template <class Products>
  Step step(WorkingSet<T>& set, const Products& products) {
    sweep_dust(set, products);
    for (std::int64_t u = 0; u < groups_.n_used; ++u) frozen_[u] = 0;
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

 private:
  // Puts groups to zero that are nothing but rounding.
  template <class Products>
  void sweep_dust(WorkingSet<T>& set, const Products& products) {
    T most = 0;
    for (std::int64_t u = 0; u < groups_.n_used; ++u) {
      const T norm = groups_.norm(set, u);
      most = norm > most ? norm : most;
    }
    for (std::int64_t u = 0; u < groups_.n_used; ++u) {
      if (groups_.norm(set, u) > epsilon<T> * most) continue;
      for (std::int64_t i = groups_.start[u]; i < groups_.start[u + 1]; ++i) {
        const std::int64_t k = groups_.members[i];
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
      const std::int64_t u = groups_.group[active_[i]];
      const T norm = groups_.norm(set, u), bend = p_.group_thresholds[groups_.used[u]] / norm;
      for (; i < n && groups_.group[active_[i]] == u; ++i) {
        const std::int64_t k = active_[i];
        const T* row = gram_.row(set, products, k);
        T* entries = matrix_ + i * stride_;
        for (std::int64_t m = i; m < n; ++m) entries[m] = row[active_[m]];
        const T pull = bend * (set.codes[k] / norm) / norm;
        for (std::int64_t m = i; m < n && groups_.group[active_[m]] == u; ++m) entries[m] -= pull * set.codes[active_[m]];
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
    const T before = groups_.value(set);
    advance(set, products, n, length);
    if (stopper >= 0) set.codes[active_[stopper]] = 0;
    for (int halvings = 0; halvings < 30; ++halvings) {
      T fall = before - groups_.value(set);
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
      const std::int32_t u = groups_.group[active_[i]];
      T norm = 0, change = 0;
      for (; i < n && groups_.group[active_[i]] == u; ++i) {
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
      const std::int32_t u = groups_.group[active_[i]];
      T before = 0, along = 0, squared = 0;
      for (; i < n && groups_.group[active_[i]] == u; ++i) {
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
    T fall = groups_.value(set);
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t k = active_[i];
      step_[i] = groups_.group[k] == u ? -set.codes[k] : length * step_[i];
      fall += step_[i] * set.gradient[k] / 2;
    }
    advance(set, products, n, T(1));
    for (std::int64_t i = 0; i < n; ++i) {
      if (groups_.group[active_[i]] == u) set.codes[active_[i]] = 0;
      fall += step_[i] * set.gradient[active_[i]] / 2;
    }
    if (fall - groups_.value(set) > 0) return true;
    advance(set, products, n, T(-1));
    return false;
  }

  // Lists the codes away from zero, group by group but for frozen ones, and the negative slope of the objective in
  // each.
  std::int64_t downhill(const WorkingSet<T>& set, T* slope) {
    std::int64_t n = 0;
    for (std::int64_t u = 0; u < groups_.n_used; ++u) {
      const T norm = groups_.norm(set, u);
      if (frozen_[u] || !(norm > 0)) continue;
      const T pull = p_.group_thresholds[groups_.used[u]] / norm;
      for (std::int64_t i = groups_.start[u]; i < groups_.start[u + 1]; ++i) {
        const std::int64_t k = groups_.members[i];
        const T code = set.codes[k];
        if (code == 0) continue;
        active_[n] = static_cast<std::int32_t>(k);
        slope[n++] = set.gradient[k] - (code > 0 ? set.threshold[k] : -set.threshold[k]) - pull * code;
      }
    }
    return n;
  }

  template <class Products>
  void advance(WorkingSet<T>& set, const Products& products, std::int64_t n, T length) {
    for (std::int64_t i = 0; i < n; ++i)
      move_code(set, active_[i], length * step_[i], gram_.row(set, products, active_[i]));
  }

  const ConvexProblem<T>& p_;
  const GroupedSet<T>& groups_;
  LocalGram<T>& gram_;
  std::int64_t stride_;
  T *matrix_, *step_, *slope_;
  std::int32_t *active_, *frozen_;
};

}  // namespace
}  // namespace sparsight
