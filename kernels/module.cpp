// Python bindings of the compiled kernels. Arguments are checked by the callers in sparsight.coding; the checks
// here only keep a wrong call from reading outside its arrays.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <type_traits>

#include "batch.hpp"

namespace sparsight {
namespace {

template <class T>
void check_shapes(const Matrix<T>& patches, const Matrix<T>& dictionary, const Mask& missing) {
  require(patches.shape(1) == dictionary.shape(1), "patches and dictionary differ in their number of features");
  require(dictionary.shape(0) > 0 && dictionary.shape(1) > 0, "the dictionary is empty");
  require(!missing || (missing->shape(0) == patches.shape(0) && missing->shape(1) == patches.shape(1)),
          "patches and mask differ in shape");
}

template <class T>
nb::tuple matching_pursuit(const Matrix<T>& patches, const Matrix<T>& dictionary, const Mask& missing,
                           std::int64_t max_nonzero, double tolerance, bool order_recursive, const std::string& output,
                           const std::optional<Line<std::int32_t>>& groups, int n_threads) {
  check_shapes(patches, dictionary, missing);
  require(max_nonzero > 0 && std::size_t(max_nonzero) <= std::min(dictionary.shape(0), dictionary.shape(1)),
          "max_nonzero: from 1 to the smaller extent of the dictionary");
  const Kernels<T>& k = kernels_for<T>();
  const PreparedDictionary<T> prepared(dictionary, true, true, bool(missing));
  // Where the number of non-zeros alone ends a pursuit, atoms can be chosen in single precision (screened_omp.hpp).
  std::optional<PreparedDictionary<float>> single;
  if constexpr (std::is_same_v<T, double>) {
    if (tolerance < 0) {
      const std::size_t n_values = dictionary.shape(0) * dictionary.shape(1);
      std::vector<float> atoms(prepared.view().atoms, prepared.view().atoms + n_values);
      single.emplace(atoms.data(), dictionary.shape(0), dictionary.shape(1), true, true, false);
    }
  }
  const GreedyProblem<T> problem = {prepared.view(), max_nonzero, T(tolerance), order_recursive,
                                    single ? &single->view() : nullptr};
  Results<T> results(patches.shape(0), dictionary.shape(0), output, groups, false);
  code_batch(
      patches, missing, max_nonzero, n_threads, results, [&](bool masked) { return k.greedy_tile(problem, masked); },
      [&](const Tile<T>& tile, SparseSink<T>* sink, void* scratch) {
        k.greedy(problem, tile, results.output(), sink, scratch);
      });
  return results.release();
}

template <class T>
nb::tuple ksvd_update(const Matrix<T>& patches, const Matrix<T>& dictionary, const Line<std::int64_t>& indptr,
                      const Line<std::int32_t>& indices, const Line<T>& values, const Mask& missing,
                      const std::optional<Line<std::int64_t>>& order, std::int64_t n_sweeps) {
  check_shapes(patches, dictionary, missing);
  const std::size_t n = patches.shape(0), n_features = patches.shape(1), n_atoms = dictionary.shape(0);
  const std::size_t n_codes = values.shape(0);
  require(indptr.shape(0) == n + 1 && indptr.data()[0] == 0 && std::size_t(indptr.data()[n]) == n_codes &&
              indices.shape(0) == n_codes,
          "codes do not form a CSR matrix with one row per patch");

  NewArray<T> new_dictionary({n_atoms, n_features}, false), new_values({n_codes}, false), residual_norm({n}, false);
  std::memcpy(new_dictionary.data(), dictionary.data(), n_atoms * n_features * sizeof(T));
  std::memcpy(new_values.data(), values.data(), n_codes * sizeof(T));
  std::vector<T> residual(n * n_features);
  std::vector<std::int64_t> starts(n_atoms + 1, 0), slots(n_codes), sequence(n_atoms);
  std::vector<std::int32_t> users(n_codes);
  for (std::size_t e = 0; e < n_codes; ++e) {
    require(indices.data()[e] >= 0 && std::size_t(indices.data()[e]) < n_atoms, "codes name an atom that is not there");
    ++starts[indices.data()[e] + 1];
  }
  std::partial_sum(starts.begin(), starts.end(), starts.begin());
  std::vector<std::int64_t> filled(starts.begin(), starts.end() - 1);
  for (std::size_t i = 0; i < n; ++i) {
    require(indptr.data()[i] <= indptr.data()[i + 1], "codes do not form a CSR matrix with one row per patch");
    for (std::int64_t e = indptr.data()[i]; e < indptr.data()[i + 1]; ++e) {
      const std::int64_t at = filled[indices.data()[e]]++;
      users[at] = std::int32_t(i);
      slots[at] = e;
    }
  }
  if (order) {
    sequence.assign(order->data(), order->data() + order->shape(0));
    for (const std::int64_t atom : sequence)
      require(atom >= 0 && std::size_t(atom) < n_atoms, "order names an atom that is not there");
  } else {
    std::iota(sequence.begin(), sequence.end(), std::int64_t(0));
  }
  const AtomUpdate<T> update = {std::int64_t(n),
                                std::int64_t(n_features),
                                std::int64_t(n_atoms),
                                patches.data(),
                                missing ? reinterpret_cast<const std::uint8_t*>(missing->data()) : nullptr,
                                indptr.data(),
                                indices.data(),
                                starts.data(),
                                users.data(),
                                slots.data(),
                                sequence.data(),
                                std::int64_t(sequence.size()),
                                n_sweeps,
                                new_values.data(),
                                new_dictionary.data(),
                                residual.data(),
                                residual_norm.data()};
  const Kernels<T>& k = kernels_for<T>();
  // One task per atom, in turn on this thread, so that Ctrl-C is noticed between atoms.
  k.start_update(update);
  for_each_task(update.n_ordered, 1, 2 * (n_features * sizeof(T) + 64),
                [&](std::int64_t a, void* scratch) { k.update_atom(update, update.order[a], scratch); });
  k.finish_update(update);
  return nb::make_tuple(new_dictionary.release(), new_values.release(), residual_norm.release());
}

template <class T>
void bind(nb::module_& m) {
  m.def("matching_pursuit", &matching_pursuit<T>, nb::arg("patches").noconvert(), nb::arg("dictionary").noconvert(),
        nb::kw_only(), nb::arg("missing").none(), nb::arg("max_nonzero"), nb::arg("tolerance"),
        nb::arg("order_recursive"), nb::arg("output"), nb::arg("groups").none(), nb::arg("n_threads"));
  m.def("ksvd_update", &ksvd_update<T>, nb::arg("patches").noconvert(), nb::arg("dictionary").noconvert(),
        nb::arg("indptr").noconvert(), nb::arg("indices").noconvert(), nb::arg("values").noconvert(), nb::kw_only(),
        nb::arg("missing") = nb::none(), nb::arg("order") = nb::none(), nb::arg("n_sweeps") = 1);
}

}  // namespace

void bind_anchored(nb::module_& m, const char* instruction_set);     // anchored_bindings.cpp
void bind_restoration(nb::module_& m, const char* instruction_set);  // restoration_bindings.cpp
void bind_statistics(nb::module_& m);                                // statistics_bindings.cpp

}  // namespace sparsight

NB_MODULE(_kernels, m) {
  m.doc() = "Compiled loops of sparsight.";
  m.def("instruction_set", [] { return sparsight::kernels().name; }, "Name of the instruction set in use.");
  m.def("available_instruction_sets", &sparsight::available_instruction_sets,
        "Instruction sets this processor can run, best last.");
  sparsight::bind<float>(m);
  sparsight::bind<double>(m);
  sparsight::bind_anchored(m, sparsight::kernels().name);
  sparsight::bind_restoration(m, sparsight::kernels().name);
  sparsight::bind_statistics(m);
}
