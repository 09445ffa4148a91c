//! What regions cost, in nanoseconds an operation beside malloc's: `cargo bench -p scaly-runtime`.

use std::hint::black_box;
use std::ptr::NonNull;
use std::time::Instant;

use scaly_runtime::memory::*;

/// The best of five runs, so that a busy machine shows less.
fn time(name: &str, count: u64, mut body: impl FnMut(u64)) {
    let mut best = f64::MAX;
    for _ in 0..5 {
        let begun = Instant::now();
        body(count);
        best = best.min(begun.elapsed().as_nanos() as f64 / count as f64);
    }
    println!("{name:<52} {best:>10.2} ns");
}

fn main() {
    let source = PageSource::new(MemoryOptions::default());
    let mut pool = Box::new(PagePool::new(&source));
    // SAFETY: the pool outlives the stack; blocks are not used after they are gone.
    unsafe {
        let mut stack = RegionStack::new(NonNull::new_unchecked(&raw mut *pool));
        let region = stack.enter().unwrap().as_ptr();

        time("enter, exit: nothing allocated", 10_000_000, |n| {
            for _ in 0..n {
                let inner = black_box(stack.enter().unwrap());
                stack.exit_to(inner);
            }
        });
        time("enter, one block, exit", 5_000_000, |n| {
            for _ in 0..n {
                let inner = stack.enter().unwrap();
                black_box(alloc(inner.as_ptr(), 40).unwrap());
                stack.exit_to(inner);
            }
        });
        time("enter, blocks of 4 KB together, exit", 1_000_000, |n| {
            for _ in 0..n {
                let inner = stack.enter().unwrap();
                for _ in 0..20 {
                    black_box(alloc(inner.as_ptr(), 200).unwrap());
                }
                stack.exit_to(inner);
            }
        });
        let body = stack.enter().unwrap().as_ptr();
        time("loop body: reset, nothing allocated", 10_000_000, |n| {
            for _ in 0..n {
                reset(black_box(body));
            }
        });
        time("loop body: one block, reset", 10_000_000, |n| {
            for i in 0..n {
                black_box(alloc(body, i & 63).unwrap());
                reset(body);
            }
        });
        time("bump, a block (100 to a reset)", 10_000_000, |n| {
            for i in 0..n {
                black_box(alloc(body, 40).unwrap());
                if i % 100 == 0 {
                    reset(body);
                }
            }
        });
        time("newest block freed, a pair", 10_000_000, |n| {
            for _ in 0..n {
                let block = black_box(alloc(region, 40).unwrap());
                free(region, block.as_ptr());
            }
        });
        time("overwrite: build, free the old, 1..1000 bytes", 10_000_000, |n| {
            let (mut old, mut random) = (std::ptr::null_mut(), 1u64);
            for _ in 0..n {
                random = random.wrapping_mul(6364136223846793005).wrapping_add(1);
                let fresh = black_box(alloc(region, 1 + (random >> 33) % 1000).unwrap()).as_ptr();
                free(region, old);
                old = fresh;
            }
            free(region, old);
        });
        time("  the same with malloc", 10_000_000, |n| {
            let (mut old, mut random) = (std::ptr::null_mut(), 1u64);
            for _ in 0..n {
                random = random.wrapping_mul(6364136223846793005).wrapping_add(1);
                let fresh = black_box(libc::malloc(1 + ((random >> 33) % 1000) as usize));
                libc::free(old);
                old = fresh;
            }
            libc::free(old);
        });
        for bytes in [40_000u64, 200_000, 1_000_000, 8_000_000] {
            time(&format!("array of {bytes} zeros, each byte touched, freed"), 40_000_000 / bytes, |n| {
                for _ in 0..n {
                    let block = alloc_zeroed(region, bytes).unwrap();
                    touch(block.as_ptr(), bytes as usize);
                    free(region, block.as_ptr());
                }
            });
            time("  the same with calloc", 40_000_000 / bytes, |n| {
                for _ in 0..n {
                    let block = libc::calloc(1, bytes as usize);
                    touch(block.cast(), bytes as usize);
                    libc::free(block);
                }
            });
        }
        let pool_address = &raw mut *pool;
        for megabytes in [1u64, 2, 3, 4, 8, 160] {
            time(&format!("fresh array of {megabytes} MiB, touched"), 160 / megabytes, |n| {
                for _ in 0..n {
                    let block = alloc_zeroed(region, megabytes << 20).unwrap();
                    touch(block.as_ptr(), (megabytes as usize) << 20);
                    free(region, block.as_ptr());
                    (*pool_address).trim();
                }
            });
        }
        for count in [1_000u64, 1_000_000, 20_000_000] {
            time(&format!("push of 8 bytes, {count} in all"), count.max(100_000), |n| {
                for _ in 0..n / count {
                    push(body, count);
                    reset(body);
                }
            });
            time("  the same with Vec", count.max(100_000), |n| {
                for _ in 0..n / count {
                    let mut vector = Vec::new();
                    for i in 0..count {
                        vector.push(black_box(i));
                    }
                    black_box(&vector);
                }
            });
        }
        time("deep recursion: enter, one block", 1_000_000, |n| {
            let first = stack.enter().unwrap();
            for _ in 0..n {
                let inner = stack.enter().unwrap();
                black_box(alloc(inner.as_ptr(), 40).unwrap());
            }
            stack.exit_to(first);
        });
    }
    println!("held: {} KiB, peak {} KiB", source.held() >> 10, source.peak() >> 10);
}

fn touch(base: *mut u8, bytes: usize) {
    // SAFETY: the caller's block.
    for byte in unsafe { std::slice::from_raw_parts_mut(base, bytes) } {
        *byte = byte.wrapping_add(1);
    }
    black_box(base);
}

unsafe fn push(region: *mut Region, count: u64) {
    let mut base = std::ptr::null_mut::<u8>();
    for i in 0..count {
        // SAFETY: written within the capacity.
        unsafe {
            if capacity(base) < 8 * (i + 1) {
                base = grow(region, base, 8 * i, 8 * i + 8).unwrap().as_ptr();
            }
            base.cast::<u64>().add(i as usize).write(black_box(i));
        }
    }
}
