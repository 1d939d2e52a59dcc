package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// figure is one thing that was measured or counted.
type figure struct {
	Name  string  `json:"name"`
	Unit  string  `json:"unit,omitempty"` // "": a count
	Value float64 `json:"value"`
}

// outcome is one scenario's figures in one round, and what should not have been.
type outcome struct {
	Scenario string   `json:"scenario"`
	Text     string   `json:"text"`
	Figures  []figure `json:"figures"`
	Wrong    []string `json:"wrong,omitempty"`
}

func (o *outcome) count(name string, n int) {
	o.Figures = append(o.Figures, figure{name, "", float64(n)})
}

func (o *outcome) seconds(name string, d time.Duration) {
	o.Figures = append(o.Figures, figure{name, "s", d.Seconds()})
}

func (o *outcome) millis(name string, d time.Duration) {
	o.Figures = append(o.Figures, figure{name, "ms", float64(d.Microseconds()) / 1000})
}

// want notes a count that should be another.
func (o *outcome) want(name string, got, want int) {
	o.count(name, got)
	if got != want {
		o.Wrong = append(o.Wrong, fmt.Sprintf("%s: got %d, want %d", name, got, want))
	}
}

// judge notes what the live members have missed.
func (o *outcome) judge(l *live) {
	missed, closed := l.finish()
	o.want("messages that live members missed", int(missed), 0)
	o.want("live members closed", int(closed), 0)
}

// answers are the refusals of all arrivals, by status.
func (o *outcome) answers(all []arrival) {
	sum := map[int]int{}
	for _, a := range all {
		for status, n := range a.refused {
			sum[status] += n
		}
	}
	for _, status := range []int{401, 429, 503, 0} {
		if status != 0 || sum[0] > 0 {
			o.count(map[int]string{
				401: "answers 401 before", 429: "answers 429 before", 503: "answers 503 before", 0: "connections without an answer",
			}[status], sum[status])
		}
		delete(sum, status)
	}
	for status, n := range sum {
		o.want(fmt.Sprintf("answers %d before", status), n, 0)
	}
}

// refusals are how many answers were none that let a client in.
func refusals(all []arrival) (n int) {
	for _, a := range all {
		for _, times := range a.refused {
			n += times
		}
	}
	return n
}

// in is how many came in, and when the last of them.
func in(all []arrival) (n int, last time.Duration) {
	for _, a := range all {
		if a.conn != nil {
			n++
			last = max(last, a.after)
		}
	}
	return n, last
}

// appendTo adds a round's outcomes to a file, a line each.
func appendTo(path string, outcomes []outcome) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	e := json.NewEncoder(file)
	for _, o := range outcomes {
		if err := e.Encode(o); err != nil {
			return err
		}
	}
	return nil
}

func readOutcomes(r io.Reader) (all []outcome, err error) {
	d := json.NewDecoder(r)
	for d.More() {
		var o outcome
		if err := d.Decode(&o); err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

// markdown is a table for each scenario: the median of its rounds, and from the smallest to the largest.
func markdown(all []outcome) string {
	var b strings.Builder
	for i, first := range all {
		if slices.ContainsFunc(all[:i], func(o outcome) bool { return o.Scenario == first.Scenario }) {
			continue
		}
		rounds := 0
		for _, o := range all {
			if o.Scenario == first.Scenario {
				rounds++
			}
		}
		fmt.Fprintf(&b, "%s (rounds: %d):\n\n| | median | range |\n|---|---|---|\n", first.Text, rounds)
		for _, f := range first.Figures {
			var values []float64
			for _, o := range all {
				if o.Scenario != first.Scenario {
					continue
				}
				for _, other := range o.Figures {
					if other.Name == f.Name {
						values = append(values, other.Value)
					}
				}
			}
			slices.Sort(values)
			n := len(values)
			median := (values[(n-1)/2] + values[n/2]) / 2
			name := f.Name
			if f.Unit != "" {
				name += ", " + f.Unit
			}
			extent := ""
			if values[0] != values[n-1] {
				extent = number(values[0], f.Unit) + " to " + number(values[n-1], f.Unit)
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", name, number(median, f.Unit), extent)
		}
		b.WriteString("\n")
	}
	for _, o := range all {
		for _, wrong := range o.Wrong {
			fmt.Fprintf(&b, "NOT HELD, %s: %s\n", o.Scenario, wrong)
		}
	}
	return b.String()
}

func number(v float64, unit string) string {
	switch {
	case unit == "" && v == float64(int(v)):
		return group(int(v))
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// group writes 1000000 as 1,000,000.
func group(n int) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
