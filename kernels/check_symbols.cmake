# Fails when a variant of the kernels defines a weak symbol: the linker would merge it across variants, and a
# processor could then be given code for an instruction set it does not have.
execute_process(COMMAND "${NM}" ${OBJECTS} OUTPUT_VARIABLE symbols RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${NM} could not read the kernels' object files")
endif()
string(REGEX MATCHALL "[^\n]* [WVu] [^\n]*" shared "${symbols}")
if(shared)
  list(JOIN shared "\n" shared)
  message(FATAL_ERROR "kernels define symbols that the linker would merge across instruction sets:\n${shared}")
endif()
