// Package monitor knows how a running server is doing: once a second it asks the
// loops, and everybody else (the API, the metrics, the page, `groupcast status`)
// reads what it found. So a hundred dashboards cost the loops as much as none,
// and a loop that hangs keeps nobody waiting.
//
//   - status.go: the snapshot, as the API answers it
//   - cluster.go: the other nodes in it
//   - monitor.go: taking samples
//   - rates.go: what two samples say about the time between them
//   - history.go: the last two minutes, and what has happened
//   - events.go: which counters and states are events
//   - groups.go: the largest groups, looked at less often
//   - process_*.go: what the system knows of this process
//
// # Decisions
//
// 2026-11-23: a reactor is stalled if its loop has been silent for five seconds
// (the engine's own watch says so), or has answered no question for that long. One
// unanswered question is not enough: a loop that publishes into a full ring is
// alive, delivers, and answers when it is through.
//
// 2026-11-23: what a reactor does not answer is taken from its last answer, so
// that no counter ever falls. A collector that computes rates from counters would take a
// fall for a restart.
//
// 2026-11-23: percentiles come from the difference of two states of a histogram
// that only grows, ten seconds apart. A second histogram that forgets would have
// to live on the loops.
//
// 2026-11-23: the search for the largest groups looks at every group there is,
// so it rests for a hundred times as long as it took: at most one per cent of
// the time goes into it, however many groups there are.
//
// 2026-11-25: the last two minutes are kept here, and not in each page: who opens the
// page because something has just happened wants to see it. An event is a counter that
// rose between two samples, so nothing on the way of a message has to tell of it.
//
// 2026-11-25: the sum of all loops shows messages once. Each loop takes each message, so
// that 120 a second were 240 with two loops.
package monitor
