// Passes with a mixture of Gaussians: which class does a patch belong to, and what does that class say of it.
#pragma once

#include "restoration_conditioning.hpp"
#include "restoration_table.hpp"

namespace sparsight {
namespace {

constexpr int kTile = 2 * kLanes;  // patches scored together

// values (size x kTile): the patches at the given offsets less their own means, a patch per column.
void gather_tile(const float* image, int width, int patch, const std::int32_t* offsets, int n, float* values, float* means) {
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
    gather_tile(t.image, t.width, t.patch, t.offsets + start, n, memory.values, memory.means);
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

constexpr int kBatch = 64;  // patches restored together: their systems stay in the second cache

struct RestoreMemory {
  Scratch scratch;
  float* values;  // patches x kSize, less their means
  float* means;
  Floats* spread;  // pair_count(rank)
  Conditioning conditioning;

  RestoreMemory(const MixtureTask& t, void* memory)
      : scratch(memory),
        values(scratch.take<float>(kBatch * kSize)),
        means(scratch.take<float>(kBatch)),
        spread(scratch.take<Floats>(pair_count(t.max_rank))),
        conditioning(t.max_rank, kBatch, scratch) {}
};

// The patch at an offset less its own mean, which is returned.
float take_centred(const float* corner, std::int64_t width, float* values) {
  float sum = 0.0f;
  for (int i = 0; i < kPatch; ++i)
    for (int j = 0; j < kPatch; ++j) sum += values[i * kPatch + j] = corner[i * width + j];
  const float mean = sum / static_cast<float>(kSize);
  for (int p = 0; p < kSize; ++p) values[p] -= mean;
  return mean;
}

int list_observed(const float* corner, std::int64_t width, std::uint8_t* numbers) {
  int count = 0;
  for (int p = 0; p < kSize; ++p) {
    numbers[count] = std::uint8_t(p);
    count += corner[p / kPatch * width + p % kPatch] != 0.0f;
  }
  return count;
}

// Systems of n patches and of as many lanes without a patch as fill the last vector.
void prepare_systems(const MixtureTask& t, const std::int32_t* offsets, int n, const RestoreMemory& memory) {
  const Conditioning& c = memory.conditioning;
  const int rank = t.max_rank, lanes = whole_vectors(n) * kLanes;
  for (int m = 0; m < n; ++m) {
    memory.means[m] = take_centred(t.image + offsets[m], t.width, memory.values + m * kSize);
    c.n_observed[m] = list_observed(t.observed + offsets[m], t.width, c.observed + m * kSize);
  }
  for (int m = n; m < lanes; ++m) c.n_observed[m] = 0;
  sum_table(rank, lanes, c);
  for (int m = 0; m < lanes; ++m)
    sum_right_side(rank, memory.values + m * kSize, c.observed + m * kSize, c.n_observed[m], c,
                   c.systems + std::int64_t(m) * c.stride + pair_count(rank));
}

// Estimates and variances (n x kSize, in the order of t.offsets) of patches [first, last), all of class `k`, and the
// sum of their A^-1 (see restoration_conditioning.hpp; off-diagonal elements count twice) in `spread`.
void restore_class(const MixtureTask& t, int k, int first, int last, float* spread, void* block) {
  const int rank = t.max_rank, pairs = pair_count(rank);
  const RestoreMemory memory(t, block);
  const Conditioning& c = memory.conditioning;
  __builtin_memcpy(c.factors, t.factors + std::int64_t(k) * rank * kSize, sizeof(float) * rank * kSize);
  __builtin_memcpy(c.rest, t.diagonals + std::int64_t(k) * kSize, sizeof(float) * kSize);
  prepare_table(rank, t.noise, c);
  const Floats zero = {};
  for (int pair = 0; pair < pairs; ++pair) memory.spread[pair] = zero;
  float empty = 0.0f;  // lanes without a patch: their A is the identity
  for (int start = first; start < last; start += kBatch) {
    const int n = last - start < kBatch ? last - start : kBatch;
    prepare_systems(t, t.offsets + start, n, memory);
    for (int m = 0; m < n; m += kLanes) {
      solve_patches(rank, m, c);
      add_inverses(c.inverse, c.reciprocal, rank, memory.spread);
      for (int lane = 0; lane < kLanes && m + lane < n; ++lane) {
        const std::int64_t out = (std::int64_t(start) + m + lane) * kSize;
        expand(rank, lane, c, t.estimates + out, t.variances + out);
        for (int p = 0; p < kSize; ++p) t.estimates[out + p] += memory.means[m + lane];
      }
    }
    empty += static_cast<float>(whole_vectors(n) * kLanes - n);
  }
  for (int pair = 0; pair < pairs; ++pair) spread[pair] = 2.0f * horizontal_sum<float>(memory.spread[pair]);
  for (int i = 0; i < rank; ++i) spread[pair_index(i, i)] = 0.5f * spread[pair_index(i, i)] - empty;
}

std::size_t restore_memory(const MixtureTask& t) { return RestoreMemory(t, nullptr).scratch.used(); }

}  // namespace
}  // namespace sparsight
