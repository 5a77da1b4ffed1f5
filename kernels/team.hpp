// Threads that work on the same thing in step, for work whose steps are too short to start threads for each.
//
// Where other programs hold the processors, a team waits for those of its members that do not get their turn, and is
// slower than one thread. It is then dismissed, and the calling thread does the rest alone.
#pragma once

#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "parallel.hpp"

namespace sparsight {

// One of the threads that run_team starts.
class Member {
 public:
  struct Shared {
    std::atomic<int> n_members{0};  // 0: the team is not yet complete
    std::atomic<int> n_waiting{0};
    std::atomic<unsigned> meetings{0};
    std::atomic<bool> stop{false};
    std::atomic<bool> dismissed{false};
    std::atomic<bool> failed{false};
    std::exception_ptr failure;
    std::mutex failure_lock;
  };

  Member(Shared& shared, int number, WithoutGil* released) : shared_(shared), number_(number), released_(released) {
    wait_until([&] { return shared.n_members.load(std::memory_order_acquire) > 0; });
    n_members_ = shared.n_members;
    start_ = Clock::now();
  }

  int number() const { return number_; }  // 0: on the calling thread
  int n_members() const { return n_members_; }

  // This member's part of `n` things: from the first to before the second.
  std::int64_t first_of(std::int64_t n) const { return n * number_ / n_members_; }
  std::int64_t last_of(std::int64_t n) const { return n * (number_ + 1) / n_members_; }

  // Does what may throw; where it does, no member goes on from the next meeting of those that may end the work.
  template <class Work>
  void attempt(const Work& work) {
    try {
      work();
    } catch (...) {
      const std::lock_guard<std::mutex> hold(shared_.failure_lock);
      shared_.failure = std::current_exception();
      shared_.failed = true;
    }
  }

  // Whether Ctrl-C was pressed: known to the calling thread alone until the next meeting that may end the work.
  bool interrupted() {
    if (number_ == 0 && !interrupted_) interrupted_ = released_->interrupted();
    return interrupted_;
  }

  // Whether the work will end at the next meeting that may end it, as far as the calling thread knows.
  bool in_vain() const { return interrupted_ || shared_.failed; }

  // Returns when all members have called it.
  void meet() {
    const unsigned meeting = shared_.meetings.load(std::memory_order_acquire);
    if (shared_.n_waiting.fetch_add(1, std::memory_order_acq_rel) + 1 == n_members_) {
      shared_.n_waiting.store(0, std::memory_order_relaxed);
      shared_.meetings.store(meeting + 1, std::memory_order_release);
    } else {
      wait_until([&] { return shared_.meetings.load(std::memory_order_acquire) != meeting; });
    }
  }

  // The same; false where the member is to return: if Ctrl-C was pressed, if something failed before the meeting
  // before this one, or if the others are dismissed. There must be a plain meeting between two of these.
  bool meet_and_go_on() {
    if (number_ == 0) {
      shared_.stop = interrupted() || shared_.failed;
      const bool held_up = waited_ > std::chrono::milliseconds(1) && 4 * waited_ > Clock::now() - start_;
      if (held_up) shared_.dismissed = true;  // for good: some may read it late
    }
    meet();
    if (shared_.stop) return false;
    if (shared_.dismissed && number_ == 0) n_members_ = 1;
    return number_ == 0 || !shared_.dismissed;
  }

 private:
  using Clock = std::chrono::steady_clock;

  // The others mostly are microseconds behind.
  template <class Condition>
  void wait_until(const Condition& condition) {
    for (int looks = 0; looks < 4000; ++looks)
      if (condition()) return;
    const auto start = Clock::now();
    while (!condition()) std::this_thread::yield();
    waited_ += Clock::now() - start;
  }

  Shared& shared_;
  int number_, n_members_ = 0;
  WithoutGil* released_;  // of the calling thread, else null
  bool interrupted_ = false;
  Clock::time_point start_;
  Clock::duration waited_{0};
};

// Calls work(member) on up to n_threads threads, the calling one among them, at the same time. To be called with the
// GIL held; it is released meanwhile. `work` must not throw.
template <class Work>
void run_team(int n_threads, const Work& work) {
  Member::Shared shared;
  {
    WithoutGil released;
    std::vector<std::thread> helpers;
    try {
      for (int t = 1; t < n_threads; ++t)
        helpers.emplace_back([&shared, &work, t] {
          Member member(shared, t, nullptr);
          work(member);
        });
    } catch (const std::exception&) {
      // The system gives no more threads: the team is smaller.
    }
    shared.n_members.store(int(helpers.size()) + 1, std::memory_order_release);
    Member member(shared, 0, &released);
    work(member);
    for (std::thread& helper : helpers) helper.join();
  }
  if (shared.failure) std::rethrow_exception(shared.failure);
  if (shared.stop) throw nanobind::python_error();
}

}  // namespace sparsight
