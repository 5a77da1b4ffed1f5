// The greedy coders: which of the pursuits a tile of patches gets.
#pragma once

#include "masked_omp.hpp"
#include "screened_masked_omp.hpp"

namespace sparsight {
namespace {

template <class T>
void pursue_complete(const GreedyProblem<T>& problem, const Tile<T>& tile, const Output<T>& out, SparseSink<T>* sink,
                     Scratch& scratch, bool order_recursive) {
  if constexpr (sizeof(T) == sizeof(double)) {
    if (problem.screening != nullptr) {
      if (order_recursive) return pursue_screened_tile<true>(problem, tile, out, sink, scratch);
      return pursue_screened_tile<false>(problem, tile, out, sink, scratch);
    }
  }
  if (order_recursive) return pursue_tile<T, true>(problem, tile, out, sink, scratch);
  pursue_tile<T, false>(problem, tile, out, sink, scratch);
}

template <class T>
void pursue_incomplete(const GreedyProblem<T>& problem, const Tile<T>& tile, const Output<T>& out, SparseSink<T>* sink,
                       Scratch& scratch) {
  if (problem.screening == nullptr) {
    MaskedPursuit<T> pursuit(problem, masked_tile_rows(problem), scratch);
    if (tile.count == 0) return;
    pursuit.run(tile);
    for (std::int64_t i = 0; i < tile.count; ++i) pursuit.finish(i, tile.rows[i], out, sink);
    return;
  }
  ScreenedMaskedTile<T> screened(problem, masked_tile_rows(problem), scratch);
  MaskedPursuit<T> whole(problem, block_rows, scratch);
  if (tile.count == 0) return;
  screened.run(tile, out, sink, [&](std::int64_t i) {
    whole.run({tile.patches, tile.missing, tile.rows + i, 1, tile.sources});
    whole.finish(0, tile.rows[i], out, sink);
  });
}

template <class T>
void greedy(const GreedyProblem<T>& problem, const Tile<T>& tile, const Output<T>& out, SparseSink<T>* sink,
            void* block) {
  Scratch scratch(block);
  if (tile.missing == nullptr) return pursue_complete(problem, tile, out, sink, scratch, problem.order_recursive);
  pursue_incomplete(problem, tile, out, sink, scratch);
}

template <class T>
TileSize greedy_tile(const GreedyProblem<T>& problem, bool masked) {
  Scratch scratch(nullptr);
  // An empty tile only takes its memory.
  if (masked) pursue_incomplete<T>(problem, {}, {}, nullptr, scratch);
  else pursue_complete<T>(problem, {}, {}, nullptr, scratch, true);
  return {masked ? masked_tile_rows(problem) : usual_tile_rows, scratch.used()};
}

}  // namespace
}  // namespace sparsight
