// Package bus will join this node to others over NATS: one group over many machines. This page is its
// design, which the steps at its end build one by one; each step turns what it builds from "will" into
// "does". What is there: protocol/subject, which names the subjects; package wire, which reads and
// writes messages; package sent, the ring of loss.
//
// # Where it hangs
//
// The bus is one more sink and one more publisher of the broker, as package workerman's Client is,
// and the engine knows no more of it than of that. Local members are served by the broker in its
// order, at today's price; nothing of the bus stands between a publisher and them.
//
//	              loops                         bus                       NATS
//	send -> broker -> rings -> members
//	             \--> Sink --------> pump ---> writer ----- PUB, SUB ------>
//	joins, leaves --> Members -----> interest -^   ^- roster: heartbeats
//	         broker <-- Submit(From: sink) ---- reader <--- MSG ------------
//	acks, gaps <----- orders to the loops ----- interest, loss
//
//	pump      Sink.Next, to a channel of one. ErrSinkMissed goes to loss, ErrSinkDrained flushes and ends
//	writer    alone calls the NATS connection, since every call of it may wait (below)
//	reader    takes from one channel all that comes, and Submits it
//	interest  owns what is subscribed to, lingers, and whose acks wait; has timers, never touches NATS
//	roster    owns who is alive: heartbeats, leases, questions to other nodes
//	loss      owns what may have been missed, and tells the loops
//
// Each is one goroutine; they talk by bounded channels, and NATS's callbacks put one token into a
// channel and return. A loop does nothing for the bus but what it does for any follower (its outbox,
// one exchange of a pointer a turn) and run the orders that come from it, in batches. No goroutine of
// the bus is ever waited for by a loop or the broker (rule R6 of package order).
//
// Nothing comes back to where it came from: NATS does not echo to the connection that published
// (NoEcho), and what the reader Submits has From, so that SkipOwn keeps it from the sink. One
// connection carries both directions; with two there would be an echo, and no order between a SUB and
// the marker behind it.
//
// # Subjects
//
//	groupcast.g.NAME   a message for a group: of nodes, backends, MQTT clients alike
//	groupcast.u.NAME   a message for a user, from backends; all nodes listen to groupcast.u.*
//	groupcast.m        one message for several targets, in headers; all nodes listen
//	groupcast.n.all    nodes among themselves: heartbeats, markers, notices of loss
//	groupcast.n.NODE   questions and answers to one node
//
// Every subject with a name is the prefix and two tokens, so that prefixes do not overlap
// (protocol/subject). A node's name is a word of 32 bytes at most, and not "all". NATS permissions
// can so be written by hand: backends publish to g, u and m, and only nodes have n. A
// --max-group-name over 256 is refused with --nats at the start and by a reload, with both settings
// and their values in the error.
//
// # Headers
//
// All are optional: without any, the payload is a string's characters.
//
//	Groupcast-Version  1. A node ignores what has a higher major, counts it, and its heartbeat says what it reads
//	Groupcast-Mode     text or json
//	Groupcast-Origin   NODE EPOCH ORDER: of nodes only
//	Groupcast-Exclude  sessions, comma-separated, in the form that a cluster gives them
//	Groupcast-Groups, Groupcast-Users   tokens, comma-separated: of groupcast.m
//
// A message that names no known mode, is not UTF-8, is over the limit, or has a token that is none is
// counted by its reason and ignored, never half understood. With a reply subject it is answered at
// once: {"error":CODE,"reason":..}. A good one is answered {"node":..,"epoch":..,"order":..} by each
// node that published it; a requester takes the first. If no node wants the group NATS itself answers
// that there are no responders. A node that listens to everything and has no members answers order 0,
// 100 ms late, so that a node with members comes first.
//
// # What crosses, and how
//
// A publication for groups goes out as one message a group, each under its own subject: so interest
// works. That they come one after the other with nothing in between holds on the publisher's node;
// elsewhere their order holds and others' messages may come between. Rejected: groupcast.m for these,
// which every node would get.
//
// Users. Package order hands KindUsers to no sink. A SinkOptions.Users will have it handed to those
// that ask for it, as a SinkMessage with the publication's Users and all its Groups; the Channel
// bridge does not ask, so nothing changes there. The messages of such a publication to its groups say
// so (Message.Names), and the bus passes over them: the last one is sent, once, as groupcast.m, and
// is one Publication again on each node. So a session that is both member and user gets it once,
// there as here. Rejected: u and g messages apart (a double for these sessions); interest by users,
// for now: Members knows only users that are in groups, and a publication to a user is one message a
// node. It needs a follower of users first.
//
// Exclude. ExcludeSelf needs nothing: the sender's session is on its own node and nowhere else.
// Sessions that a publication names may be anywhere: in a cluster their text is NODE.EPOCH.0-1f-3,
// with the first 8 digits of the node's Epoch, and a node takes to heart those with its own name and
// epoch. Without --nats the text stays, and in a cluster a node reads the short form as its own. Ids
// of an earlier life match nobody. The two free bytes of SessionID stay free: a session elsewhere is
// a text to us.
//
// Channel servers. --channel-join is for one node of a cluster: a message of the joined server would
// come in at each that has it, and go out from each. Heartbeats say who has it: each such node logs of
// another one, and of those that are there all but the first by name say so in /readyz. (If all of them
// were not ready, nobody would be served.) What came by the bus goes to our own Channel server's
// subscribers as any message does.
//
// # Interest
//
// A node is subscribed to a group while it has members there, and --nats-linger (10 s) beyond.
// Members says who comes and goes, after coalescing; interest counts by group and loop, forgets a
// loop's counts where an update is Anew, and hands differences to the writer: at most 65,536 wait,
// since an item is a group's name once (a leave behind a join that was not written yet takes it
// back).
//
// All subscriptions deliver into the one channel of the reader (ChanSubscribe). Rejected: a callback
// a subscription, which is a goroutine each: 347 MiB against 88 for 100,000, server included, and no
// order between two subjects. The channel is the inbound queue: --nats-inbound 65,536 messages; what
// is over that nats.go drops and reports, and we count and treat as a loss.
//
// Above --nats-subjects (50,000) the node subscribes to groupcast.g.* once and filters by the same
// table; below 4/5 of it, for a minute, it goes back, and the gauge bus_wildcard says which. Going
// over, the wildcard comes first and the others are left afterwards (and back the other way round),
// so that nothing is missed; NATS delivers each message to both meanwhile. From before the new SUB is
// written until a flush has come back behind the last UNSUB, and what it found in the channel has
// been read, two arrivals, one by each (Msg.Sub), with the same subject, headers and payload are one
// message. Nodes' messages differ by their place; of a foreign publisher's identical ones of that
// moment two may be taken for one. (To begin with the first arrival by the new SUB was tried: the
// other copy of that very message had come before, and it was doubled each time.) It is
// groupcast.g.* and not .>: what has more tokens is nobody's group, and a backend that errs so is
// told by NATS that there are no responders.
//
// # The ack of a join
//
// The join itself takes place at once and holds nothing. Its ack (with req_id), where the group is
// not known to be covered, stands beside the order of a session's answers, as the one of auth does,
// and WIRE.md says so. Which groups are covered is one table of the node (loop.Engine.Cover,
// Uncover), and what is believed of it one word (SetCoverage); loops read both without a lock. A
// loop keeps whose acks wait, by group (16 a session at most; one more is answered
// "cluster":false at once), and Cover, for many groups at a time, has those loops send them on
// which any wait. Joins by the API wait the same way; groups of a claim have no ack.
//
// Covered means: SUB was written, and then a marker, in that order on that connection. A marker goes
// to groupcast.n.all and every node of the roster answers it to groupcast.n.NODE. NATS keeps a
// client's interest and its messages in order on each route (both go by the account's one route), so
// the server of a node that has the marker knows the subscription, and all that this node publishes
// from its answer on comes to us. One marker is under way at a time and covers all SUBs written
// before it. Nodes that did not answer within --nats-join-wait (1 s), or a bus that is away, make the
// ack {"cmd":"ack","req_id":7,"cluster":false}; true is never written. What it does not cover, and
// WIRE.md will say so: a foreign publisher at a NATS server to which no node of ours is connected.
// Gateways and leaf nodes spread interest by other rules: what holds there is to be measured before
// it is promised. With one server a marker answers as fast as a flush, so there is no special case.
//
// # Order, and what an ack of a send means
//
// An ack means this node's order, as ever. The sink has that order, the pump, the writer and the
// connection keep it, NATS keeps it for one publisher's connection over all subjects (below), and the
// reader keeps it. So each publisher's messages keep their order everywhere, and so do all of one
// node's. Two nodes' messages may stand in different order on two others. At most once: the bus never
// sends a message twice, so nothing needs to tell doubles.
//
// # The bus breaks
//
// A write to a server that stands still waits, and holds all other calls of the connection: nats.go's
// FlusherTimeout (we set 2 s; its default is a minute) ends that. Hence the one writer, hence no call
// elsewhere. The connection has ReconnectBufSize -1: what is kept meanwhile, and its order, is ours.
// Pings come each second, two may be missing; reconnects are at random between 50 and 500 ms, for
// ever, also where a server refuses the node's credentials: an operator may be about to put them
// right. Credentials, passwords and certificates in files are read again at each attempt; of an nkey
// the seed is, and its public half, which says as whom, is not.
//
// What nats.go (v1.55.0) does otherwise, and how connect.go deals with it: it ends a connection for
// good at the second refusal of one server (IgnoreAuthErrorAbort); it forgets a write of which the
// server took nothing, and goes on (ReconnectOnFlusherError); it looks names up under its lock and
// without a timeout, makes its first attempts before it returns, two seconds a server, and is
// silent about most attempts that fail (all three: a dialer of our own). What is left: an -ERR that
// it does not know, while connected, ends the connection for good; then there has to be another one.
//
// --nats-down says what becomes of publications while the bus is away:
//
//	buffer  (default) served here, and kept for the others up to --nats-buffer (16 MiB); sent on heal, in order
//	local   served here alone; counted, and the others are told of a gap
//	refuse  answered overloaded at the door, before they have a place in the order
//
// buffer is the default because a NATS server that restarts is the common case: nobody misses
// anything. What is over it is as local. Rejected as default: refuse, since it stops a service whose
// members are all here. "Away" is a word that loops read where they judge a command; for the seconds
// until the bus is known to be away, publications are served, and are told of as lost below.
//
// # Loss is known
//
// loss keeps the groups and places of the last 65,536 messages that went to the bus (a ring of hash
// and order, 1 MiB). What it is asked: "which groups after ORDER of EPOCH?", and the answer is a list
// of tokens with their last place, or "all" if that is further back than the ring. Each node
// remembers the highest place that it has seen of each other node.
//
//   - We come back after a break. What others sent meanwhile, they are asked for. What we wrote in
//     the last 5 s before it may be lost too: we publish a notice of these. Who gets either takes as
//     lost those groups of its own whose place is beyond the highest seen of that node: places come
//     in order, so what is lost is the end.
//   - Our sink, or the buffer, dropped: nobody got these, whatever came later, and the notice says
//     that. The sink will keep the names of groups that it dropped messages of, 1,024 at most; more
//     are "all".
//   - Submit found no room for 2 s: the group is known.
//   - Our reader's channel overflowed: what was dropped stands behind all that is in it, so the
//     reader takes the places that it has seen when it is told, asks for the groups beyond, and takes
//     all of these as lost; some may not be.
//   - A node is silent for two heartbeats and comes back (a partition): heartbeats have the node's
//     place, so that a place beyond the one seen is asked about. One heartbeat of grace, since both
//     come the same way.
//   - Foreign publishers have no places: after any break of ours, groups that have had a message from
//     one since they were subscribed to are lost as well. One bit a group.
//
// A lost group gets an item of the order (a new kind, by Engine.Gap, for up to 1,024 groups): at its
// place an envelope member gets {"type":"gap","group_id":..,"missed":"unknown"}, a bare one is closed
// with 1013, in batches of 1,000 a second and loop, as a drain does it. Sinks do not get it.
// Rejected: a gap for all groups after each reconnect, which closes every bare member when one NATS
// server restarts; a predecessor in each message, which finds a loss only when the next one comes;
// JetStream, which is another promise (the log) at another price.
//
// A lie about the origin can hide a gap from the notices and nothing else: excluded sessions are the
// publisher's own affair, and a place is believed up to 2^20 beyond the node's last heartbeat. Who
// must not lie gets no permission for g.
//
// # Nodes
//
// --nats-node NAME (default: the host's name, made a word). The Epoch of the order is the node's
// life. Each publishes a heartbeat a second: version, versions read, name, epoch, generation, place,
// counts, lag. One of which nothing was heard for --nats-lease (5 s, by the reader's own clock: no
// time of another's is ever compared) counts nowhere; coming back it has another generation. A node
// that itself had no bus for a lease raises its own when it is back, and so do both sides of a
// partition, each of which has counted the other out. A drain ends with a heartbeat that says so,
// behind all that the sink had: such a node counts nowhere at once.
//
// The name is asked for at the start: a question to groupcast.n.NAME. If it is answered within 500
// ms, by another epoch, the start is refused with the other's host and process id; else the name is
// taken, with the new epoch. After kill -9 nobody listens and NATS says so at once, so nothing waits. A
// node listens to its name before it asks, so that of two that start in the same moment one at least
// hears the other's question: the lower epoch answers and stays. A heartbeat with our
// name and another epoch is a node that came back from behind a partition: the older generation's
// process keeps serving its sessions, is not counted, and says so in /readyz. A node is believed
// about its own epoch only if the subject is its own; with one NATS user for all nodes they trust
// each other, with a user and permissions each they need not.
//
// # Who is in a group
//
// It is asked, not replicated: GET /v1/groups/{group} and the command members ask all nodes of the
// roster at groupcast.n.NODE, wait 250 ms, and answer with counts, a page, and "silent":[nodes].
// Pages are by (node, session), so that "after" goes to one node after the other: a page of 100 asks
// for at most 100 of one. 64 questions are under way at a time, an answer has 1,000 members at most.
// Announced are the counts of groups that a node has asked for with "watch": by heartbeat, changes
// only, 1,024 groups a node. Rejected: every membership to every node, since memory grows with nodes
// times members (at 100 nodes that is the whole price), for a list that is looked at now and then.
//
// # Budget
//
// Messages count once for the process while the sink, the pump or the buffer hold them, by the same
// Message; what nats.go has in its writer (32 KiB) and the reader's channel (count times the mean of
// what came, sampled) is an account of package budget. Where it refuses publications from outside,
// the reader's Submit fails and is a loss that is told. All limits have names: --nats-subjects,
// --nats-linger, --nats-join-wait, --nats-buffer, --nats-inbound, --nats-sink-bytes, --nats-lease.
//
// # Metrics
//
//	bus_state{state}  bus_reconnects_total  bus_round_trip_seconds  bus_wildcard  bus_subjects  bus_interest_waiting
//	bus_messages_total{direction}  bus_bytes_total{direction}  bus_ignored_total{reason}  bus_slow_consumer_total
//	bus_avoided_total (others' places by their heartbeats, less what came of them)  bus_lost_groups_total{cause}
//	bus_joins_total{covered}  bus_buffered_bytes  bus_nodes  bus_node_lag_seconds{node}
//
// # What was measured
//
// 2026-11-25, nats.go v1.55.0 and nats-server v2.15.2 in one process, loopback, no TLS, Go 1.26, two
// cores that others used as well; one run each, so that they say how large and not how exact. "Three"
// is a full mesh of three servers with the client at one and the other client at another.
//
//	100,000 SUBs and a flush, one channel         0.33 s, 88 MiB (client and server)
//	the same, a callback each                     0.70 s, 347 MiB, 100,000 goroutines
//	the same, one channel, three servers          1.2 s, 219 MiB, 12 us of CPU each
//	10,000 UNSUB+SUB in 100,000                   44 ms; three servers 123 ms (CPU the same)
//	server away and back, 100,000 resubscribed    0.6 s
//	SUB and flush                                 19 us (p99 72 us); three 44 us (p99 0.2 ms)
//	published elsewhere right behind that flush   one server: none was lost. Three: of 100 joins 1 to 3 lost
//	                                              what was sent at once, at most 3.5 ms behind the flush
//	SUB, marker, answer; published before it      three: 80 us (p99 0.5 ms, 1.1 ms beside 10,000 other SUBs a
//	                                              second); of 3,000 each none was lost
//	300,000 with a header on 1,000 subjects       in order, none lost, one server (4.1 us of CPU) and three (5.4 us)
//	a hop                                         54 us (p99 0.2 ms); three 85 us (p99 0.2 ms)
//	200,000 of 100 bytes, a tenth wanted          wildcard and filter 1.5 us each, exact subjects 0.5 us
//	all wanted                                    wildcard 1.5 us, exact 1.5 us
//	channel of 100, 1,000 sent, two subjects      the first 100 stay, 900 are dropped, the handler is called once a
//	                                              subscription, the connection stays, and goes on when there is room
//	server stands still                           3,900 publishes of 1 KB succeed, the next waits FlusherTimeout (2 s)
//	                                              and fails; the connection ends, and is back 0.2 s after the server
//	a subscriber stands still for 6 s             the server closes it (at 8 MiB or 3 s here; defaults 64 MiB, 10 s). It
//	                                              notices after 3 s by its own pings; what it had not read is lost.
//	                                              The publisher's longest publish took 1.2 ms
//	1,000 subjects to the wildcard and back,      three servers, 4 publishers of 25,000 a second together: of 240,000
//	15 times, by the rule of two arrivals         messages, with 40,000 second copies, none lost or doubled, all in order
//	MQTT 3.1.1, the 55 names of the golden file   each topic came as its subject and each subject as its topic, with a
//	of protocol/subject, longest names included   reply subject of 207 bytes beside it
//
// So a wildcard costs a node one microsecond for each message that it does not want, and a subject
// 0.9 KiB with one server and 2.2 KiB with three, theirs included: 50,000 are 45 to 110 MiB, while
// 50,000 unwanted messages a second are a twentieth of a core. And 4 MB may be accepted by nats.go
// and be lost without an error: what nats.go returns says nothing of arrival, hence the notices.
//
// # Others
//
// Centrifugo's broker for NATS (its version 5 was read) has one connection, a subject for all nodes and
// one for each, nothing buffered by nats.go, and a mode in which payloads are raw: all that is here too.
// It subscribes by channel with a callback each and does not flush, so that the answer to a subscribe says
// nothing of the bus; its channels are subjects as they are, and one with a star is refused or is a
// wildcard, by a setting; without history, loss is not told. Those four are decided otherwise here.
//
// # Steps
//
// Each is whole and has its proof; all run in one process, but for 8 and 9.
//
//  1. order: SinkOptions.Users, SinkMessage.Users and Groups. A sink without it sees none (that test
//     is there); with it one message has both lists, in its place.
//  2. Settings, connection, states, /readyz, the writer. Test: no server at the start, wrong
//     credentials, a server that stands still (a pipe that stops): start and ping do not wait, the
//     state is told once.
//  3. Out and in for the wildcard alone. Two engines on one NATS: order of 8 publishers, no echo,
//     modes, exclude, users once, malformed by reason; fuzz target for what comes in. MQTT by the
//     real server's listener.
//  4. Interest by Members. Property test: random joins, leaves, overflows against a naive table; a
//     message crosses to no node without members; linger; over the limit and back without a double or
//     a loss.
//  5. Heartbeats, names, lease. Two of one name; kill and start at once; a partition, by cutting the
//     routes.
//  6. Acks. Three servers, 10,000 joins, a publisher that answers each: none is lost; one node that
//     does not answer: "cluster":false after the wait, and a ping behind the join is answered before
//     it.
//  7. Loss: Engine.Gap first (its place in the order, 1013), then the ring, notices, --nats-down in
//     its three forms. Test: cut at random places; what a member has missed is told to it, always,
//     and groups without a loss are told nothing.
//  8. Members over the cluster; status, page, board.
//  9. make cluster, the faults with their figures, the README's chapter.
//
// The riskiest is 7, and 6 touches the loops' answers; 1 to 4 are useful alone, at core NATS's
// promises. Not measured yet, and to be before 6: gateways and leaf nodes; before 9: TLS.
package bus
