// Package door is how the server listens: addresses as they are written, listeners on TCP
// and on unix sockets, the life of a socket's file, and what stands between accepting a
// connection and the first byte of a protocol. All that listens goes through it (WebSocket,
// HTTP API, Channel server, control socket, profiles), so that what a listener is, what an
// address looks like and who a client is, is said once.
//
// # Reading order
//
//	address.go       HOST:PORT, :PORT or unix:/PATH
//	door.go          opening and shutting; reasons for the operator
//	unixsocket.go    a socket's file: stale ones, its mode, whose it is
//	road.go          accept -> [rate] -> [PROXY header] -> [TLS] -> [head] -> Then: bounded, one deadline
//	places.go        the places on it, and each address's share of them
//	steps.go         the steps in brackets, one after the other
//	arrival.go       a connection at its end, with what has been read of it
//	listener.go      a road's end as a net.Listener, for the API and the Channel server
//	head.go          a request's head, read before a loop has the connection
//	ratelimit.go     how often, for each address and in all
//	exhausted.go     whose failures are too many
//	trusted.go       networks that are trusted; what of an address counts
//	proxyheader.go   the PROXY protocol, versions 1 and 2
//	forwarded.go     X-Forwarded-For and Forwarded
//	tls.go           handshakes
//	handshakes.go    how they end, counted
//	certificates.go  certificates from files, which may be replaced
//	certpair.go      a certificate and its key; when they have changed
//	origin.go        which pages' scripts may connect
//
// Package acme, below, gets certificates from an authority.
//
// # The road of a connection
//
// With nothing configured a connection goes from accept to its loop at once. What can block
// never runs on a loop: a Road gives the connection a goroutine, of which there is a bounded
// number, and one deadline for all steps together, reading the request's head and checking a
// token included (Then). A client that stops anywhere in between holds one place and one
// goroutine until that deadline; 10,000 of them hold MaxPending.
//
// Limits for each address count the client's: its rate and its share of the places on the road,
// later its sessions and its failed tokens. Who has connected and is no proxy is the client,
// from the start. Behind a proxy the client is known once the PROXY header, or the request's head,
// is read: until then the connection counts to all places and to nothing else, and from then
// on (identify) as if the client had come itself. A proxy's own address has no limit, as its connections
// are many clients'; so what it sends without telling of a client is bounded by the limits in
// all alone.
//
// Where a step needs the request's head (a token is in it, or what a proxy says of its client),
// the road reads it, and hands on what it has read: the loop answers the request as if it had
// read it itself. The time that a client has for its head runs from its accept, wherever it
// is read.
//
// At the road's end the connection is not encrypted by anything that blocks any more:
// tlsconn.Conn.Session is for a loop, its Conn (a *tls.Conn) for net/http.
//
// # Decision, 2026-11-25: certificates are looked at, not watched
//
// Every so often each file is looked at (two stat calls a pair): time, size and inode. Rejected:
// fsnotify. Certificates are replaced by renaming, by turning symbolic links (Kubernetes,
// certbot) and over network file systems; for the first two the directories of every link in
// the chain would have to be watched, and on the last nothing is reported. What a poll
// costs is nothing, and seconds do not matter.
//
// A new pair that cannot be used leaves the old one in force and is tried again until it can,
// because a key that is written after its certificate makes every replacement look broken
// for a moment. An expired one counts as broken.
//
// # Decision, 2026-11-25: a name that no certificate is for gets the default one
//
// Clients by IP address and health checks send no name or another one, and a browser that
// asks for the wrong name sees for itself that the certificate is another's. Where that is
// too much, RefuseUnknownNames answers with the alert unrecognized_name.
//
// # Decision, 2026-11-25: one tls.Config for ever
//
// Certificates change behind GetCertificate, nothing else does. Then Go makes a new key for
// session tickets every day and takes old ones for a week. Rejected: a new Config for each
// change by GetConfigForClient, which rotates keys only if it falls back to the first Config's,
// a subtlety; and keys of our own, which want to be as well kept as certificates. So tickets do
// not survive a restart, and the authorities of client certificates are read once.
//
// # Decision, 2026-11-25: strict PROXY headers
//
// A trusted address has to send a header and every other one must not, so that nobody can
// choose his own address and no misconfigured proxy hides its clients. The header's end is
// found here, in a bounded buffer, and go-proxyproto parses it: its own reader refuses a
// version 1 header in two packets, and its Conn is no syscall.Conn, so a loop cannot take it.
package door
