// Package api is groupcast's HTTP API: publishing, groups, sessions, status,
// health and metrics, on net/http. The contract is in protocol/WIRE.md, its
// machine-readable form in openapi.json, which is served at /openapi.json.
//
// # Reading order
//
//	api.go         what an API is made of
//	routes.go      the table of operations; openapi.json describes the same ones
//	serve.go       the way of a request, from its id to its log line
//	admit.go       tokens, or else: not from another site's page
//	tokens.go      the tokens, and the file they come from
//	operation.go   the forms that operations have, with typed parameters and answers
//	parameters.go  reading paths and queries
//	names.go       sessions' ids: alone, and in a cluster
//	body.go        reading bodies
//	item.go        what stands in the body of POST /v1/publish
//	scanner.go     JSON, read once
//	publish.go groups.go members.go sessions.go health.go   the operations
//	problem.go     errors, as clients get them
//	limits.go      what requests may cost
//	conns.go       which connections there may be, and which goes when there are too many
//	counters.go    what is counted
//	httpserver.go  timeouts, and accepting connections
//
// # The way of a request
//
// An id (X-Request-Id, if it is well-formed). A route: what leads nowhere is 404 or
// 405. Admission: the token, or where none is required the origin. Room: one of
// MaxInFlight, since each publication may wait for the ring. The query and the
// body, whole and within their limits. Then the operation; and at last, whatever
// came of it, it is counted by operation and class, and logged: at debug, or at
// warn if it was refused admission or failed here, a few of these a second.
//
// Room is taken before the body is read, so that bodies cannot take more memory
// than MaxInFlight times MaxBatchBytes; a client that sends its body slowly occupies a
// place until the server's ReadTimeout at most, and had to have a token for it. What
// wants no token takes no such place.
//
// # The description
//
// openapi.json is written by hand, and the tests hold it to the program from both
// sides. It is valid by the published schema of OpenAPI 3.1. It has the operations of
// the table and no others. Each schema has the fields, types and required names of the
// struct that is sent. Each parameter is taken within its bounds and refused outside
// of them, with the default that is described, and anything else is refused. And every
// answer that any test of this package gets, by a connection or without, is checked
// against it: status, Content-Type, body.
//
// A new operation is a row in routes.go, a function that reads its parameters, one
// that does it, and a path in openapi.json; what is forgotten fails a test.
//
// # Admission
//
// An address that other machines can reach wants a token (CheckBind). On loopback
// there need not be one: every user who has an account on the machine may publish. But a
// browser on that machine is also the hands of every page that is open in it,
// wherever it came from. Without a token therefore:
//
//   - A page of another site that sends a request here is known by Sec-Fetch-Site,
//     or by an Origin that is not our own. What changes something is refused
//     (net/http's CrossOriginProtection). What only reads goes through, and the
//     browser does not show the answer to the page, since no answer has CORS
//     headers. A page on another port is another site.
//   - A page whose own name was made to point to 127.0.0.1 (DNS rebinding) is, for
//     the browser, of the same origin. It is known by its name in Host: only
//     localhost, IP addresses and AllowedHosts are let in. An address cannot be
//     rebound.
//   - Programs send neither Origin nor Sec-Fetch-Site and are not hindered; nor is
//     the dashboard, which comes from here.
//
// With a token none of it is needed: a page cannot know it, and to send it anywhere
// else than to its own origin a browser first asks with OPTIONS, which gets 405. On a
// unix socket Host is not looked at: no browser gets there.
//
// The same guard stands before Go's profiles (--pprof). There a GET costs something, so
// what only reads is refused as well.
//
// Health, the page's files and the description want no token. They are the same
// for every groupcast.
//
// # Decisions
//
// 2026-11-23: /metrics wants a token where the rest does, without an exception for
// requests from loopback: behind a proxy on the same machine everybody comes from
// there. Prometheus can send one (authorization.credentials_file).
//
// 2026-11-23: a publication whose time was over after it had entered the ring is
// answered 202 with "pending" and no order: it will be delivered. 503 would make
// the client send it twice, and waiting longer would not tell more than that.
// 503 always means that it was not published.
//
// 2026-11-23: a request that has arrived whole is carried out even if its client
// has gone. Programs that write a request and close are common (PHP's fsockopen
// without a read), and net/http would cancel them at random.
//
// 2026-11-23: the body of POST /v1/groups/{group}/messages is the message whatever
// its Content-Type is. curl -d calls everything a form, and must work. A body called
// application/json is delivered as its characters too, not as its value: one rule,
// and what arrives is what was sent. Only what would surely be a mistake is
// refused: multipart forms, other charsets, Content-Encoding.
//
// 2026-11-23: POST /v1/publish wants to be called application/json, or nothing. It
// is stricter with its JSON than the WebSocket commands are (a name that stands
// twice, unknown names, half a surrogate pair are mistakes): a misspelt "exclude"
// would deliver a message to those who must not have it, and a program can be
// told.
//
// 2026-11-25: users stand beside groups in an item, in a field of their own, and not as names
// of groups: what is meant for one user must not reach a group that anybody may join because
// of a character in its name. The answer is the place in the order, as with groups; how many get
// it, no loop has found out by then.
//
// 2026-11-23: in a batch what is wrong with the JSON refuses all of it, what is
// wrong with one item refuses that item. A batch is read to its end before the first
// item is published, so a body that was cut off publishes nothing.
//
// 2026-11-23: requests are not redirected to a clean form of their path, as
// net/http's mux would: a client follows such a redirect with GET, without its body.
// They are 404. (The mux does not match a segment that is %2F and nothing else, so a
// group whose name is a single slash can be published to by POST /v1/publish only.)
//
// 2026-11-23: DELETE of a session closes with 1008 unless told otherwise: clients
// that come back by themselves do so after 1001 and 1006, and who is thrown out is
// not meant to.
//
// 2026-11-23: readiness looks at the monitor's last sample and asks no loop: while
// one does not answer, the question would not be answered either.
//
// 2026-11-23: connections over the limit are answered 503 and closed, instead of
// left in the kernel's queue: a client that has to wait does not know what for.
//
// 2026-11-25: before that a connection is closed that has shown no token and been
// quiet for longest. Refusing alone let 256 sockets with one GET /healthz a minute
// each shut the API, with the right token too, and /healthz with it. A shorter
// IdleTimeout would only have made them ask more often, and a limit for each address
// would have hit local workers first: they and every proxy's clients come from
// 127.0.0.1. So the share of an address counts those alone that have shown no token,
// where one is wanted. A connection whose token was right is never closed for another;
// when all are such, ReservedConns more are answered about health and metrics.
//
// 2026-11-25: net/http's mux with typed handlers and a description written by hand,
// instead of the framework huma that was here. It was asked for parameters and the
// description, and its bodies, errors, negotiation, queries and document were
// corrected in five files: it takes a body of exactly the limit for too large, does
// not read a query's second value, answers in a form of errors of its own, and
// cannot describe a body of two forms. Used as it is meant to be it would have
// changed what clients get. Before and after:
//
//	lines of Go, without tests and the parsing of items    2,117    2,041
//	the description, lines                                 2,185 generated    673 by hand
//	lines of tests for the description                     91       383
//	modules in the build list                              108      76
//	packages in the program                                394      386
//	bin/groupcast                                          27.9 MB  26.8 MB
//	resident memory of a fresh process                     25.5 MB  23.8 MB
//	a message, without connection and loops, allocations   33       31
//	CPU time of a build from nothing                       no difference beyond the scatter
//
// The lines of our own are as many as before; what is gone is the knowledge of how
// huma behaves, and the generated document, which no one read: its batch's answers
// were not valid by their own schema.
//
// 2026-11-25: the schema of OpenAPI and the answers are checked by
// santhosh-tekuri/jsonschema, in tests alone: it knows JSON Schema 2020-12, which is
// what OpenAPI 3.1 uses, and depends on golang.org/x/text only. libopenapi-validator
// rests on it and brings a dozen modules more.
package api
