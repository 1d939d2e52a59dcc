package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"

	"groupcast/server/control"
	"groupcast/server/monitor"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s", path, got)
	}
}

// busy is a server under load, with names that mean it ill.
func busy() monitor.Status {
	start := time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)
	reactor := func(i int, state string) monitor.Reactor {
		n := i + 1
		return monitor.Reactor{
			Index: i, State: state, Sessions: 9744 * n, Groups: 1200 * n, Memberships: 31000 * n, Busy: 0.31 * float64(n),
			Messages: 48_000_111, MessagesPerSecond: 5211.4, Deliveries: 9_000_000_000,
			DeliveriesPerSecond: 982_113.2 * float64(n),
			BytesInPerSecond:    1 << 20, BytesOutPerSecond: 300 << 20, BacklogSessions: 3 * i, BacklogBytes: 70000 * i,
			RingDepth:  17 * i,
			LatencyP50: 0.00042, LatencyP99: 0.0131,
		}
	}
	total := reactor(2, monitor.StateOK)
	total.Index, total.Errors, total.SlowReaders = -1, 31, 2
	return monitor.Status{
		Version: "1.2.3", Go: "go1.26.8 linux/amd64", PID: 4711, Host: "web1", StartedAt: start,
		TakenAt:       start.Add(76 * time.Hour),
		UptimeSeconds: (76 * time.Hour).Seconds(), Load: [3]float64{0.52, 0.41, 0.33}, CPUs: 2, State: monitor.StateOK,
		Access: monitor.AccessOpen,
		Listeners: []monitor.Listener{
			{Kind: monitor.KindWebSocket, Address: "0.0.0.0:1234", State: monitor.ListenerOK},
			{
				Kind: monitor.KindWebSocket, Address: "unix:/run/groupcast/a-rather-long-name-for-a-socket.sock",
				State: monitor.ListenerClosed,
			},
			{Kind: monitor.KindControl, Address: "unix:/run/groupcast/1234.sock", State: monitor.ListenerOK},
		},
		ResidentBytes: 512 << 20, CPUSeconds: 7384,
		Connections: 29232, MaxConnections: 1_048_012, Handshakes: 3, Accepted: 1_000_000, Refused: 12, Closed: 970_768,
		Order: 48_000_111, OutsideWaiting: 4, Overloaded: 1,
		Reactors: []monitor.Reactor{reactor(0, monitor.StateOK), reactor(1, monitor.StateOK)},
		Total:    total,
		TopGroups: []monitor.Group{
			{Name: "lobby", Members: 19488},
			{Name: "\u623f\u9593 1", Members: 1200},
			{Name: "\x1b[2J\x1b[31mroot@web1:~# \u202e", Members: 3},
			{Name: strings.Repeat("long ", 40), Members: 2},
			{Name: "two\nlines", Members: 1},
		},
		Channel: &monitor.Channel{
			Connections: 8, Channels: 3, Subscriptions: 24, EventsIn: 100, EventsOut: 800, Dropped: 1,
			BadFrames: 2,
		},
		ChannelJoin: &monitor.ChannelJoin{
			Address: "10.0.0.7:2206", Since: start.Add(75 * time.Hour), Reconnects: 3, Forwarded: 10, Received: 20,
			NotForwarded: 1,
			LastError:    "connection \x1b[31mrefused",
		},
	}
}

// clustered is a server in a cluster whose other nodes are in all states.
func clustered(s monitor.Status) monitor.Status {
	s.Channel, s.ChannelJoin, s.TopGroups = nil, nil, nil
	s.Cluster = &monitor.Cluster{
		Node: "web1", Epoch: "0123456789abcdef", State: monitor.ClusterUp, Since: s.TakenAt.Add(-time.Hour),
		Server: "10.0.0.7:4222", Servers: []string{"nats://10.0.0.7:4222"}, Reconnects: 2, RoundTrip: 0.00042, Joined: true,
		LastError: "connection \x1b[31mrefused", MessagesIn: 1_234_567, MessagesOut: 2_345_678, MessagesAvoided: 999,
		MessagesLost: 3, LossesTold: 2, SlowConsumer: 1, BufferedBytes: 70000, LagSeconds: 0.02,
		Subjects: 1200, WaitingJoins: 4,
		Nodes: []monitor.ClusterNode{
			{
				Name: "web2", Version: "1.2.3", Host: "web2.example.org", State: monitor.NodeUp, Sessions: 19488, Groups: 1200,
				LagSeconds: 0.0003, HeardSeconds: 0.4, Joined: true,
			},
			{Name: "web3", Version: "1.2.3", Host: "web3", State: monitor.NodeSilent, HeardSeconds: 3.2},
			{Name: "web4", Version: "\x1b[2J", Host: "\u202e", State: monitor.NodeGone, HeardSeconds: 1200},
			{Name: "web5", Version: "1.2.2", Host: "web5", State: monitor.NodeLeft, HeardSeconds: 60},
		},
	}
	return s
}

func TestStatusGolden(t *testing.T) {
	idle := monitor.Status{
		Version: "1.2.3", Go: "go1.26.8 linux/amd64", PID: 4711, Host: "web1", CPUs: 1, State: monitor.StateOK,
		StartedAt: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC), MaxConnections: 1000, ResidentBytes: 14 << 20,
		MemoryBytes: 7 << 20, MemoryLimitBytes: 1 << 30,
		Listeners: []monitor.Listener{{Kind: monitor.KindWebSocket, Address: "0.0.0.0:1234", State: monitor.ListenerOK}},
		Reactors:  []monitor.Reactor{{State: monitor.StateOK}},
		Total:     monitor.Reactor{Index: -1, State: monitor.StateOK},
	}
	stalled := busy()
	stalled.State, stalled.Reactors[1].State, stalled.Total.State = monitor.StateStalled, monitor.StateStalled,
		monitor.StateStalled
	draining := idle
	draining.State, draining.Listeners = monitor.StateDraining,
		[]monitor.Listener{{Kind: monitor.KindWebSocket, Address: "0.0.0.0:1234", State: monitor.ListenerClosed}}
	away, alone, taken := clustered(busy()), clustered(busy()), clustered(busy())
	away.Cluster.State, away.Cluster.Joined, away.Cluster.Server, away.Cluster.Wildcard = "away", false, "", true
	for i := range away.Cluster.Nodes {
		away.Cluster.Nodes[i].State = monitor.NodeUnknown
	}
	alone.Cluster.Nodes, alone.Cluster.Joined, alone.Cluster.LastError = nil, false, ""
	taken.Cluster.NameTaken, taken.Cluster.Joined = true, false
	for name, c := range map[string]struct {
		status monitor.Status
		events []monitor.Event
		paper  paper
	}{
		"status.txt":               {busy(), happened(busy()), paper{}},
		"status-idle.txt":          {idle, nil, paper{}},
		"status-stalled.txt":       {stalled, happened(stalled)[:3], paper{width: 132, colour: true}},
		"status-draining.txt":      {draining, nil, paper{width: 80, colour: true}},
		"status-cluster.txt":       {clustered(busy()), nil, paper{}},
		"status-cluster-80.txt":    {clustered(busy()), nil, paper{width: 80, colour: true}},
		"status-cluster-40.txt":    {clustered(busy()), nil, paper{width: 40}},
		"status-cluster-away.txt":  {away, nil, paper{width: 100, colour: true}},
		"status-cluster-alone.txt": {alone, nil, paper{width: 100, colour: true}},
		"status-cluster-taken.txt": {taken, nil, paper{width: 100, colour: true}},
		"status-100.txt":           {busy(), happened(busy())[3:], paper{width: 100}},
		"status-80.txt":            {busy(), happened(busy()), paper{width: 80}},
		"status-40.txt":            {busy(), happened(busy()), paper{width: 40}},
		"status-20.txt":            {busy(), happened(busy()), paper{width: 20}},
	} {
		got := c.paper.writeStatus(c.status, c.events, time.UTC)
		golden(t, name, got)
		for line := range strings.SplitSeq(got, "\n") {
			if width := runewidth.StringWidth(unpainted(line)); c.paper.width > 0 && width > c.paper.width {
				t.Errorf("%s: %d columns: %q", name, width, line)
			}
		}
		// Nothing that a terminal obeys but our own colours.
		for _, r := range unpainted(got) {
			if r != '\n' && (r < ' ' || r == 0x7f || r == 0x202e) {
				t.Fatalf("%s: %q gets through", name, r)
			}
		}
	}
}

// happened is what may have happened to a server, some of it by names that mean it ill.
func happened(s monitor.Status) []monitor.Event {
	event := func(kind, cause string, n uint64, ago, lasted time.Duration) monitor.Event {
		to := s.TakenAt.Add(-ago)
		return monitor.Event{Kind: kind, Cause: cause, From: to.Add(-lasted), To: to, Count: n}
	}
	return []monitor.Event{
		event(monitor.EventSlowReaders, "", 1, 0, 0),
		event(monitor.EventStalled, "1", 0, 4*time.Second, 9*time.Second),
		event(monitor.EventReload, "--log-level \x1b[31m", 0, time.Minute, 0),
		event(monitor.EventRefused, "connections_per_ip", 1234, 25*time.Minute, 7*time.Second),
		event("of the future", "", 7, 30*time.Hour, 0),
		event(monitor.EventDraining, "", 0, 31*time.Hour, 0), // one too many
	}
}

// TestEventWords: every kind of event that the monitor has is said in words.
func TestEventWords(t *testing.T) {
	source, err := os.ReadFile("../../monitor/history.go")
	if err != nil {
		t.Fatal(err)
	}
	kinds := regexp.MustCompile(`(?m)^\tEvent\w+ += "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	if len(kinds) < 15 {
		t.Fatalf("only %d kinds are found", len(kinds))
	}
	for _, kind := range kinds {
		if eventWords[kind[1]].one == "" {
			t.Errorf("no words for %s", kind[1])
		}
	}
	if len(eventWords) != len(kinds) {
		t.Errorf("words for %d kinds, and there are %d", len(eventWords), len(kinds))
	}
}

// unpainted is text without our colours.
func unpainted(text string) string {
	for _, escape := range append(escapes[1:], "\x1b[0m") {
		text = strings.ReplaceAll(text, escape, "")
	}
	return text
}

func someSessions(t *testing.T) []control.Session {
	t.Helper()
	var page []control.Session
	for i, text := range []string{
		`{"id":"0-1-1","reactor":0,"remote":"10.0.0.1:50000","state":"open","group_count":3,"backlog_bytes":0,"bytes_in":120,"bytes_out":4096,"idle_ns":5000000000,"age_ns":3600000000000}`,
		`{"id":"1-1f-a3","reactor":1,"remote":"[2001:db8:1234:5678:9abc:def0:1234:5678]:65535","state":"open","blocked":true,"group_count":128,"backlog_bytes":900000,"bytes_in":10485760,"bytes_out":1073741824,"idle_ns":90000000000,"age_ns":273600000000000}`,
		`{"id":"1-20-1","reactor":1,"remote":"/run/\u001b[31m.sock","state":"closing","group_count":0,"backlog_bytes":0,"bytes_in":0,"bytes_out":0,"idle_ns":0,"age_ns":0,"new_field":1}`,
		`{"id":"0-2-1","reactor":0,"remote":"10.0.0.3:50000","state":"handshake","group_count":0,"backlog_bytes":0,"bytes_in":0,"bytes_out":0,"idle_ns":0,"age_ns":0}`,
		`{"id":"1-21-1","reactor":1,"remote":"10.0.0.2:50000","user":"J\u001b[31m Doe","expires_at":"2001-01-01T00:00:00Z","grants":{"join":["room:*","\u001b","x"],"join_more":12,"publish":[],"members":["room:*"]},"state":"open","group_count":1,"backlog_bytes":0,"bytes_in":0,"bytes_out":0,"idle_ns":0,"age_ns":0}`,
	} {
		var s control.Session
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		page = append(page, s)
	}
	return page
}

func TestConnectionsGolden(t *testing.T) {
	for name, p := range map[string]paper{
		"connections.txt": {}, "connections-80.txt": {width: 80}, "connections-40.txt": {width: 40, colour: true},
	} {
		list := newSessionList(p)
		golden(t, name, list.table(someSessions(t)))
		if list.printed != 5 {
			t.Errorf("%d printed", list.printed)
		}
	}
	list := newSessionList(paper{})
	golden(t, "connections.json", list.json(someSessions(t)))
	golden(t, "connections-none.txt", newSessionList(paper{}).table(nil))
}

// The second page has the first one's columns, and its titles are not repeated.
func TestConnectionsPages(t *testing.T) {
	all := someSessions(t)
	for _, p := range []paper{{}, {width: 60}} {
		list := newSessionList(p)
		first, second := list.table(all[:1]), list.table(all[1:])
		if strings.Count(first, "remote") != 1 || strings.Contains(second, "remote") {
			t.Errorf("titles:\n%s\n%s", first, second)
		}
		for line := range strings.SplitSeq(first+second, "\n") {
			if p.width > 0 && runewidth.StringWidth(line) > p.width {
				t.Errorf("%q", line)
			}
		}
		if p.width == 0 && !strings.Contains(second, "[2001:db8:1234:5678:9abc:def0:1234:5678]:65535") {
			t.Errorf("cut, where there is no edge:\n%s", second)
		}
	}
}

// How long a token is good for.
func TestLeft(t *testing.T) {
	now := time.Now()
	for want, expires := range map[string]*time.Time{
		"-": nil, "over": new(now), "59s": new(now.Add(59 * time.Second)), "3d4h": new(now.Add(76 * time.Hour)),
	} {
		if got := left(expires, now); got != want {
			t.Errorf("%v is left %s, want %s", expires, got, want)
		}
	}
}

func TestDescribeReload(t *testing.T) {
	golden(t, "reload.txt", describeReload(control.Reloaded{
		Changed: []control.Change{
			{Flag: "--max-message", From: "64KiB", To: "128KiB"},
			{Flag: "--api-token", From: "", To: "(secret)"},
			{Flag: "--log-file", From: "/var/log/\x1b[31m", To: ""},
		},
		NeedRestart: []control.Change{{Flag: "--loops", From: "0", To: "4", Why: "there are as many as were started"}},
	}))
	if got := describeReload(control.Reloaded{}); got != "Reloaded: no setting has changed.\n" {
		t.Errorf("got %q", got)
	}
}

// A name from a client in an error is as harmless as one in a table.
func TestComplainEscapes(t *testing.T) {
	var b bytes.Buffer
	complain(&b, fmt.Errorf("no group %s", "\x1b[2J\nx"))
	if got := b.String(); got != "groupcast: no group \\x1b[2J x\n" {
		t.Errorf("got %q", got)
	}
}
