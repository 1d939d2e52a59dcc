// Package workerman is groupcast's side of the Workerman Channel protocol: a
// Server for PHP programs that use Channel\Client, the bridge between it and the
// groups, and a Client that takes a worker's place at another program's Channel
// server. protocol/workerman reads and writes the bytes.
//
// # Reading order
//
//   - options.go: every limit
//   - server.go: listening, connections coming and going, the orderly end
//   - conn.go: one connection; what each message does
//   - silent.go, halves.go: what strangers may hold
//   - holders.go: who is closed when the process is short of memory
//   - hub.go, nametable.go: who subscribes to what
//   - queue.go, makers.go: the queues
//   - frame.go, outbox.go: what waits for all connections, and for one
//   - linger.go: the end of a connection that loses nothing
//   - bridge.go, relay.go: between events and the groups' messages
//   - client.go: the same from the other side
//   - node.go: this groupcast among others
//   - stats.go: what an operator sees
//
// # A Channel server
//
// Each connection is a goroutine that reads and one that writes. What they share
// is the hub, behind one lock that is never held while something waits: all events
// get one order that way, as they do in Workerman's single process. An event is
// encoded once, if anybody takes it, and shared by all who do. A connection that
// does not read has SendBufferBytes waiting; what comes then it does not get, and
// that is counted (Workerman's does the same, at the same 1 MiB, and logs
// nothing). Nobody waits for it. A frame that goes to several channels is one tail,
// its data, behind a head for each channel: the tail is kept and counted once.
//
// # Common limits
//
// What all connections share (places, half frames, what waits to be sent) cannot be
// refused to the one that comes when it is used up: those that hold it would keep
// everybody else out by doing nothing. So the largest holder pays. Between addresses
// and connections nothing else is known of who is a stranger: PHP programs have no
// names, and the workers of a machine have one address. Only connections that have
// said nothing are counted by address, and a frame that has begun and the first word
// have a deadline, so that what costs a stranger nothing is not held for long.
//
// All of it counts for the process's budget of memory (package loop/budget) as well. When that is short,
// connections for which most waits are closed, like sessions and among them, largest first. When it
// is shorter still, nobody new is served, events are not handed over, and queues take nothing:
// counted as where a send buffer or a queue is full.
//
// # Jobs
//
// A connection that was handed a message of a queue holds a job until its next
// reserve, which is when PHP's client has done it. PHP without an event loop neither
// pings nor reads meanwhile, so neither silence nor a full socket means anything,
// for as long as JobTimeout. The job is not given to another consumer when the
// connection ends: nobody knows whether it was done. At most once.
//
// # Large frames
//
// A connection with more to read than one read takes lets others go first. Go gives a
// goroutine up to 10 ms at a time, and 30 connections that send 10 MiB each never wait
// for anything: the event loops of the WebSocket sessions stood behind all of them.
//
// # The bridge
//
//	PHP program              broker                  groups' members
//	    | publish send_to_group |                          |
//	    |---------------------->| order ------------------>|
//	    |          event        |                          |
//	    |<---------- sink <-----|<---- send_to_group ------|
//
// An event for a group is not handed to the subscribers when it comes, but when
// it comes back out of the broker with its place in the order. So PHP programs
// and members see one order. Its publisher's connection is not read until then:
// its events keep their order, those of other channels included, and a broker
// without room is felt as TCP back-pressure, by that publisher alone. After
// PublishTimeout it goes to PHP programs only.
//
// What the group is refused (no UTF-8, too large, no group) PHP programs get all
// the same, at once: its place in the order is its own. While the engine drains
// that is all of it.
//
// An event reaches the subscribers as the bytes that came. A message of a
// WebSocket client or the API becomes {group_id, message}, both strings, as an
// example worker would have sent it; a JSON value is its text, so that a PHP
// worker's members are sent the same bytes as ours.
//
// The way from the broker is a queue of its own (rule R6 of package order): when
// it is full, subscribers miss messages, which is counted and logged.
//
// # Other groupcasts
//
// Each process is a Node with a random name. What a node passes on, to a cluster
// or to another groupcast at its Server, has a mark in its data: whether the
// message is text or JSON, and the names of all nodes that it came through. What
// has one's own name in it was here before. A Client names itself when it
// subscribes, so that a groupcast's Server knows whom to send marked events,
// and whom it need not tell: PHP programs there see none of it. At a Server
// written in PHP the marks are an element more in the event's array.
//
// Two groupcasts may be joined to each other: an event that reaches a Client from
// a node that is also a subscriber of our own Server is dropped, since that node
// publishes it there as well. Rings of three and more would deliver twice: join
// them as a tree. Nothing goes round in circles in any case.
//
// A Client that is away keeps nothing for later. At most once is what this
// protocol has always been, and what is published an hour late helps nobody.
//
// # Decisions
//
// 2026-11-23: goroutines and a lock, not an event loop. A Channel server has as
// many connections as there are PHP processes: thousands at most. An event to
// 1,000 subscribers costs 17 microseconds under the lock.
//
// 2026-11-23: only connections that have pinged must go on doing so
// (PingTimeout). Workerman's server never closes anybody. Its clients ping every
// 55 s; but a PHP script without an event loop holds a connection, never pings,
// and its write to a closed socket succeeds: its event would be lost. Peers that
// vanished are found by TCP keep-alive, within two minutes.
//
// 2026-11-23: publishers wait for their event to come back. Without that, an
// event for a group would be overtaken by the same publisher's next one to
// another channel, or to the same one if the group refuses it. The price is one
// event at a time and connection, 60,000 a second.
//
// 2026-11-23: a goroutine that waits for an event that the sink has dropped is let go
// by the next message that the sink has: what finds a queue full always has one
// before it. So no timer is needed, and no event can be waited for in vain.
//
// 2026-11-23: an event's other keys go with it to PHP programs here in any case,
// and on to other nodes and clusters if they are less than 4 KiB. What a sink's
// queue holds beside the message is bounded that way.
//
// 2026-11-23: publishLoop on the groups' channel stays among PHP programs: it is
// for one subscriber, and a group has many.
//
// 2026-11-23: a job of a queue is kept while its consumer has no room, or goes to
// another consumer; Workerman's loses it. A queue that is full refuses new
// messages instead of forgetting old ones: who enqueues jobs expects the first
// one to be done first.
//
// 2026-11-25: where the queues are full together, the largest loses its last messages
// to the others, and the connection that made most queues its last queue. Refusing
// the next one let one connection shut the queues for everybody by 65,536 names.
// Queues count for the connection that made them, also when that is gone, and not
// for an address: PHP programs of one machine have one. Jobs that nobody comes for
// age, and the log tells of them before they are gone.
//
// 2026-11-23: publishLoop passes over a subscriber without room, if another has some.
//
// 2026-11-23: names beyond a limit are refused one by one, not the message: a
// worker that subscribes to many channels at once after a reconnect keeps those
// that fit. That holds for the channels of one message as well: PHP's client names
// all it has in one.
//
// 2026-11-23: half frames are bounded over all connections (MaxPartialBytes). With
// frames of 10 MiB and 4,096 connections a limit for each would be 40 GiB. The same
// holds for what waits to be sent (MaxSendBytes, since 2026-11-25).
//
// 2026-11-25: a fuzzer speaks to the Server over connections in memory, half of which
// never read, in whole frames, half frames and no frames; it holds the Server to its
// limits at each step and its gauges to zero at the end. Its first find was a queue
// that was charged for less than it kept.
//
// 2026-11-25: FirstTimeout is minutes, not seconds. A PHP script without an event
// loop may connect long before its first publish, and its write to a closed socket
// succeeds. Against strangers who fill all places the shares help, not the deadline.
//
// 2026-11-25: at the end a connection is half-closed and read until its peer's end.
// Closing with unread input resets a TCP connection: of 80 events that were counted
// as sent a subscriber that pinged meanwhile got two. A script that holds its
// connection and never reads is not waited for: the kernel tells when its peer has
// acknowledged everything.
//
// 2026-11-25: a write's time is two halves of StallTimeout without any progress, so
// that a process that stood still does not close everybody when it wakes up.
//
// 2026-11-25: no token of our own in front of the protocol. Channel\Client cannot
// send one, and a server that asks for it would be no Channel server. What is left
// is where to listen and whom to let in.
package workerman
