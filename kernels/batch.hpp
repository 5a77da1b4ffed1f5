// A batch of patches coded tile by tile: what all coders have in common.
#pragma once

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "arrays.hpp"
#include "instruction_set.hpp"
#include "parallel.hpp"
#include "tile_plan.hpp"

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

// The sums A (n_atoms, n_atoms) and B (n_atoms, n_features) of statistics.hpp.
template <class Products, class T>
void check_sums(const Products& code_products, const Products& patch_products, const Matrix<T>& dictionary) {
  require(code_products.shape(0) == dictionary.shape(0) && code_products.shape(1) == dictionary.shape(0) &&
              patch_products.shape(0) == dictionary.shape(0) && patch_products.shape(1) == dictionary.shape(1),
          "the sums do not fit the dictionary");
}

// Codes whose copying, into new memory, takes a thread much longer than to start.
constexpr std::int64_t codes_of_a_thread = 100'000;

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

  void gather(const TilePlan& plan, const std::vector<TileCodes<T>>& tiles, int n_threads) {
    starts_ = NewArray<std::int64_t>({n_ + 1}, true);
    starts_of_codes(n_nonzero_.data(), std::int64_t(n_), starts_.data());
    const std::size_t n_codes = std::size_t(starts_.data()[n_]);
    indices_ = NewArray<std::int32_t>({n_codes}, false);
    values_ = NewArray<T>({n_codes}, false);
    const std::int64_t worthwhile = std::int64_t(n_codes) / codes_of_a_thread;
    for_each_task(std::int64_t(tiles.size()), int(std::min<std::int64_t>(n_threads, worthwhile)), 0,
                  [&](std::int64_t t, void*) {
                    place_codes(plan, std::size_t(t), tiles[t], starts_.data(), indices_.data(), values_.data());
                  });
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

// Codes all patches.
template <class T, class Coder>
void code_batch(const Matrix<T>& patches, const Mask& missing, const Coder& coder, int n_threads, Results<T>& results) {
  const std::size_t n = patches.shape(0), n_features = patches.shape(1);
  const std::uint8_t* mask = bytes_of(missing);
  const TilePlan plan(
      n, [&](std::size_t i) { return mask != nullptr && any_missing(mask + i * n_features, n_features); },
      [&](bool masked) { return coder.tile_size(masked); });
  const TileSinks<T> sinks(plan.largest(), results.sparse() ? coder.most_nonzeros() : 0);
  std::vector<TileCodes<T>> tiles(results.sparse() ? plan.n_tiles() : 0);
  for_each_task(std::int64_t(plan.n_tiles()), n_threads, sinks.scratch_bytes(), [&](std::int64_t t, void* scratch) {
    SparseSink<T> sink = sinks.sink(scratch);
    coder.code(plan.tile(t, patches.data(), mask), results.output(), results.sparse() ? &sink : nullptr, scratch);
    if (results.sparse()) tiles[t].take(sink);
  });
  if (results.sparse()) results.gather(plan, tiles, n_threads);
}

}  // namespace sparsight
