// Package bus joins this node to others over NATS: one group over many machines. Package
// protocol/subject names the subjects, wire reads and writes what goes under them, interest decides
// what is subscribed to, sent remembers what may have been lost. ../../protocol/WIRE.md is the contract
// for clients and backends; this page says how it is kept, and why so.
//
// Read in this order:
//
//   - bus.go: the parts, and the channels between them; options.go, down.go, subjects.go, stats.go
//   - connect.go, attempts.go, credentials.go, natserror.go, connstate.go: a connection to NATS that comes back for
//     ever, as whom, what its errors mean, and what an operator is told of it; connection.go: what it sets off here
//   - pump.go, writer.go, subscribing.go, outgoing.go, kept.go: what goes out; request.go: what others want the
//     writer to publish
//   - reader.go, reply.go, doubles.go: what comes in
//   - confirm.go: what the server has got
//   - coverage.go and package interest: which groups are subscribed to, and covered
//   - peer.go, beats.go, caughtup.go, nodes.go, control.go, naming.go: the other nodes, and this one's name
//   - notices.go, syncing.go, drops.go and package sent: what was missed
//   - questions.go, watch.go, removing.go: who is in a group, and how many; sessions that are to be closed, and members
//     that are to leave, wherever they are
//
// # Where it hangs
//
// The bus is one more sink and one more publisher of the broker, as package workerman's Client is,
// and the engine knows no more of it than of that. Local members are served by the broker in its
// order; nothing of the bus stands between a publisher and them.
//
//	              loops                           bus                          NATS
//	send -> broker -> rings -> members
//	             \--> Sink ----> pump ----------> writer ----- PUB, SUB ------->
//	joins, leaves --> Members -> interest ------/ ^  ^  \
//	                                              |  |   told, markers
//	         broker <-- Submit(From: sink) ---- reader <-------- MSG -----------
//	acks, gaps <------ coverage, Gap --- interest <-/
//
//	pump       Sink.Next, to a channel of one. What waits, waits in the sink, which has a limit
//	writer     alone publishes and subscribes, since every call of the connection may wait (below). It owns
//	           what is kept while the bus is away, and the ring of what was written
//	reader     takes all that comes from one channel, and Submits it. It owns what is known of the other
//	           nodes, and what may have been missed
//	interest   owns which groups have members, are subscribed to, linger, are covered; it never touches NATS
//	confirmer  waits for the server's PONGs: once a second, behind each marker, and behind a change of the wildcard
//	replier    waits for the places of publications that a requester is to be told
//	keeper     of the name: asks for it while the node does not have it
//	announcer  tells the others how many members the groups have here that they watch
//
// Each is one goroutine; they talk by bounded channels. NATS's callbacks put one token into a channel
// and return. A question about members of a group, which has to wait for the loops, has a goroutine of
// its own, 64 at a time. A loop does nothing for the bus but what it does for any follower of members,
// and run the orders that come from it, in batches. No goroutine of the bus is ever waited for by a loop
// or the broker (rule R6 of package order).
//
// The reader and the writer must not wait for each other. What the reader wants published goes into a
// channel of 1,024 requests, and is dropped and counted where that is full: it is asked for again, or
// would come too late. The writer waits for the reader where it tells it something, and the reader never
// waits for the writer; the one thing that the reader waits for is room in the broker, 2 s at most.
//
// Nothing comes back to where it came from: NATS does not echo to the connection that published
// (NoEcho), what a connection that has ended brings to the next one of the same node is known by its
// origin, and what the reader Submits has From, so that SkipOwn keeps it from the sink. One
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
//	groupcast.n.NODE.i.*  what answers to a node's own NATS requests come to
//
// Every subject with a name is the prefix and two tokens, so that prefixes do not overlap
// (protocol/subject). A node's name is a word of 32 bytes at most, and not "all". So NATS permissions
// can be written by hand: backends publish to g, u and m, and only nodes have n. A --max-group-name
// over 256 is refused with --nats at the start and by a reload, with both settings and their values in
// the error.
//
// # Headers
//
// All are optional: without any, the payload is a string's characters.
//
//	Groupcast-Version  1. A node ignores what has a higher major, and counts it
//	Groupcast-Mode     text or json
//	Groupcast-Origin   NODE EPOCH ORDER: of nodes only
//	Groupcast-Exclude  sessions, comma-separated, in the form that a cluster gives them
//	Groupcast-Groups, Groupcast-Users   tokens, comma-separated: of groupcast.m
//
// A message that names no known mode, is not UTF-8, is over the limit, or has a token that is none is
// counted by its reason and ignored, never half understood. With a reply subject it is answered at
// once: {"error":CODE,"reason":..}. A good one is answered {"node":..,"epoch":..,"order":..} by each
// node that published it; a requester takes the first. If no node wants the group NATS itself answers
// that there are no responders. A node that has no member of the group and gets its messages by the wildcard
// answers order 0, 100 ms late, so that a node with members comes first. Messages under u and m are
// published, and answered with a place, by every node.
//
// # What crosses, and how
//
// A publication for groups goes out as one message a group, each under its own subject: so interest
// works. That they come one after the other with nothing in between holds on the publisher's node;
// elsewhere their order holds and others' messages may come between. Rejected: groupcast.m for these,
// which every node would get.
//
// Users. The bus's sink asks for publications to users (SinkOptions.Users), which the Channel bridge's
// does not. The messages of such a publication to its groups say so (SinkMessage.Joint), and the writer
// passes over them: the last one has all groups and users, is sent once, as groupcast.m, and is one
// Publication again on each node. So a session that is both member and user gets it once, there as
// here. Rejected: u and g messages apart (a double for these sessions); interest by users, for now:
// Members knows only users that are in groups, and a publication to a user is one message a node. It
// needs a follower of users first.
//
// Exclude. ExcludeSelf needs nothing: the sender's session is on its own node and nowhere else.
// Sessions that a publication names may be anywhere: in a cluster their text is NODE.EPOCH8.0-1f-3,
// with the first 8 digits of the node's Epoch, and a node takes to heart those with its own name and
// epoch. Without --nats the text stays, and in a cluster a node reads the short form as its own. Ids
// of an earlier life match nobody. The two free bytes of SessionID stay free: a session elsewhere is
// a text to us.
//
// Channel servers. --channel-join is for one node of a cluster: a message of the joined server would
// come in at each that has it, and go out from each. Heartbeats say who has it. What came by the bus
// goes to our own Channel server's subscribers as any message does.
//
// # Interest
//
// A node is subscribed to a group while it has members there, and --nats-linger (10 s) beyond.
// Members says who comes and goes, after coalescing; interest counts by group and loop, and forgets a
// loop's counts where an update is Anew. The writer is handed batches of 4,096 SUBs and as many UNSUBs, so
// that publications come between two; a group stands once in what waits (a leave behind a join that
// was not handed over takes it back), so that this is bounded by the groups.
//
// Before the UNSUB of a group whose time is over, the loops are asked whether it has members now
// (Uncover): a join that came meanwhile, and was acknowledged since the group was covered, keeps it.
//
// All subscriptions deliver into the one channel of the reader (ChanSubscribe). Rejected: a callback
// a subscription, which is a goroutine each: 347 MiB against 88 for 100,000, server included, and no
// order between two subjects. The channel is the inbound queue: --nats-inbound 65,536 messages; what
// is over that nats.go drops and reports, and we count and treat as a loss.
//
// Above --nats-subjects (50,000) the node subscribes to groupcast.g.* once and throws away what is not
// covered; below 4/5 of it, for a minute, it goes back, and the gauge bus_wildcard says which. Going
// over, the wildcard comes first and the others are left afterwards (and back the other way round),
// so that nothing is missed; NATS delivers each message to both meanwhile. From before the new SUB is
// written until a flush has come back behind the last UNSUB, and what it found in the channel has
// been read, two arrivals, one by each (Msg.Sub), with the same subject, headers and payload are one
// message (doubles.go). Nodes' messages differ by their place; of a foreign publisher's identical ones of
// that moment two may be taken for one. (To begin with the first arrival by the new SUB was tried: the
// other copy of that very message had come before, and it was doubled each time.) It is
// groupcast.g.* and not .>: what has more tokens is nobody's group, and a backend that errs so is
// told by NATS that there are no responders.
//
// # The ack of a join
//
// The join itself takes place at once and holds nothing. Its ack (with req_id), where the group is not
// known to be covered, stands beside the order of a session's answers, as the one of auth does. Which
// groups are covered is one table of the node: interest writes it (Cover, Uncover), the loops read it
// without a lock, and what is believed of it at all is one word (SetCoverage): off without a cluster,
// away, pending, on. It stays as it was while the bus is away. An ack that waits is its loop's (128 a
// session at most, 65,536 a loop; one more is answered "cluster":false at once); Cover wakes only the loops on which
// any wait. Joins by the API wait the same way; groups of a claim have no ack.
//
// Covered means: SUB was written, and then a marker, in that order on that connection. A marker goes to
// groupcast.n.all, every node of which we have heard answers it to groupcast.n.NODE, and our own server
// has answered a flush behind it. NATS keeps a client's interest and its messages in order on each route
// (both go by the account's one route), so the server of a node that has the marker knows the
// subscription, and all that this node publishes from its answer on comes to us. One marker is under way
// at a time and covers all SUBs written before it; the next one comes at the earliest 0.4 ms for each
// other node behind the last, or many joins would have the nodes do nothing but answer. Nodes that did not
// answer within --nats-join-wait (1 s), or a bus that is away, make the ack
// {"cmd":"ack","req_id":7,"cluster":false}; true is never written. So is the ack of a group whose subject
// NATS forbids to this node. (Where the wildcard is allowed and one subject is not, NATS says nothing when the
// wildcard is subscribed to: then that is not noticed.) What it does not cover: a foreign
// publisher at a NATS server to which no node of ours is connected. Gateways and leaf nodes spread
// interest by other rules: what holds there is to be measured before it is promised. With one server a
// marker answers as fast as a flush, so there is no special case.
//
// # Order, and what an ack of a send means
//
// An ack means this node's order, as ever. The sink has that order, the pump, the writer and the
// connection keep it, NATS keeps it for one publisher's connection over all subjects (below), and the
// reader keeps it. So each publisher's messages keep their order everywhere, and so do all of one
// node's. Two nodes' messages may stand in different order on two others. At most once: the bus never
// sends a message twice, so nothing needs to tell doubles but where a subscription changes.
//
// # The bus breaks
//
// A write to a server that stands still waits, and holds all other calls of the connection: nats.go's
// FlusherTimeout (we set 2 s; its default is a minute) ends that. Hence the one writer, hence no call
// elsewhere but the confirmer's flushes and the question for the name. The connection has
// ReconnectBufSize -1: what is kept meanwhile, and its order, is ours. Pings come each second, two may be
// missing; reconnects are at random between 50 and 500 ms, for ever, also where a server refuses the
// node's credentials: an operator may be about to put them right. Credentials, passwords and
// certificates in files are read again at each attempt; of an nkey the seed is, and its public half,
// which says as whom, is not.
//
// What nats.go (v1.55.0) does otherwise, and how attempts.go and connect.go deal with it: it ends a connection for
// good at the second refusal of one server (IgnoreAuthErrorAbort); it forgets a write of which the
// server took nothing, and goes on (ReconnectOnFlusherError); it looks names up under its lock and
// without a timeout, makes its first attempts before it returns, two seconds a server, and is
// silent about most attempts that fail (all three: a dialer of our own). And at an -ERR that it does not
// know it ends the connection for good: then there is another one, to which the writer subscribes anew.
//
// A call that fails may have lost what stood in nats.go's buffer, SUBs and UNSUBs too: the connection is
// given up, since nats.go makes all of them again with the next one. Which connection a message or a write
// was of is told by a count of attempts to connect (Bus.dials), which is raised before one begins. The
// writer's stages are
//
//	away    nothing can be written, or the name is not this node's
//	back    it can, and nats.go has subscribed anew; but the other nodes, which come back from the same break, may
//	        not have. What goes out now would miss them, so messages are kept until those that were there before have
//	        answered a marker of another kind (sync), which is asked for every 200 ms, or for 1.5 s
//	joined  notices of what may be lost, then what was kept, then each message as it comes
//
// --nats-down says what becomes of publications while the bus is away:
//
//	buffer  (default) served here, and kept for the others up to --nats-buffer (16 MiB); sent on heal, in order
//	local   served here alone; counted, and the others are told of a gap
//	refuse  answered overloaded at the door, before they have a place in the order; from the start on
//
// buffer is the default because a NATS server that restarts is the common case: nobody misses
// anything. What is over it is as local. Rejected as default: refuse, since it stops a service whose
// members are all here. For the moment until the bus is known to be away, publications are served, and
// are told of as unsure below.
//
// # Loss is known
//
// The writer keeps the groups and places of the last 65,536 messages that went to the bus (a ring of
// hash and order, 1 MiB). It answers the question "which groups had messages behind AFTER, up to UPTO?"
// with their hashes, or with "all" if the ring does not go back so far. The reader remembers the
// highest place that it has seen of each other node.
//
//   - We come back after a break. Of each node its place is asked (the sync marker: the answer comes behind all
//     that it sent before, by the new subscriptions), and where that is beyond what was seen before the
//     break, which groups (after, upto] had: these are lost. Between the answer and the question nothing is missed.
//     What comes of these later, left over from the connection that ended, is not published any more.
//   - What we wrote before the break may be lost too: all behind the last place that the server had confirmed
//     2 s before it confirmed another (confirm.go: its PONG says that it has it, and the 2 s that its routes
//     have). We publish a notice of these with their places; a node takes as lost those whose place is
//     beyond the highest that it has seen of us, since places come in order. If nats.go may have written the
//     last of them to the next connection already, that tells nothing, and the notice says "nobody" has them.
//   - Our sink, or the buffer, dropped, or --nats-down local: nobody got these, whatever came later, and the
//     notice says "nobody". The sink keeps the names of groups that it dropped messages of; too many are "all".
//     A node that is not there to hear it, or drops it, asks later: an answer to a marker says behind which place
//     the last of these notices stood, and the question about that span is answered with their groups (4,096) as well.
//   - Submit found no room for 2 s, or a message of another node is over this one's --max-message: the group is known.
//   - Our reader's channel overflowed: what was dropped stands behind all that is in it, so the
//     reader takes the places that it has seen when it is told, asks for the groups beyond, and takes
//     all of these as lost; some may not be. While it overflows again and again it waits for half of
//     what may wait, or a second, so that one notice is for many drops: by a flood of one group members of
//     a thousand others were told 60 times a second.
//   - A heartbeat of a node is missing, by its number (a partition, or a route between NATS servers that
//     was away for a second): both come the same way, so messages may be missing as well, and what it
//     published since the one before is asked about. Where none is missing behind a silence, the node has
//     stood still, and nothing was lost. A break of less than a second may fall between two heartbeats:
//     then nobody knows of it.
//   - A node that ends, or begins another life, while ours was the connection that broke cannot be asked:
//     then all groups are lost.
//   - Foreign publishers have no places: after any break of ours, groups that have had a message from
//     one are lost as well (65,536 are told apart; more are all).
//
// A lost group gets an item of the order (Engine.Gap, up to 1,024 groups at a time): at its
// place an envelope member gets {"type":"gap","group_id":..,"missed":"unknown"}, a bare one is closed
// with 1013, in batches of 1,000 a second and loop, as a drain does it. Sinks do not get it. Messages
// for users alone have no group and no member who could be told: that they did not cross is counted.
// Rejected: a gap for all groups after each reconnect, which closes every bare member when one NATS
// server restarts; a predecessor in each message, which finds a loss only when the next one comes;
// JetStream, which is another promise (the log) at another price.
//
// A publisher that lies about the origin can hide a gap from the notices, or have one told by a message that is
// too large, and nothing else: it may exclude sessions anyway, and can have gaps told by a flood. One lie reaches
// 2^20 places beyond the node's last heartbeat, or beyond the highest place that has come, so that several reach
// further. A publisher that must not lie gets no permission for g.
//
// # Nodes
//
// --nats-node NAME (default: the host's name, made a word). The Epoch of the order is the node's life.
// Each publishes a heartbeat a second: versions read, name, epoch, generation, place, counts, lag. One of
// which nothing was heard for --nats-lease (5 s, by the reader's own clock: no time of another's is ever
// compared) counts nowhere, and is forgotten after an hour, or where its place of 1,024 is wanted. A node
// is known by its heartbeat alone: what strangers ask or tell is ignored. A node that itself had no bus
// for a lease raises its generation when it is back: the others have counted it out. A drain ends with a
// heartbeat that says so, behind all that the sink had: such a node counts nowhere at once.
//
// The name is asked for at the start, where NATS is there within 2 s: a NATS request to groupcast.n.NAME. If
// it is answered within 500 ms, by another epoch, the start is refused with the other's host and process id;
// else the name is taken, with the new epoch. After kill -9 nobody listens and NATS says so at once, so
// nothing waits. A node listens to its name before it asks, so that of two that start in the same
// moment one at least hears the other's question: the lower epoch answers and stays. A node that NATS
// comes to later asks as well, and as long as another has the name it stays out of the cluster: it serves
// its own sessions, asks again every 2 s, and /readyz says so. Two that a partition had hidden from each other
// find it by their heartbeats: the one with the higher generation leaves the cluster, of equal ones
// that with the higher epoch.
//
// # Who is in a group
//
// It is asked, not replicated: GET /v1/groups/{group}, its members, and the command members ask all nodes that
// count at groupcast.n.NODE, wait 250 ms, and answer with counts, a page, and "silent":[nodes].
// Pages are by (node, session), so that "after" goes to one node after the other: a page of 100 asks
// for at most 100 of one. 64 questions of others are answered at a time, an answer has 1,000 members
// at most. While the bus is away all others are silent, at once. Rejected: every membership to every node,
// since memory grows with nodes times members (at 100 nodes that is the whole price), for a list that
// is looked at now and then.
//
// How many members a group has is asked for once, and announced from then on by all nodes, for a minute from
// when it was last asked for (watch.go): changes at most each 250 ms, all each 5 s, 1,024 groups a node. So a
// page that looks each second costs the cluster what changes.
//
// # Who is put out
//
// To close a user's sessions, or to have a group's members leave, the nodes that count are each told to ("remove"), do
// it to their own, and answer how many that were; the node of a session is told to close it. A node that has not
// answered within 1 s is named "silent", and whoever asked asks again; it works on it for 2 s at most. It is not kept
// for nodes that are away, and who comes meanwhile may stay: a token that is withdrawn keeps him out. That a session
// joins or leaves by the API is its own node's, since a join has more answers than that it is done.
//
// # Budget, limits, metrics
//
// Messages count once for the process while the sink and the pump hold them, by the same Message. What is
// kept for the others, and the reader's channel (its length times the mean of what came), is an account
// of package budget. Where memory is so short that publications from outside are refused, the reader's
// Submit fails, and is a loss that is told.
//
// --nats-subjects, --nats-linger, --nats-join-wait, --nats-buffer, --nats-inbound, --nats-sink-messages,
// --nats-sink-bytes, --nats-lease; fixed are 1,024 nodes, 1,024 requests, 4,096 answers, 64 questions and
// 1,024 watched groups at a time, each with a count of bus_limit_hits_total. stats.go has all metrics; the
// tags say what they mean.
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
// 50,000 unwanted messages a second are a twentieth of a core. With processes of their own (`make
// cluster`, bench/results/cluster.md) a wildcard costs 2.4 to 7 us for each, the fewer the more, since
// waking is in it. And 4 MB may be accepted by nats.go and be lost without an error: what nats.go
// returns says nothing of arrival, hence the notices.
//
// # Others
//
// Centrifugo's broker for NATS (its version 5 was read) has one connection, a subject for all nodes and
// one for each, nothing buffered by nats.go, and a mode in which payloads are raw: all that is here too.
// It subscribes by channel with a callback each and does not flush, so that the answer to a subscribe says
// nothing of the bus; its channels are subjects as they are, and one with a star is refused or is a
// wildcard, by a setting; without history, loss is not told. Those four are decided otherwise here.
//
// # Not built
//
//   - Interest by users: each message to a user goes to all nodes.
//   - A control message is believed by what it says of its node; nodes trust each other, whatever NATS users
//     they are.
//   - Gateways, leaf nodes: not measured, so not promised.
//   - What a node had acknowledged and not yet written when it was killed is lost, and nobody can tell.
//   - A node that is parted from the others, and begins anew before they meet again: what its former life sent
//     meanwhile is told to nobody. Nor is a break of a route between NATS servers that falls between two
//     heartbeats.
package bus
