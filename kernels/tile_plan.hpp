// How a batch of patches is divided into tiles, and the codes of these put together again.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "table.hpp"

namespace sparsight {

inline TileSize larger(const TileSize& a, const TileSize& b) {
  return {std::max(a.rows, b.rows), std::max(a.scratch_bytes, b.scratch_bytes)};
}

inline bool any_missing(const std::uint8_t* missing, std::size_t n_features) {
  return std::memchr(missing, 1, n_features) != nullptr;
}

// Complete patches first, then those with missing values: each tile holds patches of one kind only.
class TilePlan {
 public:
  // `is_incomplete(i)` says whether patch i misses values, `size_of(masked)` gives the tile size.
  template <class IsIncomplete, class SizeOf>
  TilePlan(std::size_t n, const IsIncomplete& is_incomplete, const SizeOf& size_of) {
    std::vector<std::int64_t> incomplete;
    rows_.reserve(n);
    for (std::size_t i = 0; i < n; ++i) (is_incomplete(i) ? incomplete : rows_).push_back(std::int64_t(i));
    n_complete_ = rows_.size();
    rows_.insert(rows_.end(), incomplete.begin(), incomplete.end());
    for (const bool masked : {false, true}) {
      const std::size_t first = masked ? n_complete_ : 0, last = masked ? n : n_complete_;
      if (first == last) continue;
      const TileSize size = size_of(masked);
      largest_ = larger(largest_, size);
      for (std::size_t i = first; i < last; i += size.rows) starts_.push_back(i);
    }
    starts_.push_back(n);
  }

  std::size_t n_tiles() const { return starts_.size() - 1; }
  const TileSize& largest() const { return largest_; }
  const std::vector<std::int64_t>& rows() const { return rows_; }
  std::size_t first_row(std::size_t tile) const { return starts_[tile]; }

  // `sources`: which of the patches each of the batch is; null: that of the same number.
  template <class T>
  Tile<T> tile(std::size_t t, const T* patches, const std::uint8_t* missing,
               const std::int64_t* sources = nullptr) const {
    return {patches, starts_[t] >= n_complete_ ? missing : nullptr, rows_.data() + starts_[t],
            std::int64_t(starts_[t + 1] - starts_[t]), sources};
  }

 private:
  std::vector<std::int64_t> rows_;
  std::vector<std::size_t> starts_;  // of each tile in the rows, and the end
  std::size_t n_complete_ = 0;
  TileSize largest_ = {0, 0};
};

// The memory of a worker: what the coder needs, and after it room for the non-zeros of a tile.
template <class T>
class TileSinks {
 public:
  // `most_nonzeros` of a patch; 0: codes are not wanted.
  TileSinks(const TileSize& largest, std::int64_t most_nonzeros)
      : coder_bytes_(whole_lines(largest.scratch_bytes)), room_(std::size_t(largest.rows * most_nonzeros)) {}

  std::size_t scratch_bytes() const {
    return coder_bytes_ + whole_lines(room_ * sizeof(T)) + whole_lines(room_ * sizeof(std::int32_t));
  }
  SparseSink<T> sink(void* scratch) const {
    char* const values = static_cast<char*>(scratch) + coder_bytes_;
    return {reinterpret_cast<std::int32_t*>(values + whole_lines(room_ * sizeof(T))), reinterpret_cast<T*>(values), 0};
  }

 private:
  static std::size_t whole_lines(std::size_t bytes) { return (bytes + 63) / 64 * 64; }
  std::size_t coder_bytes_, room_;
};

// Non-zeros of a tile, in the order of its rows.
template <class T>
struct TileCodes {
  std::vector<std::int32_t> indices;
  std::vector<T> values;

  void take(const SparseSink<T>& sink) {
    indices.assign(sink.indices, sink.indices + sink.size);
    values.assign(sink.values, sink.values + sink.size);
  }
};

// Where the codes of each of `n` patches begin in a CSR matrix: `starts` has n + 1 numbers.
inline void starts_of_codes(const std::int32_t* n_nonzero, std::int64_t n, std::int64_t* starts) {
  starts[0] = 0;
  for (std::int64_t i = 0; i < n; ++i) starts[i + 1] = starts[i] + n_nonzero[i];
}

// Puts the codes of tile number t where they belong in a CSR matrix.
template <class T>
void place_codes(const TilePlan& plan, std::size_t t, const TileCodes<T>& codes, const std::int64_t* starts,
                 std::int32_t* indices, T* values) {
  const std::vector<std::int64_t>& rows = plan.rows();
  std::size_t from = 0;
  const std::size_t end = plan.first_row(t + 1);
  for (std::size_t i = plan.first_row(t); i < end;) {
    // Neighbouring rows are copied together.
    const std::int64_t start = starts[rows[i]];
    std::int64_t last = rows[i];
    while (i < end && rows[i] == last) ++i, ++last;
    const std::size_t size = std::size_t(starts[last] - start);
    std::memcpy(indices + start, codes.indices.data() + from, size * sizeof(std::int32_t));
    std::memcpy(values + start, codes.values.data() + from, size * sizeof(T));
    from += size;
  }
}

}  // namespace sparsight
