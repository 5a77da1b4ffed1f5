// Smooth filling: missing pixels relax towards the mean of their neighbours.
#pragma once

#include "simd.hpp"

namespace sparsight {
namespace {

// Sweeps of successive over-relaxation of the Laplace equation over the listed pixels; the border reflects.
void relax(float* image, int height, int width, const std::int32_t* missing, std::int64_t n_missing, int sweeps,
           float relaxation) {
  for (int sweep = 0; sweep < sweeps; ++sweep)
    for (std::int64_t m = 0; m < n_missing; ++m) {
      const int row = missing[m] / width, column = missing[m] % width;
      float* pixel = image + missing[m];
      const float up = row > 0 ? pixel[-width] : (height > 1 ? pixel[width] : *pixel);
      const float down = row + 1 < height ? pixel[width] : up;
      const float left = column > 0 ? pixel[-1] : (width > 1 ? pixel[1] : *pixel);
      const float right = column + 1 < width ? pixel[1] : left;
      *pixel += relaxation * (0.25f * (up + down + left + right) - *pixel);
    }
}

}  // namespace
}  // namespace sparsight
