// Which atom comes next: the one with the largest score, found while the scores are formed.
//
// A score is |a| (atoms of unit norm), or a² / w where the atoms' norms w differ. Two fractions are compared
// by cross-multiplication: a division for every atom would cost more than the rest of the pass.
#pragma once

#include "simd.hpp"

namespace sparsight {
namespace {

// An atom whose part outside the span of those chosen (or inside the observed pixels) is below this squared
// norm (of 1) has nothing to add but rounding error.
template <class T>
constexpr T dependent = 64 * epsilon<T>;

// Best atom of every lane so far. The lowest atom wins a tie; NaN never wins.
template <class T, bool divided>
struct Candidates {
  using Index = typename Lanes<T>::Index;
  Vector<T> score = {};
  Vector<T> norm = Vector<T>{} + T(1);
  Index atom = {};

  SPARSIGHT_INLINE static Candidates of(Vector<T> correlation, Vector<T> outside, Index atom) {
    if (!divided) return {absolute_vector<T>(correlation), outside, atom};
    const Index usable = outside > dependent<T>;
    return {usable ? correlation * correlation : Vector<T>{}, usable ? outside : Vector<T>{} + T(1), atom};
  }

  SPARSIGHT_INLINE Index exceeds(const Candidates& other) const {
    return divided ? score * other.norm > other.score * norm : score > other.score;
  }
  SPARSIGHT_INLINE Index equals(const Candidates& other) const {
    return divided ? score * other.norm == other.score * norm : score == other.score;
  }

  SPARSIGHT_INLINE void replace(Index where, const Candidates& other) {
    score = where ? other.score : score;
    if (divided) norm = where ? other.norm : norm;
    atom = where ? other.atom : atom;
  }

  // Takes the other's candidates where they are better; the other's atoms come later.
  SPARSIGHT_INLINE void challenge(const Candidates& later) { replace(later.exceeds(*this), later); }

  // The best of all lanes, or -1 where no score is above zero.
  SPARSIGHT_INLINE std::int64_t best() const {
    Candidates all = *this;
#pragma GCC unroll 4
    for (int step = Lanes<T>::count / 2; step > 0; step /= 2) {
      Candidates other;
      other.score = rotate<T>(all.score, step);
      other.norm = divided ? rotate<T>(all.norm, step) : all.norm;
      other.atom = rotate<T>(all.atom, step);
      all.replace(other.exceeds(all) | (other.equals(all) & (other.atom < all.atom)), other);
    }
    return all.score[0] > 0 ? all.atom[0] : -1;
  }
};

// The best of four neighbouring vectors of atoms, the first of which is atom number `first`.
template <class T, bool divided>
SPARSIGHT_INLINE Candidates<T, divided> best_of_four(const Vector<T>* correlation, const Vector<T>* outside,
                                                     std::int64_t first) {
  using Best = Candidates<T, divided>;
  constexpr int L = Lanes<T>::count;
  const auto lane = lane_numbers<T>();
  Best left = Best::of(correlation[0], outside[0], lane), right = Best::of(correlation[2], outside[2], lane + 2 * L);
  left.challenge(Best::of(correlation[1], outside[1], lane + L));
  right.challenge(Best::of(correlation[3], outside[3], lane + 3 * L));
  left.challenge(right);
  left.atom += static_cast<typename Lanes<T>::Integer>(first);
  return left;
}

template <class T, bool divided>
std::int64_t choose_first(const T* correlation, const T* outside, std::int64_t padded_atoms) {
  constexpr int L = Lanes<T>::count;
  Candidates<T, divided> best;
  for (std::int64_t i = 0; i < padded_atoms; i += 4 * L) {
    Vector<T> a[4], w[4] = {};
#pragma GCC unroll 4
    for (int u = 0; u < 4; ++u) {
      a[u] = load(correlation + i + u * L);
      if (divided) w[u] = load(outside + i + u * L);
    }
    best.challenge(best_of_four<T, divided>(a, w, i));
  }
  return best.best();
}

}  // namespace
}  // namespace sparsight
