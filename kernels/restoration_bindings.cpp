// Python bindings of the restoration kernels: shapes are checked, work is shared among threads. What a piece of work
// computes, and the order in which sums are formed, never depend on the number of threads.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "arrays.hpp"
#include "parallel.hpp"
#include "restoration_table.hpp"

namespace sparsight {
namespace {

using namespace nb::literals;

using Plane = Matrix<float>;
using Planes = nb::ndarray<const float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using MutablePlane = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using MutableLabels = nb::ndarray<std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

const RestorationKernels* kernels_in_use = nullptr;

constexpr std::int64_t kChunk = 512;  // patches of one piece of work
constexpr int kBands = 32;            // bands of reference patches, each with sums of its own

void expect(bool condition, const char* message) {
  if (!condition) throw std::invalid_argument(message);
}

template <class A, class B>
bool same_shape(const A& a, const B& b) {
  return a.shape(0) == b.shape(0) && a.shape(1) == b.shape(1);
}

void check_offsets(const Line<std::int32_t>& offsets, std::int64_t height, std::int64_t width, int patch) {
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    const std::int64_t offset = offsets.data()[i];
    expect(offset >= 0 && offset / width + patch <= height && offset % width + patch <= width,
           "a patch lies outside the image");
  }
}

void label_patches(const Plane& image, const Line<std::int32_t>& offsets, int patch, const Planes& whitening,
                   const Line<float>& score_offsets, MutableLabels labels, int n_threads) {
  const std::size_t size = std::size_t(patch) * patch;
  expect(whitening.shape(1) == size && whitening.shape(2) == size, "whitening must be classes x size x size");
  expect(score_offsets.shape(0) == whitening.shape(0), "one offset per class is needed");
  expect(labels.shape(0) == offsets.shape(0), "one label per patch is needed");
  check_offsets(offsets, image.shape(0), image.shape(1), patch);
  MixtureTask task{};
  task.image = image.data();
  task.width = int(image.shape(1));
  task.patch = patch;
  task.n_classes = int(whitening.shape(0));
  task.offsets = offsets.data();
  task.labels = labels.data();
  task.whitening = whitening.data();
  task.score_offsets = score_offsets.data();
  const std::int64_t n = offsets.shape(0);
  for_each_task((n + kChunk - 1) / kChunk, n_threads, kernels_in_use->label_memory(task),
                [&](std::int64_t chunk, void* memory) {
                  kernels_in_use->label_patches(task, int(chunk * kChunk), int(std::min(n, (chunk + 1) * kChunk)), memory);
                });
}

void restore_patches(const Plane& image, const Plane& observed, const Line<std::int32_t>& offsets,
                     const Line<std::int32_t>& starts, int patch, const Planes& factors, const Plane& diagonals,
                     float noise, MutablePlane estimates, MutablePlane variances, MutablePlane spreads, int n_threads) {
  const std::size_t size = std::size_t(patch) * patch, n = offsets.shape(0);
  const std::size_t rank = factors.shape(1), n_pairs = rank * (rank + 1) / 2;
  expect(same_shape(image, observed), "image and mask differ in shape");
  expect(factors.shape(2) == size && diagonals.shape(1) == size, "factors of another patch size");
  expect(patch == 8, "patches must have 8 x 8 pixels");
  expect(rank % 2 == 0 && rank <= size, "the rank must be even, at most patch * patch");
  expect(diagonals.shape(0) == factors.shape(0) && starts.shape(0) == factors.shape(0) + 1, "classes do not agree");
  expect(estimates.shape(0) == n && estimates.shape(1) == size, "estimates must be patches x size");
  expect(same_shape(estimates, variances), "variances must be patches x size");
  expect(spreads.shape(0) == factors.shape(0) && spreads.shape(1) == n_pairs, "spreads must be classes x pairs");
  check_offsets(offsets, image.shape(0), image.shape(1), patch);
  MixtureTask task{};
  task.image = image.data();
  task.observed = observed.data();
  task.width = int(image.shape(1));
  task.patch = patch;
  task.n_classes = int(factors.shape(0));
  task.max_rank = int(rank);
  task.offsets = offsets.data();
  task.factors = factors.data();
  task.diagonals = diagonals.data();
  task.noise = noise;
  task.estimates = estimates.data();
  task.variances = variances.data();
  struct Piece {
    int k, first, last;
  };
  std::vector<Piece> pieces;
  for (int k = 0; k < task.n_classes; ++k) {
    const int first = starts.data()[k], last = starts.data()[k + 1];
    expect(first >= 0 && last >= first && last <= int(n), "starts do not ascend");
    for (int start = first; start < last; start += int(kChunk))
      pieces.push_back({k, start, std::min(last, start + int(kChunk))});
  }
  std::vector<float> parts(pieces.size() * n_pairs);
  for_each_task(std::int64_t(pieces.size()), n_threads, kernels_in_use->restore_memory(task),
                [&](std::int64_t i, void* memory) {
                  const Piece& piece = pieces[i];
                  kernels_in_use->restore_class(task, piece.k, piece.first, piece.last, &parts[i * n_pairs], memory);
                });
  std::fill_n(spreads.data(), spreads.size(), 0.0f);
  for (std::size_t i = 0; i < pieces.size(); ++i)
    for (std::size_t pair = 0; pair < n_pairs; ++pair)
      spreads.data()[pieces[i].k * n_pairs + pair] += parts[i * n_pairs + pair];
}

void add_patches(const Plane& patches, const Plane& weights, const Line<std::int32_t>& offsets, int patch,
                 MutablePlane value_sum, MutablePlane weight_sum) {
  const std::size_t size = std::size_t(patch) * patch, n = offsets.shape(0);
  expect(patches.shape(0) == n && patches.shape(1) == size, "patches must be patches x size");
  expect(same_shape(patches, weights), "patches and weights differ in shape");
  expect(same_shape(value_sum, weight_sum), "the sums differ in shape");
  const std::int64_t width = value_sum.shape(1);
  check_offsets(offsets, value_sum.shape(0), width, patch);
  const nb::gil_scoped_release unlocked;
  const float* value = patches.data();
  const float* weight = weights.data();
  for (std::size_t m = 0; m < n; ++m)
    for (int i = 0; i < patch; ++i, value += patch, weight += patch) {
      const std::int64_t at = offsets.data()[m] + i * width;
      for (int j = 0; j < patch; ++j) {
        value_sum.data()[at + j] += value[j] * weight[j];
        weight_sum.data()[at + j] += weight[j];
      }
    }
}

GroupTask group_task(const Plane& image, const Plane& guide, const Matrix<std::int32_t>& references, int patch,
                     int window, int neighbours) {
  expect(same_shape(image, guide), "image and guide differ in shape");
  expect(references.shape(1) == 2, "references must be n x 2");
  expect(patch > 0 && window >= 0 && neighbours > 0, "patch, window and neighbours must be positive");
  const std::int32_t* corner = references.data();
  for (std::size_t i = 0; i < references.shape(0); ++i) {
    expect(corner[2 * i] >= 0 && corner[2 * i] + patch <= int(image.shape(0)) && corner[2 * i + 1] >= 0 &&
               corner[2 * i + 1] + patch <= int(image.shape(1)),
           "a patch lies outside the image");
    expect(i == 0 || corner[2 * i] >= corner[2 * i - 2], "references must be sorted by row");
  }
  GroupTask task{};
  task.image = image.data();
  task.guide = guide.data();
  task.height = int(image.shape(0));
  task.width = int(image.shape(1));
  task.references = corner;
  task.patch = patch;
  task.window = window;
  task.neighbours = neighbours;
  return task;
}

// Runs a pass in bands of reference patches and adds their sums up in order.
template <class Kernel>
void run_groups(const GroupTask& task, int n, std::size_t memory_bytes, Kernel kernel, MutablePlane& value_sum,
                MutablePlane& weight_sum, int n_threads) {
  expect(int(value_sum.shape(0)) == task.height && int(value_sum.shape(1)) == task.width &&
             same_shape(value_sum, weight_sum),
         "the sums differ in shape from the image");
  struct Band {
    int first, last, first_row, last_row;
    std::vector<float> values, weights;
  };
  std::vector<Band> bands;
  const int step = std::max(1, (n + kBands - 1) / kBands);
  for (int first = 0; first < n; first += step) {
    const int last = std::min(n, first + step);
    bands.push_back({first, last, std::max(0, task.references[2 * first] - task.window),
                     std::min(task.height, task.references[2 * (last - 1)] + task.window + task.patch), {}, {}});
  }
  for_each_task(std::int64_t(bands.size()), n_threads, memory_bytes, [&](std::int64_t i, void* memory) {
    Band& band = bands[i];
    band.values.assign(std::size_t(band.last_row - band.first_row) * task.width, 0.0f);
    band.weights.assign(band.values.size(), 0.0f);
    GroupTask own = task;
    own.value_sum = band.values.data();
    own.weight_sum = band.weights.data();
    own.first_row = band.first_row;
    kernel(own, band.first, band.last, memory);
  });
  for (const Band& band : bands) {
    float* values = value_sum.data() + std::int64_t(band.first_row) * task.width;
    float* weights = weight_sum.data() + std::int64_t(band.first_row) * task.width;
    for (std::size_t i = 0; i < band.values.size(); ++i) {
      values[i] += band.values[i];
      weights[i] += band.weights[i];
    }
  }
}

// Bit j of each element: whether the pixel j places to its right is observed.
std::vector<std::uint8_t> observed_rows(const Plane& observed) {
  const std::size_t width = observed.shape(1);
  std::vector<std::uint8_t> rows(observed.size());
  const float* pixel = observed.data();
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t j = 0; j < 8 && i % width + j < width; ++j) rows[i] |= std::uint8_t(pixel[i + j] != 0.0f) << j;
  return rows;
}

void inpaint_groups(const Plane& image, const Plane& observed, const Plane& guide,
                    const Matrix<std::int32_t>& references, int patch, int window, int neighbours, int max_rank,
                    float noise, float floor, float tolerance, float trust_offset, MutablePlane value_sum,
                    MutablePlane weight_sum, int n_threads) {
  GroupTask task = group_task(image, guide, references, patch, window, neighbours);
  expect(patch == 8, "patches must have 8 x 8 pixels");
  expect(same_shape(image, observed), "image and mask differ in shape");
  expect(max_rank > 0 && max_rank % 2 == 0 && max_rank <= patch * patch, "the rank must be even, at most patch * patch");
  const std::vector<std::uint8_t> rows = observed_rows(observed);
  task.observed_rows = rows.data();
  task.max_rank = max_rank;
  task.noise = noise;
  task.floor = floor;
  task.tolerance = tolerance;
  task.trust_offset = trust_offset;
  run_groups(task, int(references.shape(0)), kernels_in_use->inpaint_memory(task), kernels_in_use->inpaint_groups,
             value_sum, weight_sum, n_threads);
}

void denoise_groups(const Plane& noisy, const Plane& pilot, const Matrix<std::int32_t>& references, int patch,
                    int window, int neighbours, float noise, MutablePlane value_sum, MutablePlane weight_sum,
                    int n_threads) {
  GroupTask task = group_task(noisy, pilot, references, patch, window, neighbours);
  expect(noise > 0, "noise must be positive");
  task.noise = noise;
  run_groups(task, int(references.shape(0)), kernels_in_use->denoise_memory(task), kernels_in_use->denoise_groups,
             value_sum, weight_sum, n_threads);
}

void relax(MutablePlane image, const Line<std::int32_t>& missing, int sweeps, float relaxation) {
  for (std::size_t i = 0; i < missing.size(); ++i)
    expect(missing.data()[i] >= 0 && std::size_t(missing.data()[i]) < image.size(), "a pixel lies outside the image");
  const nb::gil_scoped_release unlocked;
  kernels_in_use->relax(image.data(), int(image.shape(0)), int(image.shape(1)), missing.data(),
                        std::int64_t(missing.size()), sweeps, relaxation);
}

const RestorationKernels& choose(const char* instruction_set) {
#if defined(SPARSIGHT_X86)
  if (std::strcmp(instruction_set, "avx512") == 0) return restoration_kernels_avx512();
  if (std::strcmp(instruction_set, "avx2") == 0) return restoration_kernels_avx2();
#endif
  (void)instruction_set;
  return restoration_kernels_baseline();
}

}  // namespace

void bind_restoration(nb::module_& m, const char* instruction_set) {
  kernels_in_use = &choose(instruction_set);
  m.def("label_patches", &label_patches, "image"_a, "offsets"_a, "patch"_a, "whitening"_a, "score_offsets"_a,
        "labels"_a.noconvert(), "n_threads"_a);
  m.def("restore_patches", &restore_patches, "image"_a, "observed"_a, "offsets"_a, "starts"_a, "patch"_a, "factors"_a,
        "diagonals"_a, "noise"_a, "estimates"_a.noconvert(), "variances"_a.noconvert(), "spreads"_a.noconvert(),
        "n_threads"_a);
  m.def("add_patches", &add_patches, "patches"_a, "weights"_a, "offsets"_a, "patch"_a, "value_sum"_a.noconvert(),
        "weight_sum"_a.noconvert());
  m.def("inpaint_groups", &inpaint_groups, "image"_a, "observed"_a, "guide"_a, "references"_a, "patch"_a, "window"_a,
        "neighbours"_a, "max_rank"_a, "noise"_a, "floor"_a, "tolerance"_a, "trust_offset"_a,
        "value_sum"_a.noconvert(), "weight_sum"_a.noconvert(), "n_threads"_a);
  m.def("denoise_groups", &denoise_groups, "noisy"_a, "pilot"_a, "references"_a, "patch"_a, "window"_a, "neighbours"_a,
        "noise"_a, "value_sum"_a.noconvert(), "weight_sum"_a.noconvert(), "n_threads"_a);
  m.def("relax", &relax, "image"_a.noconvert(), "missing"_a, "sweeps"_a, "relaxation"_a);
}

}  // namespace sparsight
