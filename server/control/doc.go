// Package control is the way in for the operator: a unix socket that
// only its own user can open. The commands (groupcast status, stop, reload ...)
// speak HTTP over it: the same API that the outside has, without tokens, and a
// few routes beside it under /control/v1/.
//
//   - process.go: what is said about the process, and what it can be told
//   - handler.go: the routes
//   - server.go: serving them
//   - place.go: where the socket is
//   - client.go: asking; trust.go: who may be asked
//   - discover.go: which servers there are
//   - peer_*.go: who is at the other end, and waiting for its end
//   - record.go: what a server was started with that has given up its rights
//
// The socket is made by package server, as its other doors are: with its final
// mode before it has a name, a stale file replaced, a live one left alone. A lock
// file beside it (package lockfile) says whose it is.
//
// # Whom a command believes
//
// Before anything is sent, on every connection, the kernel is asked who listens
// (SO_PEERCRED): it has to be the caller's own user. In a directory that others may
// write to there is no exception, for root neither: anybody could have put a socket
// there. Elsewhere root's server may be asked, too, and root may ask anybody's whose
// directory only that user, or root, can write to. Without --control root looks into
// another user's directory only where nobody but root can have made it (/run, and
// not /tmp); with it, wherever that user alone can write. What was left out, and why, is said where no server is found.
//
// # Routes
//
//	GET  /control/v1/info     what the server is: nothing secret
//	GET  /control/v1/command  how it was started, with its whole environment: what restart needs
//	POST /control/v1/stop     {"graceful":false,"code":1001}; answered before anything ends
//	POST /control/v1/reload   reads the settings again; answers with what changed
//	GET  /control/v1/channel/queues         the Channel server's queues, ?limit= of them
//	DELETE /control/v1/channel/queues?name= throws the messages of one away
//	GET  /control/v1/channel/connections    who is at the Channel server
//	     everything else      the API
//
// # Decisions
//
// 2026-11-23: a socket and not a file with a process id: a socket answers only
// while a process lives behind it, needs no guess whose number that is by now,
// and says who that is (the kernel's word, not the file's).
//
// 2026-11-23: the file is named after the first listener, which is what tells
// several servers on one machine apart. Two of them cannot have the same one.
//
// 2026-11-23: root's sockets are in /run/groupcast whatever XDG_RUNTIME_DIR says:
// a login has that variable and a service does not, and both must find each other.
//
// 2026-11-23: restart is for a server of one's own user only: it runs what that
// server says. Root may look at and stop anybody's server, but restarts only its own.
//
// 2026-11-25: a directory that others may write to was not looked into at all; a
// server that was started there was one that its own commands did not find. Now who
// listens decides, and not where.
//
// 2026-11-25: a server with --user has been root, and its socket still says so. What
// it says of its start is not run by root any more; root has written that down
// before, in a file of its own. The other way, not to restart such servers, would
// take the command from those who need --user.
//
// 2026-11-25: a directory is swept by the lock files in it, and not by the sockets:
// those of other programs were removed, and one between bind and listen.
//
// 2026-11-23: what restart needs has a route of its own, so that info can be
// pasted into a report without the environment's secrets.
package control
