//! What hostile bytes can make a decoder do: never panic, never reserve more than a small multiple of the frame.
//!
//! Every decoder in every version is given valid messages, damaged ones, plain nonsense, and bodies made to claim as
//! much as possible; the allocator counts. One test function, because the count is the process's.

#![allow(unsafe_code)]

mod table;

use klamm::codec::{Message, Reader};
use klamm::wire::produce::RequestView;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use table::{Random, schema};

/// No decoder may hold more than so many bytes for each byte of its frame, beyond a constant for small frames. An
/// element of an array is some dozens of bytes in memory and can be a few bytes on the wire: an empty string is one byte
/// there and 24 here. Measured: 59 (StreamsGroupTopologyDescriptionUpdate); of the APIs that any client uses, 49
/// (OffsetFetch), most below 30.
const MAX_FACTOR: usize = 64;
const SMALL: usize = 1024;
/// Hostile bodies of each kind for a message in a version.
const ROUNDS: usize = 6;

struct Counting;
static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came; counting beside it touches no memory of the caller.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(held, Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`, and the memory came from `System`.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that were held at once while `work` ran, beyond those before.
fn peak(work: impl FnOnce()) -> usize {
    let before = HELD.load(Relaxed);
    PEAK.store(before, Relaxed);
    work();
    PEAK.load(Relaxed) - before
}

type Decode = fn(&[u8], i16);

fn decode<'a, M: Message<'a>>(bytes: &'a [u8], version: i16) {
    let _ = M::decode(&mut Reader::new(bytes), version);
}

include!(concat!(env!("OUT_DIR"), "/every_message.rs"));

fn decoders() -> Vec<(&'static str, Decode)> {
    let mut all: Vec<(&'static str, Decode)> = Vec::new();
    macro_rules! one {
        ($name:literal, $type:ty) => {
            all.push(($name, |bytes, version| decode::<$type>(bytes, version)));
        };
    }
    every_message!(one);
    all.push(("ProduceRequest", |bytes, version| {
        let _ = RequestView::parse(bytes, version);
    }));
    all
}

/// Hostile bodies for a message in a version.
fn bodies(message: &schema::Message, version: i16, random: &mut Random) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    for fill in [0, 1, 2, 0x7f, 0x80, 0xff] {
        bodies.push(vec![fill; 2000]);
    }
    bodies.push([0x7f, 0xff, 0xff, 0xff].repeat(500));
    bodies.push([0xff, 0xff, 0xff, 0xff, 0x0f].repeat(500));
    bodies.push((0..500).map(|_| random.next() as u8).collect());
    for _ in 0..ROUNDS {
        bodies.push(table::greedy(message, version, 8000, true, random));
        bodies.push(table::greedy(message, version, 8000, false, random));
        let valid = table::draw(message, version, random);
        for _ in 0..4 {
            let mut damaged = valid.clone();
            let length = damaged.len() as u64 + 1;
            let at = random.below(length) as usize;
            match random.below(3) {
                0 => damaged.truncate(at),
                1 => damaged[at..].iter_mut().take(4).for_each(|byte| *byte = 0xff),
                _ => drop(damaged.splice(at..at, [0x7f, 0xff, 0xff, 0xff])),
            }
            bodies.push(damaged);
        }
        bodies.push(valid);
    }
    bodies
}

#[test]
fn no_bytes_make_a_decoder_panic_or_reserve_much() {
    let (messages, mut random) = (table::messages(), Random(1));
    let (mut worst, mut wrong) = ((0, String::new()), Vec::new());
    for (name, decode) in decoders() {
        let message = table::find(&messages, name);
        for version in message.valid.min - 1..=message.valid.max + 1 {
            for body in bodies(message, version.clamp(message.valid.min, message.valid.max), &mut random) {
                let peak = peak(|| decode(&body, version));
                let factor = peak.saturating_sub(SMALL).div_ceil(body.len().max(1));
                if factor > worst.0 {
                    worst = (factor, format!("{name} {version}: {peak} bytes for {}", body.len()));
                }
                if factor > MAX_FACTOR {
                    wrong.push(format!("{name} {version}: {peak} bytes for {}", body.len()));
                }
            }
        }
    }
    println!("the worst factor is {}: {}", worst.0, worst.1);
    assert!(wrong.is_empty(), "more than {MAX_FACTOR} times the frame: {} cases, {:#?}", wrong.len(), wrong.first());
}
