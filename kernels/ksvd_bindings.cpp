// Python binding of the atom updates of K-SVD.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>

#include "batch.hpp"

namespace sparsight {
namespace {

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
  m.def("ksvd_update", &ksvd_update<T>, nb::arg("patches").noconvert(), nb::arg("dictionary").noconvert(),
        nb::arg("indptr").noconvert(), nb::arg("indices").noconvert(), nb::arg("values").noconvert(), nb::kw_only(),
        nb::arg("missing") = nb::none(), nb::arg("order") = nb::none(), nb::arg("n_sweeps") = 1);
}

}  // namespace

void bind_ksvd(nb::module_& m) {
  bind<float>(m);
  bind<double>(m);
}

}  // namespace sparsight
