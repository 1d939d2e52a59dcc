package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// result is what a run has found out, as printed by --json. A figure that was not measured is left out.
type result struct {
	Scenario    string `json:"scenario"`
	Description string `json:"description"`
	Server      string `json:"server,omitempty"`
	Addr        string `json:"addr"`
	PID         int    `json:"pid,omitempty"`
	Error       string `json:"error,omitempty"` // why the run broke off

	Connections         int     `json:"connections"`
	ConnectSeconds      float64 `json:"connect_seconds"`
	CPUPerConnection    float64 `json:"cpu_us_per_connection,omitempty"`
	MemoryBefore        int64   `json:"rss_before_bytes,omitempty"`
	MemoryAfter         int64   `json:"rss_bytes,omitempty"`
	MemoryPeak          int64   `json:"rss_peak_bytes,omitempty"`
	MemoryPerConnection float64 `json:"rss_bytes_per_connection,omitempty"` // idle sessions, settled; without pages of files

	Seconds            float64 `json:"seconds,omitempty"` // measured
	Published          uint64  `json:"published,omitempty"`
	PublishedPerSecond float64 `json:"published_per_second,omitempty"`
	Delivered          uint64  `json:"delivered,omitempty"` // in the measured time
	DeliveredPerSecond float64 `json:"delivered_per_second,omitempty"`
	CPUPerDelivery     float64 `json:"cpu_us_per_delivery,omitempty"`
	ServerCores        float64 `json:"server_cores,omitempty"` // CPU time per time
	LoadCores          float64 `json:"load_cores,omitempty"`   // the same, of this program
	OtherCores         float64 `json:"other_cores,omitempty"`  // the same, of everybody else on this machine
	Latency            latency `json:"latency_us"`
	LatenessMicros     int64   `json:"publisher_lateness_us,omitempty"` // the worst

	Lost           uint64         `json:"lost"`
	Late           uint64         `json:"late,omitempty"` // not there at the end of the drain, while others still came
	Duplicated     uint64         `json:"duplicated"`
	Reordered      uint64         `json:"reordered"`
	Misdelivered   uint64         `json:"misdelivered"`
	Damaged        uint64         `json:"damaged"`
	Closed         int            `json:"closed"` // by the server, of those that read
	Sleepers       int            `json:"sleepers,omitempty"`
	SleepersClosed int            `json:"sleepers_closed,omitempty"`
	CloseReasons   map[string]int `json:"close_reasons,omitempty"`
	Visits         int            `json:"visits,omitempty"`
	Notes          []string       `json:"notes,omitempty"`

	started options
	before  reading
	drained bool // lost is final
	coming  bool // some were still coming when the drain ended
}

// latency is from the intended time of sending to reception, in microseconds.
type latency struct {
	Count int64   `json:"count"`
	Mean  float64 `json:"mean"`
	P50   int64   `json:"p50"`
	P90   int64   `json:"p90"`
	P99   int64   `json:"p99"`
	P999  int64   `json:"p99_9"`
	Max   int64   `json:"max"`
}

func percentiles(h *hdr.Histogram) latency {
	if h.TotalCount() == 0 {
		return latency{}
	}
	return latency{
		h.TotalCount(), h.Mean(),
		h.ValueAtQuantile(50), h.ValueAtQuantile(90), h.ValueAtQuantile(99), h.ValueAtQuantile(99.9), h.Max(),
	}
}

func (r *result) sleepers() (n int) {
	for _, s := range r.started.plan.seats {
		if s.role == sleeper {
			n++
		}
	}
	return n
}

// connected notes the way in.
func (r *result) connected(n int, before, after reading) {
	r.Connections = n
	r.ConnectSeconds = seconds(after.at - before.at)
	r.MemoryBefore, r.MemoryAfter, r.MemoryPeak = before.rss, after.rss, after.peak
	if n > 0 && before.processes > 0 && after.processes > 0 {
		r.CPUPerConnection = micros(after.cpu-before.cpu) / float64(n)
	}
}

// settled notes the memory of sessions that do nothing.
func (r *result) settled(after reading, sessions int) {
	r.MemoryAfter, r.MemoryPeak = after.rss, after.peak
	if sessions > 0 && after.processes > 0 && r.before.processes > 0 {
		r.MemoryPerConnection = float64(after.own-r.before.own) / float64(sessions)
	}
}

// window notes the measured time.
func (r *result) window(first, last mark, metered bool) {
	load := last.load - first.load
	r.Seconds = seconds(last.at - first.at)
	r.Published, r.Delivered = last.stats.Published-first.stats.Published, last.stats.Delivered-first.stats.Delivered
	if r.Seconds <= 0 {
		return
	}
	r.PublishedPerSecond, r.DeliveredPerSecond = float64(r.Published)/r.Seconds, float64(r.Delivered)/r.Seconds
	r.LoadCores = load.Seconds() / r.Seconds
	if metered && last.processes > 0 {
		cpu := last.cpu - first.cpu
		r.ServerCores = cpu.Seconds() / r.Seconds
		if r.Delivered > 0 {
			r.CPUPerDelivery = micros(cpu) / float64(r.Delivered)
		}
		r.MemoryAfter, r.MemoryPeak = last.rss, last.peak
		r.OtherCores = max(0, (last.machine-first.machine-cpu-load).Seconds()/r.Seconds)
		if r.OtherCores > 0.1 {
			r.note("neighbours used %.0f %% of a core meanwhile", 100*r.OtherCores)
		}
		if first.processes != last.processes {
			r.note("the server had %d processes at first, %d at last: the CPU of those that ended is missing",
				first.processes, last.processes)
		}
		if off := (cpu - (last.ticks - first.ticks)).Abs(); off > cpu/20+40*time.Millisecond*time.Duration(last.processes) {
			r.note("the CPU clock says %v and /proc/PID/stat %v", cpu.Round(time.Millisecond), last.ticks-first.ticks)
		}
	}
	if r.LoadCores > 0.9*float64(r.started.Threads) {
		r.note("the generator was busy for %.0f %% of the time: throughput and latency may be its limit, not the server's",
			100*r.LoadCores/float64(r.started.Threads))
	}
}

// count takes over what the loops have counted in all.
func (r *result) count(s stats) {
	r.Connections = max(r.Connections, s.Connections)
	r.Lost = s.Missing
	r.Duplicated, r.Reordered, r.Misdelivered, r.Damaged = s.Duplicated, s.Reordered, s.Misdelivered, s.Damaged
	r.Closed, r.Visits = s.Closed, s.Visits
	r.Sleepers, r.SleepersClosed = r.sleepers(), s.ClosedSleepers
	r.LatenessMicros = s.LateNanos / 1000
	for _, reason := range s.CloseReasons {
		if reason.Count == 0 {
			continue
		}
		if r.CloseReasons == nil {
			r.CloseReasons = map[string]int{}
		}
		name := strconv.Itoa(reason.Code)
		switch reason.Code {
		case endOfStream:
			name = "end of stream"
		case resetByPeer:
			name = "reset"
		}
		r.CloseReasons[name] += reason.Count
	}
}

func (r *result) note(format string, a ...any) { r.Notes = append(r.Notes, fmt.Sprintf(format, a...)) }

// verdict is an error if a promise was broken.
func (r *result) verdict() error {
	var wrong []string
	for _, n := range []struct {
		n    uint64
		what string
	}{
		{r.Lost, "lost"},
		{r.Late, "not delivered by the end of the drain (overloaded?)"},
		{r.Duplicated, "duplicated"},
		{r.Reordered, "reordered"},
		{r.Misdelivered, "misdelivered"},
		{r.Damaged, "damaged"},
		{uint64(r.Closed), "connections closed by the server"},
	} {
		if n.n > 0 {
			wrong = append(wrong, fmt.Sprintf("%d %s", n.n, n.what))
		}
	}
	if wrong != nil {
		return errors.New("not as promised: " + strings.Join(wrong, ", "))
	}
	return nil
}

func (r *result) print(w io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, a ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, a...)) }
	row(r.Scenario, "%s", r.Description)
	switch {
	case r.Server != "":
		row("server", "%s (pid %d, %s)", r.Server, r.PID, r.Addr)
	case r.PID != 0:
		row("server", "%s (pid %d)", r.Addr, r.PID)
	default:
		row("server", "%s", r.Addr)
	}
	row("connections", "%d in %.2f s: %.0f/s%s", r.Connections, r.ConnectSeconds, float64(r.Connections)/r.ConnectSeconds,
		unlessZero(r.CPUPerConnection, ", server CPU %.1f µs each"))
	if r.Seconds > 0 {
		row("measured", "%.1f s", r.Seconds)
		row("published", "%d: %.1f/s", r.Published, r.PublishedPerSecond)
		row("delivered", "%d: %.0f/s", r.Delivered, r.DeliveredPerSecond)
		l := r.Latency
		row("latency", "p50 %s  p90 %s  p99 %s  p99.9 %s  max %s", ms(l.P50), ms(l.P90), ms(l.P99), ms(l.P999), ms(l.Max))
		if r.CPUPerDelivery > 0 {
			row("server CPU", "%.3f µs per delivery, %.0f %% of a core", r.CPUPerDelivery, 100*r.ServerCores)
		}
		row("generator", "%.0f %% of a core, publishers at most %s late", 100*r.LoadCores, ms(r.LatenessMicros))
	}
	if r.MemoryAfter > 0 {
		row("memory", "%s resident, %s at most, %s before the first connection%s",
			mib(r.MemoryAfter), mib(r.MemoryPeak), mib(r.MemoryBefore),
			unlessZero(r.MemoryPerConnection, ": %.0f bytes a session"))
	}
	if r.started.traffic {
		row("checked", "%d lost, %d duplicated, %d reordered, %d misdelivered, %d damaged",
			r.Lost, r.Duplicated, r.Reordered, r.Misdelivered, r.Damaged)
	}
	if r.Late > 0 {
		row("late", "%d not delivered by the end of the drain, while others still came", r.Late)
	}
	if r.Visits > 0 {
		row("visits", "%d joins, leaves and reconnects", r.Visits)
	}
	if r.Sleepers > 0 {
		row("not reading", "%d, of which the server closed %d", r.Sleepers, r.SleepersClosed)
	}
	if r.Closed > 0 {
		row("closed", "%d by the server", r.Closed)
	}
	for _, name := range slices.Sorted(maps.Keys(r.CloseReasons)) {
		row("close code", "%s: %d", name, r.CloseReasons[name])
	}
	for _, n := range r.Notes {
		row("note", "%s", n)
	}
	return t.Flush()
}

func unlessZero(v float64, format string) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf(format, v)
}

func seconds(nanos int64) float64    { return float64(nanos) / 1e9 }
func micros(d time.Duration) float64 { return float64(d) / 1e3 }
func ms(micros int64) string         { return fmt.Sprintf("%.2f ms", float64(micros)/1e3) }
func mib(bytes int64) string         { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
