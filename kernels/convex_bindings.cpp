// Python binding of the convex coders.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <limits>

#include "batch.hpp"

namespace sparsight {
namespace {

// Atoms sorted by group, and where each group begins.
struct GroupOrder {
  std::vector<std::int32_t> order;
  std::vector<std::int64_t> start;
};

GroupOrder sort_by_group(const Line<std::int32_t>& groups, std::size_t n_groups) {
  const std::size_t n_atoms = groups.shape(0);
  GroupOrder sorted;
  sorted.start.assign(n_groups + 1, 0);
  for (std::size_t j = 0; j < n_atoms; ++j) {
    require(groups.data()[j] >= 0 && std::size_t(groups.data()[j]) < n_groups, "a group without a threshold");
    ++sorted.start[groups.data()[j] + 1];
  }
  std::partial_sum(sorted.start.begin(), sorted.start.end(), sorted.start.begin());
  sorted.order.resize(n_atoms);
  std::vector<std::int64_t> next(sorted.start.begin(), sorted.start.end() - 1);
  for (std::size_t j = 0; j < n_atoms; ++j) sorted.order[next[groups.data()[j]]++] = std::int32_t(j);
  return sorted;
}

template <class T>
nb::tuple convex_coding(const Matrix<T>& patches, const Matrix<T>& dictionary, const Mask& missing,
                        const Line<double>& thresholds, const std::optional<Line<double>>& group_thresholds,
                        double outlier_threshold, bool positive, double tolerance, const std::string& output,
                        const std::optional<Line<std::int32_t>>& groups, int n_threads) {
  check_shapes(patches, dictionary, missing);
  const std::size_t n_atoms = dictionary.shape(0), n_features = dictionary.shape(1);
  const bool grouped = bool(group_thresholds);
  require(thresholds.shape(0) == n_atoms, "thresholds: one per atom");
  require(!grouped || (groups && groups->shape(0) == n_atoms), "groups: one number per atom");
  require(!grouped || outlier_threshold < 0, "groups and an outlier term do not go together");
  const Kernels<T>& k = kernels_for<T>();

  GroupOrder sorted;
  if (grouped) sorted = sort_by_group(*groups, group_thresholds->shape(0));
  // A group's norm ties the scales of its atoms together; without groups every atom may have unit norm.
  const PreparedDictionary<T> prepared(dictionary, !grouped, true, false, n_threads, sorted.order);
  const Dictionary<T>& d = prepared.view();
  std::vector<T> scaled(d.padded_atoms, T(1)), inverse(d.padded_atoms, T(1)), group_scaled;
  std::vector<std::int32_t> group_of_atom(grouped ? d.padded_atoms : 0, 0);
  for (std::size_t j = 0; j < n_atoms; ++j) {
    const std::size_t name = grouped ? std::size_t(sorted.order[j]) : j;
    if (!(d.squared_norms[j] > 0)) continue;  // a zero atom keeps threshold 1, which its correlation 0 never exceeds
    scaled[j] = T(thresholds.data()[name] * double(d.scale[j]));
    inverse[j] = scaled[j] > 0 ? T(1) / scaled[j] : std::sqrt(std::numeric_limits<T>::max());
    if (grouped) group_of_atom[j] = groups->data()[name];
  }
  if (grouped) {
    group_scaled.assign(group_thresholds->data(), group_thresholds->data() + group_thresholds->shape(0));
  }
  // Without groups no more codes than features differ from zero at once; with them all may.
  const std::int64_t capacity = grouped ? d.padded_atoms : std::min<std::int64_t>(d.padded_atoms, 2 * n_features + 64);
  const ConvexProblem<T> problem = {d,
                                    scaled.data(),
                                    inverse.data(),
                                    positive,
                                    std::int64_t(group_scaled.size()),
                                    grouped ? sorted.start.data() : nullptr,
                                    grouped ? group_of_atom.data() : nullptr,
                                    grouped ? group_scaled.data() : nullptr,
                                    T(outlier_threshold),
                                    T(tolerance),
                                    1000,
                                    capacity};
  Results<T> results(patches.shape(0), n_atoms, output, groups, true);
  code_batch(
      patches, missing, capacity, n_threads, results, [&](bool masked) { return k.convex_tile(problem, masked); },
      [&](const Tile<T>& tile, SparseSink<T>* sink, void* scratch) {
        k.convex(problem, tile, results.output(), sink, scratch);
      });
  return results.release();
}

template <class T>
void bind(nb::module_& m) {
  m.def("convex_coding", &convex_coding<T>, nb::arg("patches").noconvert(), nb::arg("dictionary").noconvert(),
        nb::kw_only(), nb::arg("missing").none(), nb::arg("thresholds"), nb::arg("group_thresholds").none(),
        nb::arg("outlier_threshold"), nb::arg("positive"), nb::arg("tolerance"), nb::arg("output"),
        nb::arg("groups").none(), nb::arg("n_threads"));
}

}  // namespace

void bind_convex(nb::module_& m) {
  bind<float>(m);
  bind<double>(m);
}

}  // namespace sparsight
