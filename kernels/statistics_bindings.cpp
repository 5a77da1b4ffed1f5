// Python bindings of the learning statistics and of the dictionary that follows from them (statistics.hpp).
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>

#include <algorithm>
#include <vector>

#include "atom_descent.hpp"
#include "atom_users.hpp"
#include "batch.hpp"

namespace sparsight {
namespace {

// Multiplications of a descent on the atoms that are shared out: some milliseconds, so that a member that does not get
// its turn is noticed and dismissed.
constexpr std::int64_t products_worth_a_team = 20'000'000;

template <class T>
void add_statistics(const Matrix<T>& patches, const Matrix<T>& dictionary, const Line<std::int64_t>& indptr,
                    const Line<std::int32_t>& indices, const Line<T>& values, const Mask& missing,
                    const Sums& code_products, const Sums& patch_products, int n_threads) {
  const std::size_t n = patches.shape(0), n_features = patches.shape(1), n_atoms = dictionary.shape(0);
  check_shapes(patches, dictionary, missing);
  check_sums(code_products, patch_products, dictionary);
  require(indices.shape(0) == values.shape(0), "codes do not form a CSR matrix with one row per patch");
  check_codes(indptr, indices, n, n_atoms);
  std::vector<T> completed(missing ? n * n_features : 0);
  const Statistics<T> statistics = {std::int64_t(n_features),
                                    std::int64_t(n_atoms),
                                    patches.data(),
                                    bytes_of(missing),
                                    nullptr,
                                    dictionary.data(),
                                    missing ? completed.data() : nullptr,
                                    indptr.data(),
                                    indices.data(),
                                    values.data(),
                                    code_products.data(),
                                    patch_products.data()};
  const Kernels<T>& k = kernels_for<T>();
  if (missing)
    for_each_task(std::int64_t(n), n_threads, 0, [&](std::int64_t i, void*) { k.complete_patch(statistics, i); });
  for_each_task(n_threads, n_threads, 0, [&](std::int64_t part, void*) {
    k.add_patches(statistics, std::int64_t(n), 1.0, part, n_threads);
  });
}

template <class T>
nb::tuple dictionary_from_statistics(const Matrix<double>& code_products, const Matrix<double>& patch_products,
                                     const Matrix<T>& dictionary, std::int64_t n_sweeps, double tolerance,
                                     int n_threads) {
  const std::int64_t n_atoms = dictionary.shape(0), n_features = dictionary.shape(1);
  check_sums(code_products, patch_products, dictionary);
  // Where the work is short, the second thread may come too late to it.
  const std::int64_t n_products = n_sweeps * n_atoms * n_atoms * n_features;
  const std::int64_t worthwhile =
      std::min(AtomDescent<T>::n_panels(n_features), n_products / products_worth_a_team);
  const int n_members = int(std::max<std::int64_t>(1, std::min<std::int64_t>(n_threads, worthwhile)));
  AtomDescent<T> descent(n_atoms, n_features, n_members);
  descent.load(dictionary.data());
  std::int64_t n_done = 0;
  bool at_rest = false;
  run_team(n_members, [&](Member& member) {
    while (n_done < n_sweeps && !at_rest) {
      if (!descent.sweep(member, code_products.data(), patch_products.data())) return;
      if (member.number() == 0) {
        ++n_done;
        at_rest = descent.farthest() <= T(tolerance * tolerance);
      }
      member.meet();
    }
  });
  NewArray<T> updated({std::size_t(n_atoms), std::size_t(n_features)}, false);
  descent.store(updated.data());
  return nb::make_tuple(updated.release(), n_done);
}

template <class T>
void bind(nb::module_& m) {
  m.def("add_statistics", &add_statistics<T>, nb::arg("patches").noconvert(), nb::arg("dictionary").noconvert(),
        nb::arg("indptr").noconvert(), nb::arg("indices").noconvert(), nb::arg("values").noconvert(), nb::kw_only(),
        nb::arg("missing").none(), nb::arg("code_products").noconvert(), nb::arg("patch_products").noconvert(), nb::arg("n_threads"));
  m.def("dictionary_from_statistics", &dictionary_from_statistics<T>, nb::arg("code_products").noconvert(),
        nb::arg("patch_products").noconvert(), nb::arg("dictionary").noconvert(), nb::kw_only(), nb::arg("n_sweeps"),
        nb::arg("tolerance"), nb::arg("n_threads"));
}

}  // namespace

void bind_statistics(nb::module_& m) {
  bind<float>(m);
  bind<double>(m);
}

}  // namespace sparsight
