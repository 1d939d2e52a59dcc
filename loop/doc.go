// Package loop is everything that an event loop's goroutine touches: the
// reactors with their sessions and groups, the broker between them, and the
// rings that connect the two. It is the only package that imports gnet.
//
// # Reading order
//
//	engine.go     what is started, the clock, questions to the loops, the end
//	acceptor.go   how a connection gets in: limits first, then a loop
//	handler.go    gnet's callbacks; a session's birth and burial
//	read.go       bytes in: request head, frames, messages
//	command.go    what a command does
//	message.go    what goes through the rings
//	ring.go       the rings
//	broker.go     the one order, and how sleepers are woken
//	reactor.go    a loop's world; publishing into a full ring
//	deliver.go    batches: mark, then flush
//	outbound.go   a session's queue, and writing it
//	writable_*.go news of room in a full socket
//	closing.go    close handshakes and silence
//	drain.go      the orderly end
//	publish.go    the way in for goroutines outside the loops
//	sink.go       the way out for them
//	sessions.go grouplist.go  questions and orders from outside
//	reconfigure.go            limits that change while it runs
//	stats.go histogram.go     what is counted
//	session.go sessionid.go groups.go wheel.go chunk.go  the data
//
// # Ownership
//
// A reactor, its sessions, its groups and its pools belong to its loop's
// goroutine: there is no lock and no atomic in them. The rings are the only
// crossing. What several loops must count together (connections, groups in
// all) is a handful of atomics that are touched when something begins or ends,
// never for a message. Whoever wants to know something about a reactor asks
// its loop (ask in engine.go).
//
// # One message
//
// A loop reads all there is of a socket; frames are unmasked in place and
// parsed without an allocation. A send_to_group becomes one message (two
// allocations: a struct, and a buffer with the encoded frame, the group and
// the req_id), which goes into the reactor's ingress ring. The broker stamps
// it with its order and appends it to every reactor's egress ring, the
// sender's own included, so that all agree on one order. Each reactor takes a
// batch, marks and then flushes.
//
// Marking appends a reference to the encoded frame to each member's queue and
// lists the member as dirty: tens of nanoseconds. Consecutive messages to one
// group are first copied into one shared chunk, so that a busy group costs one
// reference a member and batch. Flushing is one write a dirty member and
// batch: microseconds, nearly all of it in the kernel. A long flush is cut
// into slices of FlushSlice writes, and between two slices the loop serves its
// other events. A slice walks the list of dirty sessions, never the groups, so
// joins, leaves and ends are free to happen in between. No further message is
// taken before the list is done.
//
// A session's own commands keep their order although a send has to go round by
// the broker: what the session asks for behind a send that is under way, and any
// answer that is due meanwhile, is put into the ring behind it, and the broker
// gives it back to its own reactor alone (order.KindOwn). Whether a send is under way
// is one comparison: the rings keep the order, so two counters a reactor and a
// mark a session say it.
//
// # From outside
//
// A publication from outside the loops is one item of the broker's outside door,
// however many groups it has: they get it one after the other, or none of them
// does. A sink is handed every message right after the reactors, and keeps it in
// a queue of its own that overflows counted: the broker never waits for one.
//
// Questions about sessions and groups, and orders to them, are closures that the
// loop in question runs; what they find they return, and nothing else is
// shared. Listings look through a few thousand slots at a time, so that no loop
// is deaf meanwhile. Slots do not move while what is in them lives: a listing
// goes on where it stopped and misses nobody who stays.
//
// Options in force are a value that is never changed: Reconfigure puts another
// one in its place, and each reactor takes it up on its own loop.
//
// # Rules of the rings
//
// Each ring is bounded in slots and in bytes, so each push can be refused, and
// still no cycle of waiters can come about:
//
//   - R1. While its push is refused, a reactor delivers a batch of what waits in
//     its own egress ring and tries again; with that empty it parks until its
//     egress ring has an item or its ingress ring has room. Afterwards the
//     session it was serving may be dead. (A batch at a time, not all there is:
//     while other reactors publish there is no end to it.)
//   - R2. The broker, refused by a reactor's egress ring, wakes that reactor
//     and parks until there is room.
//   - R3. Delivering never pushes into a ring and never waits. Neither do
//     OnClose and reap.
//   - R4. Whoever frees or fills a slot wakes an armed waiter; freed slots are
//     handed back at least every 32 items.
//   - R5. Goroutines outside the loops wait with a deadline, and never spin.
//   - R6. Only reactors may make the broker wait.
//
// Why that suffices: the broker waits only if some egress ring is full; that
// reactor's waiting condition then holds, so it runs, and by R3 it drains: the
// broker gets room. If the broker does not wait, it empties every ingress
// ring, so each refused reactor gets room. TestTotalOrder runs this with rings
// of one slot, and TestWithoutCatchUpItHangs shows that without R1 it stops.
//
// A publisher that is faster than the members can be written to thus feels it
// as TCP back-pressure: its loop does not read it while its push waits.
//
// # Waking
//
// A consumer with nothing to do announces that it will sleep, looks once more,
// and sleeps; a producer publishes, and wakes whoever has announced it. The
// broker sleeps on a channel. A reactor sleeps in gnet's poll and is woken by
// one Execute of a preallocated Runnable a pass of the broker, however many
// items that brought. A reactor that has more to do comes back through its
// yield channel: one byte through a socket pair, which returns as an ordinary
// event behind those of other sockets; an Execute would be served before gnet
// polls again and starve them.
//
// # Writing
//
// All writes are raw system calls on the session's own copy of the descriptor
// (write_linux.go says why). gnet's write buffer is never used: it has no
// limit and tells nobody when it is empty. What the kernel does not take stays
// in the session's queue as references, plus an offset into the first; the
// reactor's own epoll set tells when there is room. So a slow reader costs
// pointers, not copies, until its backlog is over MaxBacklogBytes after an
// attempt to write it: then it is closed with 1008, behind the frame that is
// partly out.
//
// # Panics
//
// A panic while one session's bytes are interpreted ends that session (1011).
// Anywhere else the state of many is unknown, and the process ends.
//
// # Decisions
//
// 2026-11-22: news of room comes from an epoll set of each reactor's own, not
// from handing the remainder to gnet and polling for it on a timer. The timer
// would hold every slow reader to 64 KiB in 10 ms and copy each remainder; the
// set costs a descriptor and a sleeping goroutine a reactor, and nothing while
// nobody is slow. Measured on 2026-11-23 with sockets that are always full: the
// timer cost 1.16 times the CPU and 1.39 times the p99.
//
// 2026-11-22: acceptors live here and not in package server, since accepting
// is limits and enrolment, which share their counters with the reactors.
// Package server makes the listeners.
//
// 2026-11-22: a session that answers a drain, or fails a check of its input, is
// sent its close frame, then our half of its connection is shut, and only its
// own end (or CloseTimeout) closes it. Closing at once would turn unread input
// into a reset that can overtake the close frame.
//
// 2026-11-22: statistics are plain fields and are asked for, not published as
// atomics once a batch: twenty atomic stores a batch cost more than the
// occasional question.
//
// 2026-11-22: batches end at 512 messages or 64 KiB. With 64 messages a saturated
// group cost twice the CPU: the number of writes is the cost, and the members
// can be written to once for all that waits.
//
// 2026-11-22: connections are enrolled one at a time by each acceptor, waiting
// for the loop. Several acceptors, and enrolling from many goroutines at once,
// were measured and brought nothing.
//
// 2026-11-22: a backlog counts what is kept beside each chunk, not bytes alone:
// a reader of tiny messages who reads nothing keeps a message alive for every
// few bytes.
//
// 2026-11-22: ticks that were missed for longer than a moment are not made up
// for: after a standstill of the process or the machine nobody has been silent.
//
// 2026-11-22: closes of a drain are spread only beyond 1,000 a second and
// reactor: spreading is against storms of reconnects, and a developer with two
// tabs should not wait for it.
//
// 2026-11-23: no interest filter. A bit for each group and reactor would spare a
// reactor without members a ring's slot and a map's look-up, some 100 ns; it
// costs a map that all reactors share. On 8 loops it saved a tenth of a message's
// cost with groups of 2, which is a fiftieth of one write.
//
// 2026-11-23: each callback looks at the time when it begins and when it ends,
// for latency and for the share of time that a loop is busy. Measured: nothing.
//
// 2026-11-23: a listing of groups looks at all of them and sorts what it wants
// outside the loops. An ordered index would cost every join.
//
// 2026-11-23: sessions have no count of what was dropped for them: one that must
// lose something is closed.
package loop
