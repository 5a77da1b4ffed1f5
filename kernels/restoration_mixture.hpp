// Passes with a mixture of Gaussians: which class does a patch belong to, and what does that class say of it.
#pragma once

#include "restoration_gaussian.hpp"
#include "restoration_table.hpp"

namespace sparsight {
namespace {

// values (size x kTile): the patches at the given offsets less their own means, a patch per column.
void gather_centred(const float* image, int width, int patch, const std::int32_t* offsets, int n, float* values, float* means) {
  const int size = patch * patch;
  for (int m = 0; m < kTile; ++m) {
    const float* corner = image + (m < n ? offsets[m] : offsets[0]);
    float sum = 0.0f;
    for (int i = 0; i < patch; ++i)
      for (int j = 0; j < patch; ++j) {
        const float value = corner[std::int64_t(i) * width + j];
        values[(i * patch + j) * kTile + m] = value;
        sum += value;
      }
    means[m] = sum / static_cast<float>(size);
  }
  for (int p = 0; p < size; ++p)
    for (int m = 0; m < kTile; ++m) values[p * kTile + m] -= means[m];
}

struct LabelMemory {
  Scratch scratch;
  float* values;
  float* means;
  float* block;
  float* score;
  float* best;
  std::int32_t* winner;

  LabelMemory(const MixtureTask& t, void* memory) : scratch(memory) {
    values = scratch.take<float>(t.patch * t.patch * kTile);
    means = scratch.take<float>(kTile);
    block = scratch.take<float>(kProductRows * kTile);
    score = scratch.take<float>(kTile);
    best = scratch.take<float>(kTile);
    winner = scratch.take<std::int32_t>(kTile);
  }
};

// Scores of class k for the patches of a tile, |W_k x|^2 + offset_k. W_k is lower triangular, so the sum over its
// first rows is a lower bound: the class is left as soon as it can no longer win for any patch.
void score_class(const MixtureTask& t, int k, const LabelMemory& memory) {
  const int size = t.patch * t.patch;
  const float* whitening = t.whitening + std::int64_t(k) * size * size;
  for (int l = 0; l < kTile; ++l) memory.score[l] = t.score_offsets[k];
  for (int i = 0; i < size; i += kProductRows) {
    const int rows = size - i < kProductRows ? size - i : kProductRows;
    product_rows<2>(rows, {whitening + std::int64_t(i) * size, size, 1}, memory.values, kTile, i + rows, memory.block,
                    kTile);
    for (int r = 0; r < rows; ++r)
      for (int l = 0; l < kTile; ++l) memory.score[l] += memory.block[r * kTile + l] * memory.block[r * kTile + l];
    int alive = 0;
    for (int l = 0; l < kTile; ++l) alive += memory.score[l] < memory.best[l];
    if (alive == 0) return;
  }
}

// The class of least score for patches [first, last).
void label_patches(const MixtureTask& t, int first, int last, void* block) {
  const LabelMemory memory(t, block);
  int leader = 0;
  for (int start = first; start < last; start += kTile) {
    const int n = last - start < kTile ? last - start : kTile;
    gather_centred(t.image, t.width, t.patch, t.offsets + start, n, memory.values, memory.means);
    for (int l = 0; l < kTile; ++l) {
      memory.best[l] = __builtin_inff();
      memory.winner[l] = leader;
    }
    for (int turn = 0; turn < t.n_classes; ++turn) {
      // The class that won just before goes first: it makes the bound tight early.
      const int k = turn == 0 ? leader : (turn <= leader ? turn - 1 : turn);
      score_class(t, k, memory);
      for (int l = 0; l < kTile; ++l)
        if (memory.score[l] < memory.best[l]) {
          memory.best[l] = memory.score[l];
          memory.winner[l] = k;
        }
    }
    for (int l = 0; l < n; ++l) t.labels[start + l] = memory.winner[l];
    leader = memory.winner[n - 1];
  }
}

std::size_t label_memory(const MixtureTask& t) { return LabelMemory(t, nullptr).scratch.used(); }

struct RestoreMemory {
  Scratch scratch;
  float* means;
  float* pairs;
  Tiles tiles;

  RestoreMemory(const MixtureTask& t, void* memory)
      : scratch(memory),
        means(scratch.take<float>(kTile)),
        pairs(scratch.take<float>(std::int64_t(pair_count(t.max_rank)) * t.patch * t.patch)),
        tiles(t.patch * t.patch, t.max_rank, scratch) {}
};

// Estimates and variances (n x size, in the order of t.offsets) of patches [first, last), all of class `k`, and the
// sum of their A^-1 (see restoration_gaussian.hpp; off-diagonal elements count twice) in `spread`.
void restore_class(const MixtureTask& t, int k, int first, int last, float* spread, void* block) {
  const int size = t.patch * t.patch, rank = t.max_rank;
  const RestoreMemory memory(t, block);
  const Tiles& tiles = memory.tiles;
  const float* factors = t.factors + std::int64_t(k) * rank * size;
  const float* diagonal = t.diagonals + std::int64_t(k) * size;
  pair_products(factors, rank, size, memory.pairs);
  for (int pair = 0; pair < pair_count(rank); ++pair) spread[pair] = 0.0f;
  for (int start = first; start < last; start += kTile) {
    const int n = last - start < kTile ? last - start : kTile;
    const std::int32_t* offsets = t.offsets + start;
    gather_centred(t.image, t.width, t.patch, offsets, n, tiles.values, memory.means);
    for (int m = 0; m < kTile; ++m) {
      const float* corner = t.observed + (m < n ? offsets[m] : offsets[0]);
      for (int p = 0; p < size; ++p)
        tiles.weights[p * kTile + m] =
            corner[std::int64_t(p / t.patch) * t.width + p % t.patch] / (t.noise + diagonal[p]);
    }
    condition_tile(factors, memory.pairs, rank, size, tiles);
    for (int pair = 0; pair < pair_count(rank); ++pair)
      for (int m = 0; m < n; ++m) spread[pair] += tiles.precision[pair * kTile + m];
    for (int m = 0; m < n; ++m)
      for (int p = 0; p < size; ++p) {
        const std::int64_t out = (std::int64_t(start) + m) * size + p;
        t.estimates[out] = tiles.estimates[p * kTile + m] + memory.means[m];
        t.variances[out] = tiles.variances[p * kTile + m] + diagonal[p];
      }
  }
}

std::size_t restore_memory(const MixtureTask& t) { return RestoreMemory(t, nullptr).scratch.used(); }

}  // namespace
}  // namespace sparsight
