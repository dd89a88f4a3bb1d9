//! A full disk is an error that leaves everything as it was, and is over when there is room.

use journal::{Error, Journal, Survives};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::disk::Disk;
use crate::model::{IDENTITY, Model, NAME, Work, held, open, random_work, seeds, settings};

/// Does something again and again, each time with a little more room, until it is done.
fn until_there_is_room<T>(disk: &Disk, mut work: impl FnMut() -> Result<T, Error>) -> T {
    for room in (0..).step_by(128) {
        disk.set_room(Some(room));
        match work() {
            Ok(done) => return done,
            Err(Error::Full { path, .. }) => {
                assert!(path.starts_with("disk"));
                let is_draft = |name: &String| name.ends_with(".new");
                assert!(
                    !disk.everything().keys().any(is_draft),
                    "a draft takes room"
                );
            }
            Err(error) => panic!("{error}"),
        }
    }
    unreachable!("there is always room in the end")
}

#[test]
fn whatever_finds_no_room_can_be_done_again_once_there_is() {
    for seed in seeds(30) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (disk, mut model) = (Disk::default(), Model::new());
        model.begin(&Work::Create(b"image".to_vec()));
        let settings = settings(Survives::Death);
        let create = || Journal::create(disk.clone(), NAME, IDENTITY, settings, b"image");
        let mut journal = until_there_is_room(&disk, create);
        for work in random_work(&mut random, 40) {
            if matches!(work, Work::Reopen) {
                continue;
            }
            model.begin(&work);
            match &work {
                Work::Append(record) => journal.append(record),
                Work::Commit => until_there_is_room(&disk, || journal.commit()),
                Work::BeginSegment(image) => {
                    until_there_is_room(&disk, || journal.begin_segment(image));
                }
                Work::DropBefore(back) => {
                    let keep = journal.segment().saturating_sub(*back);
                    journal.drop_before(keep).unwrap();
                }
                Work::Create(_) | Work::Reopen => unreachable!("left out"),
            }
            model.end();
            let past = journal.past().unwrap();
            assert_eq!(&held(&past), model.now(), "PIPEBANK_SEED={seed}, {work:?}");
        }
        drop(journal);
        disk.set_room(Some(0));
        let opened = open(disk, Survives::Death).unwrap();
        let found = opened.and_then(|(_, past)| held(&past));
        assert_eq!(&found, model.now(), "PIPEBANK_SEED={seed}");
    }
}
