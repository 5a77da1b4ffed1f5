// A dictionary and its penalties made ready for convex coding, tile by tile.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "prepared_dictionary.hpp"

namespace sparsight {

struct ConvexSettings {
  std::vector<double> thresholds;         // λ of each atom
  std::vector<std::int32_t> groups;       // group of each atom; empty: no groups
  std::vector<double> group_thresholds;   // ξ of each group
  double outlier_threshold = -1;          // β; negative: no outlier term
  bool positive = false;
  double tolerance = 0;                   // relative duality gap to reach
};

// Atoms sorted by group, and where each group begins.
struct GroupOrder {
  std::vector<std::int32_t> order;
  std::vector<std::int64_t> start;
};

inline GroupOrder sort_by_group(const std::vector<std::int32_t>& groups, std::size_t n_groups) {
  GroupOrder sorted;
  if (groups.empty()) return sorted;
  sorted.start.assign(n_groups + 1, 0);
  for (const std::int32_t group : groups) ++sorted.start[group + 1];
  std::partial_sum(sorted.start.begin(), sorted.start.end(), sorted.start.begin());
  sorted.order.resize(groups.size());
  std::vector<std::int64_t> next(sorted.start.begin(), sorted.start.end() - 1);
  for (std::size_t j = 0; j < groups.size(); ++j) sorted.order[next[groups[j]]++] = std::int32_t(j);
  return sorted;
}

template <class T>
class ConvexCoder {
 public:
  ConvexCoder(std::size_t n_atoms, std::size_t n_features, ConvexSettings settings)
      : settings_(std::move(settings)),
        sorted_(sort_by_group(settings_.groups, settings_.group_thresholds.size())),
        // A group's norm ties the scales of its atoms together; without groups every atom may have unit norm.
        prepared_(n_atoms, n_features, {!grouped(), true, false}, sorted_.order),
        scaled_(prepared_.view().padded_atoms, T(1)),
        inverse_(scaled_),
        group_of_atom_(grouped() ? scaled_.size() : 0, 0),
        group_scaled_(settings_.group_thresholds.begin(), settings_.group_thresholds.end()) {
    for (std::size_t j = 0; grouped() && j < n_atoms; ++j) group_of_atom_[j] = settings_.groups[sorted_.order[j]];
  }

  void assign(const T* atoms) {
    prepared_.assign(atoms);
    const Dictionary<T>& d = prepared_.view();
    for (std::int64_t j = 0; j < d.n_atoms; ++j) {
      // A zero atom has threshold 1, which its correlation 0 never exceeds.
      const std::int64_t name = grouped() ? sorted_.order[j] : j;
      scaled_[j] = d.squared_norms[j] > 0 ? T(settings_.thresholds[name] * double(d.scale[j])) : T(1);
      inverse_[j] = scaled_[j] > 0 ? T(1) / scaled_[j] : std::sqrt(std::numeric_limits<T>::max());
    }
  }
  std::int64_t n_gram_panels() const { return prepared_.n_gram_panels(); }
  void fill_gram_panel(std::int64_t panel) { prepared_.fill_gram_panel(panel); }

  // Without groups no more codes than features differ from zero at once; with them all may.
  std::int64_t most_nonzeros() const {
    const Dictionary<T>& d = prepared_.view();
    return grouped() ? d.padded_atoms : std::min<std::int64_t>(d.padded_atoms, 2 * d.n_features + 64);
  }
  TileSize tile_size(bool masked) const { return kernels_for<T>().convex_tile(problem(), masked); }
  void code(const Tile<T>& tile, const Output<T>& output, SparseSink<T>* sink, void* scratch) const {
    kernels_for<T>().convex(problem(), tile, output, sink, scratch);
  }

 private:
  bool grouped() const { return !settings_.groups.empty(); }
  ConvexProblem<T> problem() const {
    return {prepared_.view(),
            scaled_.data(),
            inverse_.data(),
            settings_.positive,
            std::int64_t(group_scaled_.size()),
            grouped() ? sorted_.start.data() : nullptr,
            grouped() ? group_of_atom_.data() : nullptr,
            grouped() ? group_scaled_.data() : nullptr,
            T(settings_.outlier_threshold),
            T(settings_.tolerance),
            1000,
            most_nonzeros()};
  }

  const ConvexSettings settings_;
  const GroupOrder sorted_;
  PreparedDictionary<T> prepared_;
  std::vector<T> scaled_, inverse_;
  std::vector<std::int32_t> group_of_atom_;
  const std::vector<T> group_scaled_;
};

}  // namespace sparsight
