// Package interest decides which groups this node is subscribed to on NATS: those that it has
// members in, and for a while longer; when a join in one is covered; and when one subscription to
// all groups takes the place of many. It never touches NATS: it hands batches to the bus's writer,
// is told of markers that were answered, and tells the loops.
//
// # Reading order
//
//   - options.go: limits, and what is fixed
//   - interest.go: the goroutine around the table; mailbox.go: what others tell it
//   - table.go: groups, and their members by reactor
//   - linger.go, wildcard.go, connection.go, batch.go, orders.go: the rest of the table, by what happens
//   - queue.go, links.go: what is to be written; lists through the table
//   - count.go, stats.go: how many members groups have; what an operator sees
//
// # A group's life
//
//	member -> queued -> SUB handed over -> marker answered -> covered
//	no member -> lingers -> the loops are asked -> UNSUB queued -> handed over -> forgotten
//
// A batch that the writer has taken counts as written: should the connection end meanwhile, nats.go
// has noted the subscriptions and makes them again. What is in no batch yet is taken back where it
// cancels out, so that what waits for a slow connection is a group once at most.
//
// One marker is under way at a time. One that was answered by all covers the SUBs in front of it;
// one that was not covers nothing, and the next one, with the next SUB or after MarkerPause, covers
// these as well.
//
// The loops note which groups are covered, and are asked before one is left: a join that saw its
// group as covered was answered, so that its member must get everything, though no update has told
// of it yet. Groups that are used stay covered, and linger once more: such a member may leave again
// before an update, and is never told of then. Groups that get a member while the loops are asked,
// or whose UNSUB is queued, are covered again without a trip to NATS: their SUB was never taken back.
//
// While there is no connection nothing is believed of what is noted, but it stays noted: the first
// marker that is answered on the next one stands behind all that nats.go has subscribed to again, so
// that On is all there is to say. The loops are asked as ever meanwhile.
//
// # The wildcard
//
//	single    -> widening    more groups than Subjects: the wildcard, and a marker
//	widening  -> wide        answered: all are covered, and the single subjects are left
//	wide      -> narrowing   a minute below 4/5: SUBs of all, in batches, and markers
//	narrowing -> single      answered behind the last of those that were here at first: no wildcard any more
//	narrowing -> wide        more groups than Subjects once more
//
// While it narrows, new groups wait for their own SUB, though the wildcard would cover them: what
// rests on the wildcard only gets less, so that the change ends however many come. There are never
// more single subjects than Subjects. Groups that linger count.
//
// # Updates are counted
//
// A group's members are a number for each reactor, not a set: 4 bytes a group and reactor, whatever
// the members. That wants updates in which a membership begins once and ends once (loop.Members
// promises it). Between an overflow and the reading anew it is not so; a count that is too small
// then is put right by the loops, which are asked before a group is left.
//
// # Decisions
//
// 2026-11-25: what the loops have noted stays while the connection is away. Rejected: to empty it,
// and to note all anew with the next connection. An answer to Uncover that comes late would put
// groups back behind that, and 100,000 groups are noted anew each time, for nothing.
//
// 2026-11-25: the loops are asked on a goroutine of its own, one question at a time, since a busy
// loop answers late and joins must not wait for that. What is covered meanwhile are other groups.
//
// 2026-11-25: groups stand in slots of one slice, with lists through them. Rejected: a timer a
// group, which is 200 bytes and a goroutine's wake-up each; entries in a queue that are void once
// their group has members again: a group that comes and goes fills it.
//
// 2026-11-25: a batch has 4,096 SUBs at most. All 50,000 in one keep publications waiting for 0.2 s.
//
// # Figures
//
// 2026-11-25, two cores that others used as well, 100,000 groups on two reactors; NATS and the loops
// answer at once and cost nothing.
//
//	a join or leave with all that follows, of 100     0.2 to 0.4 us, 130 bytes (under the wildcard as long, 70 bytes)
//	a join or leave of a group with other members     0.1 us, nothing
//	a reactor read anew, all groups on it             24 ms, nothing; it comes in parts of 4,096
//	a loss, looked up in all                          3 ms, nothing
//	to the wildcard and back                          17 ms in all, in batches
//	a group                                           127 bytes beside its name
package interest
