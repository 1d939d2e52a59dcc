// Package subject says under which NATS subjects groupcast's messages go: it writes names of
// groups and users as one token of a subject, and reads them back. ../WIRE.md is the contract,
// testdata shows it case by case and may be used from any language. Package server/bus and its
// package wire use it.
//
//	name.go   a name as a token, and a token as a name
//	prefix.go whole subjects: prefix, kind, token
//
// # The form
//
// The letters and digits of ASCII and - _ ~ : @ stand for themselves. Any other byte of the name's
// UTF-8 is a % and two hexadecimal digits, in capitals:
//
//	123             groupcast.g.123
//	room:1          groupcast.g.room:1
//	a.b             groupcast.g.a%2Eb
//	>               groupcast.g.%3E
//	Küche 7         groupcast.g.K%C3%BCche%207
//
// There is one token for a name and one name for a token: a reader refuses what a writer would
// not have written (a%62, %2e). Otherwise a publisher with a careless encoder would reach those
// nodes alone that listen to everything, and would find out late.
//
// A token holds none of the characters that mean something to NATS (dot, star, >, $, blanks), to
// MQTT (/ + #) or to a list (comma): so a name is never a wildcard, never two tokens, the same level
// in an MQTT topic (groupcast/g/123), and may stand in a header between commas. It has MaxTokenBytes
// at most, a whole subject MaxSubjectBytes: a fifth of the 4,096 bytes that a line of NATS's
// protocol may have, in which a reply's subject stands too.
//
// Clusters that share a NATS have different prefixes. A subject with a name is its prefix, a kind
// of one letter and one token. So of two prefixes, one of which continues the other (push and
// push.eu), the subjects differ by their number of tokens. Those without a name (groupcast.m) are
// one token shorter: they could be another prefix's only if that ended with a kind
// (groupcast.g, whose groupcast.g.m would be the group m of groupcast), and no prefix does: its
// last word is longer.
//
// # Memory
//
// The Append functions allocate nothing where dst has room; a test counts. What they return
// aliases dst alone.
//
// # Decisions
//
// 2026-11-25, percent-encoding, since each language has it. The five characters are those that
// RFC 3986 leaves alone (without the dot, which separates tokens) and : and @, which names of
// groups are full of and no party minds. So PHP writes a token with rawurlencode and three
// replacements, and the tests hold PHP, Python and Node to the golden file by such lines.
// Rejected: base64url and hexadecimal, since nobody could read groupcast.g.MTIz, nor write it by
// hand; a hash, which the other side cannot turn back into a name, so that each message would have to
// carry it and could lie about it; = instead of %, for which no language has a function.
//
// 2026-11-25, bytes beyond ASCII are encoded, though NATS would take them raw. There are
// blanks among them (U+0085, U+00A0, U+2028) that some clients split lines or refuse subjects at,
// and clients that write subjects as ASCII. The price is a long token: 768 bytes for a name of 256.
//
// 2026-11-25, a dot in a name does not make a hierarchy (a.b is one token, not two). Then
// groupcast.g.* is every group, and no name can be another one's parent or hold an empty token.
// Who wants permissions by groups' beginnings has tokens for that (protocol/WIRE.md), not NATS's.
//
// 2026-11-25, no more plain characters (= , ; ! ' ( ) & { }), though NATS would take them: lists want the
// comma, shells and configuration files mind the others, and each one's escape is another line in
// each language. Adding one later would change the tokens of names that hold it: it needs another kind.
package subject
