// Package workerman is the Workerman Channel protocol: frames with PHP's
// serialize() in them, as far as Channel servers and clients use it. It is pure:
// bytes in, values out. ../WIRE.md is the contract, testdata shows it byte by
// byte, written by PHP.
//
// # Reading order
//
//   - frame.go: Splitter, from a connection's bytes to the bodies of frames.
//   - message.go: what a body holds; Channel names, and Data that is passed on.
//   - decoder.go: Decoder, from a body to a Message. scanner.go reads the values.
//   - encode.go: from a Message to a frame, for servers and clients alike.
//   - group.go, mark.go: the data of send_to_group, and what groupcasts write
//     beside it for each other.
//   - json.go: what WebSocket clients get of a message that is no string.
//   - errors.go: why something is refused.
//
// # Memory
//
// Splitting, decoding and encoding a usual message costs no allocation, and a
// test counts them. The price is aliasing: a body aliases the bytes read or the
// Splitter's buffer, a Message aliases the body and its Decoder. Every doc
// comment says for how long; Clone copies. What is kept grows with what was
// received: neither a frame's length nor an array's count is believed.
//
// # What is understood
//
// Null, booleans, integers of 64 bits, floats, strings, arrays, back references;
// with the freedoms that unserialize() takes (leading zeros, a plus, keys in any
// order and twice). An array is never built: what groupcast does not need it
// passes on as it came, after having checked every byte of it, so that no
// subscriber is sent what his unserialize() fails at.
//
// # Decisions
//
// 2026-11-23, objects are refused (O:, C:, E:, r:), as a whole body. A Channel
// server written in PHP creates them, which runs code of the classes it knows.
// Passing them on unread would leave that to the subscribers.
//
// 2026-11-23, data is passed on as the bytes that came. A round trip through Go
// values would have to know PHP's arrays (ordered, with keys of two types) and
// how PHP writes floats, and would cost an allocation a value. The fields that
// groupcast reads of it (group_id, message) are found by the same scanner.
//
// 2026-11-23, back references (R:) are rewritten, not refused. They hold the
// number of a value counted from the message's start, and data stands further
// back in a publish than in an event. PHP writes them wherever two elements of an
// array are one reference, which a foreach by reference leaves behind. There
// are no replies in this protocol: a program whose events vanished would not
// learn why. Data remembers where its references are, so all others pay nothing
// for it. Refused are references that lead out of data, or to all of it: what
// they lead to will not be there for the subscriber, and PHP writes neither. The
// result is compared with PHP's own, byte for byte.
//
// 2026-11-23, stricter than PHP: integers beyond 64 bits, which PHP changes to the
// nearest; escaped strings (S:), which no PHP ever wrote; bytes behind the value,
// but for newlines; channels that are neither strings nor integers (PHP takes
// true for 1); types that are no strings. In a list of channels that has a key
// twice PHP sees one element, we see two.
//
// 2026-11-23, a body has one Error with a Reason for counting, and nothing of the
// input in its text: it comes from strangers and goes to a log.
//
// 2026-11-23, a type for each direction was not made: Message is what a server
// reads and what it sends, so that a client and a server need one decoder and one
// encoder, and each test of one is a test of the other.
//
// 2026-11-23, groupcasts mark what they pass on with a key of their own in data
// (MarkKey), with the names of all groupcasts that it came through. PHP programs
// ignore keys that they do not know, and Channel servers pass them on. A single
// name would do for two nodes at one server, but not for one behind the other:
// its own messages come back to it under the name of the one in between.
//
// 2026-11-25, arrays and null become JSON as Workerman 5 writes it, slashes
// escaped, so that a page behind a PHP worker and one behind groupcast get the same
// bytes. Back references in such a message are refused: resolved, a few bytes of
// them make any amount of text, and PHP leaves them behind only by accident. A float
// by itself keeps its point, which PHP's string of it loses: a page can tell what
// was sent.
package workerman
