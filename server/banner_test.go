package server

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"groupcast/server/monitor"
)

var update = flag.Bool("update", false, "write the golden files anew")

var started = Started{
	Build:      Build{Version: "1.2.3", Revision: "0123456789ab", Go: "go1.26.8 linux/amd64"},
	Pid:        4711,
	CPUs:       8,
	Loops:      8,
	MaxConns:   1_048_012,
	OpenFiles:  1_048_576,
	ConfigFile: "/etc/groupcast.yaml",
	Listeners: []monitor.Listener{
		{Kind: monitor.KindWebSocket, Address: "0.0.0.0:1234"},
		{Kind: monitor.KindWebSocket, Address: "[::1]:8080"},
		{Kind: monitor.KindWebSocket, Address: "unix:/run/groupcast/groupcast.sock"},
		{Kind: monitor.KindAPI, Address: "127.0.0.1:1235"},
		{Kind: monitor.KindControl, Address: "unix:/run/groupcast/1234.sock"},
	},
}

func TestBannerGolden(t *testing.T) {
	background := started
	background.Daemon, background.LogFile = true, "/var/log/groupcast.log"
	background.Access = monitor.AccessTokens
	background.Cluster = &monitor.Cluster{
		Node: "web-1", Servers: []string{"nats://10.0.0.1:4222", "nats://10.0.0.2:4222"}, State: monitor.ClusterUp,
	}
	silent := background
	silent.Cluster = &monitor.Cluster{Node: "web-1", Servers: []string{"nats://10.0.0.1:4222"}, State: "connecting"}
	silent.Access = monitor.AccessOpen
	silent.LogFile = ""
	// The API's default address is somebody else's; and IPv6 is let in, too.
	silent.Listeners = slices.Clone(started.Listeners)
	silent.Listeners[0].Address = "[::]:1234"
	silent.Listeners = slices.DeleteFunc(silent.Listeners,
		func(l monitor.Listener) bool { return l.Kind == monitor.KindAPI })
	silent.NoAPI = "listen on 127.0.0.1:1235: address already in use: pid 4710 (groupcast) has it (--api HOST:PORT)"
	for path, c := range map[string]struct {
		started Started
		colour  bool
	}{
		"testdata/banner.txt":        {started, false},
		"testdata/banner-colour.txt": {started, true},
		"testdata/banner-daemon.txt": {background, false},
		"testdata/banner-silent.txt": {silent, false},
	} {
		var got bytes.Buffer
		if err := c.started.WriteBanner(&got, c.colour); err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s: got\n%s", path, got.Bytes())
		}
	}
}

// Without colour, it is ASCII without control characters: for files and logs.
func TestBannerIsPlain(t *testing.T) {
	var got bytes.Buffer
	if err := started.WriteBanner(&got, false); err != nil {
		t.Fatal(err)
	}
	for i, b := range got.Bytes() {
		if b != '\n' && (b < ' ' || b > '~') {
			t.Fatalf("byte %d is %#x", i, b)
		}
	}
	for line := range strings.SplitSeq(got.String(), "\n") {
		if strings.TrimRight(line, " ") != line {
			t.Errorf("blanks at the end of %q", line)
		}
	}
}

func TestStartedAsOneRecord(t *testing.T) {
	var got bytes.Buffer
	o := DefaultOptions()
	o.LogFormat = "json"
	clustered := started
	clustered.Cluster = &monitor.Cluster{Node: "web-1", Servers: []string{"nats://10.0.0.1:4222"}, State: "connecting"}
	clustered.Log(NewLogger(&got, o))
	var record struct {
		Node      string   `json:"node"`
		NATS      []string `json:"nats"`
		Bus       string   `json:"bus"`
		Msg       string   `json:"msg"`
		MaxConns  int      `json:"max_conns"`
		Listeners []string `json:"listeners"`
		Control   []string `json:"control"`
	}
	if err := json.Unmarshal(got.Bytes(), &record); err != nil {
		t.Fatalf("%v: %s", err, got.Bytes())
	}
	if record.Msg != "start success" || record.MaxConns != started.MaxConns || len(record.Listeners) != 3 ||
		len(record.Control) != 1 || record.Node != "web-1" || len(record.NATS) != 1 || record.Bus != "connecting" {
		t.Errorf("got %s", got.Bytes())
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int]string{
		0: "0", 999: "999", 1000: "1,000", 19488: "19,488", 1048576: "1,048,576",
		-1000: "-1,000", -100: "-100",
	} {
		if got := grouped(n); got != want {
			t.Errorf("%d: got %q", n, got)
		}
	}
}
