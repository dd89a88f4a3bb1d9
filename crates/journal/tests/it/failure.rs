//! A machine that fails: what was committed to survive that is there; a journal that did not promise
//! it has lost its end, or is refused.

use journal::{Error, Survives};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::disk::Disk;
use crate::model::{Model, held, open, random_work, run, seeds};

#[test]
fn what_was_committed_to_survive_a_failure_is_there_however_often_the_machine_fails() {
    for seed in seeds(1_000) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (disk, mut model, mut journal) = (Disk::default(), Model::new(), None);
        for failure in 0..5 {
            let work = random_work(&mut random, 20);
            disk.kill_after(random.random_range(1..120), random.random());
            run(&disk, Survives::Failure, journal, &mut model, &work);
            // Another process may still have read it, and promised what it found, before that.
            if random.random_ratio(1, 3) {
                disk.revive();
                let opened = open(disk.clone(), Survives::Failure).unwrap();
                let found = opened.and_then(|(_, past)| held(&past));
                assert!(
                    model.may_be(&found),
                    "PIPEBANK_SEED={seed}, death {failure}"
                );
                model = Model::found(found);
            }
            disk.fail(&mut random);
            let opened = open(disk.clone(), Survives::Failure);
            let context = format!("PIPEBANK_SEED={seed}, failure {failure}");
            let opened = opened.unwrap_or_else(|error| panic!("{context}: {error}"));
            let found = opened.as_ref().and_then(|(_, past)| held(past));
            assert!(model.may_be(&found), "{context}: {found:?}");
            model = Model::found(found);
            journal = opened.map(|it| it.0);
        }
    }
}

#[test]
fn a_journal_that_promised_to_survive_deaths_only_is_never_other_than_it_once_was() {
    let (mut refused, mut shorter) = (0, 0);
    for seed in seeds(1_000) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (disk, mut model) = (Disk::default(), Model::new());
        disk.kill_after(random.random_range(1..120), random.random());
        let work = random_work(&mut random, 30);
        run(&disk, Survives::Death, None, &mut model, &work);
        disk.fail(&mut random);
        let before = disk.everything();
        match open(disk.clone(), Survives::Death) {
            Ok(opened) => {
                let found = opened.and_then(|(_, past)| held(&past));
                assert!(model.has_been(&found), "PIPEBANK_SEED={seed}: {found:?}");
                shorter += u32::from(!model.may_be(&found));
            }
            Err(Error::Damaged { .. } | Error::NotAJournal { .. } | Error::Missing { .. }) => {
                assert_eq!(disk.everything(), before, "PIPEBANK_SEED={seed}");
                refused += 1;
            }
            Err(error) => panic!("PIPEBANK_SEED={seed}: {error}"),
        }
    }
    assert!(refused > 0 && shorter > 0 || std::env::var("PIPEBANK_SEED").is_ok());
}

#[test]
fn after_a_sync_that_failed_nothing_is_appended() {
    let disk = Disk::default();
    run(&disk, Survives::Failure, None, &mut Model::new(), &[]);
    let (mut journal, _) = open(disk.clone(), Survives::Failure).unwrap().unwrap();
    journal.append(b"record");
    disk.refuse_to_sync(true);
    let error = journal.commit().unwrap_err();
    assert!(matches!(error, Error::NotSynced { .. }), "{error}");
    disk.refuse_to_sync(false);
    let before = disk.everything();
    journal.append(b"another");
    for refused in [
        journal.commit(),
        journal.begin_segment(b"image").map(|_| ()),
        journal.drop_before(9),
    ] {
        assert!(matches!(refused, Err(Error::GivenUp { .. })), "{refused:?}");
    }
    assert_eq!(disk.everything(), before);
}

#[test]
fn what_the_disk_refused_and_a_later_process_found_is_written_again_before_it_is_promised() {
    for seed in seeds(200) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let disk = Disk::default();
        run(&disk, Survives::Failure, None, &mut Model::new(), &[]);
        let (mut journal, _) = open(disk.clone(), Survives::Failure).unwrap().unwrap();
        journal.append(b"record");
        disk.refuse_to_sync(true);
        journal.commit().unwrap_err();
        drop(journal);
        open(disk.clone(), Survives::Failure).unwrap_err();
        disk.refuse_to_sync(false);
        let (_, promised) = open(disk.clone(), Survives::Failure).unwrap().unwrap();
        disk.fail(&mut random);
        let (_, past) = open(disk, Survives::Failure).unwrap().unwrap();
        assert_eq!(held(&past), held(&promised), "PIPEBANK_SEED={seed}");
    }
}

#[test]
fn what_was_written_without_that_promise_is_safe_once_it_is_opened_with_it() {
    for seed in seeds(400) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (disk, mut model) = (Disk::default(), Model::new());
        let work = random_work(&mut random, 30);
        run(&disk, Survives::Death, None, &mut model, &work);
        open(disk.clone(), Survives::Failure).unwrap();
        disk.fail(&mut random);
        let (_, past) = open(disk, Survives::Failure).unwrap().unwrap();
        assert_eq!(&held(&past), model.now(), "PIPEBANK_SEED={seed}");
    }
}
