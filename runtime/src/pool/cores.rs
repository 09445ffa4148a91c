//! How many threads are worth having: the processors that this process may use, and its control groups' share of them.

use std::fs;
use std::path::{Path, PathBuf};

/// The processors that this thread may run on, by their numbers; empty if the system doesn't say.
pub(super) fn affinity() -> Vec<usize> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        const BITS: usize = u64::BITS as usize;
        // The kernel refuses a mask that is shorter than its own, whose length nobody tells.
        for words in [16, 64, 256] {
            let mut mask = vec![0_u64; words];
            // SAFETY: the mask is as many bytes long as said; the kernel fills in part of it.
            let failed = unsafe { libc::sched_getaffinity(0, size_of_val(&mask[..]), mask.as_mut_ptr().cast()) } != 0;
            if !failed {
                return (0..words * BITS).filter(|&cpu| mask[cpu / BITS] >> (cpu % BITS) & 1 == 1).collect();
            }
        }
    }
    Vec::new()
}

/// What one group allows.
type Read = fn(&Path) -> Option<f64>;

/// Processors' worth of time that the control groups allow; `None` without a limit. `root` is `/`, or a test's.
pub(super) fn quota(root: &Path) -> Option<f64> {
    let own = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let mounts = root.join("sys/fs/cgroup");
    // hierarchy:controllers:path, where version 2 has hierarchy 0 and names no controllers.
    let groups = own.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        Some((controllers, path.trim_start_matches('/')))
    });
    let quotas = groups.flat_map(|(controllers, path)| {
        let (places, read): (Vec<PathBuf>, Read) = if controllers.is_empty() {
            (vec![mounts.clone(), mounts.join("unified")], quota_v2)
        } else if controllers.split(',').any(|name| name == "cpu") {
            (vec![mounts.join(controllers), mounts.join("cpu")], quota_v1)
        } else {
            (Vec::new(), quota_v2)
        };
        // A group is bound by those above it as well. In a container its path may be one of the host's, and only the
        // top is there.
        let least =
            |mount: PathBuf| Path::new(path).ancestors().filter_map(|at| read(&mount.join(at))).reduce(f64::min);
        places.into_iter().filter_map(least).collect::<Vec<_>>()
    });
    quotas.reduce(f64::min)
}

/// `cpu.max`: microseconds or "max", and the period.
fn quota_v2(group: &Path) -> Option<f64> {
    let text = fs::read_to_string(group.join("cpu.max")).ok()?;
    let mut fields = text.split_whitespace();
    ratio(fields.next()?, fields.next()?)
}

/// Two files; the quota is -1 without a limit.
fn quota_v1(group: &Path) -> Option<f64> {
    let read = |name: &str| fs::read_to_string(group.join(name)).ok();
    ratio(read("cpu.cfs_quota_us")?.trim(), read("cpu.cfs_period_us")?.trim())
}

fn ratio(quota: &str, period: &str) -> Option<f64> {
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

/// A part of a processor counts as one: with fewer threads than the quota it would not be used up.
pub(super) fn usable(affinity: &[usize], root: &Path) -> usize {
    let processors = match affinity.len() {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        some => some,
    };
    quota(root).map_or(processors, |quota| processors.min(quota.ceil() as usize)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root that has these files.
    struct Root(PathBuf);

    impl Root {
        fn new(name: &str, files: &[(&str, &str)]) -> Root {
            let root = std::env::temp_dir().join(format!("scaly-cores-{}-{name}", std::process::id()));
            for (path, text) in files {
                let path = root.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Root(root)
        }
    }

    impl Drop for Root {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn quota_of(name: &str, files: &[(&str, &str)]) -> Option<f64> {
        quota(&Root::new(name, files).0)
    }

    #[test]
    fn the_groups_above_bind_too() {
        let files = [
            ("proc/self/cgroup", "0::/a/b\n"),
            ("sys/fs/cgroup/a/b/cpu.max", "max 100000\n"),
            ("sys/fs/cgroup/a/cpu.max", "150000 100000\n"),
        ];
        assert_eq!(quota_of("v2", &files), Some(1.5));
    }

    #[test]
    fn a_container_sees_only_the_top() {
        let files = [("proc/self/cgroup", "0::/docker/1234\n"), ("sys/fs/cgroup/cpu.max", "300000 100000\n")];
        assert_eq!(quota_of("top", &files), Some(3.0));
    }

    #[test]
    fn version_1_under_either_name() {
        for (name, mount) in [("both", "cpu,cpuacct"), ("one", "cpu")] {
            let files = [
                ("proc/self/cgroup", "4:memory:/x\n3:cpu,cpuacct:/job\n0::/\n"),
                (&*format!("sys/fs/cgroup/{mount}/job/cpu.cfs_quota_us"), "50000\n"),
                (&*format!("sys/fs/cgroup/{mount}/job/cpu.cfs_period_us"), "100000\n"),
                (&*format!("sys/fs/cgroup/{mount}/cpu.cfs_quota_us"), "-1\n"),
                (&*format!("sys/fs/cgroup/{mount}/cpu.cfs_period_us"), "100000\n"),
            ];
            assert_eq!(quota_of(name, &files), Some(0.5), "{mount}");
        }
    }

    #[test]
    fn nonsense_is_no_limit() {
        assert_eq!(quota_of("none", &[]), None);
        let files = [("proc/self/cgroup", "0::\nrubbish\n"), ("sys/fs/cgroup/cpu.max", "-1 0")];
        assert_eq!(quota_of("rubbish", &files), None);
    }

    #[test]
    fn a_part_of_a_processor_is_one() {
        let root = |max: &str| Root::new("part", &[("proc/self/cgroup", "0::/"), ("sys/fs/cgroup/cpu.max", max)]);
        assert_eq!(usable(&[0, 1, 5, 7], &root("250000 100000").0), 3);
        assert_eq!(usable(&[0, 1, 5, 7], &root("900000 100000").0), 4);
        assert_eq!(usable(&[0, 1, 5, 7], &root("1000 100000").0), 1);
        assert_eq!(usable(&[0, 1, 5, 7], Path::new("/nowhere")), 4);
    }

    #[test]
    fn this_thread_may_run_somewhere() {
        let here = affinity();
        assert!(cfg!(not(target_os = "linux")) || !here.is_empty());
    }
}
