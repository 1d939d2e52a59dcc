// Package metrics tells Prometheus how the server is doing: a registry of its
// own with what Go and the system know of the process, and a collector over the
// monitor's last sample and what the API and the bridges count. METRICS.md is the
// list of names; grafana/ has a dashboard and alerts/ rules for it.
//
// # Reading order
//
//   - metrics.go: who is asked, and the handler
//   - table.go: every name, with its type, labels and meaning
//   - collector.go: which figure goes where
//
// # Rules
//
// A name is groupcast_, what, the unit (seconds, bytes, or what is counted), and
// _total for what only grows. No label has a value that a client chooses: groups,
// sessions, addresses and request ids have no place here, and a client cannot
// make a series. Figures are told by event loop where loops can differ in a way
// that matters: load, backlog, rings, silence. METRICS.md, the dashboard and the
// rules are held to the table by tests.
//
// # Decisions
//
// 2026-11-23: a scrape reads the last sample of the monitor and asks no loop. It is
// a second old at most where everything is well, groupcast_sample_age_seconds says
// where it is not, and a loop that does not answer cannot make scrapes time out just
// when they matter.
//
// 2026-11-23: the loops' counters are turned into constant metrics at each scrape,
// not counted in Prometheus' own types: theirs are atomics, and the loops have none.
//
// 2026-11-23: groupcast_limit_hits_total repeats what other counters say, under the
// names of the flags: one panel shows which limit is reached.
//
// 2026-11-23: histograms are classic ones, with a bucket for each power of two. The
// loops keep four for each, but 20 series for a latency are enough to see one in a
// hundred, and powers of two are what they can count exactly.
package metrics
