package main

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
)

// comparison is what compare has gathered: a result per round and candidate, nil where a run failed.
type comparison struct {
	Scenario    string      `json:"scenario"`
	Description string      `json:"description"`
	Machine     string      `json:"machine"`
	Began       time.Time   `json:"began"`
	Reference   string      `json:"reference"`
	Candidates  []candidate `json:"candidates"`
	Summary     []summary   `json:"summary"`
	Failures    []string    `json:"failures,omitempty"`
	Rounds      [][]*result `json:"rounds"`
}

// metric is a figure that servers are compared by.
type metric struct {
	Name string
	Unit string
	of   func(*result) float64 // 0: not measured
}

var metrics = []metric{
	{"CPU per delivery", "µs", func(r *result) float64 { return r.CPUPerDelivery }},
	{"deliveries", "1/s", func(r *result) float64 { return r.DeliveredPerSecond }},
	{"latency p50", "ms", func(r *result) float64 { return float64(r.Latency.P50) / 1e3 }},
	{"latency p99", "ms", func(r *result) float64 { return float64(r.Latency.P99) / 1e3 }},
	{"CPU per connection", "µs", func(r *result) float64 {
		return onlyIf(r.Seconds == 0 && r.MemoryPerConnection == 0, r.CPUPerConnection)
	}},
	{"connections", "1/s", func(r *result) float64 {
		return onlyIf(r.Seconds == 0 && r.MemoryPerConnection == 0, float64(r.Connections)/r.ConnectSeconds)
	}},
	{"memory per session", "bytes", func(r *result) float64 { return r.MemoryPerConnection }},
	{"resident", "MiB", func(r *result) float64 { return float64(r.MemoryAfter) / (1 << 20) }},
}

func onlyIf(yes bool, v float64) float64 {
	if yes {
		return v
	}
	return 0
}

// headline is the figure a run is watched by.
func (r *result) headline() string {
	for _, m := range metrics {
		if v := m.of(r); v > 0 {
			return fmt.Sprintf("%s %s %s", m.Name, figure(v), m.Unit)
		}
	}
	return ""
}

// spread is several runs' figure: the median, and from the smallest to the largest.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func spreadOf(values []float64) (spread, bool) {
	if len(values) == 0 {
		return spread{}, false
	}
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	return spread{(v[(n-1)/2] + v[n/2]) / 2, v[0], v[n-1]}, true
}

// summary is one candidate's figure, and its ratio to the reference's within the same rounds.
type summary struct {
	Metric    string `json:"metric"`
	Unit      string `json:"unit"`
	Candidate string `json:"candidate"`
	Runs      int    `json:"runs"`
	Value     spread `json:"value"`
	Ratio     spread `json:"ratio"`
}

func (c *comparison) summarize() {
	c.Summary = nil
	reference := slices.IndexFunc(c.Candidates, func(s candidate) bool { return s.Name == c.Reference })
	for _, m := range metrics {
		for i, s := range c.Candidates {
			var values, ratios []float64
			for _, round := range c.Rounds {
				if round[i] == nil {
					continue
				}
				v := m.of(round[i])
				if v == 0 {
					continue
				}
				values = append(values, v)
				if round[reference] != nil && m.of(round[reference]) > 0 {
					ratios = append(ratios, v/m.of(round[reference]))
				}
			}
			value, ok := spreadOf(values)
			if !ok {
				continue
			}
			ratio, _ := spreadOf(ratios)
			c.Summary = append(c.Summary, summary{m.Name, m.Unit, s.Name, len(values), value, ratio})
		}
	}
}

// text is for people at a terminal: a block per metric.
func (c *comparison) text() string {
	c.summarize()
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n", c.Description, c.Machine)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	last := ""
	for _, s := range c.Summary {
		if s.Metric != last {
			fmt.Fprintf(t, "\n%s (%s)\tmedian\tmin\tmax\tratio to %s\tmin\tmax\truns\n", s.Metric, s.Unit, c.Reference)
			last = s.Metric
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%.2f\t%.2f\t%.2f\t%d\n",
			s.Candidate, figure(s.Value.Median), figure(s.Value.Min), figure(s.Value.Max),
			s.Ratio.Median, s.Ratio.Min, s.Ratio.Max, s.Runs)
	}
	_ = t.Flush()
	for _, f := range c.Failures {
		fmt.Fprintf(&b, "\nfailed: %s", f)
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// markdown is for a results page: one table, a row per candidate.
func (c *comparison) markdown() string {
	c.summarize()
	var b strings.Builder
	fmt.Fprintf(&b, "`load %s`: %s. %d rounds, interleaved; median (min to max); ratios to %s within each round. "+
		"%s, %s.\n\n",
		c.Scenario, c.Description, len(c.Rounds), c.Reference, c.Machine, c.Began.Format(time.DateOnly))
	head, rule := "|  |", "|---|"
	var shown []string
	for _, s := range c.Summary {
		if !slices.Contains(shown, s.Metric) {
			shown = append(shown, s.Metric)
			head += fmt.Sprintf(" %s, %s | ratio |", s.Metric, s.Unit)
			rule += "---|---|"
		}
	}
	fmt.Fprintf(&b, "%s\n%s\n", head, rule)
	for _, candidate := range c.Candidates {
		fmt.Fprintf(&b, "| %s |", candidate.Name)
		for _, name := range shown {
			i := slices.IndexFunc(c.Summary, func(s summary) bool { return s.Metric == name && s.Candidate == candidate.Name })
			if i < 0 {
				b.WriteString("  |  |")
				continue
			}
			s := c.Summary[i]
			fmt.Fprintf(&b, " %s (%s to %s) | %.2f (%.2f to %.2f) |",
				figure(s.Value.Median), figure(s.Value.Min), figure(s.Value.Max), s.Ratio.Median, s.Ratio.Min, s.Ratio.Max)
		}
		b.WriteString("\n")
	}
	for _, f := range c.Failures {
		fmt.Fprintf(&b, "\nFailed: %s\n", f)
	}
	return b.String()
}

// figure prints three significant digits, or whole numbers.
func figure(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.4f", v)
}

// thisMachine is what a reader must know to make sense of the figures.
func thisMachine() string {
	model := runtime.GOARCH
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	kernel := ""
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		kernel = unix.ByteSliceToString(u.Release[:])
		kernel, _, _ = strings.Cut(kernel, "-")
	}
	return fmt.Sprintf("%d x %s, Linux %s", runtime.NumCPU(), model, cmp.Or(kernel, "?"))
}
