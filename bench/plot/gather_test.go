package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const sample = `{"scenario":"hot-room","description":"1 group","machine":"m","began":"2026-01-02T03:04:05Z",
"reference":"c","candidates":[{"name":"c","command":"limit"},{"name":"groupcast","command":"start"},
 {"name":"gws","command":"g"},{"name":"ws","command":"w"}],
"summary":[
 {"metric":"CPU per delivery","unit":"µs","candidate":"c","runs":2,
  "value":{"median":1,"min":0.9,"max":1.2},"ratio":{"median":1,"min":1,"max":1}},
 {"metric":"CPU per delivery","unit":"µs","candidate":"groupcast","runs":1,
  "value":{"median":1.123456789,"min":1,"max":1.3},"ratio":{"median":1.1,"min":0.9,"max":1.2}}],
"failures":["round 1: groupcast"],
"rounds":[[{"connections":10,"rss_bytes":1000,"latency_us":{"p90":20000,"p99_9":40000,"max":50000}},null,null,null],
          [{"connections":10,"rss_bytes":3000,"other_cores":0.5,"latency_us":{"p90":22000,"p99_9":42000,"max":52000}},
           {"connections":10,"rss_bytes":5000,"latency_us":{"p90":24000,"p99_9":44000,"max":54000}},null,null]]}`

// folder is a results folder beside a peers folder, with a file of load's.
func folder(t *testing.T) (results, file string) {
	t.Helper()
	dir := t.TempDir()
	for path, text := range map[string]string{
		"results/README.md":       "before\n<!-- tables: made by `make pictures` -->\nold\n<!-- end of tables -->\nafter\n",
		"peers/go.mod":            "module p\nrequire (\n\tgithub.com/lxzan/gws v1.2.3\n)\n",
		"peers/node/package.json": `{"dependencies":{"ws":"8.0.1"}}`,
		"peers-hot-room.json":     sample,
	} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "results"), filepath.Join(dir, "peers-hot-room.json")
}

func TestGather(t *testing.T) {
	dir, file := folder(t)
	for range 2 { // the second time it replaces
		if err := run([]string{"gather", "-commit", "abc", "-go", "go1", dir, file}); err != nil {
			t.Fatal(err)
		}
	}
	all, err := readResults(filepath.Join(dir, resultsFile))
	if err != nil {
		t.Fatal(err)
	}
	if len(all.Comparisons) != 1 {
		t.Fatalf("%d comparisons, want one", len(all.Comparisons))
	}
	c := all.find("peers-hot-room")
	if c.Date != "2026-01-02" || c.Commit != "abc" || c.Go != "go1" || c.Rounds != 2 ||
		!reflect.DeepEqual(c.Failures, []string{"round 1: groupcast"}) {
		t.Errorf("%+v", c)
	}
	var setups []string
	for _, s := range c.Servers {
		setups = append(setups, s.Setup)
	}
	wanted := []string{"only copies bytes", "one event loop", "1.2.3, Go", "8.0.1, Node.js"}
	if !reflect.DeepEqual(setups, wanted) {
		t.Errorf("set-ups %q, want %q", setups, wanted)
	}
	want := map[string]figure{
		cpu:             {"µs", 2, spread{1, 0.9, 1.2}, spread{1, 1, 1}},
		"latency p90":   {"ms", 2, spread{21, 20, 22}, spread{}},
		"latency p99.9": {"ms", 2, spread{41, 40, 42}, spread{}},
		"latency max":   {"ms", 2, spread{51, 50, 52}, spread{}},
		perSession:      {"bytes", 2, spread{200, 100, 300}, spread{}},
		othersMetric:    {"cores", 1, spread{0.5, 0.5, 0.5}, spread{}},
	}
	if got := c.Servers[0].Figures; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if f, ok := c.of(ours, cpu); !ok || f.Value.Median != 1.1235 || f.Runs != 1 {
		t.Errorf("%+v, want five digits of the median", f)
	}
	if _, ok := c.of("gws", perSession); ok {
		t.Error("a figure for a server whose runs all failed")
	}
}

func TestDrawBetweenTheMarks(t *testing.T) {
	dir, file := folder(t)
	if err := run([]string{"gather", dir, file}); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{"draw", dir}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	if !strings.HasPrefix(text, "before\n") || !strings.HasSuffix(text, "\nafter\n") || strings.Contains(text, "old") {
		t.Errorf("what is not made of figures has changed:\n%s", text)
	}
	for _, want := range []string{
		"### One group of 1,000, full load",
		"| groupcast | one event loop | 1.12 µs (1.00 to 1.30) |",
		"- `peers-hot-room`: round 1: groupcast",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "README.md"), []byte("no marks"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{"draw", dir}); err == nil || !strings.Contains(err.Error(), "wants the lines") {
		t.Errorf("a README without marks: %v", err)
	}
}

func TestBadInput(t *testing.T) {
	dir, file := folder(t)
	empty := filepath.Join(t.TempDir(), "empty.json")
	if err := os.WriteFile(empty, []byte(`{}`), 0o600); err != nil {
		t.Fatal(err)
	}
	unknown := filepath.Join(t.TempDir(), "x.json")
	if err := os.WriteFile(unknown, []byte(strings.ReplaceAll(sample, `"gws"`, `"gorilla"`)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		nil,
		{"nonsense", dir, file},
		{"gather", dir},
		{"gather", dir, filepath.Join(dir, "missing.json")},
		{"gather", dir, empty},
		{"gather", dir, unknown}, // peers names no version of it
		{"draw", dir},            // nothing gathered
	} {
		if run(args) == nil {
			t.Errorf("%v: no error", args)
		}
	}
}
