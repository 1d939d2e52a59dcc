// Package reactor is everything that one event loop's goroutine touches: a reactor
// with its sessions, groups and deadlines, and what it does with their bytes. It knows
// gnet and sockets, the order as its Port and what goes through it, and its engine only as
// Shared.
//
// # Reading order
//
// Each file names only what stands below it, but for two pairs. A session knows its
// reactor, since gnet's callbacks bring nothing but the session, and a reactor has the table
// of sessions. A session knows its groups and a group its members, by index in both
// directions, so that leaving costs the same in a group of two and of a million. Each is one
// structure in two halves.
//
//	new.go         how a reactor is put together, and what its engine does with it
//	lifecycle.go   a session's birth and burial
//	inbound.go     bytes in: frames, messages
//	receiverate.go how many of them a second
//	drain.go answers.go listing.go follower.go holders.go covering.go  what an engine asks, and orders from outside
//	delivery.go    batches: mark, then flush
//	users.go       messages to users
//	gap.go         what members hear of messages that were lost on the way here
//	marking.go     who is handed what, and how it looks
//	command.go     what a command does; how commands keep their order
//	joinack.go     the ack of a join, which may wait for the bus
//	clock.go       what happens when time goes on
//	handshake.go   bytes in: the request head
//	silence.go     pings, and those who do not answer
//	granted.go     what an identity means for its session
//	flush.go       writing what sessions have queued
//	closing.go     close handshakes, and overBacklog: the policy for slow readers
//	acked.go       how far a peer has come
//	counting.go    what sessions hold of the memory, counted and told
//	outbound.go    a session's queue
//	members.go     joins and leaves
//	transports.go  the kinds of transport, and what a session asks of its own
//	transport_tls.go transport.go   how bytes get out and in, over TLS and in any case
//	ticks.go       time in ticks
//	reactor.go     a loop's world; waking, yielding
//	memory.go      what of the process's memory is its sessions'
//	batch.go gapped.go usertable.go groups.go wheel.go progress.go outbox.go secured.go waiting.go  what it is made of
//	writable_*.go  news of room in a full socket
//	shared.go      what several loops count and know together
//	coverage.go    which groups the bus covers
//	options.go     limits and sizes
//	session.go     a session: its fields, and the table of them
//	outqueue.go identity.go         what those are made of
//	dialect.go     how commands are read, and how what a session is sent is written
//	chunkpool.go freelist.go        what is used again
//	counters.go histogram.go        what is counted
//	write_*.go unacked_*.go         system calls
//
// # Ownership
//
// There is no lock and no atomic in a reactor but those that say so. What several loops
// must count together is in Shared, and is touched when something begins or ends, never
// for a message. A goroutine that wants to know something asks the loop: listing.go.
//
// # One message
//
// A loop reads all there is of a socket; frames are unmasked in place and
// parsed without an allocation. A send_to_group becomes one message (two
// allocations: a struct, and a buffer with the encoded frame, the group and
// the req_id), which goes to the broker through the reactor's port. It comes back to
// every reactor, the sender's own included. Each reactor takes a
// batch, marks and then flushes.
//
// Marking appends a reference to the encoded frame to each member's queue and
// lists the member as dirty: tens of nanoseconds. Consecutive messages to one
// group are first copied into one shared chunk, so that a busy group costs one
// reference a member and batch. Flushing is one write a dirty member and
// batch: microseconds, nearly all of it in the kernel. A long flush is cut
// into slices of FlushSlice writes, and between two slices the loop serves its
// other events. A slice walks the list of dirty sessions, never the groups, so
// joins, leaves and ends are free to happen in between; while members are being
// marked they are a mistake that ends the process. No further message is
// taken before the list is done.
//
// A reactor knows the place in the order of the last message that it took. A join returns
// it: the member gets all of its group behind that place, and nothing in front of it.
//
// # Yielding
//
// A reactor that has more to do comes back through its yield descriptor: one byte
// through a socket pair, which returns as an ordinary event behind those of other
// sockets; an Execute would be served before gnet polls again and starve them.
//
// # Writing
//
// All writes are raw system calls on the session's own copy of the descriptor
// (write_linux.go says why). gnet's write buffer is never used: it has no
// limit and tells nobody when it is empty. What the kernel does not take stays
// in the session's queue as references, plus an offset into the first; the
// reactor's own epoll set tells when there is room. So a slow reader costs
// pointers, not copies, until its backlog is over MaxBacklogBytes after an
// attempt to write it: then overBacklog decides. Today it closes the session with 1008,
// behind the frame that is partly out; a policy for slow readers begins there, and may
// drop whole chunks of the queue, each of which says what it holds.
//
// How a session's bytes get out and in is its transport's (transport.go), and so are news
// of its socket, what its peer has acknowledged, and both ways to end it. The socket
// itself is the only one today; sessions of one reactor may differ in it. TLS is one more
// entry and a file of its own, which keeps what it holds of a session by the session's
// slot, so that others do not pay for it, and gives that back by release.
//
// # Users
//
// A message may be for users: for all sessions whose identity says that they are one of
// them. Users' sessions lie in a table of their own beside the groups (usertable.go), from the
// moment a session is open until its end begins, and a session moves in it when it becomes
// another user's. So no name can mean a user that means a group: clients, the Channel server,
// the API's groups, grants and patterns cannot reach one, and a user counts in no limit, list
// or figure of groups. The anonymous are in no list of it, and cost nothing.
//
// A publication for groups and users is one message to each group and a last one to all the
// users, one behind the other. A session gets it as a member of its groups, and as its user's
// only if none of these reached it: the group's own sequence stays whole. Whom it is owed to
// is settled when the first message comes, since a batch may end between two of them, and
// sessions come and go then (named).
//
// # Gaps
//
// Messages of other nodes may be lost on their way here. An item of the order says so of a
// group (order.KindGap): its members in envelope mode get a notice in the place of what is
// missing, others are closed with 1013. These are noted while members are marked and closed in
// later turns and ticks, a thousand a second; until then they stay members.
//
// # Memory
//
// What sessions hold counts for the process's budget (package budget): what is queued for a session
// that is blocked, each chunk once (Chunk.Hold), half messages and heads, what is sealed. A
// session holds the front of its queue: all of it while it is blocked, and what was there then
// until it is written. Nothing is counted for sessions that take what they are sent.
//
// Where memory is short the engine's guard asks for holders, and has some of them shed: closed
// like slow readers, with another reason. Those that are still there when it gets worse are reset.
//
// # Outbox
//
// While a goroutine follows the members (follower.go), joins and leaves are noted in an outbox,
// which a turn brought by the first of them empties, and StartDrain before its barrier. The
// loop and the follower exchange one pointer and never wait for each other. What cancels out
// before it is taken is left out; beyond a limit all of it is dropped and read anew, in
// parts that come through the outbox as well, so that they stand in order with the changes. Of a
// session that is still to be read nothing is noted, so that updates may be counted.
// While nobody follows that costs a join or a leave a comparison.
//
// # Dialects
//
// How commands are read, and how answers, pings, goodbyes and groups' messages are
// written, is a session's dialect (dialect.go), of which the contract's is the only one
// today. What a command does, and WebSocket's frames, are the same in all. Another wire
// protocol is one more entry of dialects and a file of its own; the handshake chooses. An
// encoding that nobody in a group wants costs the group three words and a message a
// comparison.
//
// # TLS
//
// A session over TLS comes with its handshake done (Newcomer). What TLS needs of it lies in
// the reactor's map of secured ones, so that a session without is no larger. Its queue is
// encrypted when it is written: up to maxWriteBytes in as few records as they need, with
// one call. What the kernel does not take of that is sealed and has to go out; it is the one
// thing beside the queue that a slow reader holds, is one write at most, and is not in its
// backlog. Dropping a queue acts on what is not sealed. How far a peer has come is told in
// plain bytes but counted in encrypted ones, which are a few more: that it has everything
// is exact, and that it goes on as well.
//
// # Time
//
// A reactor's time is the ticks of its wheel. It stands still while the loop does: one
// missed tick is made up for, further ones are not, and none before what lies in the
// sockets has been read. Activity moves nobody in the wheel.
//
// A session is closed as silent only when a ping went unanswered. A ping that stands
// behind a backlog cannot be answered yet: as long as the peer acknowledges bytes in
// front of it, it is not silent. A close frame stands behind a backlog likewise, and
// its time begins anew with progress (progress.go, closing.go).
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
// 2026-11-22: a session that answers a drain, or fails a check of its input, is
// sent its close frame, then our half of its connection is shut, and only its
// own end (or CloseTimeout) closes it. Closing at once would turn unread input
// into a reset that can overtake the close frame.
//
// 2026-11-22: batches end at 512 messages or 64 KiB. With 64 messages a saturated
// group cost twice the CPU: the number of writes is the cost, and the members
// can be written to once for all that waits.
//
// 2026-11-22: a backlog counts what is kept beside each chunk, not bytes alone:
// a reader of tiny messages who reads nothing keeps a message alive for every
// few bytes.
//
// 2026-11-23: each callback looks at the time when it begins and when it ends,
// for latency and for the share of time that a loop is busy. Measured: nothing.
//
// 2026-11-23: sessions have no count of what was dropped for them: one that must
// lose something is closed.
//
// 2026-11-24: a batch's bytes are what members are sent, not what came: escapes make
// six bytes of one. An excluded session counts as a mark, since it has to be looked for.
//
// 2026-11-24: progress of a peer is the bytes that its side has acknowledged (SIOCOUTQ),
// not those that the kernel took: that is a few hundred kilobytes and then nothing for
// a long while. A unix socket has no acknowledgements; there the kernel takes more only
// once the peer has read. Rejected: any acknowledgement as a sign of life of an open
// session, which would keep a dead program behind a live kernel.
//
// 2026-11-24: answers behind a send that is under way are gathered for one read and go
// round together. One ring item each would let a session that is refused for its rate
// fill the rings.
//
// 2026-11-25: users are no groups with reserved names. As a group each would have cost a
// session with a token a second membership and a group of its own, 270 bytes measured for a
// user with one session, every list, limit, count and roster of groups an exception, and
// envelope mode a name that no client may know. A table of its own takes 75 to 97 bytes, and
// costs groups' messages a comparison, where they come from outside.
//
// 2026-11-25: a session has its identity in eight bytes and stays at 176: its first
// membership lies in two fields, which a struct would pad, and its backlog counts in 32
// bits, which its limit is far from.
package reactor
