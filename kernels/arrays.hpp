// NumPy arrays in and out of the kernels.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <new>
#include <optional>
#include <vector>

namespace sparsight {

namespace nb = nanobind;

template <class T>
using Matrix = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using Line = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Mask = std::optional<Matrix<bool>>;
using Sums = nb::ndarray<double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;  // to be changed in place

// A mask as the kernels want it: 1 = not observed, null where nothing is missing.
inline const std::uint8_t* bytes_of(const Mask& missing) {
  return missing ? reinterpret_cast<const std::uint8_t*>(missing->data()) : nullptr;
}

// An array that the kernels fill and Python then owns.
template <class T>
class NewArray {
 public:
  NewArray() = default;
  NewArray(std::initializer_list<std::size_t> shape, bool zeroed) : shape_(shape) {
    std::size_t size = 1;
    for (const std::size_t extent : shape) size *= extent;
    memory_.reset(static_cast<T*>(zeroed ? std::calloc(size + 1, sizeof(T)) : std::malloc((size + 1) * sizeof(T))));
    if (!memory_) throw std::bad_alloc();
  }
  T* data() { return memory_.get(); }
  nb::object release() {
    if (!memory_) return nb::none();
    T* data = memory_.release();
    const nb::capsule owner(data, [](void* p) noexcept { std::free(p); });
    return nb::cast(nb::ndarray<nb::numpy, T>(data, shape_.size(), shape_.data(), owner));
  }

 private:
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  std::vector<std::size_t> shape_;
  std::unique_ptr<T, Free> memory_;
};

}  // namespace sparsight
