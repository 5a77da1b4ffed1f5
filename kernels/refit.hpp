// Least-squares codes of atoms already chosen, from the cached Gram matrix.
//
// The Gram matrix of a patch's atoms is a handful of entries of that of all atoms, scattered over more memory than the
// nearest caches hold. They are asked for well before they are used.
#pragma once

#include "normal_equations.hpp"
#include "table.hpp"

namespace sparsight {
namespace {

class Refit : public NormalEquations {
 public:
  // For `k` atoms a patch, all of unit norm.
  Refit(const Dictionary<double>& dictionary, std::int64_t k, Scratch& scratch)
      : NormalEquations(k, scratch), d_(dictionary), k_(k) {
    if (scratch.counting()) return;
    for (std::int64_t n = 0; n < k; ++n)
      for (int lane = 0; lane < lanes; ++lane) set_norm(lane, n, 1);
  }

  // Announces that a patch will come with these atoms.
  void prefetch(const std::int32_t* support) const {
    for (std::int64_t n = 0; n < k_; ++n)
      for (std::int64_t m = 0; m < n; ++m) __builtin_prefetch(d_.gram + support[n] * d_.padded_atoms + support[m]);
  }

  // Takes up one patch.
  void set(int lane, const double* patch, const std::int32_t* support) {
    for (std::int64_t n = 0; n < k_; ++n) {
      const double* row = d_.gram + support[n] * d_.padded_atoms;
      for (std::int64_t m = 0; m < n; ++m) set_product(lane, n, m, row[support[m]]);
      set_target(lane, n, dot(d_.atoms + support[n] * d_.n_features, patch, d_.n_features));
    }
  }

 private:
  const Dictionary<double>& d_;
  std::int64_t k_;
};

}  // namespace
}  // namespace sparsight
