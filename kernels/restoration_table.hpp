// The restoration functions that every instruction-set variant provides, and the tasks they work on.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sparsight {

// A pass with a Gaussian mixture over the patches whose upper left corners lie at `offsets` (row * width + column).
struct MixtureTask {
  const float* image;
  const float* observed;  // 1 where known, 0 where missing
  int width, patch, n_classes, max_rank;
  const std::int32_t* offsets;
  std::int32_t* labels;
  const float* whitening;      // classes x size x size, lower triangular
  const float* score_offsets;  // classes
  const float* factors;        // classes x max_rank x size
  const float* diagonals;      // classes x size
  float noise;
  float* estimates;  // patches x size
  float* variances;
};

// A non-local pass over (a band of) an image. Arrays are row-major, height x width.
struct GroupTask {
  const float* image;
  const std::uint8_t* observed_rows;  // bit j: whether the pixel j places to its right is known
  const float* guide;     // the image on which patches are compared
  int height, width;
  const std::int32_t* references;  // (row, column) of each reference patch
  int patch, window, neighbours, max_rank;
  float noise;         // variance of the observed pixels
  float floor;         // variance added to every pixel of a group's covariance
  float tolerance;     // residual variance at which the factorisation stops
  float trust_offset;  // added to the variance of an estimate where it is weighed
  float* value_sum;    // sums of this band, whose first line is line first_row of the image
  float* weight_sum;
  int first_row;
};

struct RestorationKernels {
  std::size_t (*label_memory)(const MixtureTask&);
  void (*label_patches)(const MixtureTask&, int first, int last, void* memory);
  std::size_t (*restore_memory)(const MixtureTask&);
  void (*restore_class)(const MixtureTask&, int k, int first, int last, float* spread, void* memory);
  std::size_t (*inpaint_memory)(const GroupTask&);
  void (*inpaint_groups)(const GroupTask&, int first, int last, void* memory);
  std::size_t (*denoise_memory)(const GroupTask&);
  void (*denoise_groups)(const GroupTask&, int first, int last, void* memory);
  void (*relax)(float* image, int height, int width, const std::int32_t* missing, std::int64_t n_missing, int sweeps,
                float relaxation);
};

const RestorationKernels& restoration_kernels_baseline();
const RestorationKernels& restoration_kernels_avx2();
const RestorationKernels& restoration_kernels_avx512();

}  // namespace sparsight
