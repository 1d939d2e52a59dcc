// Package protocol is groupcast's wire: bytes in, values out. It knows no
// socket, clock, logger or goroutine, and imports nothing that does. The
// contract it implements is WIRE.md; the golden files in testdata show it
// byte by byte and may be used from any language.
//
// # Reading order
//
// As a connection lives:
//
//   - request.go, facts.go, handshake.go, response.go: the one HTTP request and
//     its answer. HeadEnd finds the end of the head, Handshaker answers it, Inspect
//     says beforehand what that will be, RequestFacts is what else it says. welcome.go is the page for browsers.
//   - frame.go: frame headers, a client's read and the server's written.
//   - decoder.go: Decoder, from a connection's bytes to messages and control
//     frames, with the state that outlives a read.
//   - json.go, command.go, commanderror.go: CommandParser, from a message to a
//     Command, or to the error that answers it.
//   - quote.go, reply.go, members.go: what the server says, as JSON text.
//   - close.go: Close frames and CloseError.
//
// # Memory
//
// Everything a reactor calls per message is free of allocations, and a test
// counts them: Decoder.Next for a frame that lies whole in its input,
// CommandParser.Parse for every well-formed command but those with long
// escaped strings, all Append functions given room. The price is aliasing:
// payloads alias the bytes read, a Command's fields alias its payload or the
// parser's buffers, a response aliases its Handshaker's. Every doc comment says
// what and for how long; a caller that keeps something copies it. Buffers that are
// kept for the next message have a bound, which is not the largest message
// so far. Errors are preallocated, but finding JSON invalid allocates inside
// of the JSON library.
//
// CloseError and CommandError are separate types because they ask for
// different deeds: one ends the connection, the other is an answer. Both carry
// fixed text only, so neither a peer nor a log sees its own input again.
//
// # Decisions
//
// 2026-11-22, own header parser. Ours reads a slice; ws.ReadHeader wants an
// io.Reader, allocates or needs a buffer, and can neither say what is wrong
// before the header is whole nor know that a length was not minimally
// encoded. ws.Header and ws.Cipher are used, and ws.ReadHeader is the oracle
// of the tests.
//
// 2026-11-22, one verdict for all splits. Next judges the bytes of a header in
// their order, each as soon as it is there. First reading the whole header
// would be simpler, but then an error would depend on how the network cut the
// bytes, an unmasked frame would be waited for, and the tests could not compare
// reads of every size with each other.
//
// 2026-11-22, fragments are collected, not streamed. A command is a few
// hundred bytes and is needed as one piece; UTF-8 is checked once, on the
// whole, by the fast utf8.Valid. Rejected: checking as the bytes arrive, which
// RFC 6455 permits, finds an error a little earlier, and is ten times slower.
//
// 2026-11-22, a Decoder's buffer grows by append with what was received. To
// allocate the declared length at once would save copies and let a client make
// the server allocate the limit with ten bytes.
//
// 2026-11-24, the upgrade is made here, in one pass over the request. It was
// ws.Upgrader's, behind a parseRequest that caught what the library tolerates:
// space in front of colons, a colon as a version's digit, a second key, a body.
// But it wants upgrade in every Connection field and websocket alone in every
// Upgrade field, where proxies split lists, and refuses some empty elements.
// Now parseRequest reads the lists and checkUpgrade decides; that is as much
// code as turning the library's errors into our answers was, takes half the
// time and allocates nothing. ws.Upgrader is the oracle of the tests.
// Rejected: handing it the request in a normal form, which is the same reading
// of lists, and then a copy of the head and a second pass.
//
// 2026-11-24, what is no token makes a Connection list wrong, and what is no
// protocol an Upgrade list, instead of only not counting. Then there are no
// quoted strings, and no two ways to tell which commas separate. Not so for
// Sec-WebSocket-Protocol, of which nothing but a name of ours is used.
//
// 2026-11-22, raw fields. commandFields holds JSON text only, and the values
// are interpreted here. Typed fields would be shorter, but a wrong type would
// then be a decoding error among others, 1 and "1" would need an any, an
// integer beyond 64 bits would lose its digits, and each string would be
// allocated.
//
// 2026-11-22, sonic, watched. It is ten times faster than encoding/json and
// allocates nothing. Three of its habits are corrected in jsonDecoder.decode:
// null passes for an object, what follows the object is not looked at, and the
// escapes of a string that is skipped over are not checked unless it ends in
// the last 32 bytes of the input. The last one (sonic 1.15.5, amd64; found by
// FuzzCommand) would have put text that is no JSON into other clients'
// envelopes. validEscapes costs one search for a backslash where there is
// none. Rejected: encoding/json for everything, 2.5 microseconds and 15
// allocations a command where sonic takes 0.2 and none; a JSON scanner of our
// own, which this package may yet come to if sonic fails once more. On other
// processors than amd64 decodeStandard takes its place by itself: sonic's arm64
// decoder allocates four times a command, refuses the number 1e400 and takes
// the space behind a value for a part of it. SONIC_USE_OPTDEC selects that one
// on amd64 too; Pretouch notices, and the process does not start.
//
// 2026-11-22, own unescaping. Sonic's unquote package has no version that
// writes into a given buffer on every platform, and allocates otherwise.
//
// 2026-11-24, a CommandParser's buffers are arrays, and what does not fit is
// allocated for that command alone. Rejected: a buffer that grows and is
// dropped by the next Parse if it is large, which on an idle loop keeps the
// largest message for as long as no other comes; 4 KiB for messages too, which
// made JSON of 8 KiB in a string a third slower to read and saves 12 KiB a
// reactor.
//
// 2026-11-25, a browser at / gets a page, of which nothing runs: its policy has no
// script-src, and what may be connected to is not limited, since only what a person
// types into the console connects. Accept is looked at once a request has turned out to
// be no upgrade. Rejected: a link to the API's page, which this client may not reach;
// the page for everything that accepts */*, since programs and load balancers would
// take 200 for a service that works.
//
// 2026-11-22, a value that is no object is bad_json, not bad_command, so that
// nobody needs to know whether the rest of it is valid.
package protocol
