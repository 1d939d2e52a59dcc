package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCompareRunsInTurnAndWritesItsTables(t *testing.T) {
	t.Setenv("LOAD_TEST_MAIN", "1")
	command := "env LOAD_TEST_SERVER={port} " + os.Args[0]
	dir := t.TempDir()
	c := compare{
		Candidate: []string{"one=" + command, "two=" + command}, Reference: "two", Rounds: 2,
		JSON: filepath.Join(dir, "c.json"), Markdown: filepath.Join(dir, "c.md"),
		Scenario: []string{"big-room", "--members", "10", "--rate", "100", "--warmup", "50ms", "--duration", "200ms"},
	}
	if err := c.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile(c.Markdown)
	if err != nil || !strings.Contains(string(table), "| one |") || !strings.Contains(string(table), "CPU per delivery") {
		t.Errorf("%v\n%s", err, table)
	}
	b, err := os.ReadFile(c.JSON)
	var all comparison
	if err != nil || json.Unmarshal(b, &all) != nil || len(all.Rounds) != 2 || len(all.Summary) == 0 {
		t.Errorf("%v\n%s", err, b)
	}
}

// A candidate has what stands before its command, and the others do not.
func TestCandidates(t *testing.T) {
	c := compare{Candidate: []string{
		"plain=server -p {port}", "tls=@tls server", "tokens=@tokens=a/b server --x", "both=@tls @tokens=t server",
		"other=@nchan server",
	}}
	got, err := c.candidates()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []candidate{
		{Name: "plain", Command: "server -p {port}"},
		{Name: "tls", Command: "server", TLS: true},
		{Name: "tokens", Command: "server --x", Tokens: "a/b"},
		{Name: "both", Command: "server", TLS: true, Tokens: "t"},
		{Name: "other", Command: "server", Dialect: "nchan"},
	} {
		if got[i] != want {
			t.Errorf("got %+v, want %+v", got[i], want)
		}
	}
	for _, wrong := range []string{"x=@nobody server", "x=@tokens= server", "x=@tokens=t", "x", "=y"} {
		c := compare{Candidate: []string{wrong}}
		if got, err := c.candidates(); err == nil {
			t.Errorf("%s: got %+v", wrong, got)
		}
	}
}

func TestCompareSurvivesACandidateThatFails(t *testing.T) {
	t.Setenv("LOAD_TEST_MAIN", "1")
	c := compare{
		Candidate: []string{"good=env LOAD_TEST_SERVER={port} " + os.Args[0], "bad=/nowhere/server {port}"}, Rounds: 1,
		Markdown: filepath.Join(t.TempDir(), "c.md"),
		Scenario: []string{"storm", "--connections", "5"},
	}
	if err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "1 runs failed") {
		t.Errorf("%v", err)
	}
	table, _ := os.ReadFile(c.Markdown)
	for _, want := range []string{"| good |", "round 1, bad"} {
		if !strings.Contains(string(table), want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
}

func TestRatiosAreTakenWithinARound(t *testing.T) {
	run := func(cpu float64) *result { return &result{Seconds: 1, CPUPerDelivery: cpu} }
	c := comparison{Reference: "c", Candidates: []candidate{{Name: "c"}, {Name: "go"}}}
	// The machine gets slower by half in each round; the ratio stays.
	c.Rounds = [][]*result{{run(4), run(4.4)}, {run(6), run(6.6)}, {run(9), nil}, {nil, run(20)}}
	c.summarize()
	got := c.Summary[1]
	if got.Runs != 3 || got.Value != (spread{6.6, 4.4, 20}) || got.Ratio.Min < 1.099 || got.Ratio.Max > 1.101 {
		t.Errorf("%+v", got)
	}
}

func TestCompareRefusesNonsense(t *testing.T) {
	for name, c := range map[string]compare{
		"no command":   {Candidate: []string{"x"}, Rounds: 1},
		"same name":    {Candidate: []string{"x=1", "x=2"}, Rounds: 1},
		"no reference": {Candidate: []string{"x=1"}, Reference: "y", Rounds: 1},
		"no rounds":    {Candidate: []string{"x=1"}},
	} {
		if err := c.Run(t.Context()); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
