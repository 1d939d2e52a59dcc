// Command siege attacks a groupcast server at all of its doors at once, and watches what its live sessions notice.
//
// It is a black box to the server, which it starts itself: it knows the wire, the program's flags, /metrics and Go's
// profiles. A run has four phases:
//
//	calm    live WebSocket sessions, plain and over TLS, get numbered messages at a steady pace
//	siege   the same, while every attack is made
//	settle  the attackers are gone; the server lets go of what they held
//	judge   what was lost, latency against the calm, the live heap after a forced collection
//
// Each attack is a process of its own with the lowest priority and a bounded pace, so that the figures are about what
// the server does and not about who gets a processor. It says what the server did to it, and a run fails if an attack
// did not reach the server: a target that holds because nobody shot at it proves nothing.
//
// Reading order: ledger.go and outcome.go (what is judged), live.go and witness.go (who must notice nothing), server.go
// and readings.go (what is attacked, and how it is doing), attack.go and crowd.go (what an attack is), on*.go (the attacks,
// by door), attackers.go (their processes), run.go (the phases).
package main
