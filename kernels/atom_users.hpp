// Sparse codes read by atom: which patches use it, and where their codes stand.
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

#include "batch.hpp"

namespace sparsight {

struct AtomUsers {
  std::vector<std::int64_t> starts;   // (n_atoms + 1) into the two below
  std::vector<std::int32_t> patches;  // patches that use an atom in ascending order, atom after atom
  std::vector<std::int64_t> slots;    // and the place of that code in the CSR matrix
};

// Throws where the codes are no CSR matrix (n, n_atoms).
inline void check_codes(const Line<std::int64_t>& indptr, const Line<std::int32_t>& indices, std::size_t n,
                        std::size_t n_atoms) {
  const char* const malformed = "codes do not form a CSR matrix with one row per patch";
  const std::size_t n_codes = indices.shape(0);
  require(indptr.shape(0) == n + 1 && indptr.data()[0] == 0 && std::size_t(indptr.data()[n]) == n_codes, malformed);
  for (std::size_t i = 0; i < n; ++i) require(indptr.data()[i] <= indptr.data()[i + 1], malformed);
  for (std::size_t e = 0; e < n_codes; ++e)
    require(indices.data()[e] >= 0 && std::size_t(indices.data()[e]) < n_atoms,
            "codes name an atom that is not there");
}

inline AtomUsers users_of_atoms(const Line<std::int64_t>& indptr, const Line<std::int32_t>& indices, std::size_t n,
                                std::size_t n_atoms) {
  check_codes(indptr, indices, n, n_atoms);
  const std::size_t n_codes = indices.shape(0);
  AtomUsers users{std::vector<std::int64_t>(n_atoms + 1, 0), std::vector<std::int32_t>(n_codes),
                  std::vector<std::int64_t>(n_codes)};
  for (std::size_t e = 0; e < n_codes; ++e) ++users.starts[indices.data()[e] + 1];
  std::partial_sum(users.starts.begin(), users.starts.end(), users.starts.begin());
  std::vector<std::int64_t> next(users.starts.begin(), users.starts.end() - 1);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::int64_t e = indptr.data()[i]; e < indptr.data()[i + 1]; ++e) {
      const std::int64_t at = next[indices.data()[e]]++;
      users.patches[at] = std::int32_t(i);
      users.slots[at] = e;
    }
  }
  return users;
}

}  // namespace sparsight
