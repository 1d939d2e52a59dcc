// Package order puts messages into one total order and hands each to every event
// loop: the broker, the rings that connect it with the loops, the door for
// goroutines outside the loops, and the sinks, which are the way out for them. It
// knows nothing of sockets, sessions or gnet; an event loop is a Port to it. So it
// is tested with plain goroutines.
//
// # Reading order
//
// From what is named to what names it, but for one pair: a message says from which sink's
// owner it came, and a sink queues messages.
//
//	sessionid.go  how a session is named
//	chunk.go      the bytes of messages, the unit that sessions queue
//	kept.go       what is kept of a group
//	message.go    what goes through the rings
//	wake.go       how sleepers are woken
//	epoch.go      what a run of the order is called
//	ring.go       the rings
//	port.go       a loop as the broker sees it; publishing into a full ring
//	door.go       the way in for goroutines outside the loops
//	missed.go     what a sink did not get
//	sink.go       the way out for them
//	keeper.go     state of groups, in step with the order
//	broker.go     the one order; a loop in the broker's place
//	outside.go    what others ask of it
//
// # From outside
//
// A publication from outside the loops is one item of the door, however many groups
// it has: they get it one after the other, or none of them does. Users come last, all of them
// with one message, which of the sinks only those get that ask for it: to a bridge between
// groups it would be a message of no group. A sink is handed
// every other message right after the loops, and keeps it in a queue of its own that
// overflows counted: the broker never waits for one. It says where it missed
// something, in place, and which groups' messages that were (Missed). A drain's barrier is a
// word beside that queue, so that it comes
// through where nothing else does: behind all that is queued and all that was dropped.
//
// A gap (KindGap) comes from outside as well. It says to a group's members that messages of
// theirs have been lost on the way to this process, at a place between others and without one
// of its own, so that no place in the order is missing anywhere. A publication's messages are
// never torn apart by one.
//
// # A session's own
//
// A session's commands keep their order although a send has to go round by the
// broker: what it asks for behind a send that is under way goes the same way
// (KindOwn). The broker gives it back to the port that it came from, without a place
// in the order; the rings keep it behind the send.
//
// # Rules of the rings
//
// Each ring is bounded in slots and in bytes, so each push can be refused, and
// still no cycle of waiters can come about:
//
//   - R1. While its push is refused, a loop delivers a batch of what waits in
//     its own egress ring and tries again; with that empty it parks until its
//     egress ring has an item or its ingress ring has room. Afterwards the
//     session it was serving may be dead. (A batch at a time, not all there is:
//     while other loops publish there is no end to it.)
//   - R2. The broker, refused by a port's egress ring, wakes that loop
//     and parks until there is room.
//   - R3. Delivering never pushes into a ring and never waits. Neither does
//     ending a session.
//   - R4. The goroutine that frees or fills a slot wakes an armed waiter; freed slots are
//     handed back at least every 32 items.
//   - R5. Goroutines outside the loops wait with a deadline, and never spin.
//   - R6. Only event loops may make the broker wait. Hence only they have a port,
//     which is a struct and no interface.
//
// Why that suffices: the broker waits only if some egress ring is full; that
// loop's waiting condition then holds, so it runs, and by R3 it drains: the
// broker gets room. If the broker does not wait, it empties every ingress
// ring, so each refused loop gets room. TestTotalOrder runs this with rings
// of one slot, and TestWithoutCatchUpItHangs shows that without R1 it stops.
//
// When the engine stops, a broker that waits leaves, and takes nothing more; waking
// it never blocks, since a token that nobody took is enough.
//
// # Waking
//
// A loop that has published does not wake a sleeping broker: it does a pass in its
// place (stepIn), as far as that goes without waiting, and wakes the broker's
// goroutine for what is left. There is one broker at a time: the goroutine that takes its word from
// asleep to running.
//
// A consumer with nothing to do announces that it will sleep, looks once more,
// and sleeps; a producer publishes, and wakes the consumer that has announced it. The
// broker sleeps on a channel. A loop sleeps where it likes (an event loop in gnet's
// poll) and is woken by one call of its port's wakeUp a pass of the broker, however
// many items that brought.
//
// # Room for what comes
//
// State of a group that must follow the order (a log, say) belongs into the keeper, which
// fanOut asks between the stamp and the rings. Today it keeps a group's last place. Who
// asks for it does so by an item of the order, so that it is clear which messages are in
// the answer; a join that resumes would be such an item too. A bus is one more sink, with
// SkipOwn, and one more caller of Submit; Epoch and Order together name its messages. None
// of them may make the broker wait.
//
// # Decisions
//
// 2026-11-23: no interest filter. A bit for each group and loop would spare a
// loop without members a ring's slot and a map's look-up, some 100 ns; it
// costs a map that all loops share. On 8 loops it saved a tenth of a message's
// cost with groups of 2, which is a fiftieth of one write.
//
// 2026-11-24: whether a session has a send under way is known by two counters of its
// loop and a mark in the session, not by counting its sends: the rings keep the
// order, so nothing that comes back has to be looked up.
//
// 2026-11-24: a message's payload is an offset into its frame, and its group and place
// in the order lie in the frame's Chunk, which sessions queue: they are there for
// a caller that has to say what a session missed. With that Message went from 144 to 128
// bytes.
//
// 2026-11-25: a loop steps in for a sleeping broker. To wake the broker's goroutine cost
// two changes of goroutine a message; and one time in 61 the loop went on before the
// broker and blocked in the kernel with the only processor, until Go's monitor took it
// away 10 to 20 ms later (GiveWay says how): that was the 99th percentile. Two Gosched
// calls alone mend the latency as well, but cost a third more CPU with 1,000 busy groups,
// since every read then changes goroutines.
package order
