// Python binding of learning from mini-batches (online_learning.hpp).
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>

#include <algorithm>
#include <optional>

#include "batch.hpp"
#include "convex_coder.hpp"
#include "online_learning.hpp"
#include "pursuit_coder.hpp"

namespace sparsight {
namespace {

template <class T, class Coder>
void learn(const OnlineProblem<T>& problem, Coder&& coder, int n_threads) {
  OnlineLearning<T, std::remove_reference_t<Coder>> learning(problem, coder, n_threads);
  run_team(n_threads, [&](Member& member) { learning.run(member); });
}

template <class T>
nb::tuple learn_online(const Matrix<T>& patches, const Matrix<T>& dictionary, const Line<std::int64_t>& rows,
                       const Mask& missing, const Sums& code_products, const Sums& patch_products,
                       std::int64_t n_before, std::int64_t batch_size, double forgetting, bool move,
                       std::int64_t max_nonzero, std::optional<double> penalty, double tolerance, int n_threads) {
  check_shapes(patches, dictionary, missing);
  const std::size_t n_atoms = dictionary.shape(0), n_features = dictionary.shape(1), n_rows = rows.shape(0);
  check_sums(code_products, patch_products, dictionary);
  require(batch_size > 0 && n_threads > 0, "batch_size and n_threads: at least 1");
  require(penalty || (max_nonzero > 0 && std::size_t(max_nonzero) <= std::min(n_atoms, n_features)),
          "max_nonzero: from 1 to the smaller extent of the dictionary");
  for (std::size_t i = 0; i < n_rows; ++i)
    require(rows.data()[i] >= 0 && std::size_t(rows.data()[i]) < patches.shape(0), "rows name a patch that is not there");

  NewArray<T> learned({n_atoms, n_features}, false), residual_norm({n_rows}, true), l1_norm({n_rows}, true), optimality;
  if (penalty) optimality = NewArray<T>({n_rows}, true);
  NewArray<std::int64_t> usage({n_atoms}, true);
  std::copy_n(dictionary.data(), n_atoms * n_features, learned.data());
  const OnlineProblem<T> problem = {std::int64_t(n_features),
                                    std::int64_t(n_atoms),
                                    patches.data(),
                                    bytes_of(missing),
                                    rows.data(),
                                    std::int64_t(n_rows),
                                    batch_size,
                                    n_before,
                                    forgetting,
                                    move,
                                    code_products.data(),
                                    patch_products.data(),
                                    learned.data(),
                                    usage.data(),
                                    residual_norm.data(),
                                    l1_norm.data(),
                                    optimality.data()};
  if (penalty) {
    ConvexSettings settings;
    settings.thresholds.assign(n_atoms, *penalty);
    settings.tolerance = tolerance;
    learn(problem, ConvexCoder<T>(n_atoms, n_features, std::move(settings)), n_threads);
  } else {
    learn(problem, PursuitCoder<T>(n_atoms, n_features, bool(missing), {max_nonzero, -1, false}), n_threads);
  }
  return nb::make_tuple(learned.release(), usage.release(), residual_norm.release(), l1_norm.release(),
                        optimality.release());
}

template <class T>
void bind(nb::module_& m) {
  m.def("learn_online", &learn_online<T>, nb::arg("patches").noconvert(), nb::arg("dictionary").noconvert(),
        nb::arg("rows").noconvert(), nb::kw_only(), nb::arg("missing").none(), nb::arg("code_products").noconvert(),
        nb::arg("patch_products").noconvert(), nb::arg("n_before"), nb::arg("batch_size"), nb::arg("forgetting"),
        nb::arg("move"), nb::arg("max_nonzero"), nb::arg("penalty").none(), nb::arg("tolerance"),
        nb::arg("n_threads"));
}

}  // namespace

void bind_online(nb::module_& m) {
  bind<float>(m);
  bind<double>(m);
}

}  // namespace sparsight
