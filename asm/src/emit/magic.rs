//! Factors that divide: the high half of a product with a constant, shifted, instead of a division by a constant.
//!
//! Granlund and Montgomery, "Division by Invariant Integers using Multiplication", 1994, for unsigned numbers (figure
//! 6.2: the shortest factor of all that do); Warren, "Hacker's Delight", 10-1, for signed ones.

/// How to divide an unsigned word n by a constant that is no power of two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unsigned {
    /// (n >> before) * factor >> 64 >> after
    Shift { before: u8, factor: u64, after: u8 },
    /// With t = n * factor >> 64: (t + (n - t >> 1)) >> after
    Add { factor: u64, after: u8 },
}

/// None for a divisor above half of all numbers, whose quotients are 0 and 1.
pub fn unsigned(divisor: u64) -> Option<Unsigned> {
    debug_assert!(!divisor.is_power_of_two() && divisor > 2);
    if divisor > 1 << 63 {
        return None;
    }
    let (factor, after) = shortest(divisor, 64);
    if let Ok(factor) = u64::try_from(factor) {
        return Some(Unsigned::Shift { before: 0, factor, after });
    }
    let before = divisor.trailing_zeros();
    if before > 0 {
        let (factor, after) = shortest(divisor >> before, 64 - before);
        return Some(Unsigned::Shift { before: before as u8, factor: factor as u64, after });
    }
    // Of 65 bits, the highest of which is what is added.
    Some(Unsigned::Add { factor: factor as u64, after: after - 1 })
}

/// The shortest factor and its shift behind 64 for numbers of `bits` bits.
fn shortest(divisor: u64, bits: u32) -> (u128, u8) {
    let mut after = 64 - (divisor - 1).leading_zeros();
    let scaled = |more: u128| ((1u128 << 64 << after) + more) / u128::from(divisor);
    let mut low = scaled(0);
    let mut high = scaled(1 << (64 + after - bits));
    while low / 2 < high / 2 && after > 0 {
        (low, high, after) = (low / 2, high / 2, after - 1);
    }
    (high, after as u8)
}

/// How to divide a signed word n by a constant: q = (n * factor >> 64) + add * n, then q >> shift, plus 1 if that is
/// negative.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signed {
    pub factor: i64,
    pub add: i8,
    pub shift: u8,
}

/// Of a divisor that is neither 0 nor, with either sign, a power of two.
pub fn signed(divisor: i64) -> Signed {
    let magnitude = u128::from(divisor.unsigned_abs());
    debug_assert!(!divisor.unsigned_abs().is_power_of_two() && divisor != 0);
    // The largest number whose remainder is the largest: where the factor must still be good.
    let half = (1u128 << 63) + u128::from(divisor < 0);
    let limit = half - 1 - half % magnitude;
    let mut power = 64;
    loop {
        let scaled = 1u128 << power;
        let missing = magnitude - scaled % magnitude;
        if scaled > limit * missing {
            let factor = ((scaled + missing) / magnitude) as i64;
            let factor = if divisor < 0 { factor.wrapping_neg() } else { factor };
            let add = match (divisor > 0, factor > 0) {
                (true, false) => 1,
                (false, true) => -1,
                _ => 0,
            };
            return Signed { factor, add, shift: (power - 64) as u8 };
        }
        power += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn divide_unsigned(n: u64, by: Unsigned) -> u64 {
        let high = |n: u64, factor: u64| ((u128::from(n) * u128::from(factor)) >> 64) as u64;
        match by {
            Unsigned::Shift { before, factor, after } => high(n >> before, factor) >> after,
            Unsigned::Add { factor, after } => {
                let t = high(n, factor);
                (t + ((n - t) >> 1)) >> after
            }
        }
    }

    fn divide_signed(n: i64, by: Signed) -> i64 {
        let high = ((i128::from(n) * i128::from(by.factor)) >> 64) as i64;
        let q = high.wrapping_add(n.wrapping_mul(i64::from(by.add))) >> by.shift;
        q + i64::from(q < 0)
    }

    fn check(n: u64, divisor: u64) {
        if divisor > 2
            && !divisor.is_power_of_two()
            && let Some(by) = unsigned(divisor)
        {
            assert_eq!(divide_unsigned(n, by), n / divisor, "{n} / {divisor}");
        }
        let (n, divisor) = (n as i64, divisor as i64);
        if divisor != 0 && !divisor.unsigned_abs().is_power_of_two() {
            assert_eq!(divide_signed(n, signed(divisor)), n.wrapping_div(divisor), "{n} / {divisor}");
        }
    }

    #[test]
    fn small_divisors_and_the_numbers_around_their_multiples() {
        for divisor in (0..2000).chain((1..64).flat_map(|shift| (-3..4).map(move |d| (1i64 << shift).wrapping_add(d))))
        {
            for divisor in [divisor as u64, (divisor as u64).wrapping_neg()] {
                for multiple in [0, 1, 2, 1 << 31, 1 << 32, u64::MAX / divisor.max(1), (1 << 63) / divisor.max(1)] {
                    for near in -2..3i64 {
                        check(multiple.wrapping_mul(divisor).wrapping_add(near as u64), divisor);
                    }
                }
                [1 << 63, u64::MAX, u64::MAX >> 1].into_iter().for_each(|n| check(n, divisor));
            }
        }
    }

    proptest! {
        #[test]
        fn any_divisor(n in any::<u64>(), divisor in any::<u64>(), shift in 0u32..64, wide in 0u32..64) {
            check(n >> wide, divisor >> shift);
        }
    }
}
