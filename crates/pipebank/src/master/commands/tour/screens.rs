//! What the tour tells: one run of one bank, a screen at a time. Every screen fits 80 columns and 24
//! rows, and holds whatever the seed is.

/// What is on one screen.
pub(super) struct Screen {
    pub(super) title: &'static str,
    /// What will be done, and why.
    pub(super) why: &'static str,
    pub(super) commands: &'static [&'static str],
    /// How many of the last steps are drawn then; none where it is 0.
    pub(super) steps: usize,
}

/// How many nodes there will be.
pub(super) const NODES: u64 = 3;

/// The last screen's title; it is shown when everything has ended.
pub(super) const LAST: &str = "The whole run, as a page";

/// All screens but the last.
pub(super) const SCREENS: &[Screen] = &[
    Screen {
        title: "A bank of processes",
        why: "Every account is a process of its own, and a pipe joins every ordered pair of them. They \
              share nothing else: no memory, no file, no clock. Here are two, with 1500 in all. A line \
              after `>` is a command; what comes of it stands beneath.",
        commands: &[
            "StartMaster",
            "CreateNode 1 1000",
            "CreateNode 2 500",
            "nodes",
        ],
        steps: 2,
    },
    Screen {
        title: "Money on its way",
        why: "Node 1 takes 300 out of its account and puts them into the pipe to node 2; then 400 more. \
              Node 2 sends 100 the other way. Nobody receives before being told to, so all of it is \
              still on its way: 800 that are in no account.",
        commands: &["Send 1 2 300", "Send 2 1 100", "Send 1 2 400"],
        steps: 5,
    },
    Screen {
        title: "First in, first out",
        why: "Node 2 takes one message from node 1. A pipe keeps its order, so it is the 300. In the \
              drawing, time goes down; a dotted arrow is a message that arrives.",
        commands: &["Receive 2 1"],
        steps: 6,
    },
    Screen {
        title: "A snapshot begins",
        why: "How much money is there? Nobody sees all accounts at the same moment, and some of the \
              money is in none. Chandy and Lamport's answer: node 1 records what it has, 300, and sends a \
              marker (S1) down its pipe, behind the 400.",
        commands: &["BeginSnapshot 1"],
        steps: 5,
    },
    Screen {
        title: "The marker arrives",
        why: "The 400 were sent before the marker, so they arrive before it. The marker makes node 2 \
              record what it has, 500 - 100 + 300 + 400 = 1100, and send a marker back before anything \
              else.",
        commands: &["Receive 2", "Receive 2"],
        steps: 6,
    },
    Screen {
        title: "What was in transit",
        why: "Node 1 receives the rest. The 100 come before the marker of node 2: they had left there \
              when node 2 recorded what it has, and had not arrived here. So they were in transit, and are \
              recorded as such. With the marker, that is complete.",
        commands: &["ReceiveAll", "CollectState"],
        steps: 5,
    },
    Screen {
        title: "A picture of the bank",
        why: "300 and 1100 in the accounts and 100 on the way: the 1500 that were deposited. The bank was \
              never stopped, and may never have been in just this state; but it could have been. \
              Before it is shown, the snapshot is checked against the definition of a consistent cut.",
        commands: &["PrintSnapshot"],
        steps: 1,
    },
    Screen {
        title: "A node joins",
        why: "Node 3 brings 300: now there are three accounts and six pipes, and 1800 in all. Nodes 1 and 2 \
              each send it some money, which it has not received yet.",
        commands: &["CreateNode 3 300", "Send 1 3 10", "Send 2 3 20"],
        steps: 3,
    },
    Screen {
        title: "Two snapshots at once",
        why: "Nodes 1 and 2 begin a snapshot each, S2 and S3: each records what it has, and sends its marker \
              to both others, to node 3 behind the money that it sent before. Neither snapshot waits for \
              the other.",
        commands: &["BeginSnapshot 1", "BeginSnapshot 2"],
        steps: 4,
    },
    Screen {
        title: "Markers overtake each other",
        why: "Node 3 receives from node 2 first: the marker of S3 overtakes that of S2, which \
              is in another pipe. Within one pipe, nothing overtakes anything.",
        commands: &["Receive 3 2", "Receive 3 2"],
        steps: 5,
    },
    Screen {
        title: "Two cuts through one run",
        why: "Node 3 recorded what it has for S3 before the 10 of node 1 arrived: in S3 they are in transit, \
              in S2 they are in its account. Both are states that the bank could have been in, and \
              both add up to 1800.",
        commands: &["Receive 3 1", "Receive 3 1", "ReceiveAll", "CollectState"],
        steps: 4,
    },
    Screen {
        title: "A process dies",
        why: "Node 2 sends 25, node 1 sends 10, and then a SIGKILL ends node 2. Its account is lost, and \
              so are the 10 on their way to it: both are counted. What it had sent can still be received.",
        commands: &["Send 2 3 25", "Send 1 2 10", "KillNode 2", "Receive 3"],
        steps: 4,
    },
    Screen {
        title: "The living go on",
        why: "Node 1 has too little for the first of these, and refuses: that is an answer. What \
              needs the dead node fails: that is reported. The rest is as before.",
        commands: &[
            "Send 1 3 5000",
            "Send 1 2 7",
            "BeginSnapshot 1",
            "Send 3 1 55",
            "Receive 1",
        ],
        steps: 3,
    },
];
