// Anchored regression on one band of cells. Included by anchored_variant.cpp only; the rules of variant.cpp
// hold here: internal linkage, no standard-library templates.
#pragma once

#include <cstdint>
#include <cstring>

#include "anchored_table.hpp"

namespace sparsight {
namespace {

#if defined(__AVX512F__)
constexpr int kWidth = 16;
#elif defined(__AVX__)
constexpr int kWidth = 8;
#else
constexpr int kWidth = 4;
#endif
constexpr int kLanes = 2 * kWidth;  // cells side by side: two vectors
constexpr int kColumns = 6;         // columns side by side: 6 x 2 accumulators fill the registers
constexpr int kBlockVectors = 3;    // vectors of a block at a time: 4 cells x 3 accumulators
constexpr int kBlockPack = kWidth;
constexpr int kMaxNearest = 4;

typedef float Vector __attribute__((vector_size(kWidth * 4)));
typedef float LooseVector __attribute__((vector_size(kWidth * 4), aligned(4)));
typedef std::int32_t IntVector __attribute__((vector_size(kWidth * 4)));

inline Vector load(const float* p) { return *reinterpret_cast<const LooseVector*>(p); }
inline void store(float* p, Vector v) { *reinterpret_cast<LooseVector*>(p) = v; }
inline Vector magnitude(Vector v) {
  return reinterpret_cast<Vector>(reinterpret_cast<IntVector>(v) & 0x7fffffff);
}

// sums[j] = sum_k columns[k][j] * row(k), where row(k) points at kLanes neighbouring values.
template <class Row>
inline void multiply_columns(const float* columns, int n_rows, Row row, Vector sums[kColumns][2]) {
  Vector s00{}, s01{}, s10{}, s11{}, s20{}, s21{}, s30{}, s31{}, s40{}, s41{}, s50{}, s51{};
  for (int k = 0; k < n_rows; ++k, columns += kColumns) {
    const float* values = row(k);
    const Vector a = load(values), b = load(values + kWidth);
    s00 += columns[0] * a, s01 += columns[0] * b;
    s10 += columns[1] * a, s11 += columns[1] * b;
    s20 += columns[2] * a, s21 += columns[2] * b;
    s30 += columns[3] * a, s31 += columns[3] * b;
    s40 += columns[4] * a, s41 += columns[4] * b;
    s50 += columns[5] * a, s51 += columns[5] * b;
  }
  sums[0][0] = s00, sums[0][1] = s01, sums[1][0] = s10, sums[1][1] = s11;
  sums[2][0] = s20, sums[2][1] = s21, sums[3][0] = s30, sums[3][1] = s31;
  sums[4][0] = s40, sums[4][1] = s41, sums[5][0] = s50, sums[5][1] = s51;
}

void describe(const AnchoredStage& stage, const float* source, std::int64_t source_stride,
              std::int64_t source_columns, std::int64_t row, std::int64_t n_rows, std::int64_t n_columns,
              float* features, float* scratch, std::int64_t* offsets) {
  const int cell = stage.cell, window = stage.window;
  // The band is parted into cell * cell planes of every cell-th pixel, so that one pixel of the window of
  // neighbouring cells lies side by side in memory.
  const std::int64_t reach = (window + cell - 1) / cell;
  const std::int64_t plane_columns = n_columns + reach + kLanes;
  const std::int64_t plane_rows = n_rows + reach - 1;
  const std::int64_t plane_size = plane_columns * plane_rows;
  std::memset(scratch, 0, sizeof(float) * cell * cell * plane_size);
  for (std::int64_t y = 0; y < n_rows * cell + window - cell; ++y) {
    const float* pixels = source + (row * cell + y) * source_stride;
    for (int phase = 0; phase < cell; ++phase) {
      float* plane = scratch + ((y % cell) * cell + phase) * plane_size + (y / cell) * plane_columns;
      for (std::int64_t x = phase, i = 0; x < source_columns && i < plane_columns; x += cell, ++i)
        plane[i] = pixels[x];
    }
  }
  const int n_packs = (stage.n_features + kColumns - 1) / kColumns;
  const int n_window = window * window;
  for (int k = 0; k < n_window; ++k) {
    const int y = k / window, x = k % window;
    offsets[k] = ((y % cell) * cell + x % cell) * plane_size + (y / cell) * plane_columns + x / cell;
  }
  for (std::int64_t r = 0; r < n_rows; ++r) {
    for (std::int64_t c = 0; c < n_columns; c += kLanes) {
      const std::int64_t n_cells = n_columns - c < kLanes ? n_columns - c : kLanes;
      const float* planes = scratch + r * plane_columns + c;
      float* out = features + (r * n_columns + c) * stage.n_features;
      for (int pack = 0; pack < n_packs; ++pack) {
        Vector sums[kColumns][2];
        multiply_columns(
            stage.projection + static_cast<std::int64_t>(pack) * n_window * kColumns, n_window,
            [=](int k) { return planes + offsets[k]; }, sums);
        alignas(64) float lanes[kColumns][kLanes];
        std::memcpy(lanes, sums, sizeof lanes);
        const int n_used = stage.n_features - pack * kColumns < kColumns ? stage.n_features - pack * kColumns : kColumns;
        for (std::int64_t i = 0; i < n_cells; ++i)
          for (int j = 0; j < n_used; ++j) out[i * stage.n_features + pack * kColumns + j] = lanes[j][i];
      }
    }
  }
}

template <int N>
void nearest_of(const AnchoredStage& stage, const float* features, std::int64_t n_cells, std::int32_t* found,
                float* scratch) {
  const int n_features = stage.n_features;
  const int n_packs = (stage.n_anchors + kColumns - 1) / kColumns;
  for (std::int64_t first = 0; first < n_cells; first += kLanes) {
    const std::int64_t n_used = n_cells - first < kLanes ? n_cells - first : kLanes;
    for (int k = 0; k < n_features; ++k)
      for (std::int64_t i = 0; i < kLanes; ++i)
        scratch[k * kLanes + i] = i < n_used ? features[(first + i) * n_features + k] : 0.0f;
    Vector best[N][2];
    IntVector which[N][2] = {};
    for (int n = 0; n < N; ++n) best[n][0] = best[n][1] = Vector{} - 1.0f;
    for (int pack = 0; pack < n_packs; ++pack) {
      Vector sums[kColumns][2];
      multiply_columns(
          stage.anchors + static_cast<std::int64_t>(pack) * n_features * kColumns, n_features,
          [=](int k) { return scratch + k * kLanes; }, sums);
      for (int j = 0; j < kColumns; ++j) {
        const std::int32_t anchor = pack * kColumns + j;
        if (anchor >= stage.n_anchors) break;
        for (int half = 0; half < 2; ++half) {
          Vector value = magnitude(sums[j][half]);
          IntVector index = IntVector{} + anchor;
          for (int n = 0; n < N; ++n) {
            const IntVector wins = value > best[n][half];
            const Vector beaten = best[n][half];
            const IntVector beaten_index = which[n][half];
            best[n][half] = wins ? value : beaten;
            which[n][half] = wins ? index : beaten_index;
            value = wins ? beaten : value;
            index = wins ? beaten_index : index;
          }
        }
      }
    }
    for (std::int64_t i = 0; i < n_used; ++i)
      for (int n = 0; n < N; ++n)
        found[(first + i) * N + n] = which[n][i / kWidth][i % kWidth];
  }
}

void nearest(const AnchoredStage& stage, const float* features, std::int64_t n_cells, std::int32_t* found,
             float* scratch) {
  switch (stage.n_nearest) {
    case 1: return nearest_of<1>(stage, features, n_cells, found, scratch);
    case 2: return nearest_of<2>(stage, features, n_cells, found, scratch);
    case 3: return nearest_of<3>(stage, features, n_cells, found, scratch);
    default: return nearest_of<4>(stage, features, n_cells, found, scratch);
  }
}

// corrections[cell] += regressor' * features[cell] for up to four cells that share an anchor.
template <int N, int V>
inline void regress(const float* regressor, int n_features, int n_block, const float* const* cells,
                    float* const* corrections, int at) {
  Vector sums[N][V];
  for (int n = 0; n < N; ++n)
    for (int v = 0; v < V; ++v) sums[n][v] = load(corrections[n] + at + v * kWidth);
  for (int k = 0; k < n_features; ++k) {
    const float* row = regressor + static_cast<std::int64_t>(k) * n_block + at;
    for (int v = 0; v < V; ++v) {
      const Vector weights = load(row + v * kWidth);
      for (int n = 0; n < N; ++n) sums[n][v] += cells[n][k] * weights;
    }
  }
  for (int n = 0; n < N; ++n)
    for (int v = 0; v < V; ++v) store(corrections[n] + at + v * kWidth, sums[n][v]);
}

template <int N>
inline void regress_block(const AnchoredStage& stage, const float* regressor, const float* const* cells,
                          float* const* corrections) {
  int at = 0;
  for (; at + kBlockVectors * kWidth <= stage.n_block; at += kBlockVectors * kWidth)
    regress<N, kBlockVectors>(regressor, stage.n_features, stage.n_block, cells, corrections, at);
  for (; at < stage.n_block; at += kWidth)
    regress<N, 1>(regressor, stage.n_features, stage.n_block, cells, corrections, at);
}

void correct(const AnchoredStage& stage, const float* features, const std::int32_t* found, std::int64_t row,
             std::int64_t n_rows, std::int64_t n_columns, float* output, std::int64_t output_stride,
             float* corrections, std::int32_t* order) {
  // Cells are taken anchor by anchor (a counting sort), so that each regressor is read once for a band.
  const std::int64_t n_cells = n_rows * n_columns, n_pairs = n_cells * stage.n_nearest;
  std::int32_t* start = order + n_pairs;
  std::memset(start, 0, sizeof(std::int32_t) * (stage.n_anchors + 1));
  for (std::int64_t i = 0; i < n_pairs; ++i) ++start[found[i] + 1];
  for (int a = 0; a < stage.n_anchors; ++a) start[a + 1] += start[a];
  for (std::int64_t i = 0; i < n_pairs; ++i)
    order[start[found[i]]++] = static_cast<std::int32_t>(i / stage.n_nearest);
  std::memset(corrections, 0, sizeof(float) * n_cells * stage.n_block);
  std::int64_t at = 0;
  for (int a = 0; a < stage.n_anchors; ++a) {
    const float* regressor = stage.regressors + static_cast<std::int64_t>(a) * stage.n_features * stage.n_block;
    const std::int64_t end = start[a];
    while (at < end) {
      const int n = end - at < 4 ? static_cast<int>(end - at) : 4;
      const float* cells[4];
      float* blocks[4];
      for (int i = 0; i < n; ++i) {
        cells[i] = features + static_cast<std::int64_t>(order[at + i]) * stage.n_features;
        blocks[i] = corrections + static_cast<std::int64_t>(order[at + i]) * stage.n_block;
      }
      if (n == 4) regress_block<4>(stage, regressor, cells, blocks);
      if (n == 3) regress_block<3>(stage, regressor, cells, blocks);
      if (n == 2) regress_block<2>(stage, regressor, cells, blocks);
      if (n == 1) regress_block<1>(stage, regressor, cells, blocks);
      at += n;
    }
  }
  const int block = stage.block;
  for (std::int64_t r = 0; r < n_rows; ++r)
    for (int y = 0; y < block; ++y) {
      float* pixels = output + ((row + r) * stage.scale + y) * output_stride;
      const float* blocks = corrections + r * n_columns * stage.n_block + y * block;
      for (std::int64_t c = 0; c < n_columns; ++c, pixels += stage.scale, blocks += stage.n_block)
        for (int x = 0; x < block; ++x) pixels[x] += blocks[x];
    }
}

}  // namespace
}  // namespace sparsight
