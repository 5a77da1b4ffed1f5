// Sequential update of the atoms and of their codes, the second half of K-SVD, on kept supports.
//
// For each atom d with codes x over the patches that use it, and those patches' residuals without it,
// e_i = r_i + x_i d, alternate on  min_{d,x} Σ_i ‖m_i∘(e_i − x_i d)‖²,  ‖d‖ = 1:
//   d_p ← Σ_i m_ip x_i e_ip / Σ_i m_ip x_i²,   d ← d/‖d‖,   x_i ← <m_i∘d, e_i> / ‖m_i∘d‖².
// One alternation is the approximate update of R. Rubinstein, M. Zibulevsky, M. Elad 2008; many are the power
// iteration that finds the best rank-one fit (the update of M. Aharon, M. Elad, A. Bruckstein 2006).
// An entry of an atom that no patch observes keeps its value; so does an atom whose fit is zero.
//
// The patches that use an atom may be shared out to several threads: the sums over them are formed in parts of fixed
// size, and the parts added in order, so that results do not depend on who did what.
#pragma once

#include "simd.hpp"
#include "table.hpp"

namespace sparsight {
namespace {

// The residuals and codes of an atom's users lie apart: they are fetched before their turn.
template <class T>
SPARSIGHT_INLINE void fetch_user(const AtomUpdate<T>& u, std::int64_t user, std::int64_t last) {
  constexpr std::int64_t ahead = 8;
  if (user + ahead >= last) return;
  __builtin_prefetch(u.values + u.slots[user + ahead], 1);
  fetch_ahead(u.residual + u.users[user + ahead] * u.n_features, u.n_features);
}

// Sums over users [first, last): Σ_i x_i r_i, Σ_i x_i² m_i (entry by entry) and Σ_i x_i²; 2 n_features + 1 numbers.
template <class T>
void sum_users(const AtomUpdate<T>& u, std::int64_t first, std::int64_t last, T* sums) {
  const std::int64_t P = u.n_features;
  T* weight = sums + P;
  T energy = 0;
  for (std::int64_t p = 0; p < 2 * P; ++p) sums[p] = 0;
  for (std::int64_t e = first; e < last; ++e) {
    fetch_user(u, e, last);
    const T x = u.values[u.slots[e]];
    axpy(x, u.residual + u.users[e] * P, sums, P);
    energy += x * x;
    if (u.missing == nullptr) continue;
    const std::uint8_t* missing = u.missing + u.users[e] * P;
    for (std::int64_t p = 0; p < P; ++p) weight[p] += missing[p] ? T(0) : x * x;
  }
  sums[2 * P] = energy;
}

// The best atom for the present codes, Σ_i x_i e_i (over the observed entries, divided by Σ_i x_i² there), at unit norm,
// from `n_sums` sums over its users; false where that is zero. `moved` is its distance from the present atom,
// 1 − |<d, fresh>|.
template <class T>
bool fit_atom(const AtomUpdate<T>& u, const T* atom, const T* sums, std::int64_t n_sums, T* fresh, T* moved) {
  const std::int64_t P = u.n_features, apart = 2 * P + 1;
  T energy = 0;
  for (std::int64_t p = 0; p < P; ++p) fresh[p] = 0;
  for (std::int64_t s = 0; s < n_sums; ++s) {
    axpy(T(1), sums + s * apart, fresh, P);
    energy += sums[s * apart + 2 * P];
  }
  if (u.missing == nullptr) {
    axpy(energy, atom, fresh, P);
  } else {
    for (std::int64_t p = 0; p < P; ++p) {
      T weight = 0;
      for (std::int64_t s = 0; s < n_sums; ++s) weight += sums[s * apart + P + p];
      fresh[p] = weight > 0 ? fresh[p] / weight + atom[p] : atom[p];
    }
  }
  const T norm = square_root(dot(fresh, fresh, P));
  if (!(norm > 0)) return false;
  for (std::int64_t p = 0; p < P; ++p) fresh[p] /= norm;
  *moved = T(1) - absolute(dot(atom, fresh, P));
  return true;
}

// Codes of the fresh atom and the residuals that go with it.
template <class T>
void fit_codes(const AtomUpdate<T>& u, const T* atom, const T* fresh, std::int64_t first, std::int64_t last) {
  const std::int64_t P = u.n_features;
  const T overlap = dot(atom, fresh, P);
  for (std::int64_t e = first; e < last; ++e) {
    T& code = u.values[u.slots[e]];
    T* residual = u.residual + u.users[e] * P;
    const T old_code = code;
    T along = dot(residual, fresh, P);
    if (u.missing == nullptr) {
      code = along + old_code * overlap;
      for (std::int64_t p = 0; p < P; ++p) residual[p] += old_code * atom[p] - code * fresh[p];
    } else {
      const std::uint8_t* missing = u.missing + u.users[e] * P;
      T observed = 0;
      for (std::int64_t p = 0; p < P; ++p) {
        const T seen = missing[p] ? T(0) : fresh[p];
        along += old_code * seen * atom[p];
        observed += seen * fresh[p];
      }
      code = observed > 0 ? along / observed : T(0);
      for (std::int64_t p = 0; p < P; ++p)
        residual[p] += missing[p] ? T(0) : old_code * atom[p] - code * fresh[p];
    }
  }
}

// residual = patches − codes · dictionary, zero where not observed
template <class T>
void form_residuals(const AtomUpdate<T>& u, std::int64_t first, std::int64_t last) {
  const std::int64_t P = u.n_features;
  for (std::int64_t i = first; i < last; ++i) {
    T* residual = u.residual + i * P;
    __builtin_memcpy(residual, u.patches + i * P, static_cast<std::size_t>(P) * sizeof(T));
    for (std::int64_t e = u.indptr[i]; e < u.indptr[i + 1]; ++e)
      axpy(-u.values[e], u.dictionary + u.indices[e] * P, residual, P);
    if (u.missing == nullptr) continue;
    for (std::int64_t p = 0; p < P; ++p)
      if (u.missing[i * P + p]) residual[p] = 0;
  }
}

template <class T>
void measure_residuals(const AtomUpdate<T>& u, std::int64_t first, std::int64_t last) {
  const std::int64_t P = u.n_features;
  for (std::int64_t i = first; i < last; ++i)
    u.residual_norm[i] = square_root(dot(u.residual + i * P, u.residual + i * P, P));
}

}  // namespace
}  // namespace sparsight
