// Python binding of the products of many rows with a few others (gemm.hpp).
#include <nanobind/nanobind.h>

#include "batch.hpp"
#include "prepared_dictionary.hpp"

namespace sparsight {
namespace {

constexpr std::int64_t blocks_per_task = 32;

// A BLAS sums in an order that depends on where in the matrix a row stands; here that depends on nothing.
template <class T>
nb::object row_products(const Matrix<T>& rows, const Matrix<T>& others, int n_threads) {
  require(rows.shape(1) == others.shape(1), "rows differ in length");
  require(others.shape(0) > 0 && others.shape(1) > 0, "there is nothing to multiply with");
  const Kernels<T>& k = kernels_for<T>();
  PreparedDictionary<T> prepared(others.shape(0), others.shape(1), {false, false, false});
  prepared.assign(others.data());
  const Dictionary<T>& d = prepared.view();
  const std::int64_t n = std::int64_t(rows.shape(0)), per_task = blocks_per_task * k.block_rows;
  const std::size_t product_bytes = (std::size_t(per_task * d.padded_atoms) * sizeof(T) + 63) / 64 * 64;
  NewArray<T> products({rows.shape(0), others.shape(0)}, false);
  T* const out = products.data();
  for_each_task((n + per_task - 1) / per_task, n_threads,
                product_bytes + std::size_t(per_task * d.n_features) * sizeof(T),
                [&](std::int64_t task, void* scratch) {
                  const std::int64_t first = task * per_task, count = std::min(per_task, n - first);
                  const std::int64_t whole = (count + k.block_rows - 1) / k.block_rows * k.block_rows;
                  T* const block = static_cast<T*>(scratch);
                  const T* left = rows.data() + first * d.n_features;
                  if (whole > count) {
                    T* const padded = reinterpret_cast<T*>(static_cast<char*>(scratch) + product_bytes);
                    std::memcpy(padded, left, std::size_t(count * d.n_features) * sizeof(T));
                    std::memset(padded + count * d.n_features, 0,
                                std::size_t((whole - count) * d.n_features) * sizeof(T));
                    left = padded;
                  }
                  k.product(left, whole, d.panels, d.padded_atoms, d.n_features, block);
                  for (std::int64_t row = 0; row < count; ++row)
                    std::memcpy(out + (first + row) * d.n_atoms, block + row * d.padded_atoms,
                                std::size_t(d.n_atoms) * sizeof(T));
                });
  return products.release();
}

template <class T>
void bind(nb::module_& m) {
  m.def("row_products", &row_products<T>, nb::arg("rows").noconvert(), nb::arg("others").noconvert(), nb::kw_only(),
        nb::arg("n_threads"));
}

}  // namespace

void bind_products(nb::module_& m) {
  bind<float>(m);
  bind<double>(m);
}

}  // namespace sparsight
