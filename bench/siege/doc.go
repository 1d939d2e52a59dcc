// Command siege attacks a groupcast server at all of its doors at once, and watches what its live sessions notice.
//
// It is a black box to the server, which it starts itself: it knows the wire, the program's flags, /metrics and Go's
// profiles. A run has these phases:
//
//	rehearsal  every attack for a short time, so that what a process keeps for reuse of the most it ever had is there
//	calm       live WebSocket sessions, plain and over TLS, get numbered messages at a steady pace
//	siege      the same, while every attack is made
//	settle     the attackers are gone; the server lets go of what they held
//	calm       once more: the better of the two is what the siege's latency is compared with
//
// Each attack is a process of its own with the lowest priority and a bounded pace, so that the figures are about what
// the server does and not about who gets a processor. It says what the server did to it, and a run fails if an attack
// did not reach the server: a target that holds because nobody shot at it proves nothing.
//
// Beside the live sessions there are witnesses, well-behaved programs at the other doors: a probe of /healthz, a
// backend, two PHP programs, and an operator who reloads good and bad settings.
//
// Reading order: ledger.go and outcome.go (what is judged), live.go and witness.go (who must notice nothing),
// server.go and readings.go (what is attacked, and how it is doing), attack.go and crowd.go (what an attack is), on*.go
// (the attacks, by door), attackers.go (their processes), run.go (the phases).
//
// # Decision, 2026-11-25: a rehearsal
//
// A fresh server with 200 sessions has 3 MiB of live heap. Go keeps a descriptor for each goroutine that has ended, 440
// bytes, and so 2 MiB after the first 4,500 connections whose protocol has a goroutine each: no leak, since the next
// siege uses them again, but far over 10 %. So the heap before is that of a server that has seen its worst day once;
// what grows with each siege is found, and what is kept after the first one is judged apart, against the fresh server.
package main
