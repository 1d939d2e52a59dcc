package main

import (
	"slices"
	"strings"
	"testing"
)

// TestUnproven: an attack has to have seen what its proof names, and the server to have counted it.
func TestUnproven(t *testing.T) {
	const counter = "groupcast_refused_total"
	a := attack{proof: []string{closedByPeer, counter}}
	seen := map[string]uint64{closedByPeer: 1}
	for name, test := range map[string]struct {
		counts        map[string]uint64
		before, after metrics
		old           bool
		want          []string
	}{
		"all":              {counts: seen, before: metrics{counter: 1}, after: metrics{counter: 2}},
		"never reached it": {after: metrics{counter: 1}, want: []string{closedByPeer}},
		"the counter stood": {
			counts: seen, before: metrics{counter: 2}, after: metrics{counter: 2},
			want: []string{counter},
		},
		"no counter":            {counts: seen, want: []string{counter}},
		"no counter in an old":  {counts: seen, old: true},
		"old and never reached": {old: true, want: []string{closedByPeer}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := a.unproven(test.counts, test.before, test.after, test.old); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestAttacksAreWhole: each has a name of its own, says what it does, and has a proof that the server did something.
func TestAttacksAreWhole(t *testing.T) {
	names := map[string]bool{}
	for _, a := range attacks {
		if a.name == "" || names[a.name] || a.does == "" || a.run == nil {
			t.Errorf("%q is not whole, or comes twice", a.name)
		}
		names[a.name] = true
		if len(a.proof) == 0 || slices.Contains(a.proof, connected) {
			t.Errorf("%s: proof %q: a connection that the kernel made is none", a.name, a.proof)
		}
	}
}

// TestReadings: figures are found in what Go and the server write.
func TestReadings(t *testing.T) {
	if heap, err := heapAlloc("heap profile: 1\n# Alloc = 1\n# HeapAlloc = 3355443\n# HeapSys = 2\n"); err != nil ||
		heap != 3355443 {
		t.Errorf("the heap is %d, %v", heap, err)
	}
	if _, err := heapAlloc("# HeapAllocated = 1\n"); err == nil {
		t.Error("a profile without the heap was read")
	}
	m, err := readMetrics(strings.NewReader("# TYPE a_total counter\na_total{cause=\"x\"} 2\na_total{cause=\"y\"} 3\n" +
		"# TYPE b gauge\nb 7\n"))
	if err != nil || m["a_total"] != 5 || m["a_total{x}"] != 2 || m["a_total{y}"] != 3 || m["b"] != 7 {
		t.Errorf("%v, %v", m, err)
	}
}

// TestChannelMessage: the frame is the one that the contract shows.
func TestChannelMessage(t *testing.T) {
	const want = "\x00\x00\x00\x53" + `a:2:{s:4:"type";s:9:"subscribe";s:8:"channels";a:1:{i:0;s:13:"send_to_group";}}`
	if got := string(channelMessage("subscribe", []string{"send_to_group"}, "")); got != want {
		t.Errorf("%q", got)
	}
	if got := string(channelMessage("reserve", nil, "")); !strings.HasSuffix(got, `a:1:{s:4:"type";s:7:"reserve";}`) {
		t.Errorf("%q", got)
	}
}
