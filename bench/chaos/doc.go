// Command chaos makes faults in clusters of real processes, and judges from what every client got.
//
// Each scenario starts NATS servers (up to three, as a cluster) and three groupcast nodes, all on loopback, and
// clients of each node: members in bare form and with envelopes, and publishers over WebSocket and HTTP that number
// what they send. Then comes the fault, in the middle of that. All processes end with this one, by their ids.
//
// What is judged of every connection of every member, once all has come to rest:
//
//   - no message comes twice, or that was refused, or that is of another group;
//   - each publisher's come in their order;
//   - what was acknowledged by the member's own node comes, whatever becomes of NATS;
//   - what was acknowledged elsewhere, once the member's join was acknowledged for the whole cluster, comes, or is
//     told: by a notice behind the last message before the hole, or by a close with 1013 in bare form;
//   - who cannot have missed anything is told nothing: members of groups that no other node publishes to, and of one in
//     which nothing happens, in all scenarios; all members where no node and no server loses its connection.
//
// One publisher's stream is what it sends to one life of one node: between two lives there is no order. What a node
// that is killed had acknowledged and not yet sent is lost with it and nobody can tell; it is counted.
//
// Times are figures, and bounds of them are generous: the machine may be busy.
//
// Reading order: ledger.go (what is judged), scenario.go, cluster.go (what runs; bench/internal/process starts it),
// world.go, publisher.go and pinger.go (the clients), watch.go (what is waited for), on*.go (the faults), main.go.
package main
