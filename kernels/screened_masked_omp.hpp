// Orthogonal matching pursuit of patches with missing pixels, for a given number of atoms, which are chosen in single
// precision. Codes and residuals are computed in double precision for the chosen atoms.
//
// As in omp.hpp, directions are held by their products v_n with all atoms only, and the Gram matrix of the patch's own
// dictionary m∘D is formed row by row, a row for each chosen atom: products over the observed pixels alone. The patches
// of a tile go in step, so that a part of the atoms that fits the nearest cache is multiplied with all of them.
// Both rules choose j = argmax |a_j|² / w_j: an atom of which little is observed is judged by what is seen of it.
//   orthogonal rule:       w = ‖m∘d_j‖²
//   order-recursive rule:  w = squared norm of the part of m∘d_j outside the span of those chosen
// A patch in which single precision could mislead is pursued again, see masked_omp.hpp.
#pragma once

#include "observed.hpp"
#include "observed_refit.hpp"
#include "screened_omp.hpp"

namespace sparsight {
namespace {

template <class T>
class ScreenedMaskedTile {
 public:
  ScreenedMaskedTile(const GreedyProblem<T>& problem, std::int64_t n_rows, Scratch& scratch)
      : k_(problem.max_nonzero),
        order_recursive_(problem.order_recursive),
        d_(problem.dictionary),
        single_(*problem.screening),
        refit_(d_, k_, scratch),
        patches_(scratch.take<T>(n_rows * d_.n_features)),
        observed_(scratch.take<T>(n_rows * d_.n_features)),
        unit_(scratch.take<float>(n_rows * d_.n_features)),
        pixels_(scratch.take<std::int32_t>(n_rows * d_.n_features)),
        n_pixels_(scratch.take<std::int64_t>(n_rows)),
        vectors_(scratch.take<const float*>(n_rows)),
        energy_(scratch.take<double>(n_rows)),
        correlations_(scratch.take<float>(n_rows * single_.padded_atoms)),
        outside_(scratch.take<float>(n_rows * single_.padded_atoms)),
        directions_(scratch.take<float>(n_rows * k_ * single_.padded_atoms)),
        lower_(scratch.take<float>(k_)),
        support_(scratch.take<std::int32_t>(n_rows * k_)),
        next_(scratch.take<std::int64_t>(n_rows)),
        active_(scratch.take<std::int64_t>(n_rows)),
        settled_(scratch.take<bool>(n_rows)),
        codes_(scratch.take<double>(k_)),
        emitted_(scratch.take<T>(k_)) {}

  // Calls not_settled(i) for those patches of the tile that single precision could mislead.
  template <class NotSettled>
  void run(const Tile<T>& tile, const Output<T>& out, SparseSink<T>* sink, const NotSettled& not_settled) {
    begin(tile);
    for (std::int64_t n = 0; n < k_ && n_active_ > 0; ++n) add_atoms(n);
    finish(tile, out, sink, not_settled);
  }

 private:
  void begin(const Tile<T>& tile) {
    const std::int64_t features = d_.n_features, padded = single_.padded_atoms;
    n_active_ = 0;
    for (std::int64_t i = 0; i < tile.count; ++i) {
      if (i + 4 < tile.count) fetch_ahead(patch_of(tile, i + 4, features), features);
      energy_[i] = take_up(patch_of(tile, i, features), missing_of(tile, i, features), i);
      settled_[i] = false;
      if (energy_[i] > 0) active_[n_active_++] = i;
    }
    sum_all_panels<float, 0>(products(outside_, padded), single_.squared_panels, padded, features);
    for (std::int64_t a = 0; a < n_active_; ++a) vectors_[active_[a]] = unit_ + active_[a] * features;
    sum_all_panels<float, 1>(products(correlations_, padded), single_.panels, padded, features);
    for (std::int64_t a = 0; a < n_active_; ++a) {
      const std::int64_t i = active_[a];
      next_[i] = choose_first<float, true>(correlations_ + i * padded, outside_ + i * padded, padded);
    }
  }

  // Copies what is observed of a patch, as it is and in single precision at unit norm; returns its squared norm, or -1
  // where that is beyond the range of numbers.
  double take_up(const T* patch, const std::uint8_t* missing, std::int64_t i) {
    const std::int64_t features = d_.n_features;
    T* values = patches_ + i * features;
    T* observed = observed_ + i * features;
    float* unit = unit_ + i * features;
    keep_observed(patch, missing, features, values);
    mark_observed(missing, features, observed);
    n_pixels_[i] = list_observed(missing, features, pixels_of(i));
    const double energy = squared_norm(values, features), scale = energy > 0 ? 1 / square_root(energy) : 0;
    if (!(scale > 0)) return energy == 0 ? 0 : -1;
    for (std::int64_t p = 0; p < features; ++p) unit[p] = static_cast<float>(scale * values[p]);
    return energy;
  }

  std::int32_t* pixels_of(std::int64_t i) const { return pixels_ + i * d_.n_features; }

  // Products of all atoms with vectors_ of the active patches, over their observed pixels.
  ObservedProducts<float> products(float* to, std::int64_t apart) const {
    return {active_, n_active_, pixels_, n_pixels_, vectors_, to, apart};
  }

  // Atom number n of every active patch.
  void add_atoms(std::int64_t n) {
    const std::int64_t features = d_.n_features, padded = single_.padded_atoms, apart = k_ * padded;
    if (n + 1 < k_) {
      for (std::int64_t a = 0; a < n_active_; ++a) {
        const std::int64_t i = active_[a], atom = next_[i] > 0 ? next_[i] : 0;
        vectors_[i] = atom_in_panels(single_.panels, features, atom);
      }
      sum_all_panels<float, panel_width<float>>(products(directions_ + n * padded, apart), single_.panels, padded,
                                                features);
    }
    std::int64_t kept = 0;
    for (std::int64_t a = 0; a < n_active_; ++a)
      if (add_atom(active_[a], n)) active_[kept++] = active_[a];
    n_active_ = kept;
  }

  // False where the patch is done, settled or not.
  bool add_atom(std::int64_t i, std::int64_t n) {
    const std::int64_t padded = single_.padded_atoms, atom = next_[i];
    if (atom < 0) return false;
    float* directions = directions_ + i * k_ * padded;
    float* correlation = correlations_ + i * padded;
    float* outside = outside_ + i * padded;
    float norm = outside[atom];
    for (std::int64_t m = 0; m < n; ++m) {
      lower_[m] = directions[m * padded + atom];
      if (!order_recursive_) norm -= lower_[m] * lower_[m];
    }
    const float whole = correlation[atom], bound = least_screened_correlation;
    if (!(norm > dependent<float>) || !(whole * whole > bound * bound * outside[atom])) return false;
    support_[i * k_ + n] = static_cast<std::int32_t>(atom);
    if (n + 1 == k_) {
      settled_[i] = true;
      return false;
    }
    lower_[n] = square_root(norm);
    const float target = whole / lower_[n];
    float* row = directions + n * padded;
    next_[i] = order_recursive_
                   ? projection_step<float, Measure::present_norms>(n)(row, lower_, n, target, padded, directions,
                                                                       correlation, outside, outside)
                   : projection_step<float, Measure::first_norms>(n)(row, lower_, n, target, padded, directions,
                                                                     correlation, outside, outside);
    return true;
  }

  template <class NotSettled>
  void finish(const Tile<T>& tile, const Output<T>& out, SparseSink<T>* sink, const NotSettled& not_settled) {
    constexpr int lanes = NormalEquations::lanes;
    const std::int64_t features = d_.n_features;
    for (std::int64_t first = 0; first < tile.count; first += lanes) {
      const std::int64_t last = first + lanes < tile.count ? first + lanes : tile.count;
      for (std::int64_t i = first; i < last; ++i)
        if (settled_[i])
          refit_.set(static_cast<int>(i - first), patches_ + i * features, observed_ + i * features,
                     support_ + i * k_);
      refit_.solve();
      for (std::int64_t i = first; i < last; ++i) {
        const int lane = static_cast<int>(i - first);
        std::int32_t* support = support_ + i * k_;
        if (energy_[i] == 0) {
          emit(d_, tile.rows[i], support, emitted_, 0, T(0), out, sink);
          continue;
        }
        if (!settled_[i] || !refit_.independent(lane)) {
          not_settled(i);
          continue;
        }
        refit_.codes_of(lane, codes_);
        double squared = energy_[i] - refit_.explained(lane);
        if (!(squared > least_difference * energy_[i]))
          squared = refit_.squared_residual(patches_ + i * features, observed_ + i * features, support, codes_);
        for (std::int64_t n = 0; n < k_; ++n) emitted_[n] = T(codes_[n]);
        emit(d_, tile.rows[i], support, emitted_, k_, T(square_root(squared)), out, sink);
      }
    }
  }

  const std::int64_t k_;
  const bool order_recursive_;
  const Dictionary<T>& d_;
  const Dictionary<float>& single_;
  ObservedRefit<T> refit_;
  T *patches_, *observed_;
  float* unit_;           // patches at unit norm, zero where not observed
  std::int32_t* pixels_;  // the observed ones
  std::int64_t* n_pixels_;
  const float** vectors_;  // what each patch is multiplied by
  double* energy_;
  float *correlations_, *outside_, *directions_, *lower_;
  std::int32_t* support_;
  std::int64_t *next_, *active_, n_active_ = 0;  // the atom that comes next, -1: none
  bool* settled_;
  double* codes_;
  T* emitted_;
};

}  // namespace
}  // namespace sparsight
