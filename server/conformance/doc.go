// Package conformance holds the WebSocket protocol to RFC 6455, byte by byte: the cases of
// Autobahn's fuzzing client that say something about a server without extensions, and what the
// RFC wants beyond them. There is nothing in it to import.
//
// A file is a chapter, and in it a table of cases: what the client sends, what must come back,
// the code that the connection is closed with. Numbers are Autobahn's; what has none is our own.
//
//	framing_test.go    1: lengths, masks
//	pings_test.go      2: pings and pongs
//	reserved_test.go   3, 12, 13: reserved bits, and the extensions that would use them
//	opcodes_test.go    4: opcodes that mean nothing
//	fragments_test.go  5: fragmentation
//	utf8_test.go       6: text
//	closing_test.go    7: the close handshake
//	limits_test.go     9, 10: large messages, many messages, and what is too large
//
// Each case is run against two servers: the product, where a client sends a command and is a
// member of the group that it sends to, and the engine with an echo behind it, which shows
// binary messages and what stands in no JSON string. Each of them listens on plain TCP and with
// TLS, and the client's bytes come in one segment (and TLS record), in odd pieces, and one at a
// time.
//
// Autobahn judges two things more gently than the contract (protocol/WIRE.md) and one more
// strictly: lengths that are not minimal and close codes from 1016 to 2999 are an error here,
// while text is judged when its message is complete, and not at the first byte that is wrong.
package conformance
