// Patches of 8 x 8 pixels that share one Gaussian, each observed through its own mask.
//
// The Gaussian is N(mean, F'F + diag(d)), with `rank` factors as the rows of F. A patch y is observed with noise of
// variance s at the pixels of its mask. With weights w = 1 / (s + d) at these pixels, the coefficients of its factors
// have the precision A = I + sum over observed p of w_p f_p f_p', f_p being column p of F. So
// - A, and the right side, are sums of rows of one table, which all patches share: no multiplication, and nothing is
//   done for missing pixels;
// - the small systems are solved a patch per vector lane;
// - the estimate is mean + F'A^-1 (sum over observed p of w_p (y - mean)_p f_p). The variance that pixel i keeps,
//   d_i + f_i'A^-1 f_i, only weighs overlapping estimates: the diagonal of A^-1 is enough for that.
#pragma once

#include "restoration_inverse.hpp"

namespace sparsight {
namespace {

constexpr int kPatch = 8, kSize = kPatch * kPatch;
constexpr int kVectors = kSize / kLanes;  // of a patch

constexpr int whole_vectors(int n) { return (n + kLanes - 1) / kLanes; }
constexpr int pair_vectors(int rank) { return whole_vectors(pair_count(rank)); }
constexpr int kSlice = 8;  // vectors of the table that are summed together: its slice stays in the first cache

// Room for a Gaussian and a group of patches.
struct Conditioning {
  float* factors;            // rank x kSize
  float* squares;            // rank x kSize: of the factors
  float* mean;               // kSize
  float* rest;               // kSize: d
  float* by_pixel;           // kSize x rank in whole vectors: w_p f_p
  float* table;              // kSize x pairs in whole vectors: w_p f_p f_p'
  std::uint8_t* observed;    // patches x kSize: the pixels that are
  int* n_observed;           // patches
  float* systems;            // patches in whole vectors x stride: A, then the right side
  Floats* matrix;            // stride
  Floats* inverse;           // rank x rank
  Floats* reciprocal;        // rank
  Floats* coefficients;      // rank
  Floats* variances;         // rank
  int stride;

  Conditioning(int rank, int patches, Scratch& memory) {
    const int lanes = whole_vectors(patches) * kLanes;
    stride = whole_vectors(pair_count(rank) + whole_vectors(rank) * kLanes) * kLanes;
    factors = memory.take<float>(rank * kSize);
    squares = memory.take<float>(rank * kSize);
    mean = memory.take<float>(kSize);
    rest = memory.take<float>(kSize);
    by_pixel = memory.take<float>(whole_vectors(rank) * kLanes * kSize);
    table = memory.take<float>(std::int64_t(pair_vectors(rank)) * kLanes * kSize + kLanes);
    observed = memory.take<std::uint8_t>(lanes * kSize);
    n_observed = memory.take<int>(lanes);
    systems = memory.take<float>(std::int64_t(lanes) * stride + kLanes);
    matrix = memory.take<Floats>(stride);
    inverse = memory.take<Floats>(rank * rank);
    reciprocal = memory.take<Floats>(rank);
    coefficients = memory.take<Floats>(rank);
    variances = memory.take<Floats>(rank);
  }
};

// The table of a Gaussian for pixels observed with variance `noise`, whose factors and rest are set.
void prepare_table(int rank, float noise, const Conditioning& c) {
  const int row = whole_vectors(rank) * kLanes, width = pair_vectors(rank) * kLanes;
  for (int i = 0; i < rank * kSize; ++i) c.squares[i] = c.factors[i] * c.factors[i];
  for (int p = 0; p < kSize; ++p) {
    const float weight = 1.0f / (noise + c.rest[p]);
    float* weighted = c.by_pixel + p * row;
    for (int i = 0; i < rank; ++i) weighted[i] = c.factors[i * kSize + p] * weight;
    for (int i = rank; i < row; ++i) weighted[i] = 0.0f;
    // The last vector of a line of pairs reaches into the next line, which is written afterwards.
    float* products = c.table + std::int64_t(p) * width;
    for (int i = 0; i < rank; ++i) {
      const float own = c.factors[i * kSize + p];
      for (int j = 0; j <= i; j += kLanes) store<float>(products + pair_index(i, j), load<float>(weighted + j) * own);
    }
  }
}

// Numbers of the set bits.
int list_bits(std::uint64_t bits, std::uint8_t* numbers) {
  int count = 0;
  for (; bits != 0; bits &= bits - 1) numbers[count++] = std::uint8_t(__builtin_ctzll(bits));
  return count;
}

// A - I of each patch: WIDTH vectors of it, from vector `first` on.
template <int WIDTH>
void sum_slice(const float* table, int width, int patches, const Conditioning& c, float* out) {
  for (int m = 0; m < patches; ++m, out += c.stride) {
    const std::uint8_t* observed = c.observed + m * kSize;
    Floats sum[WIDTH] = {};
    for (int k = 0; k < c.n_observed[m]; ++k) {
      const float* row = table + int(observed[k]) * width;
      for (int v = 0; v < WIDTH; ++v) sum[v] += load<float>(row + v * kLanes);
    }
    for (int v = 0; v < WIDTH; ++v) store<float>(out + v * kLanes, sum[v]);
  }
}

void sum_table(int rank, int patches, const Conditioning& c) {
  const int vectors = pair_vectors(rank), slices = (vectors + kSlice - 1) / kSlice;
  for (int s = 0; s < slices; ++s) {
    const int first = s * vectors / slices;
    const float* table = c.table + first * kLanes;
    float* out = c.systems + first * kLanes;
    switch ((s + 1) * vectors / slices - first) {
      case 1: sum_slice<1>(table, vectors * kLanes, patches, c, out); break;
      case 2: sum_slice<2>(table, vectors * kLanes, patches, c, out); break;
      case 3: sum_slice<3>(table, vectors * kLanes, patches, c, out); break;
      case 4: sum_slice<4>(table, vectors * kLanes, patches, c, out); break;
      case 5: sum_slice<5>(table, vectors * kLanes, patches, c, out); break;
      case 6: sum_slice<6>(table, vectors * kLanes, patches, c, out); break;
      case 7: sum_slice<7>(table, vectors * kLanes, patches, c, out); break;
      default: sum_slice<8>(table, vectors * kLanes, patches, c, out);
    }
  }
}

// Right side of a patch whose pixels, less the mean, are given; in steps of two vectors.
void sum_right_side(int rank, const float* values, const std::uint8_t* observed, int n, const Conditioning& c,
                    float* out) {
  const int row = whole_vectors(rank) * kLanes;
  int i = 0;
  for (; i + 2 * kLanes <= row; i += 2 * kLanes) {
    Floats sum[2] = {};
    for (int k = 0; k < n; ++k) {
      const float* weighted = c.by_pixel + int(observed[k]) * row + i;
      const float value = values[observed[k]];
      sum[0] += value * load<float>(weighted);
      sum[1] += value * load<float>(weighted + kLanes);
    }
    store<float>(out + i, sum[0]);
    store<float>(out + i + kLanes, sum[1]);
  }
  for (; i < row; i += kLanes) {
    Floats sum = {};
    for (int k = 0; k < n; ++k) sum += values[observed[k]] * load<float>(c.by_pixel + int(observed[k]) * row + i);
    store<float>(out + i, sum);
  }
}

// Coefficients of the factors, and their variances, of kLanes patches from patch `first` on: a patch per lane.
void solve_patches(int rank, int first, const Conditioning& c) {
  transpose_rows(c.systems + std::int64_t(first) * c.stride, c.stride, c.stride, c.matrix);
  for (int i = 0; i < rank; ++i) c.matrix[pair_index(i, i)] += 1.0f;
  solve_lanes(c.matrix, c.matrix + pair_count(rank), rank, c.reciprocal, c.inverse, c.coefficients, c.variances);
}

// Estimates (less the mean) and their variances, of the patch in a lane.
SPARSIGHT_INLINE void expand(int rank, int lane, const Conditioning& c, float* estimates, float* variances) {
  const float* coefficient = reinterpret_cast<const float*>(c.coefficients) + lane;
  const float* variance = reinterpret_cast<const float*>(c.variances) + lane;
  constexpr int step = kVectors < 4 ? kVectors : 4;
  for (int p = 0; p < kSize; p += step * kLanes) {
    Floats value[step] = {}, spread[step];
    for (int v = 0; v < step; ++v) spread[v] = load<float>(c.rest + p + v * kLanes);
    for (int i = 0; i < rank; ++i) {
      const float a = coefficient[i * kLanes], b = variance[i * kLanes];
      for (int v = 0; v < step; ++v) {
        value[v] += a * load<float>(c.factors + i * kSize + p + v * kLanes);
        spread[v] += b * load<float>(c.squares + i * kSize + p + v * kLanes);
      }
    }
    for (int v = 0; v < step; ++v) {
      store<float>(estimates + p + v * kLanes, value[v]);
      store<float>(variances + p + v * kLanes, spread[v]);
    }
  }
}

typedef float PatchRow __attribute__((vector_size(kPatch * sizeof(float))));

SPARSIGHT_INLINE void add_row(const float* from, float* to) {
  PatchRow row, sum;
  __builtin_memcpy(&row, from, sizeof row);
  __builtin_memcpy(&sum, to, sizeof sum);
  sum += row;
  __builtin_memcpy(to, &sum, sizeof sum);
}

// Adds a weighted patch to sums whose lines are `width` long.
SPARSIGHT_INLINE void add_weighted(const float* values, const float* weights, std::int64_t width, float* value_sum,
                                   float* weight_sum) {
  for (int i = 0; i < kPatch; ++i) {
    add_row(values + i * kPatch, value_sum + i * width);
    add_row(weights + i * kPatch, weight_sum + i * width);
  }
}

}  // namespace
}  // namespace sparsight
