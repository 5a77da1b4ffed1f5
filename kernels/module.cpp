// The extension module: what processors can run, and the bindings of each family of kernels.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "instruction_set.hpp"

namespace nb = nanobind;

namespace sparsight {

// Each in the file <name>_bindings.cpp.
void bind_pursuit(nb::module_& m);
void bind_convex(nb::module_& m);
void bind_ksvd(nb::module_& m);
void bind_online(nb::module_& m);
void bind_statistics(nb::module_& m);
void bind_pooling(nb::module_& m);
void bind_products(nb::module_& m);
void bind_anchored(nb::module_& m, const char* instruction_set);
void bind_restoration(nb::module_& m, const char* instruction_set);

}  // namespace sparsight

NB_MODULE(_kernels, m) {
  using namespace sparsight;
  m.doc() = "Compiled loops of sparsight.";
  m.def("instruction_set", [] { return kernels().name; }, "Name of the instruction set in use.");
  m.def("available_instruction_sets", &available_instruction_sets,
        "Instruction sets this processor can run, best last.");
  bind_pursuit(m);
  bind_convex(m);
  bind_ksvd(m);
  bind_online(m);
  bind_statistics(m);
  bind_pooling(m);
  bind_products(m);
  bind_anchored(m, kernels().name);
  bind_restoration(m, kernels().name);
}
