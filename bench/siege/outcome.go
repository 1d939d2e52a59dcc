package main

import (
	"fmt"
	"time"
)

// What a run is judged by.
const (
	// maxSlowdown is how much worse the siege's p99 may be than the calm one's.
	maxSlowdown = 5
	// latencyFloor stands in for a calm p99 below it: five times half a millisecond is one turn of the kernel's scheduler.
	latencyFloor = 5 * time.Millisecond
	// maxHeapGrowth is the part by which the live heap may be larger afterwards than it was before.
	maxHeapGrowth = 0.10
	// maxHighWater is what may be kept for reuse of the most that there ever was, beyond a fresh server's live heap: Go
	// keeps a descriptor of 440 bytes for each goroutine that has ended.
	maxHighWater = 4 << 20
	// maxLogRate is in bytes a second: 350 MB a day.
	maxLogRate = 4 << 10
)

// outcome is what a run has found out.
type outcome struct {
	Live      tally
	Calm      latencies
	Siege     latencies
	Seconds   []time.Duration // p99 of each second of the siege
	Fresh     reading         // before the rehearsal
	Before    reading
	After     reading
	PeakRSS   int64
	LogRate   float64 // bytes a second, under siege
	Witnesses []witnessed
	Attacks   []attacked
	Remaining string // what the server still held when the time to settle was over; empty if nothing
	Gone      error  // the server has ended

	SiegeSeconds float64
	CalmCPU      float64 // of the server, in processors
	SiegeCPU     float64
	AttackCPU    float64 // of all attackers together, in processors
}

// tally is what all live sessions have seen together.
type tally struct {
	Sessions   int
	Published  uint64
	Expected   uint64
	Received   uint64
	Lost       uint64
	Duplicated uint64
	Reordered  uint64
	Strange    uint64   // no message of ours
	Closed     []string // sessions that ended, and how
}

// latencies are those of one phase, from when a message was due to each member.
type latencies struct {
	Messages int64
	P50      time.Duration
	P99      time.Duration
	Max      time.Duration
}

// witnessed is what a well-behaved program has seen.
type witnessed struct {
	Name    string
	Tried   int
	Failed  []string
	Slowest time.Duration
}

// attacked is what an attack has said, and what of its proof is missing.
type attacked struct {
	Name    string
	Counts  map[string]uint64
	Missing []string
	Err     error
}

// judge lists what is not as promised; nothing, if all is. untimed leaves out what depends on how fast a machine is.
func (o *outcome) judge(untimed bool) []string {
	var found []string
	say := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	if o.Gone != nil {
		say("the server is gone: %v", o.Gone)
	}
	if o.Live.Expected == 0 {
		say("nothing was expected by any live session")
	}
	if o.Live.Lost > 0 || o.Live.Duplicated > 0 || o.Live.Reordered > 0 || o.Live.Strange > 0 {
		say("live messages: %d lost, %d duplicated, %d reordered, %d that nobody sent",
			o.Live.Lost, o.Live.Duplicated, o.Live.Reordered, o.Live.Strange)
	}
	for _, how := range o.Live.Closed {
		say("a live session was closed: %s", how)
	}
	if o.Calm.Messages == 0 || o.Siege.Messages == 0 {
		say("no latency was measured: %d messages in the calm, %d under siege", o.Calm.Messages, o.Siege.Messages)
	}
	if most := maxSlowdown * max(o.Calm.P99, latencyFloor); !untimed && o.Siege.P99 > most {
		say("p99 under siege is %v, over %v (%d times the calm one, which counts as %v at least)",
			o.Siege.P99, most, maxSlowdown, latencyFloor)
	}
	// A short rehearsal has not seen all that a siege brings: only the bound below holds for it.
	if o.Before.Heap <= 0 || !untimed && float64(o.After.Heap) > float64(o.Before.Heap)*(1+maxHeapGrowth) {
		say("the live heap is %s, was %s: more than %.0f %% larger", mib(o.After.Heap), mib(o.Before.Heap), 100*maxHeapGrowth)
	}
	if o.Fresh.Heap <= 0 || o.After.Heap > o.Fresh.Heap+maxHighWater {
		say("the live heap is %s, was %s in a server that nobody had attacked: more than %s larger",
			mib(o.After.Heap), mib(o.Fresh.Heap), mib(maxHighWater))
	}
	if o.LogRate > maxLogRate {
		say("the log grew by %.0f bytes a second, over %d", o.LogRate, maxLogRate)
	}
	if o.Remaining != "" {
		say("the server still holds %s", o.Remaining)
	}
	for _, w := range o.Witnesses {
		if w.Tried == 0 {
			say("%s: was not tried", w.Name)
		}
		if len(w.Failed) > 0 {
			say("%s: failed %d times of %d, first: %s", w.Name, len(w.Failed), w.Tried, w.Failed[0])
		}
	}
	if len(o.Attacks) == 0 {
		say("there was no attack")
	}
	for _, a := range o.Attacks {
		if a.Err != nil {
			say("attack %s: %v", a.Name, a.Err)
		}
		for _, what := range a.Missing {
			say("attack %s did not bite: no %q", a.Name, what)
		}
	}
	return found
}

func mib(n int64) string { return fmt.Sprintf("%.2f MiB", float64(n)/(1<<20)) }
