// Package loop is the engine: event loops with a broker between them, the way in for
// connections, and all that the server asks of them. What it is made of lies in rooms
// of its own:
//
//	order/    one total order: messages, rings, broker, sinks. No sockets, no gnet
//	reactor/  one loop's world: sessions, groups, reading, delivering, writing, closing
//	budget/   one budget of memory for the process, and what is done near its limit
//	quota/    how many there may be of something, by key
//	accept/   taking connections from listeners, and refusing them politely
//	ration/   log lines that peers cause: once in a while, and short
//	pattern/  which names are meant: exact ones, and beginnings
//	leak/     for tests: nothing is left behind
//	wait/     for tests: waiting for the thing itself
//
// Imports go loop -> reactor -> order, and nothing goes back. Only loop and reactor know
// gnet.
//
// # Reading order
//
// Each file names only what stands below it.
//
//	start.go end.go           how an engine is put together, and how it ends
//	acceptor.go               how a connection gets in: limits first
//	enrol.go                  then a loop
//	reserve.go                places for connections, which are counted
//	handler.go                gnet's callbacks
//	clock.go                  what tells the loops the time, and notices those that stand still
//	drain.go                  the orderly end
//	sessions.go grouplist.go  questions and orders from outside
//	members.go                who is in which group, for one goroutine outside the loops
//	covering.go               which groups a bus to other nodes covers, and whose acks wait for that
//	reconfigure.go            limits that change while it runs
//	memory.go                 the engine's part of the process's budget
//	stats.go                  what is counted
//	ask.go                    questions to the loops
//	publish.go                the way in for goroutines outside the loops
//	engine.go                 what an engine is made of
//	joinwaiters.go            goroutines that wait for a group to be covered
//	enroller.go               the way in to one loop
//	admission.go              what is known of a connection that was accepted elsewhere
//	names.go                  what callers meet of the rooms behind
//	gnetlog.go                gnet's log as one of ours
//
// internal/arrows holds that for this package and the two rooms below it.
//
// # Ownership
//
// A goroutine that wants to know something about a reactor asks its loop: questions and orders
// are closures that the loop in question runs (ask.go); what they find they
// return, and nothing else is shared. Listings look through a few thousand slots at a
// time, so that no loop is deaf meanwhile. Slots do not move while what is in them
// lives: a listing goes on where it stopped and misses nobody who stays.
//
// Options in force are a value that is never changed: Reconfigure puts another
// one in its place, and each reactor takes it up on its own loop.
//
// # The way in
//
// An acceptor looks at the limits before any loop is touched. Then it names a loop and
// goes on: of those that keep nobody waiting for long the one with the fewest
// connections. Sixteen may be on their way to a loop; beyond that the acceptor waits,
// and further clients wait in the kernel, not in our descriptors. So a loop that is
// busy keeps nobody out who could be served by another.
//
// A connection that was accepted elsewhere, and of which something has been read
// already, comes in by Admit: what has to be done off the loops (a PROXY header, a
// handshake, a token's check) happens before it, and what it found of who the peer is
// comes along. An open session becomes another user's by Identify, and an answer that such
// a thing owes it goes to it by Tell. A bus to other machines lives in package server: it is a
// sink (NewSink) and a publisher (Submit, PublishAll), and what it may have lost it tells the
// members of, in place (Gap).
//
// Who is in which group is followed by Members, at first all of it and then what changes.
// A roster that counts users and feeds presence and webhooks is built on that, outside the
// loops.
//
// In a cluster the ack of a join waits until the bus covers the group: until all that other nodes
// publish to it comes to this one. Which groups are covered is one table of the node, which the
// bus writes (Cover, Uncover) and the loops read without a lock; what is believed of it is one
// word (SetCoverage), and without a cluster a join looks at nothing else. An ack that waits is its
// loop's, which sends it once it is told, or after Options.JoinWait (reactor/joinack.go).
//
// A publisher that is faster than the members can be written to feels it as TCP
// back-pressure: its loop does not read it while its push waits (order/doc.go).
//
// # Decisions
//
// 2026-11-22: acceptors live here and not in package server, since accepting
// is limits and enrolment, which share their counters with the reactors.
// Package server makes the listeners.
//
// 2026-11-22: statistics are plain fields and are asked for, not published as
// atomics once a batch: twenty atomic stores a batch cost more than the
// occasional question.
//
// 2026-11-22: closes of a drain are spread only beyond 1,000 a second and
// reactor: spreading is against storms of reconnects, and a developer with two
// tabs should not wait for it.
//
// 2026-11-23: a listing of groups looks at all of them and sorts what it wants
// outside the loops. An ordered index would cost every join.
//
// 2026-11-24: connections are enrolled by EventLoop.Enroll, which takes a goroutine of
// gnet's pool for each, and not by Client.Enroll, which chooses the loop itself and waits
// for it: one busy loop stopped all accepting. More than 16 at a time brought nothing and
// left idle goroutines behind, which gnet's pool keeps for ten seconds.
package loop
