// Package door is how the server listens: addresses as they are written, listeners on TCP
// and on unix sockets, and the life of a socket's file. All that listens goes through it
// (WebSocket, HTTP API, Channel server, control socket, profiles), so that what a listener
// is and what an address looks like is said once.
//
// # Reading order
//
//	address.go     HOST:PORT, :PORT or unix:/PATH
//	door.go        opening and shutting; reasons for the operator
//	unixsocket.go  a socket's file: stale ones, its mode, whose it is
//
// # Room for what comes
//
// What stands between accepting and the first byte of a protocol belongs here and is
// written once: TLS with its certificates, the PROXY protocol's header, sockets that a
// process was handed. A Door then hands out connections to which that has happened.
package door
