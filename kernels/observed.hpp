// Products over the observed pixels of a patch only: every patch has a list of its own.
#pragma once

#include "tile.hpp"

namespace sparsight {
namespace {

// Lists the observed pixels; returns their number.
SPARSIGHT_INLINE std::int64_t list_observed(const std::uint8_t* missing, std::int64_t n_features,
                                            std::int32_t* pixels) {
  std::int64_t count = 0;
  for (std::int64_t first = 0; first < n_features; first += 64) {
    std::uint64_t bits = observed_word(missing + first, n_features - first < 64 ? n_features - first : 64);
    for (; bits != 0; bits &= bits - 1) pixels[count++] = static_cast<std::int32_t>(first + __builtin_ctzll(bits));
  }
  return count;
}

// Panels of atoms (see gemm.hpp) that are multiplied together: few enough to stay in the nearest cache while patch
// after patch is multiplied with them.
template <class T>
std::int64_t panels_at_once(std::int64_t n_features) {
  constexpr std::int64_t nearest_cache = 20 << 10;
  return 4 * panel_width<T> * n_features * std::int64_t(sizeof(T)) <= nearest_cache ? 4 : 2;
}

// The observed pixels of several patches, and where the products of each go.
template <class T>
struct ObservedProducts {
  const std::int64_t* patches;  // which of them are to be multiplied
  std::int64_t n_patches;
  const std::int32_t* pixels;  // of each patch, `n_features` apart
  const std::int64_t* n_pixels;
  const T* const* vectors;  // what each patch is multiplied by
  T* products;              // of each patch, `apart` apart
  std::int64_t apart;
};

// Σ_p vector_p · panels_p over the observed pixels of each patch, for `n_panels` panels, with a vector's values `step`
// apart; all values are 1 if that is 0. Not to be inlined: all addresses of the inner loop are to stay in registers.
template <class T, int n_panels, int step>
__attribute__((noinline)) void sum_panels(const ObservedProducts<T>& wanted, const T* panels, std::int64_t n_features,
                                          std::int64_t first) {
  constexpr int L = Lanes<T>::count, W = panel_width<T>, vectors = n_panels * block_vectors;
  constexpr int sets = vectors >= 8 ? 1 : 2;  // sums of every second pixel: as many as hide the time of an addition
  const std::int64_t apart = n_features * W;
  for (std::int64_t a = 0; a < wanted.n_patches; ++a) {
    const std::int64_t patch = wanted.patches[a], count = wanted.n_pixels[patch];
    const std::int32_t* pixels = wanted.pixels + patch * n_features;
    const T* values = step > 0 ? wanted.vectors[patch] : nullptr;
    Vector<T> sum[sets][vectors] = {};
    const auto add = [&](Vector<T>* to, std::int64_t pixel) __attribute__((always_inline)) {
      const T* row = panels + pixel * W;
#pragma GCC unroll 4
      for (int i = 0; i < n_panels; ++i) {
#pragma GCC unroll 2
        for (int v = 0; v < block_vectors; ++v) {
          const Vector<T> entries = load(row + i * apart + v * L);
          to[i * block_vectors + v] += step > 0 ? values[pixel * step] * entries : entries;
        }
      }
    };
    std::int64_t i = 0;
    for (; i + 2 <= count; i += 2) {
      add(sum[0], pixels[i]);
      add(sum[sets - 1], pixels[i + 1]);
    }
    if (i < count) add(sum[0], pixels[i]);
    T* out = wanted.products + patch * wanted.apart + first;
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) store(out + v * L, sets == 1 ? sum[0][v] : sum[0][v] + sum[sets - 1][v]);
  }
}

// An atom where it stands in the panels: its values are panel_width apart, next to what they are multiplied with.
template <class T>
const T* atom_in_panels(const T* panels, std::int64_t n_features, std::int64_t atom) {
  constexpr int W = panel_width<T>;
  return panels + atom / W * W * n_features + atom % W;
}

// The same for all panels of a dictionary.
template <class T, int step>
void sum_all_panels(const ObservedProducts<T>& wanted, const T* panels, std::int64_t padded_atoms,
                    std::int64_t n_features) {
  constexpr std::int64_t W = panel_width<T>;
  static_assert(atom_padding<T> == 2 * W, "atoms come in pairs of panels");
  const bool four = panels_at_once<T>(n_features) == 4;
  std::int64_t first = 0;
  for (; four && first + 4 * W <= padded_atoms; first += 4 * W)
    sum_panels<T, 4, step>(wanted, panels + first * n_features, n_features, first);
  for (; first < padded_atoms; first += 2 * W)
    sum_panels<T, 2, step>(wanted, panels + first * n_features, n_features, first);
}

}  // namespace
}  // namespace sparsight
