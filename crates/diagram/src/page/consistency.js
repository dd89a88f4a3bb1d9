// Cuts through the run: for each process, how many of its steps are inside. Whether a cut is
// consistent, and what the system's state is there. Nothing here draws.

/** The moments of each process, in its order. */
const stepsOf = RUN.processes.map(() => []);
/** Which step of its process each moment is, from 0 on. */
const stepOf = moments.map(({ lane }, moment) => lane === undefined ? undefined : stepsOf[lane].push(moment) - 1);

/** The cut that has inside what has happened by a step. */
function cutAfter(order, position) {
  const cut = RUN.processes.map(() => 0);
  for (const moment of order.slice(0, position + 1)) {
    const { lane } = moments[moment];
    if (lane !== undefined) cut[lane] += 1;
  }
  return cut;
}

/**
 * The cut of a snapshot: every process up to its record. Of one without a record in what is shown,
 * only what led to the others' is inside.
 */
function cutOf(snapshot) {
  const cut = RUN.processes.map(() => 0);
  for (const event of RUN.snapshots[snapshot].cut) cut[RUN.events[event].lane] = stepOf[momentOf[event]] + 1;
  return withCauses(cut);
}

/** Whether an event of a process is inside a cut. */
function isInside(cut, event) {
  const moment = momentOf[event];
  return stepOf[moment] < cut[moments[moment].lane];
}

/** The messages and markers that break a cut: received inside, but sent after it. */
function effectsWithoutCause(cut) {
  return messagesWhere(cut, (isSent, isReceived) => isReceived && !isSent);
}

/** What is in transit across a cut: sent inside, but not received there. */
function acrossCut(cut) {
  return messagesWhere(cut, (isSent, isReceived) => isSent && !isReceived);
}

/** What was sent before the part of the run that is shown was sent inside every cut of it. */
function messagesWhere(cut, holds) {
  return RUN.messages.flatMap(({ sent, received }, index) => {
    const isSent = sent === undefined || isInside(cut, sent);
    const isReceived = received !== undefined && isInside(cut, received);
    return holds(isSent, isReceived) ? [index] : [];
  });
}

/** The smallest consistent cut that contains one: what is an effect brings its cause with it. */
function withCauses(cut) {
  const grown = [...cut];
  for (let broken; (broken = effectsWithoutCause(grown)).length > 0;) {
    for (const { from, sent } of broken.map(index => RUN.messages[index])) {
      grown[from] = Math.max(grown[from], stepOf[momentOf[sent]] + 1);
    }
  }
  return grown;
}

/** The largest consistent cut within one: what lacks its cause is left out, and all that follows. */
function withoutEffects(cut) {
  const shrunk = [...cut];
  for (let broken; (broken = effectsWithoutCause(shrunk)).length > 0;) {
    for (const { to, received } of broken.map(index => RUN.messages[index])) {
      shrunk[to] = Math.min(shrunk[to], stepOf[momentOf[received]]);
    }
  }
  return shrunk;
}

/**
 * What a cut is: the messages that break it, those in transit across it, the balances there, and
 * the money: in balances, in transit, in all, and how much of that there is not (`surplus`). What
 * there is, is what the processes inside have begun with. A cut that is broken by a message counts
 * it twice, since its sender still has what its receiver already got.
 */
function judge(cut) {
  const inside = moments.flatMap((_, moment) => stepOf[moment] < cut[moments[moment].lane] ? [moment] : []);
  const { balances } = stateAfter(inside, inside.length - 1);
  const [broken, across] = [effectsWithoutCause(cut), acrossCut(cut)];
  const held = sum(balances.filter(balance => balance !== undefined));
  const moving = sum(across.map(amountOf));
  const begun = inside.flatMap(moment => moments[moment].events).map(event => RUN.events[event])
    .filter(({ kind }) => kind === 'create').map(({ amount }) => BigInt(amount));
  const before = RUN.processes.flatMap(({ before }) => before === undefined ? [] : [BigInt(before)]);
  const early = RUN.messages.flatMap(({ sent }, index) => sent === undefined ? [amountOf(index)] : []);
  const total = held + moving;
  return { broken, across, balances, held, moving, total, surplus: total - sum([...begun, ...before, ...early]) };
}

/** What a message carries; a marker carries nothing. */
function amountOf(message) {
  return BigInt(RUN.messages[message].amount ?? 0);
}

function sum(amounts) {
  return amounts.reduce((total, amount) => total + amount, 0n);
}
