// Least-squares codes of a few atoms, for as many patches at a time as a vector has lanes: G x = b, G the products of
// a patch's atoms with each other and b those with the patch.
//
// The Cholesky factor G = L Lᵀ and the two triangular systems, short chains of dependent operations, are worked through
// once for all lanes.
#pragma once

#include "selection.hpp"

namespace sparsight {
namespace {

class NormalEquations {
 public:
  static constexpr int lanes = Lanes<double>::count;

  // For `k` atoms a patch.
  NormalEquations(std::int64_t k, Scratch& scratch)
      : k_(k),
        lower_(scratch.take<double>(k * (k - 1) / 2 * lanes)),
        norms_(scratch.take<double>(k * lanes)),
        inverse_(scratch.take<double>(k * lanes)),
        codes_(scratch.take<double>(k * lanes)) {}

  // Of row n: its product with an earlier atom, its own squared norm, and its product with the patch.
  void set_product(int lane, std::int64_t n, std::int64_t earlier, double value) {
    lower_[(n * (n - 1) / 2 + earlier) * lanes + lane] = value;
  }
  void set_norm(int lane, std::int64_t n, double value) { norms_[n * lanes + lane] = value; }
  void set_target(int lane, std::int64_t n, double value) { codes_[n * lanes + lane] = value; }

  // To be called once all lanes are set; those that are not hold what they held before.
  void solve() {
    independent_ = ~Lanes<double>::Index{};
    explained_ = Vector<double>{};
    for (std::int64_t n = 0; n < k_; ++n) add_row(n);
    for (std::int64_t n = k_ - 1; n >= 0; --n) {
      Vector<double> sum = code(n);
      for (std::int64_t m = n + 1; m < k_; ++m) sum -= load(row(m) + n * lanes) * code(m);
      store(codes_ + n * lanes, sum * load(inverse_ + n * lanes));
    }
  }

  // False where the atoms are too dependent to have been told apart in single precision.
  bool independent(int lane) const { return independent_[lane] != 0; }

  // By how much the codes lower the squared norm of the residual.
  double explained(int lane) const { return explained_[lane]; }

  void codes_of(int lane, double* codes) const {
    for (std::int64_t n = 0; n < k_; ++n) codes[n] = codes_[n * lanes + lane];
  }

 private:
  double* row(std::int64_t n) const { return lower_ + n * (n - 1) / 2 * lanes; }
  Vector<double> code(std::int64_t n) const { return load(codes_ + n * lanes); }

  // Row n of L and of L z = b.
  void add_row(std::int64_t n) {
    double* const own = row(n);
    Vector<double> norm = load(norms_ + n * lanes), target = code(n);
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
    explained_ += (target * inverse) * (target * inverse);
  }

  std::int64_t k_;
  double *lower_, *norms_, *inverse_, *codes_;  // L without its diagonal, …, 1 / diagonal; entry by entry, a vector each
  Lanes<double>::Index independent_ = {};
  Vector<double> explained_ = {};
};

}  // namespace
}  // namespace sparsight
