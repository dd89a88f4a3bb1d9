//! How much memory a piece of code takes, counted by the allocator.
//!
//! Code that is not safe, in a test only: there is no other way to be an allocator, and this one
//! does no more than count what it hands on to the system's.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// How much more a thread holds at the moment than when counting began, and the most it held.
/// Several tests run at once, each in its thread.
#[derive(Clone, Copy)]
struct Held {
    now: isize,
    most: isize,
}

thread_local! {
    static HELD: Cell<Held> = const { Cell::new(Held { now: 0, most: 0 }) };
}

/// Runs `code` and returns the most bytes that it held at one moment.
pub(crate) fn most_held(code: impl FnOnce()) -> usize {
    HELD.set(Held { now: 0, most: 0 });
    code();
    HELD.get().most.unsigned_abs()
}

fn count(bytes: isize) {
    // A thread that ends frees what is left after its counter is gone.
    let _ = HELD.try_with(|held| {
        let Held { now, most } = held.get();
        let now = now + bytes;
        held.set(Held {
            now,
            most: most.max(now),
        });
    });
}

fn size(layout: Layout) -> isize {
    isize::try_from(layout.size()).unwrap_or(isize::MAX)
}

struct Counting;

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(size(layout));
        // SAFETY: what the caller promises us is what the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-size(layout));
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;
