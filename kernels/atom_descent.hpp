// Block coordinate descent on the atoms (statistics.hpp) by a team of threads.
#pragma once

#include <algorithm>
#include <vector>

#include "instruction_set.hpp"
#include "team.hpp"

namespace sparsight {

template <class T>
class AtomDescent {
 public:
  AtomDescent(std::int64_t n_atoms, std::int64_t n_features, int n_members)
      : n_atoms_(n_atoms),
        n_features_(n_features),
        width_(kernels_for<T>().panel_width),
        n_panels_(n_panels(n_features)),
        panels_(n_panels_ * n_atoms * width_, T(0)),
        factors_(n_members * kernels_for<T>().block_rows * n_atoms),
        combinations_(kernels_for<T>().block_rows * n_panels_ * width_),
        two_atoms_(2 * n_panels_ * width_) {}

  // More members than that have nothing to do.
  static std::int64_t n_panels(std::int64_t n_features) {
    const std::int64_t width = kernels_for<T>().panel_width;
    return (n_features + width - 1) / width;
  }

  // The square of the longest way that an atom went in the last sweep; for the calling thread.
  T farthest() const { return farthest_; }

  void load(const T* dictionary) {
    each_panel([&](std::int64_t in_dictionary, std::int64_t in_panels, std::int64_t length) {
      std::copy_n(dictionary + in_dictionary, length, panels_.data() + in_panels);
    });
  }
  void store(T* dictionary) const {
    each_panel([&](std::int64_t in_dictionary, std::int64_t in_panels, std::int64_t length) {
      std::copy_n(panels_.data() + in_panels, length, dictionary + in_dictionary);
    });
  }

  // Moves every atom once; false where the member is to return. All members combine a block of atoms, each some panels
  // of it; the calling thread then moves them.
  bool sweep(Member& member, const double* code_products, const double* patch_products) {
    const Kernels<T>& k = kernels_for<T>();
    T* const own_factors = factors_.data() + member.number() * k.block_rows * n_atoms_;
    if (member.number() == 0) farthest_ = 0;
    for (std::int64_t first = 0; first < n_atoms_; first += k.block_rows) {
      k.combine_atoms(code_products, n_atoms_, n_features_, first, member.first_of(n_panels_),
                      member.last_of(n_panels_), panels_.data(), own_factors, combinations_.data());
      if (!member.meet_and_go_on()) return false;
      if (member.number() == 0)
        farthest_ = std::max(farthest_, k.move_atoms(code_products, patch_products, n_atoms_, n_features_, first,
                                                     panels_.data(), combinations_.data(), two_atoms_.data()));
      member.meet();
    }
    return true;
  }

 private:
  template <class Visit>
  void each_panel(const Visit& visit) const {  // (place in the dictionary, place in the panels, length)
    for (std::int64_t j = 0; j < n_atoms_; ++j)
      for (std::int64_t first = 0; first < n_features_; first += width_)
        visit(j * n_features_ + first, first * n_atoms_ + j * width_, std::min(width_, n_features_ - first));
  }

  const std::int64_t n_atoms_, n_features_, width_, n_panels_;
  std::vector<T> panels_, factors_, combinations_, two_atoms_;
  T farthest_ = 0;
};

}  // namespace sparsight
