package metrics

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/bits"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"pgregory.net/rapid"

	"groupcast/loop"
	protocol "groupcast/protocol/workerman"
	"groupcast/server/api"
	"groupcast/server/bus"
	"groupcast/server/door"
	"groupcast/server/members"
	"groupcast/server/monitor"
	"groupcast/server/token"
	"groupcast/server/workerman"
)

var update = flag.Bool("update", false, "write the table in METRICS.md anew")

// world is what all sources say.
type world struct {
	stats   loop.Stats
	api     api.Stats
	doors   door.Stats
	tokens  token.Stats
	members members.Stats
	channel workerman.Stats
	join    workerman.Status
	bus     bus.Stats
}

func newWorld() *world {
	return &world{
		stats: loop.Stats{
			Taken:    time.Now(),
			Reactors: make([]loop.ReactorStats, 2),
			Silence:  make([]time.Duration, 2),
			Sinks:    []loop.SinkStats{{Name: "channel"}},
		},
		api:    api.Stats{Requests: []api.RequestCount{{Operation: "publish", Class: "2xx"}}, Counters: new(api.Counters)},
		doors:  door.Stats{TLSFailed: door.Counts{"timeout": 0}, Proxied: door.Counts{"client": 0}},
		tokens: token.Stats{Sources: []token.SourceStats{{Name: "/keys"}}},
		channel: workerman.Stats{
			Counters: new(workerman.Counters),
			Bridge:   workerman.BridgeStats{BridgeCounters: new(workerman.BridgeCounters)},
		},
		join: workerman.Status{Since: time.Now(), ClientCounters: new(workerman.ClientCounters)},
		bus:  bus.Stats{Counters: new(bus.Counters)},
	}
}

func (w *world) sources() Sources {
	return Sources{
		Stats:       func() loop.Stats { return w.stats },
		MaxConns:    func() int { return 1000 },
		API:         func() api.Stats { return w.api },
		Doors:       func() *door.Stats { return &w.doors },
		Tokens:      func() *token.Stats { return &w.tokens },
		Members:     func() *members.Stats { return &w.members },
		Channel:     func() *workerman.Stats { return &w.channel },
		ChannelJoin: func() *workerman.Status { return &w.join },
		Bus:         func() *bus.Stats { return &w.bus },
		Build:       Build{"1.2.3", "abc", "go1.26"},
	}
}

// families are all metrics of this package, in the order of their declarations.
func families(t *testing.T) []*family {
	t.Helper()
	c, err := newCollector(newWorld().sources())
	if err != nil {
		t.Fatal(err)
	}
	return c.families
}

// text is what a scrape gets.
func text(t *testing.T, s Sources) string {
	t.Helper()
	var failed bytes.Buffer
	s.Logger = slog.New(slog.NewTextHandler(&failed, nil))
	m, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if failed.Len() > 0 {
			t.Errorf("the scrape failed: %s", failed.String())
		}
	}()
	out := httptest.NewRecorder()
	m.Handler().ServeHTTP(out, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if out.Code != http.StatusOK || !strings.HasPrefix(out.Header().Get("Content-Type"), "text/plain") {
		t.Fatalf("%d %s: %s", out.Code, out.Header().Get("Content-Type"), out.Body)
	}
	return out.Body.String()
}

// parse reads the text format as Prometheus does.
func parse(t *testing.T, text string) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	all, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return all
}

// own are the lines of this package's metrics.
func own(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "groupcast_") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// Each family is told, with its type and its labels, and nothing else is.
func TestEveryFamilyIsTold(t *testing.T) {
	all := parse(t, text(t, newWorld().sources()))
	for _, f := range families(t) {
		got := all[f.name]
		if got == nil {
			t.Errorf("%s is not told", f.name)
			continue
		}
		if kind := strings.ToLower(got.GetType().String()); kind != f.kind {
			t.Errorf("%s is a %s, want a %s", f.name, kind, f.kind)
		}
		var labels []string
		for _, pair := range got.GetMetric()[0].GetLabel() {
			labels = append(labels, pair.GetName())
		}
		want := slices.Clone(f.labels)
		slices.Sort(labels)
		if slices.Sort(want); !slices.Equal(labels, want) {
			t.Errorf("%s has labels %q, want %q", f.name, labels, want)
		}
		if got.GetHelp() != f.help {
			t.Errorf("%s: help %q", f.name, got.GetHelp())
		}
		delete(all, f.name)
	}
	for name := range all {
		if strings.HasPrefix(name, "groupcast_") {
			t.Errorf("%s is in no table", name)
		}
	}
	for _, name := range []string{"go_goroutines", "process_open_fds", "process_cpu_seconds_total"} {
		if all[name] == nil {
			t.Errorf("%s is not told", name)
		}
	}
}

func TestLint(t *testing.T) {
	problems, err := promlint.New(strings.NewReader(text(t, newWorld().sources()))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// A server without bridges and limits tells what it has.
func TestMissingSources(t *testing.T) {
	if _, err := New(Sources{}); err == nil {
		t.Error("no error without Stats")
	}
	got := text(t, Sources{Stats: func() loop.Stats { return loop.Stats{} }})
	if !strings.Contains(got, "groupcast_connections 0") {
		t.Errorf("before the first sample:\n%s", own(got))
	}
	for _, absent := range []string{
		"groupcast_channel", "groupcast_api_", "limit=\"api", "connections_limit",
		"sample_age", "reactor=",
	} {
		if strings.Contains(own(got), absent) {
			t.Errorf("%s is told", absent)
		}
	}
	w := newWorld()
	s := w.sources()
	s.Channel = func() *workerman.Stats { return nil }
	s.ChannelJoin = func() *workerman.Status { return nil }
	if got := own(text(t, s)); strings.Contains(got, "groupcast_channel_") {
		t.Errorf("no Channel, and yet:\n%s", got)
	}
}

// No counter is forgotten: whichever field of a source changes, the answer does.
func TestEveryFieldIsTold(t *testing.T) {
	for _, path := range fields(reflect.TypeFor[world](), nil) {
		w := newWorld()
		before := withoutTimes(text(t, w.sources()))
		name := change(reflect.ValueOf(w).Elem(), path)
		switch name {
		case "stats.Taken", "join.Since":
			continue // told as seconds that pass anyway
		case "stats.Reactors.Batches", "join.Attempts", "join.SendBytes", "join.QueuedMessages", "join.QueuedBytes",
			"join.ClientCounters.BytesIn", "join.ClientCounters.BytesOut":
			continue // they say so
		}
		if withoutTimes(text(t, w.sources())) == before {
			t.Errorf("%s is not told", name)
		}
	}
}

func withoutTimes(text string) string {
	var b strings.Builder
	for line := range strings.Lines(own(text)) {
		if !strings.HasPrefix(line, "groupcast_sample_age") && !strings.HasPrefix(line, "groupcast_channel_join_state") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// fields are the index paths of all numbers, also those in an element of slices
// and arrays.
func fields(t reflect.Type, path []int) (all [][]int) {
	switch t.Kind() {
	case reflect.Struct:
		switch t {
		case timeType, atomicType:
			return [][]int{path}
		case reflect.TypeFor[sync.Mutex]():
			return nil
		}
		for i := range t.NumField() {
			all = append(all, fields(t.Field(i).Type, append(slices.Clone(path), i))...)
		}
		return all
	case reflect.Slice:
		return fields(t.Elem(), append(slices.Clone(path), 0))
	case reflect.Array: // not the first: workerman's types begin with none
		return fields(t.Elem(), append(slices.Clone(path), 1))
	case reflect.Pointer:
		return fields(t.Elem(), path)
	case reflect.String:
		return nil
	default:
		return [][]int{path}
	}
}

// change makes the number at path another one, and returns its name.
func change(v reflect.Value, path []int) (name string) {
	v = reflect.NewAt(v.Type(), v.Addr().UnsafePointer()).Elem()
	for _, i := range path {
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		switch v.Kind() {
		case reflect.Struct:
			name += "." + v.Type().Field(i).Name
			v = v.Field(i)
		default:
			v = v.Index(i)
		}
		v = reflect.NewAt(v.Type(), v.Addr().UnsafePointer()).Elem() // world's own fields are not exported
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Uint64:
		v.SetUint(v.Uint() + 1)
	case reflect.Map:
		for _, key := range v.MapKeys() {
			v.SetMapIndex(key, reflect.ValueOf(v.MapIndex(key).Uint()+1))
		}
	case reflect.Struct:
		if n, ok := reflect.TypeAssert[*atomic.Uint64](v.Addr()); ok {
			n.Add(1)
		}
	default:
		panic("a field of a kind that this test does not know: " + name)
	}
	return name[1:]
}

// Figures that are computed, not only passed on.
func TestValues(t *testing.T) {
	w := newWorld()
	r := &w.stats.Reactors[1]
	r.BusyNanos, r.BlockedNanos = 1_500_000_000, 250_000_000
	r.IngressLen, r.EgressLen = 3, 4
	r.Errors[9] = 5 // draining
	r.Errors[7] = 3 // rate_limited
	w.stats.Reactors[0].Errors[9] = 2
	w.stats.Silence[1] = 1500 * time.Millisecond
	w.stats.Taken = time.Now().Add(-time.Hour)
	w.stats.Sinks = []loop.SinkStats{
		{Name: "channel", Dropped: 1},
		{Name: "channel", Dropped: 2},
		{Name: "cluster", Dropped: 3},
	}
	w.channel.Bad[1].Store(5)
	w.bus.BufferFull.Store(11)
	w.bus.SlowConsumer.Store(12)
	w.bus.NodesGone.Store(13)
	w.bus.Dropped, w.bus.Overflows, r.JoinsTimedOut, w.bus.NameTaken = 14, 15, 16, true
	w.stats.Reactors[0].MaxMarks, r.MaxMarks = 8, 7
	got := own(text(t, w.sources()))
	for _, line := range []string{
		`groupcast_build_info{go_version="go1.26",revision="abc",version="1.2.3"} 1`,
		`groupcast_reactor_busy_seconds_total{reactor="1"} 1.5`,
		`groupcast_ring_blocked_seconds_total{reactor="1"} 0.25`,
		`groupcast_ring_messages{reactor="1",ring="ingress"} 3`,
		`groupcast_ring_messages{reactor="1",ring="egress"} 4`,
		`groupcast_command_errors_total{code="draining"} 7`,
		`groupcast_limit_hits_total{limit="rate"} 3`,
		`groupcast_reactor_silence_seconds{reactor="1"} 1.5`,
		`groupcast_sample_age_seconds 3600.`,
		`groupcast_sink_dropped_messages_total{sink="channel"} 3`,
		`groupcast_sink_dropped_messages_total{sink="cluster"} 3`,
		`groupcast_channel_bad_frames_total{reason="` + protocol.Reason(1).String() + `"} 5`,
		`groupcast_batch_marks_max 8`,
		`groupcast_connections_limit 1000`,
		// Every limit of the bus, by its flag.
		`groupcast_limit_hits_total{limit="nats_buffer"} 11`,
		`groupcast_limit_hits_total{limit="nats_inbound"} 12`,
		`groupcast_limit_hits_total{limit="nats_lease"} 13`,
		`groupcast_limit_hits_total{limit="nats_sink"} 14`,
		`groupcast_limit_hits_total{limit="nats_subjects"} 15`,
		`groupcast_limit_hits_total{limit="nats_join_wait"} 16`,
		`groupcast_bus_name_taken 1`,
		`groupcast_bus_losses_total{cause="away"} 0`,
		`groupcast_bus_errors_total{reason="slow_consumer"} 0`,
		`groupcast_bus_state{state="connecting"} 1`,
		`groupcast_bus_state{state="up"} 0`,
	} {
		if !strings.Contains(got, line) {
			t.Errorf("no %s", line)
		}
	}
}

// Buckets hold what their bounds say, whatever was observed.
func TestHistograms(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld()
		var latencies, batches []uint64
		for range rapid.IntRange(0, 200).Draw(rt, "n") {
			v := uint64(1) << rapid.IntRange(0, 26).Draw(rt, "exponent")
			v += uint64(rapid.IntRange(-1, 1).Draw(rt, "beside"))
			latencies = append(latencies, v)
			observe(&w.stats.Reactors[len(latencies)%2].Latency, v)
			b := 1 + v%512
			batches = append(batches, b)
			observe(&w.stats.Reactors[len(latencies)%2].BatchSizes, b)
		}
		all := parse(t, text(t, w.sources()))
		check := func(name string, observed []uint64, unit float64, buckets int, inside func(v uint64, le float64) bool) {
			h := all[name].GetMetric()[0].GetHistogram()
			sum := uint64(0)
			for _, v := range observed {
				sum += v
			}
			if h.GetSampleCount() != uint64(len(observed)) || math.Abs(h.GetSampleSum()-float64(sum)*unit) > 1e-6*float64(sum) {
				rt.Fatalf("%s: count %d, sum %g; want %d, %g", name, h.GetSampleCount(), h.GetSampleSum(), len(observed),
					float64(sum)*unit)
			}
			if len(h.GetBucket()) != buckets+1 {
				rt.Fatalf("%s has %d buckets", name, len(h.GetBucket()))
			}
			for _, b := range h.GetBucket() {
				want := uint64(0)
				for _, v := range observed {
					if inside(v, b.GetUpperBound()) {
						want++
					}
				}
				if b.GetCumulativeCount() != want {
					rt.Fatalf("%s: %d up to %g, want %d", name, b.GetCumulativeCount(), b.GetUpperBound(), want)
				}
			}
		}
		// A latency of v microseconds was v or a part of one more.
		check("groupcast_publish_to_flush_seconds", latencies, 1e-6, 20, func(v uint64, le float64) bool {
			return math.IsInf(le, 1) || v < uint64(math.Round(le*1e6))
		})
		check("groupcast_batch_messages", batches, 1, 10, func(v uint64, le float64) bool { return float64(v) <= le })
	})
}

// observe is what package loop does with a value.
func observe(h *loop.Histogram, v uint64) {
	at := int(v)
	if v >= 4 {
		high := bits.Len64(v) - 1
		at = min(4*(high-1)+int(v>>(high-2)&3), len(h.Buckets)-1)
	}
	h.Buckets[at]++
	h.Count++
	h.Sum += v
}

// TestTable: METRICS.md has a line for each metric, as it is declared. The order is the
// page's own, for people: a new one goes below the one that is declared before it.
func TestTable(t *testing.T) {
	const from = "<!-- table: written by go test ./server/metrics -run Table -update -->\n| name | type | labels | " +
		"meaning |\n|---|---|---|---|\n"
	const to = "<!-- end of table -->\n"
	file, err := os.ReadFile("METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(file), from)
	old, tail, ok := strings.Cut(rest, to)
	if !ok {
		t.Fatal("METRICS.md has lost the marks around its table")
	}
	declared := families(t)
	lines := make(map[string]string, len(declared))
	for _, f := range declared {
		labels := ""
		if f.labels != nil {
			labels = "`" + strings.Join(f.labels, "`, `") + "`"
		}
		lines[f.name] = fmt.Sprintf("| `%s` | %s | %s | %s |\n", f.name, f.kind, labels, f.help)
	}
	var order []string
	for line := range strings.Lines(old) {
		name := strings.Trim(strings.SplitN(line, "|", 3)[1], " `")
		if lines[name] != "" && !slices.Contains(order, name) {
			order = append(order, name)
		}
	}
	for i, f := range declared {
		if slices.Contains(order, f.name) {
			continue
		}
		at := 0
		if i > 0 {
			at = 1 + slices.Index(order, declared[i-1].name)
		}
		order = slices.Insert(order, at, f.name)
	}
	var table strings.Builder
	for _, name := range order {
		table.WriteString(lines[name])
	}
	if *update {
		if err := os.WriteFile("METRICS.md", []byte(head+from+table.String()+to+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old != table.String() {
		t.Error("METRICS.md and the code differ: go test ./server/metrics -run Table -update")
	}
}

// Whatever clients call things, no label says it, and they cannot make a series.
func TestNoLabelsOfClients(t *testing.T) {
	o := loop.DefaultOptions()
	o.Loops = 2
	engine, err := loop.New(o)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = engine.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
		<-served
	})
	stats := func() loop.Stats {
		s, err := engine.Stats(context.Background())
		if err != nil {
			t.Error(err)
		}
		return s
	}
	a, err := api.New(api.Options{
		Engine: engine, Monitor: monitorOf{stats}, Limits: api.DefaultLimits(),
		Tokens: []string{"the-secret-token"}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	sources := Sources{Stats: stats, API: a.Stats}
	before := own(text(t, sources))

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	transport := new(http.Transport)
	conn, response, err := websocket.Dial(ctx, "ws://"+listener.Addr().String(),
		&websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	if response.Body != nil {
		_ = response.Body.Close()
	}
	transport.CloseIdleConnections()
	defer func() { _ = conn.CloseNow() }()
	for _, command := range []string{
		`{"cmd":"add_group","group_id":"client-chosen","req_id":"client-chosen"}`, `{"cmd":"client-chosen","req_id":"client-chosen"}`,
	} {
		if err := conn.Write(ctx, websocket.MessageText, []byte(command)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := conn.Read(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"/v1/groups/client-chosen", "/client-chosen", "/v1/groups/client-chosen/messages"} {
		for _, method := range []string{"GET", "POST", "CLIENT-CHOSEN"} {
			for _, token := range []string{"the-secret-token", "client-chosen"} {
				r := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader("client-chosen"))
				r.Header.Set("Authorization", "Bearer "+token)
				r.Header.Set("X-Request-Id", "client-chosen")
				a.Handler(true).ServeHTTP(httptest.NewRecorder(), r)
			}
		}
	}
	if _, _, err := conn.Read(ctx); err != nil { // what the API published
		t.Fatal(err)
	}
	after := own(text(t, sources))
	if strings.Contains(strings.ToLower(after), "client-chosen") || strings.Contains(after, "secret") {
		t.Errorf("a client's word is in the metrics:\n%s", after)
	}
	if n, m := strings.Count(before, "\n"), strings.Count(after, "\n"); n != m {
		t.Errorf("%d series before, %d after", n, m)
	}
	for _, line := range []string{
		`groupcast_command_errors_total{code="bad_command"} 1`,
		`groupcast_api_items_total{result="published"} 1`,
		`groupcast_published_messages_total{source="outside"} 1`,
		`groupcast_api_requests_total{class="4xx",operation="none"} 14`,
	} {
		if !strings.Contains(after, line) {
			t.Errorf("no %s in\n%s", line, after)
		}
	}
}

// monitorOf is a monitor that only has Stats.
type monitorOf struct{ stats func() loop.Stats }

func (m monitorOf) Stats() loop.Stats      { return m.stats() }
func (m monitorOf) Status() monitor.Status { return monitor.Status{} }

func (m monitorOf) History() monitor.History { return monitor.History{} }

// Scrapes can overlap.
func TestConcurrentScrapes(t *testing.T) {
	m, err := New(newWorld().sources())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(m.Handler())
	defer server.Close()
	done := make(chan error)
	for range 8 {
		go func() {
			response, err := server.Client().Get(server.URL)
			if err == nil {
				_, err = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
			}
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
