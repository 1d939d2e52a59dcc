package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const sample = `{"scenario":"hot-room","description":"100 groups of 10","reference":"c",
"candidates":[{"name":"c"},{"name":"groupcast"}],
"summary":[
 {"metric":"CPU per delivery","unit":"µs","candidate":"c","value":{"median":1,"min":0.9,"max":1.2},"ratio":{"median":1,"min":1,"max":1}},
 {"metric":"CPU per delivery","unit":"µs","candidate":"groupcast","value":{"median":1.1,"min":1,"max":1.3},"ratio":{"median":1.1,"min":0.9,"max":1.2}}],
"rounds":[[{"connections":10,"latency_us":{"p50":10,"p90":20,"p99":30,"p99_9":40,"max":50}},null],
          [{"connections":10,"latency_us":{"p50":12,"p90":22,"p99":32,"p99_9":42,"max":52}},
           {"connections":10,"latency_us":{"p50":14,"p90":24,"p99":34,"p99_9":44,"max":54}}]]}`

func TestEveryPicture(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "sample.json")
	if err := os.WriteFile(file, []byte(sample), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"ratios":  {"ratios", "OUT", file},
		"bars":    {"bars", "CPU per delivery", "OUT", file},
		"latency": {"latency", "OUT", file},
		"sizes":   {"sizes", "CPU per delivery", "OUT", file},
		"groups":  {"groups", "CPU per delivery", "OUT", file},
	} {
		out := filepath.Join(dir, name+".svg")
		for i, a := range args {
			if a == "OUT" {
				args[i] = out
			}
		}
		if err := run(args); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		b, err := os.ReadFile(out)
		if err != nil || !strings.Contains(string(b), "<svg") {
			t.Errorf("%s: no picture: %v", name, err)
		}
	}
}

func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.json")
	if err := os.WriteFile(empty, []byte(`{}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		nil,
		{"ratios", filepath.Join(dir, "x.svg"), filepath.Join(dir, "missing.json")},
		{"ratios", filepath.Join(dir, "x.svg"), empty},
		{"nonsense", filepath.Join(dir, "x.svg"), empty},
	} {
		if run(args) == nil {
			t.Errorf("%v: no error", args)
		}
	}
}
