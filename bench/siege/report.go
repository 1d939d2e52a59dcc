package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// write tells a run in full.
func (o *outcome) write(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	v := o.Live
	row("live sessions", "%d; %d messages published, %d of %d deliveries came", v.Sessions, v.Published, v.Received,
		v.Expected)
	row("", "%d lost, %d duplicated, %d reordered, %d sessions closed", v.Lost, v.Duplicated, v.Reordered, len(v.Closed))
	for _, phase := range []struct {
		latencies
		name string
	}{{o.Calm, "latency, calm"}, {o.Siege, "latency, siege"}} {
		row(phase.name, "p50 %v, p99 %v, max %v", rounded(phase.P50), rounded(phase.P99), rounded(phase.Max))
	}
	row("p99 by second, ms", "%s", bySecond(o.Seconds))
	row("live heap", "%s fresh, %s before, %s after", mib(o.Fresh.Heap), mib(o.Before.Heap), mib(o.After.Heap))
	row("resident", "%s fresh, %s before, %s at most, %s after",
		mib(o.Fresh.RSS), mib(o.Before.RSS), mib(o.PeakRSS), mib(o.After.RSS))
	row("log", "%.0f bytes a second under siege", o.LogRate)
	row("processors", "server %.2f calm, %.2f under siege; all attackers %.2f", o.CalmCPU, o.SiegeCPU, o.AttackCPU)
	for _, s := range o.Witnesses {
		row(s.Name, "%d times, %d failed, slowest %v", s.Tried, len(s.Failed), rounded(s.Slowest))
	}
	for _, a := range o.Attacks {
		row(a.Name, "%s", told(a.Counts))
	}
	_ = t.Flush()
}

func bySecond(seconds []time.Duration) string {
	var b strings.Builder
	for _, d := range seconds {
		fmt.Fprintf(&b, "%.0f ", d.Seconds()*1000)
	}
	return strings.TrimSpace(b.String())
}

// told are counts in the order of their names.
func told(counts map[string]uint64) string {
	var parts []string
	for what, n := range counts {
		parts = append(parts, fmt.Sprintf("%s %d", what, n))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func rounded(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
