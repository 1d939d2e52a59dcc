// Package wire is what nodes, backends and MQTT clients write on NATS: headers and payloads in, values
// out, and back. It has no connection, clock, logger or goroutine. Package bus has the design, package
// subject the names of subjects, protocol/WIRE.md is the contract for backends.
//
//   - reason.go: why something is ignored
//   - place.go, session.go: which node, which place of its order, which of its sessions
//   - header.go, list.go: the headers of a message, and lists in them
//   - message.go: a message for groups and users
//   - reply.go: what a requester is answered
//   - hash.go: a group as 64 bits
//   - control.go: messages of nodes among themselves, and the list of their kinds, which are in
//     heartbeat.go, marker.go, notice.go (packed.go has its lists), members.go, watch.go and remove.go
//   - split.go: several messages of one whose list is too long for a NATS server
//
// # Nodes among themselves
//
// A control message is one JSON object, {"v":1,"type":..,"node":..,"epoch":..} and the fields of its kind;
// testdata/control has one of each. What is for all goes under PREFIX.n.all, the rest under PREFIX.n.NODE:
//
//	heartbeat        to all   what a node is, each second
//	marker, marked   to all, to one   is what I subscribed to known to you? It is, as of this place
//	notice           to all   these may be lost, or nobody got them
//	range, ranged    to one   which groups had messages between these places? These
//	who, here        to one   is that your name? It is, and this is my process
//	members, members_answer   to one   which sessions has a group at yours? These
//	watch, counts    to all   how many members have these groups at yours, from now on? So many
//	remove, removed  to one   close this session or a user's, or have a group's members leave. So many
//
// 64-bit numbers are JSON numbers; a reader must not make a float of them. Lists of groups are packed, base64 of
// little-endian numbers: 32,768 entries are 683 KiB, so that a message stays below the 1 MiB that NATS servers
// take by default. Where one takes less (max_payload), lists come in more parts, and pages of members are shorter.
//
// # Trust
//
// Any program with a permission may have written what is read here. What is not understood in full is
// not half understood: it has a Reason, by which it is counted and answered, and an error's text that
// says which header or field, what it wants and what it got (40 bytes of it at most).
//
// # Versions
//
// Nothing says 1: a message without a version has the first one, and a writer of this version leaves
// it out, since it would be 20 bytes with each message. Headers and fields that are not known are
// passed over, so what a later version adds must be of the kind that may be passed over; all else
// has a higher major, which is ignored and counted. Hashes of groups are the same for ever: golden values.
//
// # Memory
//
// What is read aliases its input, names without escapes included; a message without headers is
// read without an allocation, which a test counts.
//
// # Decisions
//
// 2026-11-25, JSON is what the API takes: one value, without the space around it, and a JSON string is
// its characters. Half of a surrogate pair is refused from backends, as there, and passed from nodes:
// WebSocket clients may send it, and a node that refused it would hide from its members what others' got.
//
// 2026-11-25, headers of groupcast.m at a group's subject refuse the message. Otherwise a backend that
// takes the wrong subject would reach one group, and learn of it late.
//
// 2026-11-25, a list has one comma between two elements and no blank; an empty one may stand there as
// an empty value, as a join of nothing writes it.
package wire
