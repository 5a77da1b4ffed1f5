// Tiles of patches shared out to threads; Ctrl-C is noticed while they run.
#pragma once

#include <nanobind/nanobind.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace sparsight {

// Memory of one worker, aligned to a cache line. What a task does not touch is never given by the system.
class ScratchMemory {
 public:
  explicit ScratchMemory(std::size_t bytes) : block_(new char[bytes + 64]) {}
  void* get() {
    const auto address = reinterpret_cast<std::uintptr_t>(block_.get());
    return block_.get() + (64 - address % 64) % 64;
  }

 private:
  std::unique_ptr<char[]> block_;
};

// Calls work(task, scratch) for every task in [0, n_tasks), in any order. To be called with the GIL held;
// it is released while the tasks run. The calling thread takes its share.
template <class Work>
void for_each_task(std::int64_t n_tasks, int n_threads, std::size_t scratch_bytes, const Work& work) {
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> stop{false};
  std::exception_ptr failure;
  std::mutex failure_lock;
  bool interrupted = false;

  const auto run = [&](const std::function<void()>& after_task) {
    try {
      ScratchMemory scratch(scratch_bytes);
      for (std::int64_t task = next++; task < n_tasks && !stop; task = next++) {
        work(task, scratch.get());
        after_task();
      }
    } catch (...) {
      stop = true;
      const std::lock_guard<std::mutex> hold(failure_lock);
      failure = std::current_exception();
    }
  };

  PyThreadState* state = PyEval_SaveThread();
  std::vector<std::thread> helpers;
  try {
    for (std::int64_t t = 1; t < n_threads && t < n_tasks; ++t) helpers.emplace_back(run, [] {});
  } catch (const std::exception&) {
    // The system gives no more threads: those that run do all the work.
  }
  auto last_check = std::chrono::steady_clock::now();
  run([&] {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_check < std::chrono::milliseconds(100)) return;
    last_check = now;
    PyEval_RestoreThread(state);
    if (PyErr_CheckSignals() != 0) {
      interrupted = true;
      stop = true;
    }
    state = PyEval_SaveThread();
  });
  for (std::thread& helper : helpers) helper.join();
  PyEval_RestoreThread(state);
  if (interrupted) throw nanobind::python_error();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace sparsight
