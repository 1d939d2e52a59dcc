// Package metrics tells Prometheus how the server is doing: a registry of its
// own with what Go and the system know of the process, and a collector over the
// monitor's last sample and what the API and the bridges count. METRICS.md is the
// list of names; grafana/ has a dashboard and alerts/ rules for it.
//
// # Reading order
//
//   - metrics.go: who is asked, and the handler
//   - rows.go: from a struct's tags to names, labels and meanings
//   - collector.go: a scrape
//
// # What is declared where
//
// A package that counts says what it counts: a struct of figures has one row a figure, and
// the row is the field with its tag. It is the only place where the name, the help, the
// labels and the place of the value stand. This package and METRICS.md read the tag; the monitor,
// `groupcast status` and the page read the field. So one more is one field and one
// increment, and METRICS.md is written anew by go test -update.
//
//	Upgrades   uint64 `metric:"upgrades_total" help:"Handshakes that became sessions."`
//	IdleClosed uint64 `metric:"session_ends_total{cause=idle}" also:"limit_hits_total{limit=close_after}"`
//	MaxMarks   int    `metric:"batch_marks_max" merge:"max" help:"Most references queued by one batch since the start."`
//
// The keys of a tag:
//
//   - metric: the name, without groupcast_, and its labels. One that ends in _total is
//     a counter, a Histogram is a histogram, everything else a gauge. "-" is not told:
//     without a tag the program does not start. Several fields may have one name.
//   - {label=value} is the figure's own label; {label} gets its value from where the
//     figure stands: a string field of the same struct with the tag label, the index in
//     a slice with the tag index, or, in several counts (what has a method All), which
//     of them it is.
//   - help: once for each name, at any of its fields.
//   - also: a second name for the same figure; only: of several counts the one that the
//     second name is about.
//   - merge: figures with one name and the same labels are added up: a name without
//     {reactor} is told as the sum over the reactors. merge:"max" tells the largest, and
//     loop.Stats.Sum, which the monitor uses, does the same.
//   - unit: ns or us, where the field is not in the unit of the name. A time.Duration
//     needs none; a time.Time is told as the seconds since then, and not at all if zero.
//   - buckets: of a histogram, the exponents of its first and its last power of two.
//
// A struct within a struct, a pointer to one (nil is not told) and a slice of them are
// looked into. An atomic.Uint64 is read where it is: a package that counts from many
// goroutines has its counters in one struct of atomics, which its Stats point to.
//
// # Rules
//
// A name is groupcast_, what, the unit (seconds, bytes, or what is counted), and
// _total for what only grows. No label has a value that a client chooses: groups,
// sessions, addresses and request ids have no place here, and a client cannot
// make a series. Figures are told by event loop where loops can differ in a way
// that matters: load, backlog, rings, silence. METRICS.md, the dashboard and the
// rules are held to the declarations by tests.
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
//
// 2026-11-25: declarations are tags of the fields, not a table of names with functions
// that read them: that is a second place for each counter, and a third where a package
// is not to know another's struct, and a name could stand beside the wrong field. The
// price is reflection at a scrape, never where something is counted: 0.3 ms for all there is.
package metrics
