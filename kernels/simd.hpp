// Vectors of the instruction set being compiled for, and the loops over contiguous arrays built on them.
//
// Every sum is formed in an order that depends on its length only, never on alignment or on the
// neighbours of a patch: results are the same bit for bit however the patches are split.
#pragma once

#include <cmath>
#include <cstdint>

#define SPARSIGHT_INLINE inline __attribute__((always_inline))

namespace sparsight {
namespace {

#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
#elif defined(__AVX2__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif

template <class T>
struct Lanes;
template <>
struct Lanes<float> {
  typedef float Vector __attribute__((vector_size(vector_bytes)));
  typedef std::int32_t Index __attribute__((vector_size(vector_bytes)));
  using Integer = std::int32_t;
  static constexpr int count = vector_bytes / sizeof(float);
};
template <>
struct Lanes<double> {
  typedef double Vector __attribute__((vector_size(vector_bytes)));
  typedef std::int64_t Index __attribute__((vector_size(vector_bytes)));
  using Integer = std::int64_t;
  static constexpr int count = vector_bytes / sizeof(double);
};
template <class T>
using Vector = typename Lanes<T>::Vector;

template <class T>
constexpr T epsilon = sizeof(T) == 4 ? T(1.1920929e-07) : T(2.220446049250313e-16);

template <class T>
SPARSIGHT_INLINE Vector<T> load(const T* p) {
  Vector<T> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

template <class T>
SPARSIGHT_INLINE void store(T* p, Vector<T> v) {
  __builtin_memcpy(p, &v, sizeof v);
}

template <class T>
SPARSIGHT_INLINE T horizontal_sum(Vector<T> v) {
  T sum = v[0];
  for (int i = 1; i < Lanes<T>::count; ++i) sum += v[i];
  return sum;
}

template <class T>
SPARSIGHT_INLINE T absolute(T x) {
  return x < 0 ? -x : x;
}

template <class T>
SPARSIGHT_INLINE T square_root(T x) {
  return sizeof(T) == 4 ? T(__builtin_sqrtf(float(x))) : T(__builtin_sqrt(double(x)));
}

template <class T>
SPARSIGHT_INLINE Vector<T> absolute_vector(Vector<T> v) {
  using Index = typename Lanes<T>::Index;
  constexpr auto sign = static_cast<typename Lanes<T>::Integer>(std::uint64_t(1) << (8 * sizeof(T) - 1));
  return (Vector<T>)((Index)v & ~(Index{} + sign));
}

// The lanes in which a comparison holds, as bits.
template <class T>
SPARSIGHT_INLINE std::uint64_t lanes_that_hold(typename Lanes<T>::Index mask) {
#if defined(__AVX2__) && !defined(__AVX512F__)
  if (sizeof(T) == 4) return static_cast<std::uint64_t>(__builtin_ia32_movmskps256((Vector<float>)mask));
  return static_cast<std::uint64_t>(__builtin_ia32_movmskpd256((Vector<double>)mask));
#else
  typename Lanes<T>::Index bit;
  for (int i = 0; i < Lanes<T>::count; ++i) bit[i] = static_cast<typename Lanes<T>::Integer>(1) << i;
  const typename Lanes<T>::Index bits = mask & bit;
  std::uint64_t all = 0;
  for (int i = 0; i < Lanes<T>::count; ++i) all |= static_cast<std::uint64_t>(bits[i]);
  return all;
#endif
}

// Asks for `n` values that will be read soon.
template <class T>
SPARSIGHT_INLINE void fetch_ahead(const T* values, std::int64_t n) {
  for (std::int64_t i = 0; i < n; i += 64 / std::int64_t(sizeof(T))) __builtin_prefetch(values + i);
}

template <class T>
T dot(const T* a, const T* b, std::int64_t n) {
  constexpr int L = Lanes<T>::count;
  Vector<T> s0 = {}, s1 = {};
  std::int64_t i = 0;
  for (; i + 2 * L <= n; i += 2 * L) {
    s0 += load(a + i) * load(b + i);
    s1 += load(a + i + L) * load(b + i + L);
  }
  T sum = horizontal_sum<T>(s0 + s1);
  for (; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

// y += factor * x
template <class T>
void axpy(T factor, const T* x, T* y, std::int64_t n) {
  constexpr int L = Lanes<T>::count;
  std::int64_t i = 0;
  for (; i + L <= n; i += L) store(y + i, load(y + i) + factor * load(x + i));
  for (; i < n; ++i) y[i] += factor * x[i];
}

template <class T>
SPARSIGHT_INLINE typename Lanes<T>::Index lane_numbers() {
  typename Lanes<T>::Index v = {};
  for (int i = 0; i < Lanes<T>::count; ++i) v[i] = i;
  return v;
}

// Lanes moved down by `step`, cyclically.
template <class T, class V>
SPARSIGHT_INLINE V rotate(V v, int step) {
  constexpr int L = Lanes<T>::count;
#if defined(__clang__)
  V moved = v;
  for (int i = 0; i < L; ++i) moved[i] = v[(i + step) % L];
  return moved;
#else
  return __builtin_shuffle(v, (lane_numbers<T>() + step) % L);
#endif
}

// Hands out aligned pieces of a block of scratch memory; with a null block it only counts.
class Scratch {
 public:
  explicit Scratch(void* block) : base_(static_cast<char*>(block)) {}
  template <class U>
  U* take(std::int64_t n) {
    U* piece = reinterpret_cast<U*>(base_ + used_);
    used_ += (static_cast<std::size_t>(n) * sizeof(U) + 63) / 64 * 64;
    return piece;
  }
  std::size_t used() const { return used_; }
  bool counting() const { return base_ == nullptr; }

 private:
  char* base_;
  std::size_t used_ = 0;
};

}  // namespace
}  // namespace sparsight
