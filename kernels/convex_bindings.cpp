// Python binding of the convex coders.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <utility>

#include "batch.hpp"
#include "convex_coder.hpp"

namespace sparsight {
namespace {

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
  ConvexSettings settings;
  settings.thresholds.assign(thresholds.data(), thresholds.data() + n_atoms);
  settings.outlier_threshold = outlier_threshold;
  settings.positive = positive;
  settings.tolerance = tolerance;
  if (grouped) {
    const std::size_t n_groups = group_thresholds->shape(0);
    for (std::size_t j = 0; j < n_atoms; ++j)
      require(groups->data()[j] >= 0 && std::size_t(groups->data()[j]) < n_groups, "a group without a threshold");
    settings.groups.assign(groups->data(), groups->data() + n_atoms);
    settings.group_thresholds.assign(group_thresholds->data(), group_thresholds->data() + n_groups);
  }
  ConvexCoder<T> coder(n_atoms, n_features, std::move(settings));
  coder.assign(dictionary.data());
  fill_gram(coder, n_atoms, n_features, n_threads);
  Results<T> results(patches.shape(0), n_atoms, output, groups, true);
  code_batch(patches, missing, coder, n_threads, results);
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
