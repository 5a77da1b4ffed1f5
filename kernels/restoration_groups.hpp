// Non-local passes: patches that look alike form a group, the group gives a Gaussian, the Gaussian restores them.
#pragma once

#include "restoration_gaussian.hpp"
#include "restoration_table.hpp"

namespace sparsight {
namespace {

// The k-th smallest of values[0..n) (k counts from 0); reorders values.
float kth_smallest(float* values, int n, int k) {
  int low = 0, high = n - 1;
  while (low < high) {
    const float pivot = values[(low + high) / 2];
    int i = low, j = high;
    while (i <= j) {
      while (values[i] < pivot) ++i;
      while (values[j] > pivot) --j;
      if (i <= j) {
        const float swap = values[i];
        values[i++] = values[j];
        values[j--] = swap;
      }
    }
    if (k <= j) high = j;
    else if (k >= i) low = i;
    else break;
  }
  return values[k];
}

// The patches of a group, and the room to find them.
struct Group {
  float* distances;
  float* sorted;
  std::int32_t* where;
  std::int32_t* members;  // offsets of their upper left corners in the image
  float* patches;         // neighbours x size
  float* mean;            // size
  float* covariance;      // size x size
  int count;

  Group(const GroupTask& t, Scratch& memory) {
    const int window = (2 * t.window + 1) * (2 * t.window + 1), size = t.patch * t.patch;
    distances = memory.take<float>(window);
    sorted = memory.take<float>(window);
    where = memory.take<std::int32_t>(window);
    members = memory.take<std::int32_t>(t.neighbours);
    patches = memory.take<float>(std::int64_t(t.neighbours) * size);
    mean = memory.take<float>(size);
    covariance = memory.take<float>(std::int64_t(size) * size);
  }
};

// Squared distances between the patch at (row, column) and every patch of the window; returns their number.
int window_distances(const GroupTask& t, int row, int column, float* distances, std::int32_t* where) {
  const int p = t.patch;
  const int r0 = row > t.window ? row - t.window : 0;
  const int r1 = row + t.window < t.height - p ? row + t.window : t.height - p;
  const int c0 = column > t.window ? column - t.window : 0;
  const int c1 = column + t.window < t.width - p ? column + t.window : t.width - p;
  const float* reference = t.guide + std::int64_t(row) * t.width + column;
  int count = 0;
  for (int r = r0; r <= r1; ++r) {
    int c = c0;
    for (; c + kLanes - 1 <= c1; c += kLanes, count += kLanes) {
      Floats sum = {};
      for (int i = 0; i < p; ++i) {
        const float* line = t.guide + std::int64_t(r + i) * t.width + c;
        const float* own = reference + std::int64_t(i) * t.width;
        for (int j = 0; j < p; ++j) {
          const Floats difference = load<float>(line + j) - own[j];
          sum += difference * difference;
        }
      }
      store<float>(distances + count, sum);
      for (int l = 0; l < kLanes; ++l) where[count + l] = r * t.width + c + l;
    }
    for (; c <= c1; ++c, ++count) {
      float sum = 0.0f;
      for (int i = 0; i < p; ++i)
        for (int j = 0; j < p; ++j) {
          const float difference = t.guide[std::int64_t(r + i) * t.width + c + j] - reference[std::int64_t(i) * t.width + j];
          sum += difference * difference;
        }
      distances[count] = sum;
      where[count] = r * t.width + c;
    }
  }
  return count;
}

// Finds the members of the group around the patch at (row, column): the nearest on the guide.
void find_members(const GroupTask& t, int row, int column, Group& g) {
  const int count = window_distances(t, row, column, g.distances, g.where);
  float limit = 0.0f;
  const bool all = count <= t.neighbours;
  if (!all) {
    for (int i = 0; i < count; ++i) g.sorted[i] = g.distances[i];
    limit = kth_smallest(g.sorted, count, t.neighbours - 1);
  }
  const std::int32_t own = row * t.width + column;
  g.members[0] = own;  // always, however many others are equally near: so every pixel is covered
  g.count = 1;
  for (int i = 0; i < count && g.count < t.neighbours; ++i)
    if (g.where[i] != own && (all || g.distances[i] <= limit)) g.members[g.count++] = g.where[i];
}

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

// Adds a patch's weighted estimate to the sums; element p of the patch is values[p * stride].
void add_estimate(const GroupTask& t, std::int32_t corner, const float* values, const float* weights, int stride) {
  for (int i = 0; i < t.patch; ++i) {
    const std::int64_t at = corner + std::int64_t(i - t.first_row) * t.width;
    for (int j = 0; j < t.patch; ++j) {
      t.value_sum[at + j] += values[(i * t.patch + j) * stride];
      t.weight_sum[at + j] += weights[(i * t.patch + j) * stride];
    }
  }
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

struct InpaintMemory {
  Scratch scratch;
  Group group;
  float* masks;
  float* factors;
  float* diagonal;
  float* pairs;
  Tiles tiles;

  InpaintMemory(const GroupTask& t, void* block)
      : scratch(block),
        group(t, scratch),
        masks(scratch.take<float>(std::int64_t(t.neighbours) * t.patch * t.patch)),
        factors(scratch.take<float>(std::int64_t(t.max_rank) * t.patch * t.patch)),
        diagonal(scratch.take<float>(t.patch * t.patch)),
        pairs(scratch.take<float>(std::int64_t(pair_count(t.max_rank)) * t.patch * t.patch)),
        tiles(t.patch * t.patch, t.max_rank, scratch) {}
};

// Adds the estimates of up to kTile members of a group, from member `start` on.
void inpaint_members(const GroupTask& t, int rank, int start, InpaintMemory& memory) {
  const int size = t.patch * t.patch;
  const Group& g = memory.group;
  Tiles& tiles = memory.tiles;
  const int n = g.count - start < kTile ? g.count - start : kTile;
  for (int p = 0; p < size; ++p) {
    const float precision = 1.0f / (t.noise + t.floor + memory.diagonal[p]);
    for (int m = 0; m < kTile; ++m) {
      const std::int64_t at = std::int64_t(start + (m < n ? m : 0)) * size + p;
      tiles.values[p * kTile + m] = g.patches[at];
      tiles.weights[p * kTile + m] = memory.masks[at] * precision;
    }
  }
  condition_tile(memory.factors, memory.pairs, rank, size, tiles);
  for (int p = 0; p < size; ++p) {
    const float rest = memory.diagonal[p] + t.floor + t.trust_offset;
    for (int m = 0; m < kTile; ++m) {
      const float root = __builtin_sqrtf(tiles.variances[p * kTile + m] + rest);
      const float weight = 1.0f / (root * __builtin_sqrtf(root));  // variance to the power -3/4
      tiles.weights[p * kTile + m] = weight;
      tiles.values[p * kTile + m] = (tiles.estimates[p * kTile + m] + g.mean[p]) * weight;
    }
  }
  for (int m = 0; m < n; ++m) add_estimate(t, g.members[start + m], tiles.values + m, tiles.weights + m, kTile);
}

// Adds the estimates of the groups around references [first, last) to the sums of t.
void inpaint_groups(const GroupTask& t, int first, int last, void* block) {
  const int size = t.patch * t.patch;
  InpaintMemory memory(t, block);
  Group& g = memory.group;
  for (int reference = first; reference < last; ++reference) {
    find_members(t, t.references[2 * reference], t.references[2 * reference + 1], g);
    gather(t.image, t, g, g.patches);
    gather(t.observed, t, g, memory.masks);
    estimate_gaussian(size, g);
    const int rank = pivoted_factors(g.covariance, size, t.max_rank, t.tolerance, memory.factors, memory.diagonal);
    pair_products(memory.factors, rank, size, memory.pairs);
    for (int start = 0; start < g.count; start += kTile) inpaint_members(t, rank, start, memory);
  }
}

std::size_t inpaint_memory(const GroupTask& t) { return InpaintMemory(t, nullptr).scratch.used(); }

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
    find_members(t, t.references[2 * reference], t.references[2 * reference + 1], g);
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
