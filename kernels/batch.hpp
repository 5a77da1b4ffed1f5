// A batch of patches coded tile by tile: what all coders have in common.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "instruction_set.hpp"
#include "parallel.hpp"

namespace sparsight {

inline void require(bool condition, const char* message) {
  if (!condition) throw std::invalid_argument(message);
}

// The callers in sparsight.coding check the arguments and explain; this only keeps a wrong call from reading outside
// its arrays.
template <class T>
void check_shapes(const Matrix<T>& patches, const Matrix<T>& dictionary, const Mask& missing) {
  require(patches.shape(1) == dictionary.shape(1), "patches and dictionary differ in their number of features");
  require(dictionary.shape(0) > 0 && dictionary.shape(1) > 0, "the dictionary is empty");
  require(!missing || (missing->shape(0) == patches.shape(0) && missing->shape(1) == patches.shape(1)),
          "patches and mask differ in shape");
}

// Multiplications of atoms with atoms that keep a thread busy for longer than it takes to start it.
constexpr std::int64_t products_of_a_thread = 1'000'000;

// The caller's dictionary in the form the kernels want, and the memory that holds it.
template <class T>
class PreparedDictionary {
 public:
  // `unit_norm`: atoms are normalised and `scale` undoes it; zero atoms stay zero. `order`: the caller's numbers
  // of the atoms in the order in which the kernels are to see them; empty for that of the caller.
  PreparedDictionary(const Matrix<T>& atoms, bool unit_norm, bool with_gram, bool with_squares, int n_threads,
                     std::vector<std::int32_t> order = {})
      : PreparedDictionary(atoms.data(), atoms.shape(0), atoms.shape(1), unit_norm, with_gram, with_squares, n_threads,
                           std::move(order)) {}
  PreparedDictionary(const T* atoms, std::size_t n_atoms, std::size_t n_features, bool unit_norm, bool with_gram,
                     bool with_squares, int n_threads, std::vector<std::int32_t> order = {})
      : names_(std::move(order)) {
    const Kernels<T>& k = kernels_for<T>();
    const std::size_t padded = (n_atoms + k.atom_padding - 1) / k.atom_padding * k.atom_padding;
    atoms_.assign(padded * n_features, T(0));
    squared_norms_.assign(padded, T(0));
    scale_.assign(n_atoms, T(1));
    for (std::size_t j = 0; j < n_atoms; ++j) {
      const T* from = atoms + (names_.empty() ? j : std::size_t(names_[j])) * n_features;
      double energy = 0;
      for (std::size_t p = 0; p < n_features; ++p) energy += double(from[p]) * double(from[p]);
      if (unit_norm) scale_[j] = energy > 0 ? T(1 / std::sqrt(energy)) : T(0);
      for (std::size_t p = 0; p < n_features; ++p) atoms_[j * n_features + p] = from[p] * scale_[j];
      squared_norms_[j] = unit_norm ? T(energy > 0) : T(energy);
    }
    panels_.reset(new T[padded * n_features]);
    k.pack(atoms_.data(), padded, n_features, panels_.get());
    if (with_squares) {
      std::vector<T> squares(atoms_.size());
      for (std::size_t i = 0; i < squares.size(); ++i) squares[i] = atoms_[i] * atoms_[i];
      squared_panels_.reset(new T[padded * n_features]);
      k.pack(squares.data(), padded, n_features, squared_panels_.get());
    }
    view_ = {std::int64_t(n_atoms), std::int64_t(n_features), std::int64_t(padded), atoms_.data(),
             squared_norms_.data(), names_.empty() ? nullptr : names_.data(), scale_.data(), panels_.get(),
             squared_panels_.get(), nullptr};
    if (with_gram) {
      gram_.reset(new T[padded * padded]);
      const std::int64_t worthwhile = std::int64_t(padded * padded / 2 * n_features) / products_of_a_thread;
      for_each_task(std::int64_t(padded) / k.panel_width, int(std::min<std::int64_t>(n_threads, worthwhile)), 0,
                    [&](std::int64_t panel, void*) { k.gram_panel(view_, panel, gram_.get()); });
      view_.gram = gram_.get();
    }
  }
  PreparedDictionary(const PreparedDictionary&) = delete;
  const Dictionary<T>& view() const { return view_; }

 private:
  std::vector<std::int32_t> names_;
  std::vector<T> atoms_, squared_norms_, scale_;
  std::unique_ptr<T[]> panels_, squared_panels_, gram_;  // not zeroed first: that takes time with every call
  Dictionary<T> view_{};
};

// Codes of the patches in the form asked for.
template <class T>
class Results {
 public:
  Results(std::size_t n, std::size_t n_atoms, const std::string& form, const std::optional<Line<std::int32_t>>& groups,
          bool with_optimality)
      : n_(n), residual_norm_({n}, true), l1_norm_({n}, true), n_nonzero_({n}, true), sparse_(form == "sparse") {
    require(form == "dense" || form == "sparse" || form == "reductions", "output: dense, sparse or reductions");
    output_.residual_norm = residual_norm_.data();
    output_.l1_norm = l1_norm_.data();
    output_.n_nonzero = n_nonzero_.data();
    if (form == "dense") {
      dense_ = NewArray<T>({n, n_atoms}, true);
      output_.dense = dense_.data();
    }
    if (with_optimality) {
      optimality_ = NewArray<T>({n}, true);
      output_.optimality = optimality_.data();
    }
    if (groups) {
      require(groups->shape(0) == n_atoms, "groups: one number per atom");
      for (std::size_t j = 0; j < n_atoms; ++j) {
        require(groups->data()[j] >= 0, "groups: numbers from 0");
        output_.n_groups = std::max<std::int64_t>(output_.n_groups, groups->data()[j] + 1);
      }
      group_norms_ = NewArray<T>({n, std::size_t(output_.n_groups)}, true);
      output_.group_norms = group_norms_.data();
      output_.group_of_atom = groups->data();
    }
  }
  const Output<T>& output() const { return output_; }
  bool sparse() const { return sparse_; }

  // Non-zeros of tile after tile, each in the order of its rows.
  struct TileCodes {
    std::vector<std::int32_t> indices;
    std::vector<T> values;
  };

  void gather(const std::vector<std::int64_t>& rows, const std::vector<std::size_t>& tile_starts,
              const std::vector<TileCodes>& tiles) {
    starts_ = NewArray<std::int64_t>({n_ + 1}, true);
    std::int64_t* starts = starts_.data();
    for (std::size_t i = 0; i < n_; ++i) starts[i + 1] = starts[i] + n_nonzero_.data()[i];
    indices_ = NewArray<std::int32_t>({std::size_t(starts[n_])}, false);
    values_ = NewArray<T>({std::size_t(starts[n_])}, false);
    for (std::size_t t = 0; t < tiles.size(); ++t) {
      std::size_t from = 0;
      for (std::size_t i = tile_starts[t]; i < tile_starts[t + 1];) {
        // Neighbouring rows are copied together.
        const std::int64_t first = rows[i], start = starts[first];
        std::int64_t last = first;
        while (i < tile_starts[t + 1] && rows[i] == last) ++i, ++last;
        const std::size_t size = std::size_t(starts[last] - start);
        std::memcpy(indices_.data() + start, tiles[t].indices.data() + from, size * sizeof(std::int32_t));
        std::memcpy(values_.data() + start, tiles[t].values.data() + from, size * sizeof(T));
        from += size;
      }
    }
  }

  // (dense, indptr, indices, values, residual_norm, l1_norm, n_nonzero, group_norms, optimality)
  nb::tuple release() {
    return nb::make_tuple(dense_.release(), starts_.release(), indices_.release(), values_.release(),
                          residual_norm_.release(), l1_norm_.release(), n_nonzero_.release(), group_norms_.release(),
                          optimality_.release());
  }

 private:
  std::size_t n_;
  NewArray<T> dense_, residual_norm_, l1_norm_, group_norms_, optimality_, values_;
  NewArray<std::int32_t> n_nonzero_, indices_;
  NewArray<std::int64_t> starts_;
  bool sparse_;
  Output<T> output_{};
};

// Complete patches first, then those with missing pixels: each tile holds patches of one kind only.
inline std::vector<std::int64_t> sort_by_completeness(std::size_t n, std::size_t n_features, const bool* missing,
                                                      std::size_t* n_complete) {
  std::vector<std::int64_t> rows, masked;
  rows.reserve(n);
  for (std::size_t i = 0; i < n; ++i) {
    const bool any = missing && std::memchr(missing + i * n_features, 1, n_features) != nullptr;
    (any ? masked : rows).push_back(std::int64_t(i));
  }
  *n_complete = rows.size();
  rows.insert(rows.end(), masked.begin(), masked.end());
  return rows;
}

// Codes all patches: `size_of(masked)` gives the tile size, `code(tile, sink, scratch)` codes one tile.
template <class T, class SizeOf, class Code>
void code_batch(const Matrix<T>& patches, const Mask& missing, std::int64_t max_nonzero, int n_threads,
                Results<T>& results, const SizeOf& size_of, const Code& code) {
  const std::size_t n = patches.shape(0), n_features = patches.shape(1);
  const bool* mask = missing ? missing->data() : nullptr;
  std::size_t n_complete = 0;
  const std::vector<std::int64_t> rows = sort_by_completeness(n, n_features, mask, &n_complete);

  std::size_t scratch_bytes = 0, widest = 0;
  std::vector<std::size_t> starts;
  for (const bool masked : {false, true}) {
    const std::size_t first = masked ? n_complete : 0, last = masked ? n : n_complete;
    if (first == last) continue;
    const TileSize size = size_of(masked);
    scratch_bytes = std::max(scratch_bytes, size.scratch_bytes);
    widest = std::max(widest, std::size_t(size.rows));
    for (std::size_t i = first; i < last; i += size.rows) starts.push_back(i);
  }
  const std::size_t n_tiles = starts.size();
  starts.push_back(n);

  const std::size_t room = results.sparse() ? widest * std::size_t(max_nonzero) : 0;
  const std::size_t sink_bytes = (room * sizeof(T) + 63) / 64 * 64 + room * sizeof(std::int32_t);
  scratch_bytes = (scratch_bytes + 63) / 64 * 64;
  std::vector<typename Results<T>::TileCodes> tiles(results.sparse() ? n_tiles : 0);
  for_each_task(std::int64_t(n_tiles), n_threads, scratch_bytes + sink_bytes, [&](std::int64_t t, void* scratch) {
    const bool masked = starts[t] >= n_complete;
    const Tile<T> tile = {patches.data(), masked ? reinterpret_cast<const std::uint8_t*>(mask) : nullptr,
                          rows.data() + starts[t], std::int64_t(starts[t + 1] - starts[t])};
    char* const sink_memory = static_cast<char*>(scratch) + scratch_bytes;
    SparseSink<T> sink = {reinterpret_cast<std::int32_t*>(sink_memory + (room * sizeof(T) + 63) / 64 * 64),
                          reinterpret_cast<T*>(sink_memory), 0};
    code(tile, results.sparse() ? &sink : nullptr, scratch);
    if (results.sparse()) {
      tiles[t].indices.assign(sink.indices, sink.indices + sink.size);
      tiles[t].values.assign(sink.values, sink.values + sink.size);
    }
  });
  if (results.sparse()) results.gather(rows, starts, tiles);
}

}  // namespace sparsight
