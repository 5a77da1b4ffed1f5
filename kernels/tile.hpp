// From a batch of patches to a tile in scratch memory, and from codes to the results asked for.
#pragma once

#include "gemm.hpp"
#include "table.hpp"

namespace sparsight {
namespace {

// A tile of this many patches keeps its correlations in the second-level cache for usual dictionaries.
constexpr std::int64_t usual_tile_rows = 48;
static_assert(usual_tile_rows % block_rows == 0, "a tile is a whole number of register blocks");

// Which of up to 64 values are observed: a bit each, the first one lowest.
SPARSIGHT_INLINE std::uint64_t observed_word(const std::uint8_t* missing, std::int64_t n) {
  std::uint64_t bits = 0;
  std::int64_t p = 0;
  for (; p + 8 <= n; p += 8) {
    std::uint64_t eight;
    __builtin_memcpy(&eight, missing + p, 8);
    bits |= (eight * 0x0102040810204080u) >> 56 << p;  // gathers the lowest bits of eight bytes
  }
  for (; p < n; ++p) bits |= std::uint64_t(missing[p]) << p;
  return ~bits & (~std::uint64_t(0) >> (64 - n));
}

// All bits of the lanes whose bits are set.
template <class T>
SPARSIGHT_INLINE typename Lanes<T>::Index lanes_of(std::uint64_t bits) {
  using Integer = typename Lanes<T>::Integer;
  const typename Lanes<T>::Index own = Integer(1) << lane_numbers<T>();
  return ((typename Lanes<T>::Index{} + static_cast<Integer>(bits)) & own) == own;
}

// Copies a patch with zeros where it is not observed, whatever stands there.
template <class T>
void keep_observed(const T* patch, const std::uint8_t* missing, std::int64_t n_features, T* values) {
  constexpr int L = Lanes<T>::count;
  using Index = typename Lanes<T>::Index;
  for (std::int64_t first = 0; first < n_features; first += 64) {
    const std::int64_t n = n_features - first < 64 ? n_features - first : 64;
    const std::uint64_t bits = observed_word(missing + first, n);
    const T* from = patch + first;
    T* to = values + first;
    std::int64_t p = 0;
    for (; p + L <= n; p += L) store(to + p, (Vector<T>)((Index)load(from + p) & lanes_of<T>(bits >> p)));
    for (; p < n; ++p) to[p] = bits >> p & 1 ? from[p] : T(0);
  }
}

// 1 where a value is observed, else 0.
template <class T>
void mark_observed(const std::uint8_t* missing, std::int64_t n_features, T* observed) {
  constexpr int L = Lanes<T>::count;
  using Index = typename Lanes<T>::Index;
  for (std::int64_t first = 0; first < n_features; first += 64) {
    const std::int64_t n = n_features - first < 64 ? n_features - first : 64;
    const std::uint64_t bits = observed_word(missing + first, n);
    T* to = observed + first;
    std::int64_t p = 0;
    for (; p + L <= n; p += L) store(to + p, (Vector<T>)((Index)(Vector<T>{} + T(1)) & lanes_of<T>(bits >> p)));
    for (; p < n; ++p) to[p] = bits >> p & 1 ? T(1) : T(0);
  }
}

// Patch number i of a tile, and what is missing of it.
template <class T>
SPARSIGHT_INLINE const T* patch_of(const Tile<T>& tile, std::int64_t i, std::int64_t n_features) {
  const std::int64_t row = tile.rows[i];
  return tile.patches + (tile.sources == nullptr ? row : tile.sources[row]) * n_features;
}

template <class T>
SPARSIGHT_INLINE const std::uint8_t* missing_of(const Tile<T>& tile, std::int64_t i, std::int64_t n_features) {
  const std::int64_t row = tile.rows[i];
  return tile.missing + (tile.sources == nullptr ? row : tile.sources[row]) * n_features;
}

// Copies the tile's patches, zero where not observed, and pads it with zero rows to whole register blocks.
template <class T>
void load_tile(const Tile<T>& tile, std::int64_t n_features, T* out) {
  for (std::int64_t i = 0; i < tile.count; ++i) {
    if (i + 4 < tile.count) fetch_ahead(patch_of(tile, i + 4, n_features), n_features);
    const T* patch = patch_of(tile, i, n_features);
    T* row = out + i * n_features;
    if (tile.missing == nullptr) {
      __builtin_memcpy(row, patch, static_cast<std::size_t>(n_features) * sizeof(T));
    } else {
      keep_observed(patch, missing_of(tile, i, n_features), n_features, row);
    }
  }
  const std::int64_t used = tile.count * n_features;
  const std::int64_t padded = round_up(tile.count, block_rows) * n_features;
  __builtin_memset(out + used, 0, static_cast<std::size_t>(padded - used) * sizeof(T));
}

// ‖patch − Σ codes · atoms‖²
template <class T>
T squared_residual(const Dictionary<T>& d, const T* patch, const std::int32_t* support, const T* codes,
                   std::int64_t count) {
  constexpr int L = Lanes<T>::count;
  const std::int64_t features = d.n_features;
  Vector<T> sums[2] = {};
  std::int64_t p = 0;
  for (; p + 2 * L <= features; p += 2 * L) {
    Vector<T> rest[2] = {load(patch + p), load(patch + p + L)};
    for (std::int64_t n = 0; n < count; ++n) {
      const T* atom = d.atoms + support[n] * features + p;
      rest[0] -= codes[n] * load(atom);
      rest[1] -= codes[n] * load(atom + L);
    }
    sums[0] += rest[0] * rest[0];
    sums[1] += rest[1] * rest[1];
  }
  T sum = horizontal_sum<T>(sums[0] + sums[1]);
  for (; p < features; ++p) {
    T rest = patch[p];
    for (std::int64_t n = 0; n < count; ++n) rest -= codes[n] * d.atoms[support[n] * features + p];
    sum += rest * rest;
  }
  return sum;
}

// Puts the code of one patch where it is wanted. Sorts `support` (and `codes` with it); codes of the
// kernel's atoms become codes of the caller's atoms.
template <class T>
void emit(const Dictionary<T>& dictionary, std::int64_t row, std::int32_t* support, T* codes, std::int64_t count,
          T residual_norm, const Output<T>& out, SparseSink<T>* sink) {
  T l1 = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    codes[i] *= dictionary.scale[support[i]];
    l1 += absolute(codes[i]);
    if (dictionary.names != nullptr) support[i] = dictionary.names[support[i]];
  }
  for (std::int64_t i = 1; i < count; ++i) {
    const std::int32_t atom = support[i];
    const T code = codes[i];
    std::int64_t at = i;
    for (; at > 0 && support[at - 1] > atom; --at) {
      support[at] = support[at - 1];
      codes[at] = codes[at - 1];
    }
    support[at] = atom;
    codes[at] = code;
  }
  out.residual_norm[row] = residual_norm;
  out.l1_norm[row] = l1;
  out.n_nonzero[row] = static_cast<std::int32_t>(count);
  if (out.dense != nullptr) {
    T* dense = out.dense + row * dictionary.n_atoms;
    for (std::int64_t i = 0; i < count; ++i) dense[support[i]] = codes[i];
  }
  if (sink != nullptr) {
    for (std::int64_t i = 0; i < count; ++i) {
      sink->indices[sink->size + i] = support[i];
      sink->values[sink->size + i] = codes[i];
    }
    sink->size += count;
  }
  if (out.group_norms != nullptr) {
    T* norms = out.group_norms + row * out.n_groups;
    for (std::int64_t i = 0; i < count; ++i) norms[out.group_of_atom[support[i]]] += codes[i] * codes[i];
    for (std::int64_t g = 0; g < out.n_groups; ++g) norms[g] = square_root(norms[g]);
  }
}

}  // namespace
}  // namespace sparsight
