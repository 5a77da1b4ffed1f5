// Python binding of the greedy coders.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <optional>
#include <type_traits>

#include "batch.hpp"

namespace sparsight {
namespace {

template <class T>
nb::tuple matching_pursuit(const Matrix<T>& patches, const Matrix<T>& dictionary, const Mask& missing,
                           std::int64_t max_nonzero, double tolerance, bool order_recursive, const std::string& output,
                           const std::optional<Line<std::int32_t>>& groups, int n_threads) {
  check_shapes(patches, dictionary, missing);
  require(max_nonzero > 0 && std::size_t(max_nonzero) <= std::min(dictionary.shape(0), dictionary.shape(1)),
          "max_nonzero: from 1 to the smaller extent of the dictionary");
  const Kernels<T>& k = kernels_for<T>();
  const PreparedDictionary<T> prepared(dictionary, true, true, bool(missing), n_threads);
  // Where the number of non-zeros alone ends a pursuit, atoms can be chosen in single precision (screened_omp.hpp).
  std::optional<PreparedDictionary<float>> single;
  const Dictionary<float>* screening = nullptr;
  if (tolerance < 0) {
    if constexpr (std::is_same_v<T, double>) {
      const std::size_t n_values = dictionary.shape(0) * dictionary.shape(1);
      std::vector<float> atoms(prepared.view().atoms, prepared.view().atoms + n_values);
      single.emplace(atoms.data(), dictionary.shape(0), dictionary.shape(1), true, true, bool(missing),
                     n_threads);
      screening = &single->view();
    } else {
      screening = &prepared.view();
    }
  }
  const GreedyProblem<T> problem = {prepared.view(), max_nonzero, T(tolerance), order_recursive, screening};
  Results<T> results(patches.shape(0), dictionary.shape(0), output, groups, false);
  code_batch(
      patches, missing, max_nonzero, n_threads, results, [&](bool masked) { return k.greedy_tile(problem, masked); },
      [&](const Tile<T>& tile, SparseSink<T>* sink, void* scratch) {
        k.greedy(problem, tile, results.output(), sink, scratch);
      });
  return results.release();
}

template <class T>
void bind(nb::module_& m) {
  m.def("matching_pursuit", &matching_pursuit<T>, nb::arg("patches").noconvert(), nb::arg("dictionary").noconvert(),
        nb::kw_only(), nb::arg("missing").none(), nb::arg("max_nonzero"), nb::arg("tolerance"),
        nb::arg("order_recursive"), nb::arg("output"), nb::arg("groups").none(), nb::arg("n_threads"));
}

}  // namespace

void bind_pursuit(nb::module_& m) {
  bind<float>(m);
  bind<double>(m);
}

}  // namespace sparsight
