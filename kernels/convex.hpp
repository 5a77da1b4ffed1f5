// The convex coding problems  min ½‖m∘(s − D x)‖² + g(x), patch by patch, to a stated duality gap.
//
// Rounds: with the correlations q = Dᵀ(m∘(s − D x)) of all atoms, add those that violate their optimality
// condition to a working set, solve the problem on the set, bring q up to date. When no atom is left to add, the gap
//   F(x) − F(x*) ≤ ½(1 − c)² ‖r‖² + g(x) − c ⟨x, q⟩,   c r feasible for the dual,
// decides. Complete patches get q from the cached Gram matrix; patches with missing values, where that matrix is another
// for each, by a matrix product.
#pragma once

#include "complete_tile.hpp"
#include "lasso.hpp"
#include "masked_tile.hpp"
#include "outlier.hpp"
#include "sparse_group.hpp"

namespace sparsight {
namespace {

template <class T, class Tiles>
void code_tile(const ConvexProblem<T>& problem, const Tile<T>& tile, const Output<T>& out, SparseSink<T>* sink,
               void* block) {
  Scratch scratch(block);
  Tiles(problem, scratch).run(tile, out, sink);
}

template <class T, class Tiles>
TileSize tile_size(const ConvexProblem<T>& problem) {
  Scratch scratch(nullptr);
  const Tiles unused(problem, scratch);
  return {Tiles::rows(), scratch.used()};
}

template <class T>
TileSize convex_tile(const ConvexProblem<T>& problem, bool masked) {
  if (problem.n_groups > 0) {
    return masked ? tile_size<T, MaskedTile<T, SparseGroupPenalty<T>>>(problem)
                  : tile_size<T, CompleteTile<T, SparseGroupPenalty<T>>>(problem);
  }
  if (problem.outlier_threshold >= 0) {
    return masked ? tile_size<T, MaskedTile<T, OutlierPenalty<T>>>(problem)
                  : tile_size<T, CompleteTile<T, OutlierPenalty<T>>>(problem);
  }
  return masked ? tile_size<T, MaskedTile<T, LassoPenalty<T>>>(problem)
                : tile_size<T, CompleteTile<T, LassoPenalty<T>>>(problem);
}

template <class T>
void convex(const ConvexProblem<T>& problem, const Tile<T>& tile, const Output<T>& out, SparseSink<T>* sink,
            void* block) {
  const bool masked = tile.missing != nullptr;
  if (problem.n_groups > 0) {
    masked ? code_tile<T, MaskedTile<T, SparseGroupPenalty<T>>>(problem, tile, out, sink, block)
           : code_tile<T, CompleteTile<T, SparseGroupPenalty<T>>>(problem, tile, out, sink, block);
  } else if (problem.outlier_threshold >= 0) {
    masked ? code_tile<T, MaskedTile<T, OutlierPenalty<T>>>(problem, tile, out, sink, block)
           : code_tile<T, CompleteTile<T, OutlierPenalty<T>>>(problem, tile, out, sink, block);
  } else {
    masked ? code_tile<T, MaskedTile<T, LassoPenalty<T>>>(problem, tile, out, sink, block)
           : code_tile<T, CompleteTile<T, LassoPenalty<T>>>(problem, tile, out, sink, block);
  }
}

}  // namespace
}  // namespace sparsight
