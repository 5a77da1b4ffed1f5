// Dictionary learning from mini-batches of patches: each is coded over the present dictionary and added to the sums A and
// B (statistics.hpp), from which one sweep of descent moves the atoms. A team of threads does all of it in step.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "atom_descent.hpp"
#include "prepared_dictionary.hpp"
#include "tile_plan.hpp"

namespace sparsight {

template <class T>
struct OnlineProblem {
  std::int64_t n_features;
  std::int64_t n_atoms;
  const T* patches;             // all of them
  const std::uint8_t* missing;  // of the same shape, or null: 1 = not observed
  const std::int64_t* rows;     // the patches to learn from, in turn
  std::int64_t n_rows;
  std::int64_t batch_size;
  std::int64_t n_before;  // patches that the sums hold
  double forgetting;
  bool move;              // false: the atoms stay, and the sums do not fade
  double* code_products;  // A, updated
  double* patch_products;  // B, updated
  T* dictionary;          // (n_atoms, n_features), updated
  std::int64_t* usage;    // (n_atoms) codes that use an atom, added to
  T* residual_norm;       // (n_rows), in the order of `rows`, as are the next two
  T* l1_norm;
  T* optimality;  // null: the coder has none
};

template <class T, class Coder>
class OnlineLearning {
 public:
  OnlineLearning(const OnlineProblem<T>& problem, Coder& coder, int n_members)
      : p_(problem),
        coder_(coder),
        most_(std::min(problem.batch_size, problem.n_rows)),
        sinks_(problem.missing ? larger(coder.tile_size(false), coder.tile_size(true)) : coder.tile_size(false),
               coder.most_nonzeros()),
        scratch_(sinks_.scratch_bytes() * std::size_t(n_members)),
        descent_(problem.n_atoms, problem.n_features, n_members),
        completed_(problem.missing ? most_ * problem.n_features : 0),
        n_nonzero_(most_),
        indptr_(most_ + 1) {
    for (std::int64_t first = 0; first < p_.n_rows; first += p_.batch_size)
      plans_.emplace_back(
          std::min(p_.batch_size, p_.n_rows - first),
          [&](std::size_t i) {
            const std::int64_t at = p_.rows[first + std::int64_t(i)] * p_.n_features;
            return p_.missing != nullptr && any_missing(p_.missing + at, p_.n_features);
          },
          [&](bool masked) { return coder_.tile_size(masked); });
    std::size_t most_tiles = 0;
    for (const TilePlan& plan : plans_) most_tiles = std::max(most_tiles, plan.n_tiles());
    codes_.resize(most_tiles);
  }

  // What each member does.
  void run(Member& member) {
    bool fresh_atoms = true;
    for (std::size_t batch = 0; batch < plans_.size(); ++batch) {
      if (fresh_atoms) {
        if (member.number() == 0) coder_.assign(p_.dictionary);
        member.meet();
        share(next_panel_, coder_.n_gram_panels(), [&](std::int64_t panel) { coder_.fill_gram_panel(panel); });
        member.meet();
      }
      code(batch, member);
      member.meet();
      if (member.number() == 0) member.attempt([&] { gather(batch, member); });
      if (!member.meet_and_go_on()) return;
      add(batch, member);
      member.meet();
      if (p_.move && !move(member)) return;
      fresh_atoms = p_.move;
    }
  }

 private:
  std::int64_t first_of(std::size_t batch) const { return std::int64_t(batch) * p_.batch_size; }
  std::int64_t size_of(std::size_t batch) const { return std::min(p_.batch_size, p_.n_rows - first_of(batch)); }

  // Who is first to come does the next task.
  template <class Work>
  static void share(std::atomic<std::int64_t>& next, std::int64_t n_tasks, const Work& work) {
    for (std::int64_t task = next++; task < n_tasks; task = next++) work(task);
  }

  void code(std::size_t batch, Member& member) {
    const TilePlan& plan = plans_[batch];
    const std::int64_t first = first_of(batch);
    Output<T> output{};
    output.residual_norm = p_.residual_norm + first;
    output.l1_norm = p_.l1_norm + first;
    output.n_nonzero = n_nonzero_.data();
    output.optimality = p_.optimality == nullptr ? nullptr : p_.optimality + first;
    char* const scratch = static_cast<char*>(scratch_.get()) + sinks_.scratch_bytes() * std::size_t(member.number());
    share(next_tile_, std::int64_t(plan.n_tiles()), [&](std::int64_t t) {
      if (member.interrupted()) return;
      SparseSink<T> sink = sinks_.sink(scratch);
      coder_.code(plan.tile(t, p_.patches, p_.missing, p_.rows + first), output, &sink, scratch);
      member.attempt([&] { codes_[t].take(sink); });
    });
  }

  // Puts the codes of all tiles together; for the calling thread.
  void gather(std::size_t batch, const Member& member) {
    if (member.in_vain()) return;
    const std::int64_t n = size_of(batch);
    starts_of_codes(n_nonzero_.data(), n, indptr_.data());
    const std::size_t n_codes = std::size_t(indptr_[n]);
    indices_.resize(n_codes);
    values_.resize(n_codes);
    for (std::size_t t = 0; t < plans_[batch].n_tiles(); ++t)
      place_codes(plans_[batch], t, codes_[t], indptr_.data(), indices_.data(), values_.data());
    for (std::size_t e = 0; e < n_codes; ++e) ++p_.usage[indices_[e]];
    if (p_.move) descent_.load(p_.dictionary);
    next_panel_ = next_tile_ = 0;
  }

  // What the sums so far count for once this mini-batch is added: they belong to codes over older dictionaries.
  double fading(std::size_t batch) const {
    const double n = double(size_of(batch)), total = double(p_.n_before + first_of(batch)) + n;
    const double horizon = std::max(total, p_.forgetting * double(p_.n_atoms));
    return p_.move && p_.forgetting > 0 ? std::pow(1 - std::min(1.0, n / horizon), p_.forgetting) : 1.0;
  }

  void add(std::size_t batch, Member& member) {
    const Kernels<T>& k = kernels_for<T>();
    const bool incomplete = p_.missing != nullptr;
    const Statistics<T> statistics = {p_.n_features,
                                      p_.n_atoms,
                                      p_.patches,
                                      p_.missing,
                                      p_.rows + first_of(batch),
                                      p_.dictionary,
                                      incomplete ? completed_.data() : nullptr,
                                      indptr_.data(),
                                      indices_.data(),
                                      values_.data(),
                                      p_.code_products,
                                      p_.patch_products};
    if (incomplete) {
      const std::int64_t n = size_of(batch);
      for (std::int64_t i = member.first_of(n); i < member.last_of(n); ++i) k.complete_patch(statistics, i);
      member.meet();
    }
    k.add_patches(statistics, size_of(batch), fading(batch), member.number(), member.n_members());
  }

  // One sweep of descent, which keeps norms at most 1; atoms that end shorter are scaled up, which only lets codes
  // shrink. False where the member is to return.
  bool move(Member& member) {
    if (!descent_.sweep(member, p_.code_products, p_.patch_products)) return false;
    if (member.number() != 0) return true;
    descent_.store(p_.dictionary);
    for (std::int64_t j = 0; j < p_.n_atoms; ++j) {
      T* const atom = p_.dictionary + j * p_.n_features;
      const double energy = squared_norm(atom, std::size_t(p_.n_features));
      const T scale = energy > 0 ? T(1 / std::sqrt(energy)) : T(1);
      for (std::int64_t p = 0; p < p_.n_features; ++p) atom[p] *= scale;
    }
    return true;
  }

  const OnlineProblem<T> p_;
  Coder& coder_;
  const std::int64_t most_;  // patches of a mini-batch
  const TileSinks<T> sinks_;
  ScratchMemory scratch_;
  AtomDescent<T> descent_;
  std::vector<TilePlan> plans_;  // of each mini-batch
  // Codes of the mini-batch.
  std::vector<T> completed_;  // where values are missing
  std::vector<TileCodes<T>> codes_;
  std::vector<std::int32_t> n_nonzero_;
  std::vector<std::int64_t> indptr_;
  std::vector<std::int32_t> indices_;
  std::vector<T> values_;
  std::atomic<std::int64_t> next_panel_{0}, next_tile_{0};
};

}  // namespace sparsight
