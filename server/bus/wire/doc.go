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
