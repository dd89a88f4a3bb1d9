//! What no script can bring about as long as the bank is sound.

use history::{Header, Reader, What};
use snapshot::SnapshotId;

use super::{Chronicle, HistoryFile};
use crate::id::NodeId;

#[test]
fn a_snapshot_that_failed_its_audit_is_told_and_its_markers_are_owed_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("h");
    let file = HistoryFile::create(&path, None).unwrap();
    let mut chronicle = Chronicle::new(file, &Header::default());
    chronicle.started(1);
    chronicle.created(2, NodeId(1), 10);
    chronicle.began(3, NodeId(1), SnapshotId(1), 10);
    chronicle.unsound(Some(4), SnapshotId(1), "money is missing".to_owned());
    chronicle.created(5, NodeId(2), 20);
    assert!(matches!(chronicle.file.write(None, None), Ok(None)));

    let written = std::fs::read(&path).unwrap();
    let events: Vec<What> = Reader::new(&written[..])
        .unwrap()
        .map(|event| event.unwrap().what)
        .collect();
    let [.., record, audit, create] = &events[..] else {
        panic!("{events:?}");
    };
    assert!(
        matches!(record, What::Record { amount: 10, .. }),
        "{events:?}"
    );
    let verdict = Err("money is missing".to_owned());
    let snapshot = history::SnapshotId(1);
    assert_eq!(*audit, What::Audit { snapshot, verdict });
    assert!(
        matches!(create, What::Create { amount: 20, .. }),
        "{events:?}"
    );
}
