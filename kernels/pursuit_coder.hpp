// A dictionary made ready for greedy coding, tile by tile.
#pragma once

#include <optional>
#include <type_traits>

#include "prepared_dictionary.hpp"

namespace sparsight {

struct PursuitSettings {
  std::int64_t max_nonzero;
  double tolerance;  // squared residual norm at which to stop; negative: not used
  bool order_recursive;
};

template <class T>
class PursuitCoder {
 public:
  PursuitCoder(std::size_t n_atoms, std::size_t n_features, bool masked, PursuitSettings settings)
      : settings_(settings), prepared_(n_atoms, n_features, {true, true, masked}) {
    // Where the number of non-zeros alone ends a pursuit, atoms can be chosen in single precision (screened_omp.hpp).
    if (std::is_same_v<T, double> && settings.tolerance < 0)
      single_.emplace(n_atoms, n_features, PreparedForm{true, true, masked});
  }

  void assign(const T* atoms) {
    prepared_.assign(atoms);
    if (single_) single_->assign(prepared_.view().atoms);
  }
  std::int64_t n_gram_panels() const {
    return prepared_.n_gram_panels() + (single_ ? single_->n_gram_panels() : 0);
  }
  void fill_gram_panel(std::int64_t panel) {
    const std::int64_t own = prepared_.n_gram_panels();
    if (panel < own)
      prepared_.fill_gram_panel(panel);
    else
      single_->fill_gram_panel(panel - own);
  }

  std::int64_t most_nonzeros() const { return settings_.max_nonzero; }
  TileSize tile_size(bool masked) const { return kernels_for<T>().greedy_tile(problem(), masked); }
  void code(const Tile<T>& tile, const Output<T>& output, SparseSink<T>* sink, void* scratch) const {
    kernels_for<T>().greedy(problem(), tile, output, sink, scratch);
  }

 private:
  GreedyProblem<T> problem() const {
    const Dictionary<float>* screening = nullptr;
    if (settings_.tolerance < 0) {
      if constexpr (std::is_same_v<T, double>)
        screening = &single_->view();
      else
        screening = &prepared_.view();
    }
    return {prepared_.view(), settings_.max_nonzero, T(settings_.tolerance), settings_.order_recursive, screening};
  }

  const PursuitSettings settings_;
  PreparedDictionary<T> prepared_;
  std::optional<PreparedDictionary<float>> single_;
};

}  // namespace sparsight
