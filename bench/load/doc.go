// Command load drives a group-push WebSocket server and checks every single delivery.
//
// It is a black box to the server: it knows the wire and nothing else, so that any server that speaks add_group and
// send_to_group (with req_id acks, or --no-acks) can be measured and compared with it.
//
// Three ideas carry it:
//
//   - A payload says who it is for: group, publisher, a sequence number per publisher and group, and the time it was
//     meant to be sent at. So each member can tell lost, duplicated, reordered and misdelivered messages apart, and
//     latency counts from the intended time: a stalled server (or a stalled generator) cannot hide its stall.
//   - The figure that matters is the server's CPU time per delivery. It is steadier than throughput on a shared
//     machine, and it stays right when the generator is the slower of the two.
//   - The generator is lean: raw epoll on a locked thread, frames parsed in place, nothing allocated per delivery.
//     Hence it is for Linux only.
//
// Reading order: payload.go and ledger.go (what is checked), frame.go (the wire), plan.go (who is in which group),
// loop.go, conn.go, secure.go (TLS) and publisher.go (one thread's world), run.go (the phases),
// meter.go (the server's CPU and memory), scenario.go (what can be run), compare.go (several servers in turn).
package main
