// The caller's dictionary in the form the kernels want, and the memory that holds it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "instruction_set.hpp"
#include "parallel.hpp"

namespace sparsight {

// Multiplications of atoms with atoms that keep a thread busy for longer than it takes to start it.
constexpr std::int64_t products_of_a_thread = 1'000'000;

// ‖values‖², in sums that do not wait for each other.
template <class T>
double squared_norm(const T* values, std::size_t n) {
  double sums[8] = {};
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (std::size_t k = 0; k < 8; ++k) sums[k] += double(values[i + k]) * double(values[i + k]);
  for (; i < n; ++i) sums[0] += double(values[i]) * double(values[i]);
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

// What is kept of the atoms beside themselves.
struct PreparedForm {
  bool unit_norm;     // atoms are normalised and `scale` undoes it; zero atoms stay zero
  bool with_gram;     // to be filled panel by panel
  bool with_squares;  // for patches with missing values
};

template <class T>
class PreparedDictionary {
 public:
  // `order`: the caller's numbers of the atoms in the order in which the kernels are to see them; empty for that of the
  // caller.
  PreparedDictionary(std::size_t n_atoms, std::size_t n_features, PreparedForm form,
                     std::vector<std::int32_t> order = {})
      : form_(form), names_(std::move(order)) {
    const std::size_t multiple = kernels_for<T>().atom_padding;
    const std::size_t padded = (n_atoms + multiple - 1) / multiple * multiple;
    atoms_.assign(padded * n_features, T(0));
    squared_norms_.assign(padded, T(0));
    scale_.assign(n_atoms, T(1));
    panels_.reset(new T[padded * n_features]);
    if (form.with_squares) {
      squares_.assign(padded * n_features, T(0));
      squared_panels_.reset(new T[padded * n_features]);
    }
    if (form.with_gram) gram_.reset(new T[padded * padded]);
    view_ = {std::int64_t(n_atoms), std::int64_t(n_features), std::int64_t(padded), atoms_.data(),
             squared_norms_.data(), names_.empty() ? nullptr : names_.data(), scale_.data(), panels_.get(),
             squared_panels_.get(), gram_.get()};
  }
  PreparedDictionary(const PreparedDictionary&) = delete;

  // Takes atoms (n_atoms, n_features); the panels of the Gram matrix are to be filled after it.
  template <class Atom>
  void assign(const Atom* atoms) {
    const std::size_t n_atoms = view_.n_atoms, n_features = view_.n_features;
    for (std::size_t j = 0; j < n_atoms; ++j) {
      const Atom* from = atoms + (names_.empty() ? j : std::size_t(names_[j])) * n_features;
      const double energy = squared_norm(from, n_features);
      const T scale = !form_.unit_norm ? T(1) : energy > 0 ? T(1 / std::sqrt(energy)) : T(0);
      T* const to = atoms_.data() + j * n_features;
      for (std::size_t p = 0; p < n_features; ++p) to[p] = T(from[p]) * scale;
      scale_[j] = scale;
      squared_norms_[j] = form_.unit_norm ? T(energy > 0) : T(energy);
    }
    const Kernels<T>& k = kernels_for<T>();
    k.pack(atoms_.data(), view_.padded_atoms, n_features, panels_.get());
    if (!form_.with_squares) return;
    for (std::size_t i = 0; i < n_atoms * n_features; ++i) squares_[i] = atoms_[i] * atoms_[i];
    k.pack(squares_.data(), view_.padded_atoms, n_features, squared_panels_.get());
  }

  std::int64_t n_gram_panels() const {
    return form_.with_gram ? view_.padded_atoms / kernels_for<T>().panel_width : 0;
  }
  void fill_gram_panel(std::int64_t panel) { kernels_for<T>().gram_panel(view_, panel, gram_.get()); }

  const Dictionary<T>& view() const { return view_; }

 private:
  const PreparedForm form_;
  const std::vector<std::int32_t> names_;
  std::vector<T> atoms_, squared_norms_, scale_, squares_;
  std::unique_ptr<T[]> panels_, squared_panels_, gram_;  // not zeroed first: that takes time with every call
  Dictionary<T> view_{};
};

// Fills all panels of the Gram matrices of a dictionary, or of a coder that holds some.
template <class Prepared>
void fill_gram(Prepared& prepared, std::int64_t n_atoms, std::int64_t n_features, int n_threads) {
  const std::int64_t worthwhile = n_atoms * n_atoms / 2 * n_features / products_of_a_thread;
  for_each_task(prepared.n_gram_panels(), int(std::min<std::int64_t>(n_threads, worthwhile)), 0,
                [&](std::int64_t panel, void*) { prepared.fill_gram_panel(panel); });
}

}  // namespace sparsight
