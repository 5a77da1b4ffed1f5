// Orthogonal matching pursuit in double precision whose atoms are chosen in single precision.
//
// Nearly all of the work of a pursuit is to compare the correlations of all atoms, and that needs few digits. So
// the atoms are chosen by the pursuit in single precision; everything that is returned (codes, residual) is then
// computed in double precision for the chosen atoms. Where single precision could mislead, that is where the
// residual has become small or the atoms nearly dependent, the pursuit in single precision ends early, and the
// patch is pursued again in double precision throughout.
#pragma once

#include "omp.hpp"

namespace sparsight {
namespace {

// Correlations below this fraction of the patch's norm are not compared in single precision: rounding errors,
// about 1e-7 of the norm, could then change the choice between atoms that differ by more than 1e-4.
constexpr float least_screened_correlation = 1e-3f;

template <bool order_recursive>
class ScreenedPursuit {
 public:
  ScreenedPursuit(const GreedyProblem<double>& problem, const GreedyProblem<float>& screening, Scratch& scratch)
      : problem_(problem),
        d_(problem.dictionary),
        screened_(screening, scratch, least_screened_correlation),
        whole_(problem, scratch),
        s_(take_state<double>(scratch, problem.max_nonzero)),
        correlation_(scratch.take<double>(d_.padded_atoms)) {}

  void begin(const double* patch, const float* single_patch, float* correlation, std::int64_t row) {
    patch_ = patch;
    row_ = row;
    screened_.begin(single_patch, correlation, row);
  }

  bool advance() { return screened_.advance(); }

  void finish(const Output<double>& out, SparseSink<double>* sink) {
    const std::int64_t k = problem_.max_nonzero;
    if (screened_.count() < k || !factorize()) return pursue_whole(out, sink);
    solve_codes(s_, k, k);
    const double squared = squared_residual(d_, patch_, s_.support, s_.codes, k);
    emit(d_, row_, s_.support, s_.codes, k, square_root(squared), out, sink);
  }

 private:
  // Cholesky factor of the Gram matrix of the chosen atoms, and L z = their correlations with the patch.
  bool factorize() {
    const std::int64_t k = problem_.max_nonzero;
    for (std::int64_t n = 0; n < k; ++n) {
      const std::int32_t atom = screened_.support()[n];
      s_.support[n] = atom;
      const double* gram_row = d_.gram + atom * d_.padded_atoms;
      double* lower = s_.lower + n * k;
      double norm = 1, target = dot(d_.atoms + atom * d_.n_features, patch_, d_.n_features);
      for (std::int64_t m = 0; m < n; ++m) {
        const double* other = s_.lower + m * k;
        double sum = gram_row[s_.support[m]];
        for (std::int64_t l = 0; l < m; ++l) sum -= lower[l] * other[l];
        lower[m] = sum / other[m];
        norm -= lower[m] * lower[m];
        target -= lower[m] * s_.target[m];
      }
      if (!(norm > dependent<float>)) return false;
      lower[n] = square_root(norm);
      s_.target[n] = target / lower[n];
    }
    return true;
  }

  void pursue_whole(const Output<double>& out, SparseSink<double>* sink) {
    for (std::int64_t j = 0; j < d_.padded_atoms; ++j)
      correlation_[j] = dot(d_.atoms + j * d_.n_features, patch_, d_.n_features);
    whole_.begin(patch_, correlation_, row_);
    while (whole_.advance()) {
    }
    whole_.finish(out, sink);
  }

  const GreedyProblem<double>& problem_;
  const Dictionary<double>& d_;
  Pursuit<float, order_recursive> screened_;
  Pursuit<double, order_recursive> whole_;
  GreedyState<double> s_;
  double* correlation_;
  const double* patch_ = nullptr;
  std::int64_t row_ = 0;
};

// To single precision, at unit norm so that nothing overflows or vanishes.
inline __attribute__((always_inline)) void to_single(const double* patch, std::int64_t n, float* out) {
  const double norm = square_root(dot(patch, patch, n));
  const double scale = norm > 0 ? 1 / norm : 0;
  for (std::int64_t p = 0; p < n; ++p) out[p] = static_cast<float>(scale * patch[p]);
}

template <bool order_recursive>
void pursue_screened_tile(const GreedyProblem<double>& problem, const Tile<double>& tile, const Output<double>& out,
                          SparseSink<double>* sink, Scratch& scratch) {
  const Dictionary<double>& d = problem.dictionary;
  const Dictionary<float>& single = *problem.screening;
  const GreedyProblem<float> screening = {single, problem.max_nonzero, -1.0f, order_recursive, nullptr};
  double* patches = scratch.take<double>(usual_tile_rows * d.n_features);
  float* single_patches = scratch.take<float>(usual_tile_rows * d.n_features);
  float* correlations = scratch.take<float>(usual_tile_rows * single.padded_atoms);
  ScreenedPursuit<order_recursive> one(problem, screening, scratch), other(problem, screening, scratch);
  if (tile.count == 0) return;
  load_tile(tile, d.n_features, patches);
  const std::int64_t rows = round_up(tile.count, block_rows);
  for (std::int64_t i = 0; i < rows; ++i)
    to_single(patches + i * d.n_features, d.n_features, single_patches + i * d.n_features);
  product(single_patches, rows, single.panels, single.padded_atoms, d.n_features, correlations);
  const auto begin = [&](ScreenedPursuit<order_recursive>& pursuit, std::int64_t i) {
    pursuit.begin(patches + i * d.n_features, single_patches + i * d.n_features,
                  correlations + i * single.padded_atoms, tile.rows[i]);
  };
  for (std::int64_t i = 0; i < tile.count; i += 2) {
    const bool pair = i + 1 < tile.count;
    begin(one, i);
    if (pair) begin(other, i + 1);
    for (bool go_one = true, go_other = pair; go_one || go_other;) {
      if (go_one) go_one = one.advance();
      if (go_other) go_other = other.advance();
    }
    one.finish(out, sink);
    if (pair) other.finish(out, sink);
  }
}

}  // namespace
}  // namespace sparsight
