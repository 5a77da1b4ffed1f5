// Sequential update of the atoms and of their codes, the second half of K-SVD, on kept supports.
//
// For each atom d with codes x over the patches that use it, and those patches' residuals without it,
// e_i = r_i + x_i d, alternate on  min_{d,x} Σ_i ‖m_i∘(e_i − x_i d)‖²,  ‖d‖ = 1:
//   d_p ← Σ_i m_ip x_i e_ip / Σ_i m_ip x_i²,   d ← d/‖d‖,   x_i ← <m_i∘d, e_i> / ‖m_i∘d‖².
// One alternation is the approximate update of R. Rubinstein, M. Zibulevsky, M. Elad 2008; many are the power
// iteration that finds the best rank-one fit (the update of M. Aharon, M. Elad, A. Bruckstein 2006).
// An entry of an atom that no patch observes keeps its value; so does an atom whose fit is zero.
#pragma once

#include "simd.hpp"
#include "table.hpp"

namespace sparsight {
namespace {

// fresh = Σ_i x_i e_i (over the observed entries, divided by Σ_i x_i² there).
template <class T>
void fit_atom(const AtomUpdate<T>& u, const T* atom, std::int64_t first, std::int64_t last, T* fresh, T* weight) {
  const std::int64_t P = u.n_features;
  for (std::int64_t p = 0; p < P; ++p) fresh[p] = weight[p] = 0;
  T energy = 0;
  for (std::int64_t e = first; e < last; ++e) {
    const T x = u.values[u.slots[e]];
    axpy(x, u.residual + u.users[e] * P, fresh, P);
    if (u.missing == nullptr) {
      energy += x * x;
    } else {
      const std::uint8_t* missing = u.missing + u.users[e] * P;
      for (std::int64_t p = 0; p < P; ++p) weight[p] += missing[p] ? T(0) : x * x;
    }
  }
  if (u.missing == nullptr) {
    axpy(energy, atom, fresh, P);
  } else {
    for (std::int64_t p = 0; p < P; ++p) fresh[p] = weight[p] > 0 ? fresh[p] / weight[p] + atom[p] : atom[p];
  }
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

template <class T>
void update_atom(const AtomUpdate<T>& u, std::int64_t which, void* block) {
  const std::int64_t P = u.n_features;
  Scratch scratch(block);
  T* fresh = scratch.take<T>(P);
  T* weight = scratch.take<T>(P);
  T* atom = u.dictionary + which * P;
  const std::int64_t first = u.users_start[which], last = u.users_start[which + 1];
  for (std::int64_t sweep = 0; sweep < u.n_sweeps && first < last; ++sweep) {
    fit_atom(u, atom, first, last, fresh, weight);
    const T norm = square_root(dot(fresh, fresh, P));
    if (!(norm > 0)) break;
    for (std::int64_t p = 0; p < P; ++p) fresh[p] /= norm;
    const T moved = T(1) - absolute(dot(atom, fresh, P));
    fit_codes(u, atom, fresh, first, last);
    __builtin_memcpy(atom, fresh, static_cast<std::size_t>(P) * sizeof(T));
    if (moved <= 4 * epsilon<T>) break;
  }
}

// residual = patches − codes · dictionary, zero where not observed
template <class T>
void start_update(const AtomUpdate<T>& u) {
  const std::int64_t P = u.n_features;
  for (std::int64_t i = 0; i < u.n_patches; ++i) {
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
void finish_update(const AtomUpdate<T>& u) {
  const std::int64_t P = u.n_features;
  for (std::int64_t i = 0; i < u.n_patches; ++i)
    u.residual_norm[i] = square_root(dot(u.residual + i * P, u.residual + i * P, P));
}

}  // namespace
}  // namespace sparsight
