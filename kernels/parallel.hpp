// Tiles of patches shared out to threads; Ctrl-C is noticed while they run.
#pragma once

#include <nanobind/nanobind.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

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

// Releases the GIL while it lives.
class WithoutGil {
 public:
  WithoutGil() : state_(PyEval_SaveThread()), last_look_(std::chrono::steady_clock::now()) {}
  WithoutGil(const WithoutGil&) = delete;
  ~WithoutGil() { PyEval_RestoreThread(state_); }

  // Whether Ctrl-C was pressed, looked up every tenth of a second; then a Python exception is pending. Only for the
  // thread that released the GIL.
  bool interrupted() {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_look_ < std::chrono::milliseconds(100)) return false;
    last_look_ = now;
    PyEval_RestoreThread(state_);
    const bool pressed = PyErr_CheckSignals() != 0;
    state_ = PyEval_SaveThread();
    return pressed;
  }

 private:
  PyThreadState* state_;
  std::chrono::steady_clock::time_point last_look_;
};

// The way to work that several threads do. Where other programs hold the processors, a helper may get its turn only
// when all is done: it then finds the way closed, and nobody had to wait for it.
class Entrance {
 public:
  // Whether there still is work; if so, the helper has to leave() after it.
  bool enter() {
    const std::lock_guard<std::mutex> hold(lock_);
    if (!closed_) ++n_inside_;
    return !closed_;
  }
  void leave() {
    const std::lock_guard<std::mutex> hold(lock_);
    if (--n_inside_ == 0) empty_.notify_all();
  }
  // Lets nobody in any more, and returns when all have left.
  void close() {
    std::unique_lock<std::mutex> hold(lock_);
    closed_ = true;
    empty_.wait(hold, [&] { return n_inside_ == 0; });
  }

 private:
  std::mutex lock_;
  std::condition_variable empty_;
  int n_inside_ = 0;
  bool closed_ = false;
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

  // All of it by this thread: what a new one allocates is new memory, which the system has to clear first.
  const std::int64_t n_workers = std::max<std::int64_t>(1, std::min<std::int64_t>(n_threads, n_tasks));
  scratch_bytes = (scratch_bytes + 63) / 64 * 64;
  ScratchMemory scratch(scratch_bytes * std::size_t(n_workers));
  const auto run = [&](std::int64_t worker, const std::function<void()>& after_task) {
    try {
      char* const own = static_cast<char*>(scratch.get()) + scratch_bytes * std::size_t(worker);
      for (std::int64_t task = next++; task < n_tasks && !stop; task = next++) {
        work(task, static_cast<void*>(own));
        after_task();
      }
    } catch (...) {
      stop = true;
      const std::lock_guard<std::mutex> hold(failure_lock);
      failure = std::current_exception();
    }
  };

  {
    WithoutGil released;
    const auto entrance = std::make_shared<Entrance>();
    try {
      for (std::int64_t t = 1; t < n_workers; ++t)
        std::thread([entrance, &run, t] {
          if (!entrance->enter()) return;
          run(t, [] {});
          entrance->leave();
        }).detach();
    } catch (const std::exception&) {
      // The system gives no more threads: those that run do all the work.
    }
    run(0, [&] {
      if (released.interrupted()) interrupted = stop = true;
    });
    entrance->close();
  }
  if (interrupted) throw nanobind::python_error();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace sparsight
