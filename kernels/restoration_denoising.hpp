// Non-local Bayes: groups of patches that look alike on a first estimate give the Wiener filters of their noisy selves.
#pragma once

#include "restoration_search.hpp"

namespace sparsight {
namespace {

// The members of a group and the Gaussian that they give.
struct Group {
  float* distances;
  std::int32_t* members;
  float* patches;     // neighbours x size
  float* mean;        // size
  float* covariance;  // size x size
  int count;

  Group(const GroupTask& t, Scratch& memory) {
    const int size = t.patch * t.patch;
    distances = memory.take<float>(search_room(t));
    members = memory.take<std::int32_t>(t.neighbours + 1);
    patches = memory.take<float>(std::int64_t(t.neighbours) * size);
    mean = memory.take<float>(size);
    covariance = memory.take<float>(std::int64_t(size) * size);
  }
};

// patches (count x size): the group's patches of an image.
void gather(const float* image, const GroupTask& t, const Group& g, float* patches) {
  for (int m = 0; m < g.count; ++m)
    for (int i = 0; i < t.patch; ++i) {
      const float* line = image + g.members[m] + std::int64_t(i) * t.width;
      for (int j = 0; j < t.patch; ++j) *patches++ = line[j];
    }
}

// Mean and covariance of the group's patches, which are centred.
void estimate_gaussian(int size, Group& g) {
  for (int p = 0; p < size; ++p) g.mean[p] = 0.0f;
  for (int m = 0; m < g.count; ++m)
    for (int p = 0; p < size; ++p) g.mean[p] += g.patches[std::int64_t(m) * size + p];
  const float scale = 1.0f / static_cast<float>(g.count);
  for (int p = 0; p < size; ++p) g.mean[p] *= scale;
  for (int m = 0; m < g.count; ++m)
    for (int p = 0; p < size; ++p) g.patches[std::int64_t(m) * size + p] -= g.mean[p];
  multiply_transposed(g.patches, g.count, size, g.covariance);
  for (int p = 0; p < size * size; ++p) g.covariance[p] *= scale;
}

// The same with one weight for the whole patch, which the values already carry.
void add_patch(const GroupTask& t, std::int32_t corner, const float* values, int stride, float weight) {
  for (int i = 0; i < t.patch; ++i) {
    const std::int64_t at = corner + std::int64_t(i - t.first_row) * t.width;
    for (int j = 0; j < t.patch; ++j) {
      t.value_sum[at + j] += values[(i * t.patch + j) * stride];
      t.weight_sum[at + j] += weight;
    }
  }
}

struct DenoiseMemory {
  Scratch scratch;
  Group group;
  int tile;          // neighbours rounded up to whole vectors
  float* noisy;      // size x tile
  float* estimates;  // size x tile
  float* filter;     // size x size

  DenoiseMemory(const GroupTask& t, void* block)
      : scratch(block),
        group(t, scratch),
        tile((t.neighbours + kLanes - 1) / kLanes * kLanes),
        noisy(scratch.take<float>(std::int64_t(tile) * t.patch * t.patch)),
        estimates(scratch.take<float>(std::int64_t(tile) * t.patch * t.patch)),
        filter(scratch.take<float>(std::int64_t(t.patch) * t.patch * t.patch * t.patch)) {}
};

// filter = C (C + noise I)^-1 = I - noise (C + noise I)^-1; C is overwritten. Returns the filter's squared norm.
float wiener_filter(float* covariance, int size, float noise, float* filter) {
  for (int p = 0; p < size; ++p) covariance[std::int64_t(p) * size + p] += noise;
  invert(covariance, size);
  float norm = 0.0f;
  for (int p = 0; p < size; ++p)
    for (int q = 0; q < size; ++q) {
      const float value = (p == q ? 1.0f : 0.0f) - noise * covariance[std::int64_t(p) * size + q];
      filter[std::int64_t(p) * size + q] = value;
      norm += value * value;
    }
  return norm;
}

// Adds the estimates of the groups around references [first, last): mean and covariance come from t.guide (a first
// estimate), and the patches of the noisy t.image pass through the Wiener filter they define.
void denoise_groups(const GroupTask& t, int first, int last, void* block) {
  const int size = t.patch * t.patch;
  DenoiseMemory memory(t, block);
  Group& g = memory.group;
  for (int reference = first; reference < last; ++reference) {
    g.count = find_similar(t, t.references[2 * reference], t.references[2 * reference + 1], g.distances, g.members);
    gather(t.guide, t, g, g.patches);
    estimate_gaussian(size, g);
    gather(t.image, t, g, g.patches);
    const float weight = 1.0f / (1.0f + wiener_filter(g.covariance, size, t.noise, memory.filter));
    const int tile = memory.tile;
    for (int p = 0; p < size; ++p) {
      for (int m = 0; m < tile; ++m)
        memory.noisy[p * tile + m] = m < g.count ? g.patches[std::int64_t(m) * size + p] - g.mean[p] : 0.0f;
    }
    multiply({memory.filter, size, 1}, size, size, memory.noisy, tile, tile, memory.estimates, tile);
    for (int p = 0; p < size; ++p)
      for (int m = 0; m < tile; ++m)
        memory.estimates[p * tile + m] = (memory.estimates[p * tile + m] + g.mean[p]) * weight;
    for (int m = 0; m < g.count; ++m) add_patch(t, g.members[m], memory.estimates + m, tile, weight);
  }
}

std::size_t denoise_memory(const GroupTask& t) { return DenoiseMemory(t, nullptr).scratch.used(); }

}  // namespace
}  // namespace sparsight
