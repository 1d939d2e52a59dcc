package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	ours  = "groupcast"
	limit = "c" // the program that only copies bytes
)

// naming is how a server is called where people read, and what was started.
type naming struct {
	name, setup string // {v} in setup stands for the version
	module, npm string // whose version: a module of peers/go.mod, or a package of peers/node
}

var names = map[string]naming{
	limit:               {name: "C program", setup: "only copies bytes"},
	ours:                {name: "groupcast", setup: "one event loop"},
	"gws":               {name: "gws", setup: "{v}, Go", module: "github.com/lxzan/gws"},
	"gorilla":           {name: "gorilla/websocket", setup: "{v}, Go", module: "github.com/gorilla/websocket"},
	"coder":             {name: "coder/websocket", setup: "{v}, Go", module: "github.com/coder/websocket"},
	"centrifuge":        {name: "Centrifuge", setup: "{v}, Go, bare frames", module: "github.com/centrifugal/centrifuge"},
	"centrifuge-own":    {name: "Centrifuge", setup: "{v}, Go, its protocol", module: "github.com/centrifugal/centrifuge"},
	"ws":                {name: "ws", setup: "{v}, Node.js", npm: "ws"},
	"socket.io":         {name: "Socket.IO", setup: "{v}, Node.js", npm: "socket.io"},
	"nchan":             {name: "Nchan", setup: "nginx, one worker"},
	"workerman":         {name: "Workerman", setup: "PHP, one worker"},
	"workerman-channel": {name: "Workerman", setup: "PHP, two workers, Channel"},
}

// named is how people call a server; one that is not in the list keeps its name.
func named(server string) string {
	if n, ok := names[server]; ok {
		return n.name
	}
	return server
}

// setupOf says what was started, with the version that peers names today: the one that ran,
// since figures are gathered when they have been measured.
func setupOf(server, peers string) (string, error) {
	n := names[server]
	version := ""
	switch {
	case n.module != "":
		b, err := os.ReadFile(filepath.Join(peers, "go.mod"))
		if err != nil {
			return "", err
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) >= 2 && f[0] == n.module {
				version = strings.TrimPrefix(f[1], "v")
			}
		}
	case n.npm != "":
		b, err := os.ReadFile(filepath.Join(peers, "node", "package.json"))
		if err != nil {
			return "", err
		}
		var p struct{ Dependencies map[string]string }
		if err := json.Unmarshal(b, &p); err != nil {
			return "", fmt.Errorf("bench/peers/node/package.json: %w", err)
		}
		version = p.Dependencies[n.npm]
	}
	if version == "" && strings.Contains(n.setup, "{v}") {
		return "", fmt.Errorf("%s: bench/peers names no version of %s%s", server, n.module, n.npm)
	}
	return strings.ReplaceAll(n.setup, "{v}", version), nil
}

// scenario is a comparison in words.
type scenario struct{ name, setup string }

var scenarios = map[string]scenario{
	"big-room-100":     {"100 members", "1,000 messages a second"},
	"big-room-1000":    {"1,000 members", "100 messages a second"},
	"big-room":         {"5,000 members", "20 messages a second"},
	"big-room-18500":   {"18,500 members", "4 messages a second"},
	"hot-room":         {"1,000 members, full load", "512 messages under way"},
	"hot-room-w32":     {"1,000 members, full load", "128 messages under way"},
	"hot-room-w1":      {"1,000 members, full load", "4 messages under way"},
	"many-rooms":       {"1,000 groups of 10", "full load"},
	"many-groups":      {"100 groups a member", "1,000 members, full load"},
	"churn":            {"500 come and go", "and 500 stay"},
	"storm":            {"Connecting", "CPU a connection"},
	"two-loops-half":   {"Two event loops", "1,000 groups of 10, half load"},
	"groups-1":         {"1 group of 1,000", "60 messages a second"},
	"groups-10":        {"10 groups of 100", "600 messages a second"},
	"groups-100":       {"100 groups of 10", "6,000 messages a second"},
	"groups-500":       {"500 groups of 2", "30,000 messages a second"},
	"idle-1000":        {"1,000 sessions", ""},
	"idle-5000":        {"5,000 sessions", ""},
	"idle-18500":       {"18,500 sessions", ""},
	"peers-big-room":   {"One group of 1,000, light load", "40 messages a second of 128 bytes"},
	"peers-hot-room":   {"One group of 1,000, full load", "4 publishers with 128 messages of 128 bytes under way each"},
	"peers-many-rooms": {"1,000 groups of 10, full load", "16 publishers with 64 messages of 128 bytes under way each"},
}

// inWords is a comparison's name where people read.
func inWords(name string) scenario {
	if s, ok := scenarios[name]; ok {
		return s
	}
	return scenario{name: name}
}
