// Package server is the process around the loops: what an operator sets, the
// doors that clients come through, and how all of it starts and stops.
//
// # Reading order
//
//   - options.go: every setting, once; flags, environment and file follow from it
//   - validate.go: what a setting may be; errors name the flag
//   - address.go, listen.go, unixsocket.go: the doors
//   - nofile.go: how many connections the machine allows
//   - server.go: Start, Drain, Close
//   - profile.go: profiles, for whoever looks into a running server
//   - banner.go: what is shown when it is up
//   - cmd/groupcast: the command line, the configuration file, signals
//
// # Start
//
// Check the options; raise the open-files limit; open every door; start the
// loops; accept. Doors are opened before any loop runs: a port in use is the
// most likely failure, and then there is nothing to be taken back.
//
// # Stop
//
// SIGTERM or Ctrl+C: shut the doors (and unlink the socket files), refuse new
// publishes, deliver what was accepted, close each session with 1001, wait for
// the close handshakes, stop the loops. All of it ends within --drain: who is
// still there then is cut, and the log says how many. A second signal ends the
// process at once.
//
// The closes are spread over 80 % of --drain, so that the clients do not all come
// back within the same second; the loops do not spread a few, though: whoever
// stops a server on his desk should not wait for eight seconds.
//
// Exit codes: 0, stopped as asked (sessions that had to be cut at the end of
// --drain do not change that: they are counted in the log); 1, could not start,
// or a door closed by itself; 2, a loop or the broker died; 128 + the signal's
// number, ended by a second signal.
//
// # Decisions
//
// The listeners are plain net.Listeners made here and handed to loop, not
// gnet's own: its acceptor ends the whole engine when descriptors run out, and
// it cannot stop accepting without stopping.
//
// A flag beats the environment, the environment beats the configuration file,
// the file beats the default. kong's own resolvers would put the file above the
// environment; a container's environment must be able to correct a file that
// was baked into its image.
//
// The configuration file has the flags' names as its keys, flat. An unknown
// key is an error: a limit that is misspelt and therefore not in force is worse
// than a server that does not start.
//
// With --log-format=json the banner becomes one JSON record: whoever asks for
// JSON has a program reading, and that program should not meet a table.
//
// A socket file is created with its final mode: fchmod before bind. The usual
// way, chmod after bind, lets everybody connect for a moment; the other usual
// way, umask, is the whole process's and races with every other file made.
package server
