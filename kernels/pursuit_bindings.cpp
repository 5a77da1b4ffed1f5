// Python binding of the greedy coders.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <optional>

#include "batch.hpp"
#include "pursuit_coder.hpp"

namespace sparsight {
namespace {

template <class T>
nb::tuple matching_pursuit(const Matrix<T>& patches, const Matrix<T>& dictionary, const Mask& missing,
                           std::int64_t max_nonzero, double tolerance, bool order_recursive, const std::string& output,
                           const std::optional<Line<std::int32_t>>& groups, int n_threads) {
  check_shapes(patches, dictionary, missing);
  require(max_nonzero > 0 && std::size_t(max_nonzero) <= std::min(dictionary.shape(0), dictionary.shape(1)),
          "max_nonzero: from 1 to the smaller extent of the dictionary");
  PursuitCoder<T> coder(dictionary.shape(0), dictionary.shape(1), bool(missing),
                        {max_nonzero, tolerance, order_recursive});
  coder.assign(dictionary.data());
  fill_gram(coder, dictionary.shape(0), dictionary.shape(1), n_threads);
  Results<T> results(patches.shape(0), dictionary.shape(0), output, groups, false);
  code_batch(patches, missing, coder, n_threads, results);
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
