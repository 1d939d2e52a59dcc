package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// resultsFile is the one file of figures in bench/results.
const resultsFile = "results.json"

// results are all comparisons, each as it was measured last.
type results struct {
	Comparisons []*comparison `json:"comparisons"`
}

// comparison is one scenario, run against one or more servers in interleaved rounds.
type comparison struct {
	Name        string   `json:"name"` // what run.sh calls it
	Date        string   `json:"date"`
	Commit      string   `json:"commit,omitempty"`
	Go          string   `json:"go,omitempty"`
	Machine     string   `json:"machine"`
	Scenario    string   `json:"scenario"` // the generator's arguments
	Description string   `json:"description"`
	Reference   string   `json:"reference"`
	Rounds      int      `json:"rounds"`
	Servers     []server `json:"servers"`
	Failures    []string `json:"failures,omitempty"`
}

type server struct {
	Name        string            `json:"name"`
	Command     string            `json:"command"`
	Dialect     string            `json:"dialect,omitempty"`
	Setup       string            `json:"setup,omitempty"` // in words, with its version
	Connections int               `json:"connections,omitempty"`
	Figures     map[string]figure `json:"figures"` // by metric
}

// figure is one server's, over all rounds; Ratio is to the reference within the same round.
type figure struct {
	Unit  string `json:"unit"`
	Runs  int    `json:"runs"`
	Value spread `json:"value"`
	Ratio spread `json:"ratio,omitzero"`
}

// spread is a median, and from the smallest to the largest: in JSON [median, min, max].
type spread struct{ Median, Min, Max float64 }

func (s spread) MarshalJSON() ([]byte, error) {
	return json.Marshal([3]float64{s.Median, s.Min, s.Max})
}

func (s *spread) UnmarshalJSON(b []byte) error {
	var v []float64
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	if len(v) != 3 {
		return fmt.Errorf("a figure wants [median, min, max], got %d numbers", len(v))
	}
	*s = spread{v[0], v[1], v[2]}
	return nil
}

func readResults(path string) (*results, error) {
	all := new(results)
	b, err := os.ReadFile(path)
	if err != nil {
		return all, err
	}
	if err := json.Unmarshal(b, all); err != nil {
		return all, fmt.Errorf("%s: %w", path, err)
	}
	if len(all.Comparisons) == 0 {
		return all, fmt.Errorf("%s: no comparisons in it", path)
	}
	return all, nil
}

// write puts each server on a line of its own, so that a difference can be read.
func (r *results) write(path string) error {
	var b bytes.Buffer
	b.WriteString(`{"comparisons":[`)
	for i, c := range r.Comparisons {
		if i > 0 {
			b.WriteByte(',')
		}
		head := *c
		head.Servers, head.Failures = nil, nil
		line, err := marshal(head)
		if err != nil {
			return err
		}
		before, _, found := strings.Cut(line, `"servers":null`)
		if !found {
			return errors.New("a comparison has no servers in JSON")
		}
		b.WriteString("\n" + before + `"servers":[`)
		for j, s := range c.Servers {
			line, err := marshal(s)
			if err != nil {
				return err
			}
			if j > 0 {
				b.WriteByte(',')
			}
			b.WriteString("\n  " + line)
		}
		b.WriteByte(']')
		if c.Failures != nil {
			line, err := marshal(c.Failures)
			if err != nil {
				return err
			}
			b.WriteString(",\n  \"failures\":" + line)
		}
		b.WriteByte('}')
	}
	b.WriteString("\n]}\n")
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// marshal leaves < and > as they are, which HTML does not.
func marshal(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// put takes c in the place of the comparison of its name, or at the end.
func (r *results) put(c *comparison) {
	i := slices.IndexFunc(r.Comparisons, func(o *comparison) bool { return o.Name == c.Name })
	if i < 0 {
		r.Comparisons = append(r.Comparisons, c)
		return
	}
	r.Comparisons[i] = c
}

// find is nil if nothing of that name was measured.
func (r *results) find(name string) *comparison {
	i := slices.IndexFunc(r.Comparisons, func(c *comparison) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return r.Comparisons[i]
}

// of is a server's figure; nothing is found in no comparison.
func (c *comparison) of(name, metric string) (figure, bool) {
	if c == nil {
		return figure{}, false
	}
	i := slices.IndexFunc(c.Servers, func(s server) bool { return s.Name == name })
	if i < 0 {
		return figure{}, false
	}
	f, ok := c.Servers[i].Figures[metric]
	return f, ok
}
