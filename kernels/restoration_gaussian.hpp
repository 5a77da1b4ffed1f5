// Patches that share one Gaussian, each observed through its own mask.
//
// The Gaussian is N(mean, F'F + diag(d)), with `rank` factors as the rows of F. A patch y is observed with noise
// of variance s where its mask is set. With weights w = mask / (s + d) its factors' coefficients have precision
// A = I + F diag(w) F', so the estimate is mean + F' A^-1 F diag(w) (y - mean) and pixel i keeps the variance
// d_i + f_i' A^-1 f_i. A is linear in the mask: for a tile of patches at once all of this is three matrix products
// with the table of pairwise products of factors, and one small inverse per patch (a vector lane each).
#pragma once

#include "restoration_product.hpp"

namespace sparsight {
namespace {

constexpr int pair_count(int rank) { return rank * (rank + 1) / 2; }
constexpr int pair_index(int i, int j) { return i * (i + 1) / 2 + j; }  // j <= i

// Rows of `pairs` (pair_count(rank) x size): the products of factor i and factor j, pixel by pixel.
void pair_products(const float* factors, int rank, int size, float* pairs) {
  for (int i = 0; i < rank; ++i)
    for (int j = 0; j <= i; ++j) {
      const float* fi = factors + i * size;
      const float* fj = factors + j * size;
      float* out = pairs + std::int64_t(pair_index(i, j)) * size;
      for (int p = 0; p < size; ++p) out[p] = fi[p] * fj[p];
    }
}

// Inverts kLanes symmetric positive definite matrices at once, in place, by symmetric sweeps over pairs of pivots
// (rank must be even). Element (i, j), j <= i, of the matrix in a lane is m[pair_index(i, j)][lane].
void invert_lanes(Floats* m, int rank, Floats* columns) {
  Floats* first = columns;
  Floats* second = columns + rank;
  for (int k = 0; k < rank; k += 2) {
    const Floats a = m[pair_index(k, k)], b = m[pair_index(k + 1, k)], c = m[pair_index(k + 1, k + 1)];
    const Floats scale = 1.0f / (a * c - b * b);
    const Floats pa = c * scale, pb = -b * scale, pc = a * scale;  // inverse of the block of pivots
    for (int i = 0; i < rank; ++i) {
      first[i] = i >= k ? m[pair_index(i, k)] : m[pair_index(k, i)];
      second[i] = i >= k + 1 ? m[pair_index(i, k + 1)] : m[pair_index(k + 1, i)];
    }
    for (int i = 0; i < rank; ++i) {
      if (i == k || i == k + 1) continue;
      const Floats u = pa * first[i] + pb * second[i];
      const Floats v = pb * first[i] + pc * second[i];
      Floats* row = m + pair_index(i, 0);
      for (int j = 0; j <= i; ++j) row[j] -= u * first[j] + v * second[j];
      if (i > k) {
        row[k] = u;
        row[k + 1] = v;
      }
    }
    for (int j = 0; j < k; ++j) {
      m[pair_index(k, j)] = pa * first[j] + pb * second[j];
      m[pair_index(k + 1, j)] = pb * first[j] + pc * second[j];
    }
    m[pair_index(k, k)] = -pa;
    m[pair_index(k + 1, k)] = -pb;
    m[pair_index(k + 1, k + 1)] = -pc;
  }
  for (int t = 0; t < pair_count(rank); ++t) m[t] = -m[t];
}

constexpr int kTile = 2 * kLanes;  // patches handled together: few enough for all of it to stay in the first cache

// A tile of patches, a patch per column, and the room to condition them.
struct Tiles {
  float* values;     // size x kTile: y - mean
  float* weights;    // size x kTile: mask / (s + d)
  float* weighted;   // size x kTile
  float* estimates;  // size x kTile: posterior mean less `mean`
  float* variances;  // size x kTile: f' A^-1 f
  float* precision;  // pair_count(rank) x kTile; afterwards A^-1, its elements off the diagonal doubled
  float* right;         // rank x kTile
  float* coefficients;  // rank x kTile
  Floats* matrix;       // pair_count(rank) + 2 rank

  Tiles(int size, int rank, Scratch& memory) {
    values = memory.take<float>(size * kTile);
    weights = memory.take<float>(size * kTile);
    weighted = memory.take<float>(size * kTile);
    estimates = memory.take<float>(size * kTile);
    variances = memory.take<float>(size * kTile);
    precision = memory.take<float>(pair_count(rank) * kTile);
    right = memory.take<float>(rank * kTile);
    coefficients = memory.take<float>(rank * kTile);
    matrix = memory.take<Floats>(pair_count(rank) + 2 * rank);
  }
};

void condition_tile(const float* factors, const float* pairs, int rank, int size, const Tiles& t) {
  const int n_pairs = pair_count(rank);
  for (int i = 0; i < size * kTile; ++i) t.weighted[i] = t.weights[i] * t.values[i];
  multiply({pairs, size, 1}, n_pairs, size, t.weights, kTile, kTile, t.precision, kTile);
  multiply({factors, size, 1}, rank, size, t.weighted, kTile, kTile, t.right, kTile);
  for (int lane = 0; lane < kTile; lane += kLanes) {
    for (int pair = 0; pair < n_pairs; ++pair) t.matrix[pair] = load<float>(t.precision + pair * kTile + lane);
    for (int i = 0; i < rank; ++i) t.matrix[pair_index(i, i)] += 1.0f;
    invert_lanes(t.matrix, rank, t.matrix + n_pairs);
    for (int i = 0; i < rank; ++i) {
      Floats sum = {};
      for (int j = 0; j < rank; ++j)
        sum += t.matrix[i >= j ? pair_index(i, j) : pair_index(j, i)] * load<float>(t.right + j * kTile + lane);
      store<float>(t.coefficients + i * kTile + lane, sum);
    }
    for (int i = 0; i < rank; ++i)
      for (int j = 0; j <= i; ++j) {
        const Floats element = t.matrix[pair_index(i, j)];
        store<float>(t.precision + pair_index(i, j) * kTile + lane, i == j ? element : element + element);
      }
  }
  multiply({factors, 1, size}, size, rank, t.coefficients, kTile, kTile, t.estimates, kTile);
  multiply({pairs, 1, size}, size, n_pairs, t.precision, kTile, kTile, t.variances, kTile);
}

// Partial Cholesky factorisation with pivoting of a symmetric non-negative matrix (size x size, overwritten):
// matrix = F'F + residual, with at most max_rank (even) factors as the rows of F, stopping when every residual variance is
// below `tolerance`. Leaves the residual variances in `diagonal`; returns the rank, made even with a row of zeros.
int pivoted_factors(const float* matrix, int size, int max_rank, float tolerance, float* factors, float* diagonal) {
  for (int p = 0; p < size; ++p) diagonal[p] = matrix[std::int64_t(p) * size + p];
  int rank = 0;
  for (; rank < max_rank; ++rank) {
    int pivot = 0;
    for (int p = 1; p < size; ++p)
      if (diagonal[p] > diagonal[pivot]) pivot = p;
    const float largest = diagonal[pivot];
    if (!(largest > tolerance)) break;
    float* row = factors + std::int64_t(rank) * size;
    const float* source = matrix + std::int64_t(pivot) * size;
    for (int p = 0; p < size; ++p) row[p] = source[p];
    for (int j = 0; j < rank; ++j) {
      const float* fj = factors + std::int64_t(j) * size;
      const float scale = fj[pivot];
      for (int p = 0; p < size; ++p) row[p] -= scale * fj[p];
    }
    const float scale = 1.0f / __builtin_sqrtf(largest);
    for (int p = 0; p < size; ++p) {
      row[p] *= scale;
      const float rest = diagonal[p] - row[p] * row[p];
      diagonal[p] = rest > 0.0f ? rest : 0.0f;
    }
    diagonal[pivot] = 0.0f;
  }
  if (rank % 2 == 1) {
    for (int p = 0; p < size; ++p) factors[std::int64_t(rank) * size + p] = 0.0f;
    ++rank;
  }
  return rank;
}

}  // namespace
}  // namespace sparsight
