// Python binding of the atom updates of K-SVD.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "atom_users.hpp"
#include "batch.hpp"
#include "team.hpp"

namespace sparsight {
namespace {

// Users whose sums are formed together: results depend on it, but not on the number of threads.
constexpr std::int64_t users_per_sum = 64;

// What the members of a team share while they update atoms.
template <class T>
struct SharedUpdate {
  const AtomUpdate<T> problem;
  const AtomUsers users;
  const std::int64_t n_sweeps;  // alternations per atom, at most
  T* const dictionary;          // updated
  std::vector<T> sums;
  std::vector<T> atoms;  // two of each member: the present one and the next
};

// Alternates on one atom and its codes. False where the member is to return.
template <class T>
bool update_atom(SharedUpdate<T>& shared, std::int64_t which, Member& member) {
  const Kernels<T>& k = kernels_for<T>();
  const AtomUpdate<T>& problem = shared.problem;
  const std::int64_t P = problem.n_features, first = shared.users.starts[which];
  const std::int64_t n_users = shared.users.starts[which + 1] - first;
  const std::int64_t n_sums = (n_users + users_per_sum - 1) / users_per_sum;
  T* atom = shared.atoms.data() + 2 * P * member.number();
  T* fresh = atom + P;
  std::copy_n(shared.dictionary + which * P, P, atom);
  for (std::int64_t sweep = 0; sweep < shared.n_sweeps && n_users > 0; ++sweep) {
    for (std::int64_t s = member.first_of(n_sums); s < member.last_of(n_sums); ++s)
      k.sum_users(problem, first + s * users_per_sum, first + std::min(n_users, (s + 1) * users_per_sum),
                  shared.sums.data() + s * (2 * P + 1));
    member.meet();
    // Every member finds the same atom.
    T moved = 0;
    const bool fitted = k.fit_atom(problem, atom, shared.sums.data(), n_sums, fresh, &moved);
    if (fitted) {
      k.fit_codes(problem, atom, fresh, first + member.first_of(n_users), first + member.last_of(n_users));
      std::swap(atom, fresh);
      if (member.number() == 0) std::copy_n(atom, P, shared.dictionary + which * P);
    }
    if (!member.meet_and_go_on()) return false;
    if (!fitted || moved <= 4 * std::numeric_limits<T>::epsilon()) break;
  }
  return true;
}

template <class T>
nb::tuple ksvd_update(const Matrix<T>& patches, const Matrix<T>& dictionary, const Line<std::int64_t>& indptr,
                      const Line<std::int32_t>& indices, const Line<T>& values, const Mask& missing,
                      const std::optional<Line<std::int64_t>>& order, std::int64_t n_sweeps, int n_threads) {
  check_shapes(patches, dictionary, missing);
  const std::size_t n = patches.shape(0), n_features = patches.shape(1), n_atoms = dictionary.shape(0);
  const std::size_t n_codes = values.shape(0);
  require(n_threads > 0, "n_threads: at least 1");
  require(indices.shape(0) == n_codes, "codes do not form a CSR matrix with one row per patch");
  AtomUsers users = users_of_atoms(indptr, indices, n, n_atoms);
  std::vector<std::int64_t> sequence(n_atoms);
  std::iota(sequence.begin(), sequence.end(), std::int64_t(0));
  if (order) sequence.assign(order->data(), order->data() + order->shape(0));
  std::int64_t most_users = 0;
  for (const std::int64_t atom : sequence) {
    require(atom >= 0 && std::size_t(atom) < n_atoms, "order names an atom that is not there");
    most_users = std::max(most_users, users.starts[atom + 1] - users.starts[atom]);
  }

  NewArray<T> new_dictionary({n_atoms, n_features}, false), new_values({n_codes}, false), residual_norm({n}, false);
  std::copy_n(dictionary.data(), n_atoms * n_features, new_dictionary.data());
  std::copy_n(values.data(), n_codes, new_values.data());
  NewArray<T> residual({n, n_features}, false);
  const AtomUpdate<T> update = {std::int64_t(n_features),
                                patches.data(),
                                bytes_of(missing),
                                indptr.data(),
                                indices.data(),
                                users.patches.data(),
                                users.slots.data(),
                                new_values.data(),
                                dictionary.data(),
                                residual.data(),
                                residual_norm.data()};
  const Kernels<T>& k = kernels_for<T>();
  const std::size_t n_sums = std::size_t(most_users / users_per_sum + 1);
  SharedUpdate<T> shared = {update, std::move(users), n_sweeps, new_dictionary.data(),
                            std::vector<T>(n_sums * (2 * n_features + 1)),
                            std::vector<T>(2 * n_features * std::size_t(n_threads))};
  run_team(n_threads, [&](Member& member) {
    const std::int64_t n_patches = std::int64_t(n);
    k.form_residuals(update, member.first_of(n_patches), member.last_of(n_patches));
    member.meet();
    for (const std::int64_t which : sequence)
      if (!update_atom(shared, which, member)) return;
    k.measure_residuals(update, member.first_of(n_patches), member.last_of(n_patches));
  });
  return nb::make_tuple(new_dictionary.release(), new_values.release(), residual_norm.release());
}

template <class T>
void bind(nb::module_& m) {
  m.def("ksvd_update", &ksvd_update<T>, nb::arg("patches").noconvert(), nb::arg("dictionary").noconvert(),
        nb::arg("indptr").noconvert(), nb::arg("indices").noconvert(), nb::arg("values").noconvert(), nb::kw_only(),
        nb::arg("missing") = nb::none(), nb::arg("order") = nb::none(), nb::arg("n_sweeps") = 1,
        nb::arg("n_threads") = 1);
}

}  // namespace

void bind_ksvd(nb::module_& m) {
  bind<float>(m);
  bind<double>(m);
}

}  // namespace sparsight
