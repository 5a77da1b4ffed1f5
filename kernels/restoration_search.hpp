// The patches that look most like a reference patch, within a window around it.
#pragma once

#include "restoration_product.hpp"
#include "restoration_table.hpp"

namespace sparsight {
namespace {

using FloatBits = Lanes<float>::Index;

// Upper left corners of the patches that are compared: all that lie in the window and in the image.
struct Window {
  int row, column, rows, columns;

  Window(const GroupTask& t, int reference_row, int reference_column) {
    row = reference_row > t.window ? reference_row - t.window : 0;
    column = reference_column > t.window ? reference_column - t.window : 0;
    const int last_row = reference_row + t.window, last_column = reference_column + t.window;
    rows = (last_row < t.height - t.patch ? last_row : t.height - t.patch) - row + 1;
    columns = (last_column < t.width - t.patch ? last_column : t.width - t.patch) - column + 1;
  }
  int count() const { return rows * columns; }
};

// Squared distances of two lines of corners from the reference, VECTORS vectors of corners of each.
template <int VECTORS>
SPARSIGHT_INLINE void compare_lines(const float* const lines[2], const int* starts, const float* reference, int width,
                                    int patch, float* const out[2]) {
  Floats sum[2][VECTORS] = {};
  for (int i = 0; i < patch; ++i)
    for (int j = 0; j < patch; ++j) {
      const std::int64_t at = std::int64_t(i) * width + j;
      const float own = reference[at];
      for (int l = 0; l < 2; ++l)
        for (int v = 0; v < VECTORS; ++v) {
          const Floats difference = load<float>(lines[l] + at + starts[v]) - own;
          sum[l][v] += difference * difference;
        }
    }
  for (int l = 0; l < 2; ++l)
    for (int v = 0; v < VECTORS; ++v) store<float>(out[l] + starts[v], sum[l][v]);
}

float squared_distance(const float* a, const float* b, int width, int patch) {
  float sum = 0.0f;
  for (int i = 0; i < patch; ++i)
    for (int j = 0; j < patch; ++j) {
      const float difference = a[std::int64_t(i) * width + j] - b[std::int64_t(i) * width + j];
      sum += difference * difference;
    }
  return sum;
}

// Squared distances from the patch at `reference` to every patch of the window, row by row.
void window_distances(const GroupTask& t, const Window& w, const float* reference, float* distances) {
  const float* corner = t.guide + std::int64_t(w.row) * t.width + w.column;
  if (w.columns < kLanes) {
    for (int r = 0; r < w.rows; ++r)
      for (int c = 0; c < w.columns; ++c)
        *distances++ = squared_distance(corner + std::int64_t(r) * t.width + c, reference, t.width, t.patch);
    return;
  }
  for (int r = 0; r < w.rows; r += 2) {
    const int next = r + 1 < w.rows ? r + 1 : r;
    const float* const lines[2] = {corner + std::int64_t(r) * t.width, corner + std::int64_t(next) * t.width};
    float* const out[2] = {distances + r * w.columns, distances + next * w.columns};
    for (int c = 0; c < w.columns; c += 4 * kLanes) {
      int starts[4];
      // The last vector of a line overlaps the one before it, so that nothing beyond the line is read.
      for (int v = 0; v < 4; ++v)
        starts[v] = c + (v + 1) * kLanes <= w.columns ? c + v * kLanes : w.columns - kLanes;
      switch ((w.columns - c + kLanes - 1) / kLanes) {
        case 1: compare_lines<1>(lines, starts, reference, t.width, t.patch, out); break;
        case 2: compare_lines<2>(lines, starts, reference, t.width, t.patch, out); break;
        case 3: compare_lines<3>(lines, starts, reference, t.width, t.patch, out); break;
        default: compare_lines<4>(lines, starts, reference, t.width, t.patch, out);
      }
    }
  }
}

// The least value that `wanted` of the n values, none of them negative, do not exceed. Numbers that are not negative
// are ordered as their bits are, so it is found by halving intervals of integers; values[n ...] up to the next whole
// vector is overwritten.
float smallest_limit(float* values, int n, int wanted) {
  float least = values[0], most = values[0];
  for (int i = 1; i < n; ++i) {
    least = values[i] < least ? values[i] : least;
    most = values[i] > most ? values[i] : most;
  }
  for (int i = n; i % kLanes != 0; ++i) values[i] = __builtin_inff();
  std::int32_t low, high;
  __builtin_memcpy(&low, &least, sizeof low);
  __builtin_memcpy(&high, &most, sizeof high);
  for (--low; high - low > 1;) {  // more than `low`: always too few; up to `high`: always enough
    const std::int32_t middle = low + (high - low) / 2;
    FloatBits counts = {};
    for (int i = 0; i < n; i += kLanes) {
      FloatBits bits;
      __builtin_memcpy(&bits, values + i, sizeof bits);
      counts -= bits <= middle;
    }
    int count = 0;
    for (int l = 0; l < kLanes; ++l) count += counts[l];
    if (count < wanted) low = middle;
    else high = middle;
    if (count == wanted) break;
  }
  float limit;
  __builtin_memcpy(&limit, &high, sizeof limit);
  return limit;
}

// Room for the distances of one search: of whole vectors.
std::int64_t search_room(const GroupTask& t) {
  const std::int64_t edge = 2 * t.window + 1;
  return edge * edge + kLanes;
}

// Offsets of the corners of the patches nearest to the one at (row, column) on the guide, at most t.neighbours;
// returns their number. The reference itself comes first, however many others are equally near: so every pixel
// is covered.
int find_similar(const GroupTask& t, int row, int column, float* distances, std::int32_t* members) {
  const Window w(t, row, column);
  const std::int32_t own = row * t.width + column;
  window_distances(t, w, t.guide + own, distances);
  distances[(row - w.row) * w.columns + column - w.column] = __builtin_inff();
  const bool all = w.count() <= t.neighbours;
  const float limit = all ? 3.0e38f : t.neighbours > 1 ? smallest_limit(distances, w.count(), t.neighbours - 1) : -1.0f;
  int found = 1;
  members[0] = own;
  for (int r = 0; r < w.rows; ++r)
    for (int c = 0; c < w.columns && found < t.neighbours; ++c) {
      members[found] = (w.row + r) * t.width + w.column + c;
      found += distances[r * w.columns + c] <= limit;
    }
  return found;
}

}  // namespace
}  // namespace sparsight
