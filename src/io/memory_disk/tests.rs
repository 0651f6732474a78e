//! A disk in memory, beside the real one.

use super::content::LEAST_BYTES;
use super::*;
use crate::io::real_disk::RealDisk;
use crate::io::settable_clock::SettableClock;
use crate::stdx::random::Random;
use std::time::Duration;

const LIMIT: u64 = 1 << 20;
const FAVOURED: &str = "m";

fn disk_of(limit_bytes: u64) -> MemoryDisk {
    MemoryDisk::new(limit_bytes, FAVOURED, Environment::of_the_machine())
}

fn disk() -> MemoryDisk {
    let disk = disk_of(LIMIT);
    disk.create_directories(Path::new("/d/m")).unwrap();
    disk
}

fn used(disk: &MemoryDisk) -> u64 {
    disk.budget.used_bytes.load(Ordering::Relaxed)
}

/// What an operation answers, and what is there then.
fn do_one(disk: &dyn Disk, home: &Path, random: &mut Random) -> String {
    let mut path = || {
        let directory = home.join(["a", "b", "a/c"][random.below(3) as usize]);
        if random.below(3) == 0 { directory } else { directory.join(["x", "y"][random.below(2) as usize]) }
    };
    let (one, other) = (path(), path());
    let (position, length) = (random.below(200_000), random.below(150_000) as usize);
    let byte = random.below(256) as u8;
    let kind = |result: io::Result<String>| match result {
        Ok(answer) => answer,
        Err(error) => format!("{:?}", error.kind()),
    };
    let file = || disk.open(&one, Open::ReadWrite);
    let answer = match random.below(9) {
        0 => disk.create_directories(&one.join("sub")).map(|()| String::new()).map_err(|_| ErrorKind::Other.into()),
        1 => disk.rename(&one, &other).map(|()| String::new()),
        2 => disk.remove_file(&one).map(|()| String::new()),
        3 => disk.remove_directory_tree(&other).map(|()| String::new()).map_err(|_| ErrorKind::Other.into()),
        4 => disk.open(&one, Open::Create).map(|_| String::new()),
        5 => file().and_then(|file| file.set_size(position)).map(|()| String::new()),
        6 | 7 => file()
            .and_then(|file| {
                let bytes = vec![byte; length];
                let (start, rest) = bytes.split_at(length / 3);
                file.write_at(&[IoSlice::new(start), IoSlice::new(rest)], position)
            })
            .map(|()| String::new()),
        _ => file().and_then(|file| {
            let mut bytes = vec![0; length];
            let read = file.read_at(&mut bytes, position)?;
            let mut lent = Vec::new();
            let took = file.lend(position, length, &mut |slices| {
                slices.iter().for_each(|slice| lent.extend_from_slice(slice));
                Ok(lent.len())
            });
            assert!(took.is_none_or(|took| took.unwrap() == read && lent == bytes[..read]));
            Ok(format!("{} {} {}", file.size()?, read, crc32c::crc32c(&bytes)))
        }),
    };
    let listed = |directory: &str| {
        disk.list(&home.join(directory)).map(|entries| {
            let mut names: Vec<_> = entries.into_iter().map(|e| format!("{}{}", e.name, e.is_directory)).collect();
            names.sort();
            names.join(" ")
        })
    };
    let [a, b, c] = ["a", "b", "a/c"].map(|directory| kind(listed(directory)));
    format!("{} | {a} | {b} | {c} | {}", kind(answer), disk.exists(&one))
}

#[test]
fn a_copy_goes_its_own_way() {
    let disk = disk();
    let path = Path::new("/d/f");
    disk.create_directories(Path::new("/d")).unwrap();
    let file = disk.open(path, Open::Create).unwrap();
    file.write_at(&[IoSlice::new(b"before")], 0).unwrap();
    let copy = disk.copy(1 << 10, Environment::of_the_machine());
    assert_eq!((copy.used_bytes(), copy.list(Path::new("/d")).unwrap().len()), (disk.used_bytes(), 2));
    file.write_at(&[IoSlice::new(b" and after")], 6).unwrap();
    disk.remove_file(path).unwrap();
    let copied = copy.open(path, Open::ReadWrite).unwrap();
    let mut buffer = [0; 32];
    let length = copied.read_at(&mut buffer, 0).unwrap();
    assert_eq!(&buffer[..length], b"before");
    assert!(copied.set_size(2 << 10).is_err(), "its limit is its own");
    copy.set_limit(2 << 10);
    copied.set_size(2 << 10).unwrap();
    drop((file, copied));
    copy.remove_file(path).unwrap();
    assert_eq!((copy.used_bytes(), disk.used_bytes()), (0, 0));
}

#[test]
fn it_behaves_as_the_disk_of_the_machine() {
    for seed in 0..20 {
        let home = tempfile::tempdir().unwrap();
        let (memory, real) = (disk_of(64 << 20), RealDisk::default());
        let (mut left, mut right) = (Random::new(seed), Random::new(seed));
        for disk in [&memory as &dyn Disk, &real] {
            disk.create_directories(&home.path().join("a/c")).unwrap();
            disk.create_directories(&home.path().join("b")).unwrap();
        }
        for step in 0..200 {
            let expected = do_one(&real, home.path(), &mut right);
            assert_eq!(do_one(&memory, home.path(), &mut left), expected, "seed {seed} step {step}");
        }
        let nodes = std::mem::take(&mut *memory.nodes.lock());
        drop(nodes);
        assert_eq!(used(&memory), 0, "all that was taken is given back");
    }
}

#[test]
fn a_full_disk_refuses_the_write_as_a_whole_and_has_room_again_when_something_is_gone() {
    let disk = disk();
    let [one, other] = ["/d/1", "/d/2"].map(|path| disk.open(Path::new(path), Open::Create).unwrap());
    let half = vec![1; LIMIT as usize / 2];
    one.write_at(&[IoSlice::new(&half)], 0).unwrap();
    other.write_at(&[IoSlice::new(&half[1..])], 0).unwrap();
    assert_eq!(disk.space(Path::new("/d")).unwrap(), Space { total_bytes: LIMIT, usable_bytes: 0 });
    for (slices, position) in [(&[IoSlice::new(&[1, 2])], LIMIT / 2), (&[IoSlice::new(&[1, 2])], 1 << 60)] {
        let refused = one.write_at(slices, position).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::StorageFull);
        assert_eq!(refused.to_string(), "the disk in memory is full, it has 1048576 bytes");
    }
    assert_eq!((one.size().unwrap(), used(&disk)), (LIMIT / 2, LIMIT));
    // Its user may go on with what is gone.
    disk.remove_file(Path::new("/d/2")).unwrap();
    assert_eq!((other.size().unwrap(), used(&disk)), (LIMIT / 2 - 1, LIMIT));
    drop(other);
    assert_eq!(used(&disk), LIMIT / 2);
    one.set_size(10).unwrap();
    assert_eq!(used(&disk), LEAST_BYTES as u64);
    assert!(one.write_at(&[IoSlice::new(&[1])], u64::MAX).is_err());
}

#[test]
fn the_favoured_directory_has_a_reserve_when_the_disk_is_full() {
    let disk = disk();
    let [data, favoured] = ["/d/1", "/d/m/1"].map(|path| disk.open(Path::new(path), Open::Create).unwrap());
    data.write_at(&[IoSlice::new(&[1; LIMIT as usize])], 0).unwrap();
    favoured.write_at(&[IoSlice::new(&[1; RESERVE_BYTES as usize])], 0).unwrap();
    for (file, size) in [(&data, LIMIT), (&favoured, RESERVE_BYTES)] {
        assert_eq!(file.write_at(&[IoSlice::new(&[1])], size).unwrap_err().kind(), ErrorKind::StorageFull);
        // What needs no more room is written.
        file.write_at(&[IoSlice::new(&[2])], size - 1).unwrap();
        file.set_size(size - 1).unwrap();
        file.set_size(size).unwrap();
    }
    assert_eq!(disk.space(Path::new("/d")).unwrap().usable_bytes, 0);
    favoured.set_size(0).unwrap();
    data.set_size(LIMIT / 2).unwrap();
    data.set_size(LIMIT).unwrap();
}

#[test]
fn files_have_times_of_the_brokers_clock() {
    let clock = Arc::<SettableClock>::default();
    clock.freeze().unwrap();
    let disk = MemoryDisk::new(LIMIT, FAVOURED, Environment::with_clock(clock.clone()));
    disk.create_directories(Path::new("/")).unwrap();
    let file = disk.open(Path::new("/f"), Open::Create).unwrap();
    let made = clock.wall();
    assert_eq!(file.modified().unwrap(), made);
    clock.advance(Duration::from_secs(3600)).unwrap();
    assert_eq!(file.modified().unwrap(), made);
    file.set_size(1).unwrap();
    assert_eq!(file.modified().unwrap().0, made.0 + 3_600_000);
}

#[test]
fn a_lock_excludes_until_it_is_dropped() {
    let disk = disk();
    let path = Path::new("/d/.lock");
    let lock = disk.lock(path).unwrap();
    assert_eq!(disk.lock(path).err().unwrap().kind(), ErrorKind::WouldBlock);
    drop(lock);
    disk.lock(path).unwrap();
}
