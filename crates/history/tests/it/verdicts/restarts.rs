//! Deaths that change nothing but time, and restarts that cannot have been.

use super::Case;

/// Everybody dies at some time, in the middle of a snapshot, and goes on: otherwise the run of `VALID`.
const LASTING: &str = "
    start
    create 1 1000
    create 2 500
    send 1 2 300 1
    send 2 1 100 1
    begin 1 1
    record 1 1 700 sent:2:1:300
    marker 1 2 1
    death 2
    death
    send 1 2 50 2
    restarted 2 2
    receive 1 2 300 1
    marker 1 2 1 received
    death 2
    restarted 2 3
    record 2 1 700 sent:1:1:100 received:1:1:300
    death 1
    marker 2 1 1
    closed 1 2 1
    restarted 1 2
    restarted 2
    receive 2 1 100 1
    marker 2 1 1 received
    closed 2 1 1
    receive 1 2 50 2
    refuse 1 2 5000
    collect 1 1=700 2=700 2>1:100
    audit 1 1500
    end
";

/// A process joins while node 2 is dead: node 1 sends it the marker of snapshot 1, and node 2 does when it is
/// back.
const JOINED: &str = "
    start
    create 1 10
    create 2 20
    begin 1 1
    record 1 1 10
    marker 1 2 1
    marker 1 2 1 received
    record 2 1 20
    marker 2 1 1
    death 2
    create 3 5
    marker 1 3 1
    send 1 3 1 1
    marker 1 3 1 received
    record 3 1 5
    marker 3 1 1
    marker 3 2 1
    receive 1 3 1 1
    restarted 2 2
    marker 2 3 1
    marker 2 3 1 received
    marker 3 2 1 received
    marker 3 1 1 received
    marker 2 1 1 received
    collect 1 1=10 2=20 3=5
    audit 1 35
    end
";

/// What node 1 sent last is known by its channel, until it is back.
const INFERRED: &str = "
    start
    create 1 100
    create 2 0
    send 1 2 60 1
    send 1 2 30 2 inferred
    death 1
    receive 1 2 60 1
    restarted 1 2
    begin 1 1
    record 1 1 10
    marker 1 2 1
    receive 1 2 30 2
    marker 1 2 1 received
    record 2 1 90
    marker 2 1 1
    marker 2 1 1 received
    collect 1 1=10 2=90
    end
";

pub(super) const CASES: &[Case] = &[
    ("valid: everybody dies and goes on", LASTING, &[]),
    (
        "valid: deaths and restarts side by side",
        LASTING,
        &[(
            "marker 2 1 1\n    closed",
            "death 2\nrestarted 2 4\ndeath 2\nrestarted 2 5\nmarker 2 1 1\n    closed",
        )],
    ),
    (
        "order: it acts while it is dead",
        LASTING,
        &[(
            "restarted 2 2\n    receive 1 2 300 1",
            "receive 1 2 300 1\nrestarted 2 2",
        )],
    ),
    (
        "order: it acts after its second death",
        LASTING,
        &[("restarted 2 3", "")],
    ),
    (
        "order: the observer dies a second time",
        LASTING,
        &[("restarted 2 2", "death")],
    ),
    (
        "order: restarted and never created",
        LASTING,
        &[("restarted 2 2", "restarted 9 2")],
    ),
    (
        "restart: one that lives",
        LASTING,
        &[("restarted 2 2", "restarted 1 2")],
    ),
    (
        "restart: twice",
        LASTING,
        &[("restarted 2 2", "restarted 2 2\nrestarted 2 3")],
    ),
    (
        "restart: an incarnation is skipped",
        LASTING,
        &[("restarted 2 3", "restarted 2 4")],
    ),
    (
        "restart: the same incarnation again",
        LASTING,
        &[("restarted 2 3", "restarted 2 2")],
    ),
    (
        "restart: the observer, who lives",
        LASTING,
        &[("death\n", "\n")],
    ),
    (
        "restart: the observer's incarnation",
        LASTING,
        &[("restarted 2\n", "restarted 1\n")],
    ),
    (
        "fifo: what was sent to the dead is skipped",
        LASTING,
        &[(
            "receive 1 2 300 1\n    marker 1 2 1 received",
            "receive 1 2 50 2",
        )],
    ),
    (
        "fifo: the marker on the way to the dead is skipped",
        LASTING,
        &[(
            "receive 1 2 300 1\n    marker 1 2 1 received",
            "receive 1 2 300 1\nreceive 1 2 50 2",
        )],
    ),
    (
        "fifo: what the dead had sent is skipped",
        LASTING,
        &[("receive 2 1 100 1\n", "\n")],
    ),
    (
        "fifo: numbers begin anew",
        LASTING,
        &[("receive 2 1 100 1\n", "send 2 1 1 1\nreceive 2 1 100 1\n")],
    ),
    (
        "in_transit: what the dead had sent is not collected",
        LASTING,
        &[(" 2>1:100", "")],
    ),
    (
        "recorded: another state than before the death",
        LASTING,
        &[("record 2 1 700", "record 2 1 400")],
    ),
    (
        "one_record: again after the restart",
        LASTING,
        &[(
            "receive 2 1 100 1\n",
            "begin 1 1\nrecord 1 1 650\nreceive 2 1 100 1\n",
        )],
    ),
    (
        "moment: it does something else first when it is back",
        LASTING,
        &[("restarted 2 3", "restarted 2 3\nrefuse 2 1 9999")],
    ),
    (
        "markers: never sent, since its receiver was dead",
        LASTING,
        &[
            ("marker 1 2 1\n    death 2", "death 2"),
            ("send 1 2 50 2", ""),
            ("marker 1 2 1 received", "begin 2 1"),
            ("closed 1 2 1", ""),
            ("receive 1 2 50 2", ""),
        ],
    ),
    (
        "markers: sent too late, while its receiver was dead",
        LASTING,
        &[
            ("marker 1 2 1\n    death 2", "death 2"),
            ("send 1 2 50 2", "send 1 2 50 2\nmarker 1 2 1"),
            ("marker 1 2 1 received", "begin 2 1"),
            ("closed 1 2 1", ""),
            (
                "receive 1 2 50 2",
                "receive 1 2 50 2\nmarker 1 2 1 received\nclosed 1 2 1",
            ),
        ],
    ),
    (
        "unknown: a message before the marker, and its receiver stays dead",
        "
        start
        create 1 10
        create 2 20
        begin 1 1
        record 1 1 10
        death 2
        send 1 2 5 1
        marker 1 2 1
        end
        ",
        &[],
    ),
    (
        "unknown: and the observer stays dead, though its receiver comes back",
        "
        start
        create 1 10
        create 2 20
        begin 1 1
        record 1 1 10
        death
        death 2
        send 1 2 5 1
        marker 1 2 1
        restarted 2 2
        end
        ",
        &[],
    ),
    (
        "markers: a message before the marker, and everybody comes back",
        "
        start
        create 1 10
        create 2 20
        begin 1 1
        record 1 1 10
        death 2
        death
        send 1 2 5 1
        marker 1 2 1
        restarted 2 2
        restarted 2
        end
        ",
        &[],
    ),
    (
        "markers: a message before the marker, once everybody is back",
        "
        start
        create 1 10
        create 2 20
        begin 1 1
        record 1 1 10
        death 2
        restarted 2 2
        send 1 2 5 1
        marker 1 2 1
        end
        ",
        &[],
    ),
    ("valid: somebody joins while another is dead", JOINED, &[]),
    (
        "consistent: who joined is sent a message before the marker, while another is dead",
        JOINED,
        &[
            (
                "marker 1 3 1\n    send 1 3 1 1\n",
                "send 1 3 1 1\nreceive 1 3 1 1\nmarker 1 3 1\n",
            ),
            ("record 3 1 5", "record 3 1 6"),
            ("receive 1 3 1 1\n    restarted", "restarted"),
            ("3=5", "3=6"),
        ],
    ),
    (
        "valid: and that one stays dead, so that no marker is owed",
        JOINED,
        &[
            (
                "restarted 2 2\n    marker 2 3 1\n    marker 2 3 1 received\n    marker 3 2 1 received\n",
                "\n",
            ),
            ("audit 1 35", "audit 1 35\ndeath"),
        ],
    ),
    (
        "markers: it was collected without that of one who comes back",
        JOINED,
        &[
            (
                "restarted 2 2\n    marker 2 3 1\n    marker 2 3 1 received\n    marker 3 2 1 received\n",
                "\n",
            ),
            ("audit 1 35", "audit 1 35\nrestarted 2 2"),
        ],
    ),
    (
        "cut_order: overtaken while somebody was dead who is back",
        "
        start
        create 1 10
        create 2 20
        create 3 30
        begin 1 1
        record 1 1 10
        death 3
        begin 1 2
        record 1 2 10
        marker 1 2 2
        marker 1 2 2 received
        record 2 2 20
        restarted 3 2
        end
        ",
        &[],
    ),
    (
        "valid: known by its channel, and it comes back",
        INFERRED,
        &[],
    ),
    (
        "recorded: since it is back, its state is known",
        INFERRED,
        &[("record 1 1 10", "record 1 1 40")],
    ),
    (
        "account: it comes back with less than nothing",
        INFERRED,
        &[("create 1 100", "create 1 80")],
    ),
    (
        "inferred: one that is back has not died since",
        INFERRED,
        &[(
            "receive 1 2 30 2\n",
            "send 1 2 1 3 inferred\nreceive 1 2 30 2\n",
        )],
    ),
    (
        "markers: known by its channel, and it is back without having recorded",
        INFERRED,
        &[
            ("death 1\n", "marker 1 2 1 inferred\ndeath 1\n"),
            ("record 1 1 10\n    marker 1 2 1\n", "record 1 1 10\n"),
        ],
    ),
];
