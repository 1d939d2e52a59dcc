package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// measured is what `load compare --json` writes, as far as it is kept.
type measured struct {
	Scenario    string    `json:"scenario"`
	Description string    `json:"description"`
	Machine     string    `json:"machine"`
	Began       time.Time `json:"began"`
	Reference   string    `json:"reference"`
	Candidates  []struct {
		Name    string `json:"name"`
		Command string `json:"command"`
		Dialect string `json:"dialect"`
	} `json:"candidates"`
	Summary []struct {
		Metric    string         `json:"metric"`
		Unit      string         `json:"unit"`
		Candidate string         `json:"candidate"`
		Runs      int            `json:"runs"`
		Value     measuredSpread `json:"value"`
		Ratio     measuredSpread `json:"ratio"`
	} `json:"summary"`
	Failures []string         `json:"failures"`
	Rounds   [][]*measuredRun `json:"rounds"` // by round and candidate, nil where a run failed
}

type measuredSpread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func (s measuredSpread) kept() spread {
	return spread{significant(s.Median, 5), significant(s.Min, 5), significant(s.Max, 5)}
}

type measuredRun struct {
	Connections int     `json:"connections"`
	Resident    float64 `json:"rss_bytes"`
	Others      float64 `json:"other_cores"` // CPU time per time of programs that have no part in it
	Latency     struct {
		P90  float64 `json:"p90"`
		P999 float64 `json:"p99_9"`
		Max  float64 `json:"max"`
	} `json:"latency_us"`
}

// othersMetric is what programs that have no part in the measurement took meanwhile.
const othersMetric = "others' CPU"

// derived are the figures that load's own summary does not have.
var derived = []struct {
	metric, unit string
	of           func(*measuredRun) float64 // 0: not measured
}{
	{"latency p90", "ms", func(r *measuredRun) float64 { return r.Latency.P90 / 1e3 }},
	{"latency p99.9", "ms", func(r *measuredRun) float64 { return r.Latency.P999 / 1e3 }},
	{"latency max", "ms", func(r *measuredRun) float64 { return r.Latency.Max / 1e3 }},
	// All that the server's processes hold, what they held before the first session included.
	{"resident per session", "bytes", func(r *measuredRun) float64 { return r.Resident / float64(max(r.Connections, 1)) }},
	{othersMetric, "cores", func(r *measuredRun) float64 { return r.Others }},
}

// readMeasured reads a file of load's; peers is the folder that knows which versions ran.
func readMeasured(path, peers string) (*comparison, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var m measured
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(m.Candidates) == 0 || len(m.Rounds) == 0 {
		return nil, fmt.Errorf("%s: wants candidates and rounds, as `load compare --json` writes them", path)
	}
	c := &comparison{
		Name: strings.TrimSuffix(filepath.Base(path), ".json"), Date: m.Began.Format(time.DateOnly), Machine: m.Machine,
		Scenario: m.Scenario, Description: m.Description, Reference: m.Reference, Rounds: len(m.Rounds), Failures: m.Failures,
	}
	for i, candidate := range m.Candidates {
		s := server{Name: candidate.Name, Command: candidate.Command, Dialect: candidate.Dialect}
		s.Figures = map[string]figure{}
		if s.Setup, err = setupOf(candidate.Name, peers); err != nil {
			return nil, err
		}
		for _, row := range m.Summary {
			if row.Candidate == candidate.Name {
				s.Figures[row.Metric] = figure{row.Unit, row.Runs, row.Value.kept(), row.Ratio.kept()}
			}
		}
		var runs []*measuredRun
		for _, round := range m.Rounds {
			if i < len(round) && round[i] != nil {
				runs = append(runs, round[i])
				s.Connections = max(s.Connections, round[i].Connections)
			}
		}
		for _, d := range derived {
			if f, ok := figureOf(runs, d.of); ok {
				f.Unit = d.unit
				s.Figures[d.metric] = f
			}
		}
		c.Servers = append(c.Servers, s)
	}
	return c, nil
}

// figureOf is the median of one value of all runs that have it.
func figureOf(runs []*measuredRun, of func(*measuredRun) float64) (figure, bool) {
	var values []float64
	for _, r := range runs {
		if v := of(r); v > 0 {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return figure{}, false
	}
	slices.Sort(values)
	n := len(values)
	s := measuredSpread{(values[(n-1)/2] + values[n/2]) / 2, values[0], values[n-1]}
	return figure{Runs: n, Value: s.kept()}, true
}

// significant rounds v to that many digits.
func significant(v float64, digits int) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', digits, 64), 64)
	if err != nil {
		return v
	}
	return r
}
