// Package lockfile settles which process owns a path: the file of a unix socket,
// or a file with a process id.
//
//   - lock.go: a lock file beside a socket, held while its owner lives
//   - pidfile.go: --pid-file; program_linux.go: which program a process is
//
// # Decisions
//
// 2026-11-25: a lock file (flock) beside each socket, and not a question to the
// socket alone. Between bind and listen a socket refuses connections as one does
// that a crashed process has left; who took it for that removed a live one. The
// lock ends with its holder, however that ends. It also tells whose a stale socket
// is: one without such a file beside it is another program's, and stays.
//
// 2026-11-25: no lock on the pid file. It is for everybody to read, and a process that
// may read a file may lock it: any local user could keep the server from starting.
package lockfile
