// Package token says who a client is and what it may do: it finds the token in a request,
// checks it against the operator's keys, and makes an identity with grants of its claims.
// Tokens are JSON Web Tokens (RFC 7519), which every backend's language can issue.
//
// # Reading order
//
//	checker.go   all keys, and what the operator wants of a token; what is counted
//	check.go     one token: which keys, the signature, the claims
//	claims.go    what the claims mean: user, grants, expiry
//	find.go      where a request has its token: one place of three
//	interned.go  equal identities are one
//	ring.go      the keys of one issuer
//	source.go    keys from a file or a URL, read anew
//	fetch.go     a key set by HTTP, within limits
//	jwks.go      a JSON Web Key set
//	keyfile.go   a secret, or PEM
//	nosecret.go  what is mistaken for a secret
//	key.go       a key with its one algorithm
//	failure.go   why a token is refused: a reason to count, a detail for the client
//	stats.go     what is counted
//	sign.go      a token to try things out with
//
// It knows no connection: package server calls Check off the loops, since a check costs up to
// half a millisecond and may wait for a key server.
//
// # What is trusted when
//
// A key has exactly one algorithm, which its kind decides: a secret HS256, RSA RS256, a P-256
// key ES256, an Ed25519 key EdDSA. A token is checked with keys of its own algorithm only,
// so that neither "none" nor a public key taken for a secret finds any. Before the signature
// holds, three things of a token are looked at, to choose keys and nothing else: alg, kid,
// iss. A kid is compared with those of the keys; it is no file, no URL and no query. Headers
// that bring or name a key (jwk, jku, x5u, x5c) are not looked at; crit is refused, since
// nothing that it could name is understood here (RFC 7515, 4.1.11).
//
// A file that is neither PEM nor a key set is a secret, and so would be every public key in another
// form: what looks like one, or like text that an editor has saved otherwise than it was meant, is
// refused (nosecret.go).
//
// Claims are read by their exact names, which encoding/json's own matching of fields would
// not do. A claim of a wrong type is refused, never passed over: a token that its issuer did
// not mean so would grant something else.
//
// # Identities
//
// An identity is a user, grants and an expiry. Equal ones are one, as long as somebody has
// it (interned.go, weak pointers), and so are equal grants of different users: a session pays
// the eight bytes of its pointer. Sessions of one user that came with tokens of different
// expiry have identities of their own, of 32 bytes, and share the grants.
//
// # What it costs
//
// A check alone: HS256 11 µs, RS256 60, EdDSA 69, ES256 86, some 90 allocations (BenchmarkCheck).
// Connecting, upgrading and closing, client and server on the same two cores (package
// server, BenchmarkUpgrade, medians): without tokens 218 µs, with the request's head read on
// the road and no token 199, with HS256 273, with ES256 282. An open session pays for a send or
// a join 8 to 31 ns and no allocation (package pattern, BenchmarkMatch).
//
// # Decisions
//
// 2026-11-25: jwkset reads key sets (it is keyfunc's own library for that), and keyfunc itself
// is not used. What is needed beside parsing is what keyfunc leaves open: a bounded
// answer, one fetch for all who wait, no wait for a rate limiter (1,000 tokens of random
// kid would hold every place on the road for its whole deadline), keys of one algorithm each,
// tokens without a kid, several issuers.
//
// 2026-11-25: an unknown kid has a key set fetched anew at once, but not within five seconds
// of the last time: then the token is refused, not kept waiting. Issuers publish a key
// before they use it, and clients try again; a flood of invented kids costs the key server
// one request in five seconds.
//
// 2026-11-25: who waits for a key server holds a place, on the road or among renewals, and a
// token that nobody has signed can wait. So few may (Options.MaxWaiting, in equal parts for
// each key server), and the rest is answered from the keys that are there. Waiting
// for places to be free again was rejected: it is another queue that can be full. The client's new
// token that comes in this moment is refused, as within those five seconds. Whether a token may
// wait its caller is asked: it counts failures, and one that waits as one until it is good.
//
// 2026-11-25: a key set is taken whole or not at all. One of too many keys or bytes, and one that
// redirects, leave the old keys in force. Single keys of it that cannot be used (another
// algorithm, for encryption, too short) are left out.
//
// 2026-11-25: a key set that is one and has no key that can be used, {"keys":[]} among them,
// withdraws those before: an issuer whose key was stolen takes it out of the set, and need not
// have another one yet. The old keys stayed, for as long as the set was empty. An issuer that is
// empty by mistake keeps new clients out until it is not: it is asked every five seconds. What is no
// key set (an error, a page, no "keys") says nothing, and leaves them. Where no key was ever had an
// empty set withdraws none, and is a failure as any: a start with such a file is refused.
//
// 2026-11-25: while the keys of an issuer were never had, its tokens are answered 503 and not
// 401: they may be good, and a client that is told 401 throws them away.
//
// 2026-11-25: a key server is asked by https, or by http on loopback: who can change the answer
// on its way issues tokens. Redirects are not followed, to whatever place. A proxy is taken
// from the environment, as elsewhere. An address has no user and no password: what it brings is
// public, and they would be on the command line, in the environment and in the options that a
// restart remembers. One that guards a key set puts a key into the query, which is shown nowhere.
//
// 2026-11-25: exp and sub have to be there. A token without an end cannot be taken back, and
// one without a user counts for no limit of users.
//
// 2026-11-25: what a token does not grant it does not grant: no join claim, no joining. The
// anonymous have grants of their own, which are no fallback for those with a token.
//
// 2026-11-25: {sub} is literal and may hold separators: "user:{sub}:*" for the user "a" covers
// what the user "a:b" has. Issuers whose users choose their own names put the separator
// where no name can have one.
//
// 2026-11-25: two tokens in one request are refused, equal or not: which one counts would be
// a question that a proxy in front may answer otherwise.
package token
