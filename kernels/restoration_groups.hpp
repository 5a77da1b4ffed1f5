// Non-local passes of inpainting: patches that look alike form a group, the group gives a Gaussian, and the Gaussian
// restores them.
#pragma once

#include "restoration_conditioning.hpp"
#include "restoration_search.hpp"

namespace sparsight {
namespace {

struct InpaintMemory {
  Scratch scratch;
  float* distances;
  std::int32_t* members;
  float* patches;  // neighbours x kSize
  Conditioning conditioning;

  InpaintMemory(const GroupTask& t, void* block)
      : scratch(block),
        distances(scratch.take<float>(search_room(t))),
        members(scratch.take<std::int32_t>(t.neighbours + 1)),
        patches(scratch.take<float>(std::int64_t(t.neighbours) * kSize)),
        conditioning(t.max_rank, t.neighbours, scratch) {}
};

// The group's patches, less their mean; leaves their variances in `variances`.
void gather_centred(const GroupTask& t, const std::int32_t* members, int count, float* patches, float* mean,
                    float* variances) {
  Floats sum[kVectors] = {};
  for (int m = 0; m < count; ++m) {
    float* patch = patches + m * kSize;
    for (int i = 0; i < kPatch; ++i)
      __builtin_memcpy(patch + i * kPatch, t.image + members[m] + std::int64_t(i) * t.width, kPatch * sizeof(float));
    for (int v = 0; v < kVectors; ++v) sum[v] += load<float>(patch + v * kLanes);
  }
  const float scale = 1.0f / static_cast<float>(count);
  Floats squares[kVectors] = {};
  for (int v = 0; v < kVectors; ++v) {
    sum[v] *= scale;
    store<float>(mean + v * kLanes, sum[v]);
  }
  for (int m = 0; m < count; ++m)
    for (int v = 0; v < kVectors; ++v) {
      float* at = patches + m * kSize + v * kLanes;
      const Floats centred = load<float>(at) - sum[v];
      store<float>(at, centred);
      squares[v] += centred * centred;
    }
  for (int v = 0; v < kVectors; ++v) store<float>(variances + v * kLanes, squares[v] * scale);
}

// Line `pivot` of the covariance of centred patches.
SPARSIGHT_INLINE void covariance_line(const float* patches, int count, int pivot, float* line) {
  Floats sum[kVectors] = {};
  for (int m = 0; m < count; ++m) {
    const float own = patches[m * kSize + pivot];
    for (int v = 0; v < kVectors; ++v) sum[v] += own * load<float>(patches + m * kSize + v * kLanes);
  }
  const float scale = 1.0f / static_cast<float>(count);
  for (int v = 0; v < kVectors; ++v) store<float>(line + v * kLanes, sum[v] * scale);
}

int largest_of_patch(const float* values) {
  Floats most = load<float>(values);
  for (int v = 1; v < kVectors; ++v) {
    const Floats other = load<float>(values + v * kLanes);
    most = other > most ? other : most;
  }
  float largest = most[0];
  for (int l = 1; l < kLanes; ++l) largest = most[l] > largest ? most[l] : largest;
  int index = 0;
  while (index < kSize - 1 && values[index] != largest) ++index;
  return index;
}

// Partial Cholesky factorisation with pivoting of the covariance of centred patches, of which only the lines of the
// pivots are formed: covariance = F'F + residual, with at most max_rank (even) factors as the rows of F, stopping when
// every residual variance is below `tolerance`. `rest` holds the variances, afterwards what is left of them. Returns
// the rank, made even with a row of zeros.
int pivoted_factors(const float* patches, int count, int max_rank, float tolerance, float* factors, float* rest) {
  int rank = 0;
  for (; rank < max_rank; ++rank) {
    const int pivot = largest_of_patch(rest);
    const float largest = rest[pivot];
    if (!(largest > tolerance)) break;
    float* line = factors + rank * kSize;
    covariance_line(patches, count, pivot, line);
    Floats sum[kVectors];
    for (int v = 0; v < kVectors; ++v) sum[v] = load<float>(line + v * kLanes);
    for (int j = 0; j < rank; ++j) {
      const float scale = factors[j * kSize + pivot];
      for (int v = 0; v < kVectors; ++v) sum[v] -= scale * load<float>(factors + j * kSize + v * kLanes);
    }
    const float scale = 1.0f / __builtin_sqrtf(largest);
    const Floats zero = {};
    for (int v = 0; v < kVectors; ++v) {
      sum[v] *= scale;
      store<float>(line + v * kLanes, sum[v]);
      const Floats left = load<float>(rest + v * kLanes) - sum[v] * sum[v];
      store<float>(rest + v * kLanes, left > zero ? left : zero);
    }
    rest[pivot] = 0.0f;
  }
  if (rank % 2 == 1) {
    for (int p = 0; p < kSize; ++p) factors[rank * kSize + p] = 0.0f;
    ++rank;
  }
  return rank;
}

// The observed pixels of a patch, a bit each.
std::uint64_t observed_bits(const GroupTask& t, std::int32_t corner) {
  std::uint64_t bits = 0;
  for (int i = 0; i < kPatch; ++i)
    bits |= std::uint64_t(t.observed_rows[corner + std::int64_t(i) * t.width]) << (i * kPatch);
  return bits;
}

// Keeps the members, and their patches, that miss a pixel, and lists what is observed of them; returns their number.
int keep_incomplete(const GroupTask& t, InpaintMemory& memory, int count) {
  int kept = 0;
  for (int m = 0; m < count; ++m) {
    const std::uint64_t bits = observed_bits(t, memory.members[m]);
    if (bits == ~std::uint64_t(0)) continue;
    const Conditioning& c = memory.conditioning;
    c.n_observed[kept] = list_bits(bits, c.observed + kept * kSize);
    memory.members[kept] = memory.members[m];
    if (kept < m) __builtin_memcpy(memory.patches + kept * kSize, memory.patches + m * kSize, kSize * sizeof(float));
    ++kept;
  }
  for (int m = kept; m % kLanes != 0; ++m) memory.conditioning.n_observed[m] = 0;  // lanes without a patch
  return kept;
}

// Adds the estimate of the patch in a lane, weighed by the reciprocal of its variance.
void add_member(const GroupTask& t, int rank, int lane, const Conditioning& c, std::int32_t corner) {
  float values[kSize], weights[kSize];
  expand(rank, lane, c, values, weights);
  for (int p = 0; p < kSize; p += kLanes) {
    const Floats weight = 1.0f / (load<float>(weights + p) + (t.floor + t.trust_offset));
    store<float>(weights + p, weight);
    store<float>(values + p, (load<float>(values + p) + load<float>(c.mean + p)) * weight);
  }
  const std::int64_t at = corner - std::int64_t(t.first_row) * t.width;
  add_weighted(values, weights, t.width, t.value_sum + at, t.weight_sum + at);
}

// Adds the estimates of the groups around references [first, last) to the sums of t.
void inpaint_groups(const GroupTask& t, int first, int last, void* block) {
  InpaintMemory memory(t, block);
  const Conditioning& c = memory.conditioning;
  for (int reference = first; reference < last; ++reference) {
    const std::int32_t* corner = t.references + 2 * std::int64_t(reference);
    const int found = find_similar(t, corner[0], corner[1], memory.distances, memory.members);
    gather_centred(t, memory.members, found, memory.patches, c.mean, c.rest);
    const int rank = pivoted_factors(memory.patches, found, t.max_rank, t.tolerance, c.factors, c.rest);
    prepare_table(rank, t.noise + t.floor, c);
    const int count = keep_incomplete(t, memory, found);
    const int lanes = whole_vectors(count) * kLanes;
    sum_table(rank, lanes, c);
    for (int m = 0; m < lanes; ++m)
      sum_right_side(rank, memory.patches + m * kSize, c.observed + m * kSize, c.n_observed[m], c,
                     c.systems + std::int64_t(m) * c.stride + pair_count(rank));
    for (int m = 0; m < count; m += kLanes) {
      solve_patches(rank, m, c);
      for (int lane = 0; lane < kLanes && m + lane < count; ++lane) add_member(t, rank, lane, c, memory.members[m + lane]);
    }
  }
}

std::size_t inpaint_memory(const GroupTask& t) { return InpaintMemory(t, nullptr).scratch.used(); }

}  // namespace
}  // namespace sparsight
