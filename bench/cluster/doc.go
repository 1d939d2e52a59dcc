// Command cluster measures what it costs that several groupcast servers are one, over NATS: the CPU time of
// each process a message, the latency of a hop, the memory of a group, what interest keeps off the bus, and
// what nodes say to each other. Every delivery is checked on the way: all arrive, in order, none twice.
//
// It is a black box to the servers: it starts the real programs on loopback, speaks to them as clients and
// backends do, and reads their metrics and their processes' clocks. For the cost of many nodes it plays the
// other nodes itself, by the messages that one sees on the bus.
//
// A price is a difference between runs that differ in one thing: with and without a member, with and without
// --nats. The runs of a round come one after the other, and rounds are repeated, so that what else the
// machine does meets all of them; tables have medians, and ranges in brackets.
//
// Reading order: cluster.go (NATS and nodes; bench/internal/process starts them), client.go (one
// connection), dialect.go (what peers speak), crowd.go (members, who check) and publish.go; then what is
// measured: cost.go, latency.go, interest.go, memory.go, joins.go (and a NATS server that crashes), nodes.go,
// peers.go, profile.go; smoke.go judges and measures nothing; model.go says what follows for more nodes;
// points.go makes tables, main.go.
package main
