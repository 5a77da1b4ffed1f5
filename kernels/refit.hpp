// Least-squares codes of atoms already chosen, for as many patches at a time as a vector has lanes.
//
// The Gram matrix of a patch's atoms is a handful of entries of that of all atoms, scattered over more memory than the
// nearest caches hold. They are asked for well before they are used; the Cholesky factor G = L Lᵀ and the two
// triangular systems, short chains of dependent operations, are then worked through once for all lanes.
#pragma once

#include "selection.hpp"
#include "table.hpp"

namespace sparsight {
namespace {

class Refit {
 public:
  static constexpr int lanes = Lanes<double>::count;

  // For `k` atoms a patch.
  Refit(const Dictionary<double>& dictionary, std::int64_t k, Scratch& scratch)
      : d_(dictionary),
        k_(k),
        lower_(scratch.take<double>(k * (k - 1) / 2 * lanes)),
        inverse_(scratch.take<double>(k * lanes)),
        codes_(scratch.take<double>(k * lanes)) {}

  // Announces that a patch will come with these atoms.
  void prefetch(const std::int32_t* support) const {
    for (std::int64_t n = 0; n < k_; ++n)
      for (std::int64_t m = 0; m < n; ++m) __builtin_prefetch(d_.gram + support[n] * d_.padded_atoms + support[m]);
  }

  // Takes up one patch.
  void set(int lane, const double* patch, const std::int32_t* support) {
    double* entry = lower_ + lane;
    for (std::int64_t n = 0; n < k_; ++n) {
      const double* row = d_.gram + support[n] * d_.padded_atoms;
      for (std::int64_t m = 0; m < n; ++m, entry += lanes) *entry = row[support[m]];
      codes_[n * lanes + lane] = dot(d_.atoms + support[n] * d_.n_features, patch, d_.n_features);
    }
  }

  // To be called once all lanes are set; those that are not hold what they held before.
  void solve() {
    independent_ = ~Lanes<double>::Index{};
    for (std::int64_t n = 0; n < k_; ++n) add_row(n);
    for (std::int64_t n = k_ - 1; n >= 0; --n) {
      Vector<double> sum = code(n);
      for (std::int64_t m = n + 1; m < k_; ++m) sum -= load(row(m) + n * lanes) * code(m);
      store(codes_ + n * lanes, sum * load(inverse_ + n * lanes));
    }
  }

  // False where the atoms are too dependent to have been told apart in single precision.
  bool independent(int lane) const { return independent_[lane] != 0; }

  void codes_of(int lane, double* codes) const {
    for (std::int64_t n = 0; n < k_; ++n) codes[n] = codes_[n * lanes + lane];
  }

 private:
  double* row(std::int64_t n) const { return lower_ + n * (n - 1) / 2 * lanes; }
  Vector<double> code(std::int64_t n) const { return load(codes_ + n * lanes); }

  // Row n of L and of L z = Dᵀ s, the atoms having unit norm.
  void add_row(std::int64_t n) {
    double* const own = row(n);
    Vector<double> norm = Vector<double>{} + 1, target = code(n);
    for (std::int64_t m = 0; m < n; ++m) {
      const double* other = row(m);
      Vector<double> sum = load(own + m * lanes);
      for (std::int64_t l = 0; l < m; ++l) sum -= load(own + l * lanes) * load(other + l * lanes);
      sum *= load(inverse_ + m * lanes);
      store(own + m * lanes, sum);
      norm -= sum * sum;
      target -= sum * code(m);
    }
    independent_ &= norm > double(dependent<float>);
    Vector<double> root;
    for (int lane = 0; lane < lanes; ++lane) root[lane] = square_root(norm[lane]);
    const Vector<double> inverse = 1 / root;
    store(inverse_ + n * lanes, inverse);
    store(codes_ + n * lanes, target * inverse);
  }

  const Dictionary<double>& d_;
  std::int64_t k_;
  double *lower_, *inverse_, *codes_;  // L without its diagonal, 1 / diagonal; entry by entry, a vector each
  Lanes<double>::Index independent_ = {};
};

}  // namespace
}  // namespace sparsight
