// The loops of anchored regression that every instruction-set variant of the kernels provides.
#pragma once

#include <cstdint>

namespace sparsight {

// One stage: every cell of the low-resolution grid is described by a linear map of the window around it,
// the few anchors closest to the description (up to sign) each propose a correction of the block around the
// cell, and the corrections of overlapping blocks add up.
struct AnchoredStage {
  int cell;        // pixels of the source along the edge of a cell
  int window;      // pixels of the source along the edge of the window
  int n_features;  // length of a description
  int n_anchors;
  int n_nearest;   // anchors that answer for a cell, 1 to 4
  int scale;       // pixels of the output along the edge of a cell
  int block;       // pixels of the output along the edge of a block
  int n_block;     // block * block rounded up to the padding of the regressors
  const float* projection;   // (window * window, n_features), packed by pack_columns
  const float* anchors;      // (n_features, n_anchors), packed by pack_columns
  const float* regressors;   // (n_anchors, n_features, n_block)
};

struct AnchoredKernels {
  int lanes;        // cells described at a time
  int column_pack;  // columns of a packed matrix that lie together
  int block_pack;   // n_block is a multiple of this
  // Descriptions of the cells of rows [row, row + n_rows): features (n_rows * n_columns, n_features).
  // `source` is padded so that the window of cell (r, c) starts at pixel (r * cell, c * cell).
  void (*describe)(const AnchoredStage& stage, const float* source, std::int64_t source_stride,
                   std::int64_t source_columns, std::int64_t row, std::int64_t n_rows, std::int64_t n_columns,
                   float* features, float* scratch, std::int64_t* offsets);
  // The n_nearest anchors of each description, best first.
  void (*nearest)(const AnchoredStage& stage, const float* features, std::int64_t n_cells, std::int32_t* found,
                  float* scratch);
  // Adds the corrections of the cells of rows [row, row + n_rows), whose descriptions and anchors are given.
  // `output` is padded so that the block of cell (r, c) starts at pixel (r * scale, c * scale).
  void (*correct)(const AnchoredStage& stage, const float* features, const std::int32_t* found, std::int64_t row,
                  std::int64_t n_rows, std::int64_t n_columns, float* output, std::int64_t output_stride,
                  float* corrections, std::int32_t* order);
};

const AnchoredKernels& anchored_kernels_baseline();
const AnchoredKernels& anchored_kernels_avx2();
const AnchoredKernels& anchored_kernels_avx512();

}  // namespace sparsight
