// Package budget is one budget of memory for the whole process: what is alive is added
// up, and near the limit something is done about it, so that the kernel does not do it.
// It knows no socket, no session and no protocol: parts of the process tell it what they
// hold, and keepers whom they could close.
//
// # Reading order
//
//	part.go     what is counted apart
//	account.go  how goroutines outside the loops count
//	budget.go   the sum, the thresholds, and what is asked of them
//	guard.go    what is done near the limit, and who is closed first
//	runtime.go  what Go's runtime knows of its memory, and its own limit
//	stats.go    what is told of all that
//
// # What is counted
//
// What is alive, once. A message that a thousand sessions have not read is one message:
// whoever keeps it first counts it, whoever lets go of it last takes it off again. So the
// sum is what would be freed if all of it went, not what limits of single sessions add up to.
//
//   - backlogs: messages that sessions have not read, and answers of their own to them.
//   - halves: messages and request heads of which a part has come.
//   - tls: what is encrypted and not written, and an estimate for each session over TLS.
//   - rings: messages on their way through the order, and in its sinks.
//   - sessions: an estimate for what an idle one has of the Go heap.
//   - kernel: an estimate as well: the socket of each connection, and the send buffer of
//     each that takes no more. A container's limit holds for these too.
//   - channel: frames, half frames and queues of the Channel server.
//   - api: bodies of requests that are being worked on.
//   - bus: messages that wait for other nodes, and, by the mean of the last ones, those of theirs
//     that wait to be published.
//   - other: what the last garbage collection found alive beside all that, with the
//     runtime's own: tables, libraries, pools. It is measured and not counted, so that what
//     nobody has thought of is in the sum too. The least of the last three collections counts,
//     since the other parts go on while one runs.
//
// Pages of the program's file are not counted: the kernel takes them back when it has to.
//
// # What it costs
//
// An event loop counts in plain fields of its own, and only for sessions that are behind or
// in the middle of a message. At the end of a read or a batch it compares their sum with what
// it has told, and stores it for others once that has moved by TellBytes; rings do the same. So
// the sum may be wrong by that much for each of them. Nothing is added up where a message
// passes: the guard adds up, when it is told that something has grown, and otherwise
// ten times a second while half the limit is used, once a second below that.
//
// # What is done
//
// In parts of the limit:
//
//   - CloseAt, 80 %: those are closed that hold most, until CloseTo, 70 %, is reached:
//     readers furthest behind, peers with half a message, Channel connections that do not read.
//     Of those that hold as much, the one that has been silent for longest goes first.
//     A session gets 1008 behind what is partly out, and the reason. Where all who could be
//     closed hold less than a 64th of what is too much, nobody is: it is used elsewhere.
//   - RefuseAt, 90 %: new connections get 503, publications from outside the loops are
//     overloaded, Channel queues take nothing more. Messages of sessions go on: their
//     readers are those that would be closed.
//   - ResetAt, 95 %: those that are being closed for it, and have not gone yet, are reset.
//
// Who has been closed holds what its kernel buffer has until it is gone, at most
// CloseTimeout. That is counted, but not a reason to close others.
//
// Everything that was done is counted, is an event of the history, and is logged at times.
//
// # Go's own limit
//
// Where the operator has set no GOMEMLIMIT, the runtime's soft limit is what the kernel's part
// leaves of 95 % of the limit (GoLimit), a quarter of the limit at least. Garbage does not count here, but
// it is memory: without that the heap would grow to twice of what is alive before it is
// collected. Alive is 80 % of the limit at most, so the collector always has a share to work
// with, and never runs against a limit that it cannot reach.
//
// # Decisions
//
// 2026-11-25: the limits of single sessions stay as they are. They are about fairness between
// sessions; the budget is about the process, and most sessions are far from theirs.
//
// 2026-11-25: half messages count for who is closed, and not only readers. 4,096 peers with
// 60 KB each of a message that never ends are a container of 256 MiB, and read everything.
//
// 2026-11-25: references to a message that several loops share are counted by an atomic, but
// only those of sessions that are behind, which cost a refused write each. Rejected: a map of
// chunks (a look-up a reference), one more struct for each message and loop, and
// counting a message once for each loop, which would halve the budget on two loops.
//
// 2026-11-25: the parts of a publication for several groups share one frame, and each counts
// its share of it. That is less than the truth when only some of them are kept; what is missing then
// is in "other" after the next collection.
package budget
