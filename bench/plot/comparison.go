package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// comparison is what `load compare --json` writes, as far as it is drawn.
type comparison struct {
	Name        string      `json:"-"` // the file's, without its ending
	Description string      `json:"description"`
	Reference   string      `json:"reference"`
	Candidates  []candidate `json:"candidates"`
	Summary     []summary   `json:"summary"`
	Rounds      [][]*result `json:"rounds"` // by round and candidate, nil where a run failed
}

type candidate struct {
	Name string `json:"name"`
}

// summary is one server's figure over all rounds.
type summary struct {
	Metric    string `json:"metric"`
	Unit      string `json:"unit"`
	Candidate string `json:"candidate"`
	Value     spread `json:"value"`
	Ratio     spread `json:"ratio"`
}

// spread is a median, and from the smallest to the largest.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

type result struct {
	Connections int     `json:"connections"`
	Latency     latency `json:"latency_us"`
}

// latency is in microseconds.
type latency struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99_9"`
	Max  float64 `json:"max"`
}

// groups is the number that the description begins with: "100 groups of 10, ...".
func (c *comparison) groups() (float64, bool) {
	var n int
	var word string
	_, err := fmt.Sscanf(c.Description, "%d %s", &n, &word)
	return float64(n), err == nil && strings.HasPrefix(word, "group")
}

func read(path string) (*comparison, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c := new(comparison)
	if err := json.Unmarshal(b, c); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	c.Name = strings.TrimSuffix(filepath.Base(path), ".json")
	if len(c.Candidates) == 0 || len(c.Rounds) == 0 {
		return nil, fmt.Errorf("%s: not a comparison", path)
	}
	return c, nil
}

// find is the summary of a server's metric.
func (c *comparison) find(metric, candidate string) (summary, bool) {
	i := slices.IndexFunc(c.Summary, func(s summary) bool { return s.Metric == metric && s.Candidate == candidate })
	if i < 0 {
		return summary{}, false
	}
	return c.Summary[i], true
}

// median of one value of every run of candidate i.
func (c *comparison) median(i int, of func(*result) float64) (float64, bool) {
	var values []float64
	for _, round := range c.Rounds {
		if i < len(round) && round[i] != nil {
			values = append(values, of(round[i]))
		}
	}
	if len(values) == 0 {
		return 0, false
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2, true
}
