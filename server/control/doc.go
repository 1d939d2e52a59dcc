// Package control is the way in for whoever runs the server: a unix socket that
// only its own user can open. The commands (groupcast status, stop, reload ...)
// speak HTTP over it: the same API that the outside has, without tokens, and a
// few routes beside it under /control/v1/.
//
//   - process.go: what is said about the process, and what it can be told
//   - handler.go: the routes
//   - server.go: serving them
//   - place.go: where the socket is
//   - client.go: asking
//   - discover.go: which servers there are
//   - peer_*.go: who is at the other end, and waiting for its end
//
// The socket is made by package server, as its other doors are: with its final
// mode before it has a name, a stale file replaced, a live one left alone.
//
// # Routes
//
//	GET  /control/v1/info     what the server is: nothing secret
//	GET  /control/v1/command  how it was started, with its whole environment: what restart needs
//	POST /control/v1/stop     {"graceful":false,"code":1001}; answered before anything ends
//	POST /control/v1/reload   reads the settings again; answers with what changed
//	     everything else      the API
//
// # Decisions
//
// 2026-11-23: a socket and not a file with a process id: a socket answers only
// while somebody lives behind it, needs no guess whose number that is by now,
// and says who that is (the kernel's word, not the file's).
//
// 2026-11-23: the file is named after the first listener, which is what tells
// several servers on one machine apart. Two of them cannot have the same one.
//
// 2026-11-23: root's sockets are in /run/groupcast whatever XDG_RUNTIME_DIR says:
// a login has that variable and a service does not, and both must find each other.
//
// 2026-11-23: a client trusts a directory only if nobody else can write to it,
// and restart only a server of its own user: it runs what that server says. Root
// may look at and stop anybody's server, but restarts only its own.
//
// 2026-11-23: what restart needs has a route of its own, so that info can be
// pasted into a report without the environment's secrets.
package control
