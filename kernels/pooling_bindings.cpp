// Python binding of the averages of sparse codes over neighbouring patches (pooling.hpp).
#include <nanobind/nanobind.h>

#include "batch.hpp"

namespace sparsight {
namespace {

template <class T>
nb::object pooled_squares(const Line<std::int64_t>& indptr, const Line<std::int32_t>& indices, const Line<T>& values,
                          const Matrix<T>& weights, const Line<T>& window, std::int64_t n_atoms, int n_threads) {
  const std::size_t rows = weights.shape(0), columns = weights.shape(1), n = rows * columns;
  require(indptr.shape(0) == n + 1 && indptr.data()[0] == 0 && std::size_t(indptr.data()[n]) == values.shape(0) &&
              indices.shape(0) == values.shape(0),
          "codes do not form a CSR matrix with one row per patch");
  for (std::size_t i = 0; i < n; ++i)
    require(indptr.data()[i] <= indptr.data()[i + 1], "codes do not form a CSR matrix with one row per patch");
  for (std::size_t e = 0; e < values.shape(0); ++e)
    require(indices.data()[e] >= 0 && indices.data()[e] < n_atoms, "codes name an atom that is not there");
  require(window.shape(0) % 2 == 1, "the window has no middle");
  NewArray<T> squares({rows, columns}, false);
  const Pooling<T> pooling = {std::int64_t(rows), std::int64_t(columns), n_atoms,        std::int64_t(window.shape(0) / 2),
                              indptr.data(),      indices.data(),        values.data(),  weights.data(),
                              window.data(),      squares.data()};
  const Kernels<T>& k = kernels_for<T>();
  for_each_task(std::int64_t(rows), n_threads, k.pooling_scratch_bytes(pooling),
                [&](std::int64_t row, void* scratch) { k.pool_row(pooling, row, scratch); });
  return squares.release();
}

template <class T>
void bind(nb::module_& m) {
  m.def("pooled_squares", &pooled_squares<T>, nb::arg("indptr").noconvert(), nb::arg("indices").noconvert(),
        nb::arg("values").noconvert(), nb::kw_only(), nb::arg("weights").noconvert(), nb::arg("window").noconvert(),
        nb::arg("n_atoms"), nb::arg("n_threads"));
}

}  // namespace

void bind_pooling(nb::module_& m) {
  bind<float>(m);
  bind<double>(m);
}

}  // namespace sparsight
