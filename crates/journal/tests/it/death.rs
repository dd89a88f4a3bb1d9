//! A process that is killed: whatever it had committed is there, and nothing that is not whole.

use std::fs;

use journal::{Directory, Survives};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::disk::Disk;
use crate::model::{Model, NAME, held, open, random_work, run, seeds};

#[test]
fn what_was_committed_is_there_whatever_the_step_at_which_its_process_dies() {
    for seed in seeds(20) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let work = random_work(&mut random, 40);
        let (disk, mut model) = (Disk::default(), Model::new());
        run(&disk, Survives::Death, None, &mut model, &work);
        for steps in 1..=disk.steps() {
            let context = format!("PIPEBANK_SEED={seed}, step {steps}");
            let (disk, mut model) = (Disk::default(), Model::new());
            disk.kill_after(steps, random.random());
            run(&disk, Survives::Death, None, &mut model, &work);
            disk.revive();
            let left = disk.everything();
            let opened = open(disk.clone(), Survives::Death).unwrap();
            let found = opened.as_ref().and_then(|(_, past)| held(past));
            assert!(model.may_be(&found), "{context}: {found:?}");
            if let Some((journal, _)) = &opened {
                // The word of a block comes last: what was torn has none.
                let end = (journal.bytes() - journal.bytes_before_segment()) as usize;
                let newest = &left[&format!("{NAME}.{}", journal.segment())];
                let mut word = newest.iter().skip(end).take(8);
                assert!(
                    word.all(|byte| *byte == 0),
                    "{context}: a word without its block"
                );
            }
            // What was torn does not come back, nor is it left behind.
            let work = random_work(&mut random, 6);
            let mut model = Model::found(found);
            run(
                &disk,
                Survives::Death,
                opened.map(|it| it.0),
                &mut model,
                &work,
            );
            let again = open(disk, Survives::Death).unwrap();
            let found = again.as_ref().and_then(|(_, past)| held(past));
            assert_eq!(&found, model.now(), "{context}, afterwards");
            assert!(
                again.is_none_or(|(_, past)| past.torn_bytes() == 0),
                "{context}"
            );
        }
    }
}

#[test]
fn what_was_not_committed_is_not_there() {
    let disk = Disk::default();
    run(&disk, Survives::Death, None, &mut Model::new(), &[]);
    let (mut journal, _) = open(disk.clone(), Survives::Death).unwrap().unwrap();
    journal.append(b"committed");
    journal.commit().unwrap();
    journal.append(b"not committed");
    drop(journal);
    let (_, past) = open(disk, Survives::Death).unwrap().unwrap();
    let last = past.records().last().map(|it| it.bytes.to_vec());
    assert_eq!(last.as_deref(), Some(&b"committed"[..]));
}

#[test]
fn a_directory_on_a_disk_holds_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for seed in seeds(20) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let path = folder.path().join(seed.to_string());
        let files = Directory::open(&path).unwrap();
        let (disk, mut model) = (Disk::default(), Model::new());
        run(
            &disk,
            Survives::Death,
            None,
            &mut model,
            &random_work(&mut random, 60),
        );
        for (name, bytes) in disk.everything() {
            fs::write(path.join(name), bytes).unwrap();
        }
        let (mut journal, past) = open(&files, Survives::Death).unwrap().unwrap();
        assert_eq!(&held(&past), model.now(), "PIPEBANK_SEED={seed}");
        for length in 0..300 {
            journal.append(&vec![7; length]);
            journal.append(&[]);
            journal.commit().unwrap();
        }
        let present = journal.segment();
        journal.begin_segment(&[1; 100_000]).unwrap();
        journal.drop_before(present).unwrap();
        let (now, bytes) = (held(&journal.past().unwrap()), journal.bytes());
        drop(journal);
        let (journal, past) = open(&files, Survives::Failure).unwrap().unwrap();
        assert_eq!(
            (held(&past), journal.bytes()),
            (now, bytes),
            "PIPEBANK_SEED={seed}"
        );
    }
}
