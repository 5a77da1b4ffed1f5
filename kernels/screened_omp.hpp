// Orthogonal matching pursuit in double precision whose atoms are chosen in single precision.
//
// Nearly all of the work of a pursuit is to compare the correlations of all atoms, and that needs few digits. So
// the atoms are chosen by the pursuit in single precision; everything that is returned (codes, residual) is then
// computed in double precision for the chosen atoms. Where single precision could mislead, that is where the
// residual has become small or the atoms nearly dependent, the pursuit in single precision ends early, and the
// patch is pursued again in double precision throughout.
#pragma once

#include "omp.hpp"
#include "refit.hpp"

namespace sparsight {
namespace {

// Correlations below this fraction of the patch's norm are not compared in single precision: rounding errors,
// about 1e-7 of the norm, could then change the choice between atoms that differ by more than 1e-4.
constexpr float least_screened_correlation = 1e-3f;

// To single precision, at unit norm so that nothing overflows or vanishes. Returns the squared norm.
SPARSIGHT_INLINE double to_single(const double* patch, std::int64_t n, float* out) {
  const double energy = dot(patch, patch, n), norm = square_root(energy);
  const double scale = norm > 0 ? 1 / norm : 0;
  for (std::int64_t p = 0; p < n; ++p) out[p] = static_cast<float>(scale * patch[p]);
  return energy;
}

// A squared residual norm that follows from that of the patch and what its codes explain has lost digits where it is
// below this part of the patch's.
constexpr double least_difference = 1.0 / 1024;

template <bool order_recursive>
class ScreenedTile {
 public:
  ScreenedTile(const GreedyProblem<double>& problem, Scratch& scratch)
      : k_(problem.max_nonzero),
        d_(problem.dictionary),
        single_(*problem.screening),
        screening_{single_, k_, -1.0f, order_recursive, nullptr},
        one_(screening_, scratch, least_screened_correlation),
        other_(screening_, scratch, least_screened_correlation),
        whole_(problem, scratch),
        refit_(d_, k_, scratch),
        patches_(scratch.take<float>(usual_tile_rows * d_.n_features)),
        correlations_(scratch.take<float>(usual_tile_rows * single_.padded_atoms)),
        support_(scratch.take<std::int32_t>(usual_tile_rows * k_)),
        codes_(scratch.take<double>(usual_tile_rows * k_)),
        exact_(scratch.take<double>(d_.padded_atoms)) {}

  void run(const Tile<double>& tile, const Output<double>& out, SparseSink<double>* sink) {
    choose(tile);
    compute_codes(tile);
    for (std::int64_t i = 0; i < tile.count; ++i) {
      const double* patch = patch_of(tile, i, d_.n_features);
      if (!settled_[i]) {
        pursue_whole(patch, tile.rows[i], out, sink);
        continue;
      }
      std::int32_t* support = support_ + i * k_;
      double* codes = codes_ + i * k_;
      double squared = energy_[i] - explained_[i];
      if (!(squared > least_difference * energy_[i])) squared = squared_residual(d_, patch, support, codes, k_);
      emit(d_, tile.rows[i], support, codes, k_, square_root(squared), out, sink);
    }
  }

 private:
  using Search = Pursuit<float, order_recursive>;

  // The atoms of all patches, in single precision.
  void choose(const Tile<double>& tile) {
    const std::int64_t features = d_.n_features, padded = single_.padded_atoms;
    const std::int64_t rows = round_up(tile.count, block_rows);
    for (std::int64_t i = 0; i < tile.count; ++i) {
      if (i + 4 < tile.count) fetch_ahead(patch_of(tile, i + 4, features), features);
      energy_[i] = to_single(patch_of(tile, i, d_.n_features), features, patches_ + i * features);
    }
    for (std::int64_t p = tile.count * features; p < rows * features; ++p) patches_[p] = 0;
    product(patches_, rows, single_.panels, padded, features, correlations_);
    pursue_in_pairs(
        one_, other_, tile.count,
        [&](Search& search, std::int64_t i) {
          search.begin(patches_ + i * features, correlations_ + i * padded);
        },
        [&](Search& search, std::int64_t i) {
          settled_[i] = search.count() == k_;
          for (std::int64_t n = 0; n < search.count(); ++n) support_[i * k_ + n] = search.support()[n];
          if (settled_[i]) refit_.prefetch(search.support());
        });
  }

  // In double precision, for those that have all their atoms.
  void compute_codes(const Tile<double>& tile) {
    std::int64_t patch_in[Refit::lanes], filled = 0;
    for (std::int64_t i = 0; i < tile.count; ++i) {
      if (settled_[i]) {
        refit_.set(static_cast<int>(filled), patch_of(tile, i, d_.n_features), support_ + i * k_);
        patch_in[filled++] = i;
      }
      if (filled == 0 || (filled < Refit::lanes && i + 1 < tile.count)) continue;
      refit_.solve();
      for (int lane = 0; lane < filled; ++lane) {
        settled_[patch_in[lane]] = refit_.independent(lane);
        explained_[patch_in[lane]] = refit_.explained(lane);
        refit_.codes_of(lane, codes_ + patch_in[lane] * k_);
      }
      filled = 0;
    }
  }

  void pursue_whole(const double* patch, std::int64_t row, const Output<double>& out, SparseSink<double>* sink) {
    for (std::int64_t j = 0; j < d_.padded_atoms; ++j)
      exact_[j] = dot(d_.atoms + j * d_.n_features, patch, d_.n_features);
    whole_.begin(patch, exact_);
    while (whole_.advance()) {
    }
    whole_.finish(row, out, sink);
  }

  const std::int64_t k_;
  const Dictionary<double>& d_;
  const Dictionary<float>& single_;
  const GreedyProblem<float> screening_;
  Search one_, other_;
  Pursuit<double, order_recursive> whole_;
  Refit refit_;
  float *patches_, *correlations_;
  std::int32_t* support_;
  double *codes_, *exact_;
  double energy_[usual_tile_rows], explained_[usual_tile_rows];  // squared norm of a patch, and its codes' part of it
  bool settled_[usual_tile_rows];                                // whether single precision has not misled
};

template <bool order_recursive>
void pursue_screened_tile(const GreedyProblem<double>& problem, const Tile<double>& tile, const Output<double>& out,
                          SparseSink<double>* sink, Scratch& scratch) {
  ScreenedTile<order_recursive> search(problem, scratch);
  if (tile.count > 0) search.run(tile, out, sink);
}

}  // namespace
}  // namespace sparsight
