// Python bindings of anchored regression: owns the packed matrices of a stage and deals bands of cells to threads.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "anchored_table.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace sparsight {
namespace {

using Image = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using MutableImage = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Cube = nb::ndarray<const float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Indices = nb::ndarray<nb::numpy, std::int32_t, nb::ndim<2>>;
using Rows = nb::ndarray<nb::numpy, float, nb::ndim<2>>;

constexpr std::int64_t kBandCells = 16384;

const AnchoredKernels& choose(const char* instruction_set) {
#if defined(SPARSIGHT_X86)
  if (std::strcmp(instruction_set, "avx512") == 0) return anchored_kernels_avx512();
  if (std::strcmp(instruction_set, "avx2") == 0) return anchored_kernels_avx2();
#endif
  (void)instruction_set;
  return anchored_kernels_baseline();
}

const AnchoredKernels* chosen = nullptr;

// Runs task(0) ... task(n_tasks - 1) on n_threads threads; the first exception is rethrown.
void parallel(std::int64_t n_tasks, int n_threads, const std::function<void(std::int64_t)>& task) {
  std::atomic<std::int64_t> next{0};
  std::exception_ptr error;
  std::mutex error_lock;
  const auto work = [&] {
    try {
      for (std::int64_t i; (i = next.fetch_add(1)) < n_tasks;) task(i);
    } catch (...) {
      const std::lock_guard<std::mutex> guard(error_lock);
      if (!error) error = std::current_exception();
      next = n_tasks;
    }
  };
  std::vector<std::thread> helpers;
  try {
    for (std::int64_t i = 1; i < std::min<std::int64_t>(n_threads, n_tasks); ++i) helpers.emplace_back(work);
  } catch (const std::system_error&) {
    // Fewer threads than asked for; the work is done all the same.
  }
  work();
  for (auto& helper : helpers) helper.join();
  if (error) std::rethrow_exception(error);
}

template <class T>
std::unique_ptr<T[]> scratch(std::int64_t size) {
  return std::unique_ptr<T[]>(new T[static_cast<std::size_t>(std::max<std::int64_t>(size, 1))]);
}

// (n_rows, n_columns) -> packs of column_pack columns, each (n_rows, column_pack); the last is padded with zeros.
std::vector<float> pack_columns(const float* matrix, std::int64_t n_rows, std::int64_t n_columns,
                                std::int64_t row_stride, std::int64_t column_stride) {
  const std::int64_t pack = chosen->column_pack, n_packs = (n_columns + pack - 1) / pack;
  std::vector<float> packed(static_cast<std::size_t>(n_packs * n_rows * pack), 0.0f);
  for (std::int64_t j = 0; j < n_columns; ++j)
    for (std::int64_t i = 0; i < n_rows; ++i)
      packed[(j / pack * n_rows + i) * pack + j % pack] = matrix[i * row_stride + j * column_stride];
  return packed;
}

class Stage {
 public:
  Stage(Image projection, Image anchors, Cube regressors, int cell, int scale, int n_nearest) {
    const auto root = [](std::size_t n, const char* what) {
      int edge = 0;
      while (static_cast<std::size_t>(edge) * edge < n) ++edge;
      if (edge == 0 || static_cast<std::size_t>(edge) * edge != n) throw std::invalid_argument(what);
      return edge;
    };
    view_.cell = cell, view_.scale = scale, view_.n_nearest = n_nearest;
    view_.window = root(projection.shape(0), "projection needs a row for every pixel of a square window");
    view_.n_features = static_cast<int>(projection.shape(1));
    view_.n_anchors = static_cast<int>(anchors.shape(0));
    view_.block = root(regressors.shape(2), "regressors need a column for every pixel of a square block");
    const std::int64_t n_pixels = static_cast<std::int64_t>(regressors.shape(2));
    if (cell < 1 || scale < 1 || view_.window < cell || view_.block < scale)
      throw std::invalid_argument("a window or block is smaller than its cell");
    if (anchors.shape(1) != projection.shape(1) || regressors.shape(1) != projection.shape(1) ||
        regressors.shape(0) != anchors.shape(0) || projection.shape(1) == 0)
      throw std::invalid_argument("projection, anchors and regressors do not fit each other");
    if (n_nearest < 1 || n_nearest > 4 || n_nearest > view_.n_anchors)
      throw std::invalid_argument("n_nearest must lie between 1 and 4, and not exceed the anchors");
    const int pack = chosen->block_pack;
    view_.n_block = (static_cast<int>(n_pixels) + pack - 1) / pack * pack;
    projection_ = pack_columns(projection.data(), projection.shape(0), projection.shape(1), projection.shape(1), 1);
    anchors_ = pack_columns(anchors.data(), anchors.shape(1), anchors.shape(0), 1, anchors.shape(1));
    regressors_.assign(regressors.shape(0) * regressors.shape(1) * view_.n_block, 0.0f);
    for (std::size_t i = 0; i < regressors.shape(0) * regressors.shape(1); ++i)
      std::copy_n(regressors.data() + i * n_pixels, n_pixels, regressors_.data() + i * view_.n_block);
    view_.projection = projection_.data();
    view_.anchors = anchors_.data();
    view_.regressors = regressors_.data();
  }

  // Descriptions of all cells of a padded source.
  Rows describe(Image source, int n_threads) const {
    const Grid grid = grid_of(source);
    float* features = new float[static_cast<std::size_t>(grid.rows * grid.columns * view_.n_features)];
    nb::capsule owner(features, [](void* p) noexcept { delete[] static_cast<float*>(p); });
    {
      nb::gil_scoped_release release;
      parallel(grid.n_bands(), n_threads, [&](std::int64_t band) {
        const std::int64_t row = band * grid.band_rows, n_rows = std::min(grid.band_rows, grid.rows - row);
        const auto planes = scratch<float>(plane_size(n_rows, grid.columns));
        const auto offsets = scratch<std::int64_t>(view_.window * view_.window);
        chosen->describe(view_, source.data(), source.shape(1), source.shape(1), row, n_rows, grid.columns,
                         features + row * grid.columns * view_.n_features, planes.get(), offsets.get());
      });
    }
    return Rows(features,
                {static_cast<std::size_t>(grid.rows * grid.columns), static_cast<std::size_t>(view_.n_features)},
                owner);
  }

  Indices nearest(Image features, int n_threads) const {
    if (static_cast<int>(features.shape(1)) != view_.n_features)
      throw std::invalid_argument("features have another length than the anchors");
    const std::int64_t n = static_cast<std::int64_t>(features.shape(0));
    std::int32_t* found = new std::int32_t[static_cast<std::size_t>(std::max<std::int64_t>(n * view_.n_nearest, 1))];
    nb::capsule owner(found, [](void* p) noexcept { delete[] static_cast<std::int32_t*>(p); });
    {
      nb::gil_scoped_release release;
      parallel((n + kBandCells - 1) / kBandCells, n_threads, [&](std::int64_t band) {
        const std::int64_t first = band * kBandCells;
        const auto lanes = scratch<float>(static_cast<std::int64_t>(view_.n_features) * chosen->lanes);
        chosen->nearest(view_, features.data() + first * view_.n_features, std::min(kBandCells, n - first),
                        found + first * view_.n_nearest, lanes.get());
      });
    }
    return Indices(found, {static_cast<std::size_t>(n), static_cast<std::size_t>(view_.n_nearest)}, owner);
  }

  // Adds every cell's correction to a padded output.
  void correct(Image source, MutableImage output, int n_threads) const {
    const Grid grid = grid_of(source);
    if (static_cast<std::int64_t>(output.shape(0)) < (grid.rows - 1) * view_.scale + view_.block ||
        static_cast<std::int64_t>(output.shape(1)) < (grid.columns - 1) * view_.scale + view_.block)
      throw std::invalid_argument("output is too small for the corrections of the source's cells");
    float* pixels = output.data();
    nb::gil_scoped_release release;
    // Neighbouring bands overlap in the output. Even bands first, then odd ones: no two of them meet, and the
    // order in which a pixel's corrections are added does not depend on the number of threads.
    for (int parity = 0; parity < 2; ++parity)
      parallel((grid.n_bands() + 1 - parity) / 2, n_threads, [&](std::int64_t i) {
        correct_band(source, grid, 2 * i + parity, pixels, static_cast<std::int64_t>(output.shape(1)));
      });
  }

 private:
  struct Grid {
    std::int64_t rows, columns, band_rows;
    std::int64_t n_bands() const { return (rows + band_rows - 1) / band_rows; }
  };

  Grid grid_of(const Image& source) const {
    const std::int64_t height = static_cast<std::int64_t>(source.shape(0));
    const std::int64_t width = static_cast<std::int64_t>(source.shape(1));
    if (height < view_.window || width < view_.window)
      throw std::invalid_argument("source is smaller than a window");
    Grid grid{(height - view_.window) / view_.cell + 1, (width - view_.window) / view_.cell + 1, 0};
    const std::int64_t least = (view_.block - 1) / view_.scale + 1;
    grid.band_rows = std::max(least, kBandCells / grid.columns);
    return grid;
  }

  std::int64_t plane_size(std::int64_t n_rows, std::int64_t n_columns) const {
    const std::int64_t reach = (view_.window + view_.cell - 1) / view_.cell;
    return view_.cell * view_.cell * (n_rows + reach) * (n_columns + reach + chosen->lanes);
  }

  void correct_band(const Image& source, const Grid& grid, std::int64_t band, float* pixels,
                    std::int64_t stride) const {
    const std::int64_t row = band * grid.band_rows, n_rows = std::min(grid.band_rows, grid.rows - row);
    const std::int64_t n_cells = n_rows * grid.columns;
    const auto features = scratch<float>(n_cells * view_.n_features);
    const auto work = scratch<float>(std::max(
        {plane_size(n_rows, grid.columns), n_cells * view_.n_block,
         static_cast<std::int64_t>(view_.n_features) * chosen->lanes}));
    const auto offsets = scratch<std::int64_t>(view_.window * view_.window);
    const auto found = scratch<std::int32_t>(n_cells * view_.n_nearest);
    const auto order = scratch<std::int32_t>(n_cells * view_.n_nearest + view_.n_anchors + 1);
    chosen->describe(view_, source.data(), source.shape(1), source.shape(1), row, n_rows, grid.columns,
                     features.get(), work.get(), offsets.get());
    chosen->nearest(view_, features.get(), n_cells, found.get(), work.get());
    chosen->correct(view_, features.get(), found.get(), row, n_rows, grid.columns, pixels, stride, work.get(),
                    order.get());
  }

  AnchoredStage view_{};
  std::vector<float> projection_, anchors_, regressors_;
};

}  // namespace

void bind_anchored(nb::module_& m, const char* instruction_set) {
  chosen = &choose(instruction_set);
  nb::class_<Stage>(m, "AnchoredStage", "One stage of anchored regression with its packed matrices.")
      .def(nb::init<Image, Image, Cube, int, int, int>(), "projection"_a, "anchors"_a, "regressors"_a, nb::kw_only(),
           "cell"_a, "scale"_a, "n_nearest"_a)
      .def("describe", &Stage::describe, "source"_a, "n_threads"_a)
      .def("nearest", &Stage::nearest, "features"_a, "n_threads"_a)
      .def("correct", &Stage::correct, "source"_a, "output"_a.noconvert(), "n_threads"_a);
}

}  // namespace sparsight
