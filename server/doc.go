// Package server is the process around the loops: what an operator sets, the
// doors that clients come through, and how all of it starts and stops.
//
// # Reading order
//
//   - settings: the table of all settings; options.go: what becomes of them
//   - gate.go: tokens, in front of an upgrade; renewal.go: those of open sessions
//   - members.go: who is in a group, asked by sessions, of this node or of all
//   - road.go: TLS, the PROXY protocol, a head that is read: between accepting and a loop
//   - certificates.go: where they come from; TLS with them
//   - admission.go: along a road, past the gate, into the engine
//   - roadstats.go: what metrics tell of roads
//   - backendroad.go: the roads of the API and the Channel server
//   - proxies.go: a warning where every client is believed to be one
//   - door: addresses, listeners, unix sockets; who has a port
//   - token: who a client is and what it may do, by the token that it brings
//   - check.go: what can be known before a start
//   - nofile.go: how many connections the machine allows
//   - memory, memorybudget.go: how much memory it allows; loop/budget: what is done near that
//   - program.go, server.go: Start, Leave, Drain, Close
//   - service.go: the doors for backends, and the order in which they end; apiservice.go
//   - control.go: the control socket; reload.go: settings that change while it runs
//   - identity.go: --user and --group
//   - log.go: the log, its level and its file
//   - profile.go: profiles, for an engineer who looks into a running server
//   - banner.go: what is shown when it is up
//   - monitor: how the server is doing, once a second
//   - control: what goes over the control socket, on both sides
//   - problem: how both answer what they refuse
//   - lockfile: whose a socket's path is; the pid file
//   - api: the HTTP API; page: the page on its port; metrics: for Prometheus
//   - workerman: the Workerman Channel server, the bridge, and the client;
//     channelservice.go starts them
//   - cmd/groupcast: the command line, the configuration file, signals, the commands
//
// # Start
//
// Check the options; raise the open-files limit; open every door; start the
// loops, the monitor, the services and the control socket; write the pid file;
// become --user; accept. The clients'
// doors are opened before any loop runs: a port in use is the most likely failure,
// and then there is nothing to be taken back.
//
// # Stop
//
// SIGTERM, Ctrl+C or groupcast stop, in this order:
//
//  1. Shut the clients' doors (and unlink the socket files); tell the services,
//     which from now on say that they are not ready.
//  2. Refuse new publishes, deliver what was accepted, close each session with 1001
//     (1012 before a restart), wait for the close handshakes.
//  3. Let the services get out what they have, and close them.
//  4. Stop the monitor and the loops, and last the control socket: up to here,
//     groupcast status shows how it goes.
//
// All of it ends within --drain: who is still there then is cut, and the log says
// how many. A second signal ends the process at once.
//
// groupcast stop -g, and SIGQUIT, wait, before step 2, until all sessions have left by
// themselves: no time limit, and nothing is refused to those who are still there.
// SIGTERM, SIGINT, or a stop without -g, end that wait and go on with step 2.
//
// The closes are spread over 80 % of --drain, so that the clients do not all come
// back within the same second; the loops do not spread a few, though: an operator who
// stops a server on his desk should not wait for eight seconds.
//
// Exit codes: 0, stopped as asked (sessions that had to be cut at the end of
// --drain do not change that: they are counted in the log); 1, could not start,
// or a door closed by itself; 2, a loop or the broker died; 128 + the signal's
// number, ended by a second signal. The commands' are 0, 1, and 3 for what their
// user may not do; protocol/WIRE.md has the table.
//
// # Decisions
//
// The listeners are plain net.Listeners made here and handed to loop, not
// gnet's own: its acceptor ends the whole engine when descriptors run out, and
// it cannot stop accepting without stopping.
//
// With --log-format=json the banner becomes one JSON record: an operator who asks for
// JSON has a program reading, and that program should not meet a table.
//
// A socket file is created with its final mode: fchmod before bind. The usual
// way, chmod after bind, lets everybody connect for a moment; the other usual
// way, umask, is the whole process's and races with every other file made.
//
// 2026-11-23: without --api, the API's address is a wish: another process may have
// 127.0.0.1:1235, another groupcast mostly, and then this one starts without an
// HTTP API, with a warning. An address that was asked for is not a wish. Any other
// port instead would be one that nobody finds; no default at all would hide the
// status page from an operator who looks for the first time. The commands do not depend on
// it: the control socket leads to the same API.
//
// 2026-11-23: both stops deliver what was accepted. Workerman's plain stop does
// not, and its stop -g is the drain; here the drain is the plain one, and -g the
// patient one, for clients that cannot come back.
//
// 2026-11-23: a reload changes what can change without losing a session and names
// what cannot. If a single setting is wrong, nothing changes: half a
// configuration is one that nobody has written.
//
// 2026-11-25: SIGHUP reloads, and does nothing else. It is also what a closing
// terminal sends, and a server that found its terminal gone used to stop: a window
// that was closed by mistake, or a connection that broke, ended everybody's
// sessions. nginx and haproxy in the foreground live on, and so does this one. Who
// wants the port back is told by the next start which process has it, and groupcast
// stop ends it.
//
// 2026-11-25: the signals are those that Workerman's operators know: SIGINT and
// SIGTERM stop, SIGQUIT stops gracefully (as nginx's does), SIGUSR1 and SIGUSR2
// reload, as SIGHUP does. SIGABRT still shows what every goroutine does.
//
// 2026-11-25: that holds of what a setting names, too. A file of tokens that could
// not be read was a problem beside a reload that did the rest, and the new token was
// reported as in force, which it was not; the next reload found no difference and
// said that all was well. Now each part prepares what can fail before any changes,
// and what is reported as changed is read back from the loops, the API and the log.
//
// 2026-11-23: a server in the background reports through a pipe when it is up, and
// ends if nobody is there to be told. Until then it shares its parent's standard
// error, so that every complaint of the start is seen. Of its parent's other
// descriptors it has none: a lock of the caller's shell would be held with them. A
// pid file is not needed, as the control socket says who is there; --pid-file is for
// monitors and init scripts that know nothing else.
//
// 2026-11-23: a restart is a stop and a new start by the command itself, which
// becomes the new server, and not a hand-over of listeners: two processes that
// share no groups at the same time would break the promise of one order. The new
// settings are checked before the old server is stopped, and with them the files,
// tokens and addresses that they name (Check). The new one gets the old one's
// open-files limit, umask, nice value and CPUs, whatever those of the caller's shell
// are; what the system does not allow is said. A service manager that starts servers
// is to be told, instead.
//
// 2026-11-25: start --check takes an address that is in use for no mistake, as nginx
// -t does: it is mostly run beside the server that has it. Before a restart only
// what the old server has is free.
//
// 2026-11-25: an IPv4 address in --listen means IPv4 only, 0.0.0.0 too, which Go
// takes for every address of both families: a firewall's rules for IPv4 guarded a
// port that was open by IPv6. The default became :1234, which is both, as it was.
//
// 2026-11-25: --user is done when everything is open, and once. A second process
// that stays root, and opens files for the first, would be one more to trust. So
// ports below 1024 cannot be bound again, the log must be in a directory where the
// user may make files, and what lies in root's directories stays there at the end,
// in nobody's way: the next start, or root's stop, removes it.
//
// 2026-11-23: services are a list with one interface, because their end has phases
// that all of them must go through together: told first, flushed when the
// sessions are gone, closed in the opposite order of their start.
package server
