package main

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// held is an outcome with which nothing is wrong.
func held() *outcome {
	return &outcome{
		Live:      tally{Sessions: 2, Published: 10, Expected: 20, Received: 20},
		Calm:      latencies{Messages: 10, P99: 10 * time.Millisecond},
		Siege:     latencies{Messages: 10, P99: 50 * time.Millisecond},
		Fresh:     reading{Heap: 8 << 20},
		Before:    reading{Heap: 10 << 20},
		After:     reading{Heap: 11 << 20},
		LogRate:   maxLogRate,
		Witnesses: []witnessed{{Name: "a probe", Tried: 1}},
		Attacks:   []attacked{{Name: "idle"}},
	}
}

// TestJudge: each thing that may go wrong is found, alone, and nothing else is.
func TestJudge(t *testing.T) {
	if found := held().judge(false); len(found) > 0 {
		t.Fatalf("found %q where nothing is wrong", found)
	}
	for want, spoil := range map[string]func(*outcome){
		"the server is gone":        func(o *outcome) { o.Gone = errors.New("killed") },
		"nothing was expected":      func(o *outcome) { o.Live.Expected = 0 },
		"1 lost":                    func(o *outcome) { o.Live.Lost = 1 },
		"1 duplicated":              func(o *outcome) { o.Live.Duplicated = 1 },
		"1 reordered":               func(o *outcome) { o.Live.Reordered = 1 },
		"1 that nobody sent":        func(o *outcome) { o.Live.Strange = 1 },
		"a live session was closed": func(o *outcome) { o.Live.Closed = []string{"7: 1008"} },
		"0 messages in the calm":    func(o *outcome) { o.Calm.Messages = 0 },
		"0 under siege":             func(o *outcome) { o.Siege.Messages = 0 },
		"p99 under siege":           func(o *outcome) { o.Siege.P99 += time.Microsecond },
		"10 % larger":               func(o *outcome) { o.After.Heap++ },
		"nobody had attacked":       func(o *outcome) { o.Fresh.Heap = o.After.Heap - maxHighWater - 1 },
		"the log grew":              func(o *outcome) { o.LogRate++ },
		"still holds 3 queues":      func(o *outcome) { o.Remaining = "3 queues" },
		"was not tried":             func(o *outcome) { o.Witnesses[0].Tried = 0 },
		"failed 1 times of 1":       func(o *outcome) { o.Witnesses[0].Failed = []string{"503"} },
		"there was no attack":       func(o *outcome) { o.Attacks = nil },
		"attack idle: exit":         func(o *outcome) { o.Attacks[0].Err = errors.New("exit") },
		"attack idle did not bite":  func(o *outcome) { o.Attacks[0].Missing = []string{"closed"} },
	} {
		t.Run(want, func(t *testing.T) {
			o := held()
			spoil(o)
			if found := o.judge(false); len(found) != 1 || !strings.Contains(found[0], want) {
				t.Errorf("found %q", found)
			}
		})
	}
}

// TestJudgeLatency: a calm p99 below the floor counts as the floor, and an untimed run has none.
func TestJudgeLatency(t *testing.T) {
	o := held()
	o.Calm.P99, o.Siege.P99 = time.Microsecond, maxSlowdown*latencyFloor
	if found := o.judge(false); len(found) > 0 {
		t.Errorf("at the floor: %q", found)
	}
	o.Siege.P99++
	if found := o.judge(false); len(found) != 1 {
		t.Errorf("over the floor: %q", found)
	}
	if found := o.judge(true); len(found) > 0 {
		t.Errorf("untimed: %q", found)
	}
}
