// The matrix product that the restoration kernels are built on; single precision.
//
// Everything here has internal linkage: it is compiled once per instruction set (see variant.cpp).
#pragma once

#include "simd.hpp"

namespace sparsight {
namespace {

constexpr int kLanes = Lanes<float>::count;
using Floats = Vector<float>;

// A strided view of a matrix: element (i, k) is data[i * row + k * column].
struct Strided {
  const float* data;
  std::int64_t row, column;
};

template <int ROWS, int VECTORS>
SPARSIGHT_INLINE void product_block(Strided a, const float* b, int ldb, int depth, float* c, int ldc) {
  Floats sum[ROWS][VECTORS] = {};
  for (int k = 0; k < depth; ++k) {
    Floats bv[VECTORS];
    for (int v = 0; v < VECTORS; ++v) bv[v] = load<float>(b + std::int64_t(k) * ldb + v * kLanes);
    const float* ak = a.data + k * a.column;
    for (int i = 0; i < ROWS; ++i) {
      const float ai = ak[i * a.row];
      for (int v = 0; v < VECTORS; ++v) sum[i][v] += ai * bv[v];
    }
  }
  for (int i = 0; i < ROWS; ++i)
    for (int v = 0; v < VECTORS; ++v) store<float>(c + std::int64_t(i) * ldc + v * kLanes, sum[i][v]);
}

constexpr int kProductRows = 6;

// Up to kProductRows rows of a product, VECTORS vectors wide.
template <int VECTORS>
void product_rows(int rows, Strided a, const float* b, int ldb, int depth, float* c, int ldc) {
  switch (rows) {
    case 6: return product_block<6, VECTORS>(a, b, ldb, depth, c, ldc);
    case 5: return product_block<5, VECTORS>(a, b, ldb, depth, c, ldc);
    case 4: return product_block<4, VECTORS>(a, b, ldb, depth, c, ldc);
    case 3: return product_block<3, VECTORS>(a, b, ldb, depth, c, ldc);
    case 2: return product_block<2, VECTORS>(a, b, ldb, depth, c, ldc);
    case 1: return product_block<1, VECTORS>(a, b, ldb, depth, c, ldc);
    default: return;
  }
}

// C = A B, with A (rows x depth) strided, B (depth x columns) and C (rows x columns) row-major;
// columns must be a multiple of kLanes.
void multiply(Strided a, int rows, int depth, const float* b, int ldb, int columns, float* c, int ldc) {
  for (int j = 0; j < columns;) {
    const bool pair = columns - j >= 2 * kLanes;
    for (int i = 0; i < rows; i += kProductRows) {
      const int block = rows - i < kProductRows ? rows - i : kProductRows;
      const Strided ai = {a.data + i * a.row, a.row, a.column};
      float* cij = c + std::int64_t(i) * ldc + j;
      if (pair) product_rows<2>(block, ai, b + j, ldb, depth, cij, ldc);
      else product_rows<1>(block, ai, b + j, ldb, depth, cij, ldc);
    }
    j += pair ? 2 * kLanes : kLanes;
  }
}

// C (size x size) = X'X for X (count x size); size need not be a multiple of kLanes.
void multiply_transposed(const float* x, int count, int size, float* c) {
  const int whole = size / kLanes * kLanes;
  multiply({x, 1, size}, size, count, x, size, whole, c, size);
  for (int j = whole; j < size; ++j)
    for (int i = 0; i < size; ++i) {
      float sum = 0.0f;
      for (int k = 0; k < count; ++k) sum += x[std::int64_t(k) * size + i] * x[std::int64_t(k) * size + j];
      c[std::int64_t(i) * size + j] = sum;
    }
}

// Inverts a symmetric positive definite matrix (size x size) in place, by Gauss-Jordan elimination.
void invert(float* a, int size) {
  for (int k = 0; k < size; ++k) {
    float* pivot_row = a + std::int64_t(k) * size;
    const float inverse = 1.0f / pivot_row[k];
    pivot_row[k] = 1.0f;
    for (int j = 0; j < size; ++j) pivot_row[j] *= inverse;
    for (int i = 0; i < size; ++i) {
      if (i == k) continue;
      float* row = a + std::int64_t(i) * size;
      const float factor = -row[k];
      row[k] = 0.0f;
      axpy(factor, pivot_row, row, size);
    }
  }
}

}  // namespace
}  // namespace sparsight
