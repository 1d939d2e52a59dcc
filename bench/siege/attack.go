package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// attack is one way to do harm. It runs in a process of its own until its context ends.
type attack struct {
	name string
	does string // for the report
	run  func(context.Context, *assault)
	// proof names counts of the attack's own that cannot come about unless the server did something, and, with a
	// metric's prefix, counters of the server that must have moved.
	proof []string
	tls   bool // wants TLS or the PROXY protocol, which old servers have not
}

// attacks are all of them.
var attacks = slices.Concat(onAPI, onChannel, onWebSocket, onTLS, onControl)

func findAttack(name string) (attack, error) {
	for _, a := range attacks {
		if a.name == name {
			return a, nil
		}
	}
	return attack{}, fmt.Errorf("there is no attack %q", name)
}

// metricPrefix is what the names of the server's metrics begin with.
const metricPrefix = "groupcast_"

// unproven lists what is missing of the attack's proof. Servers that are old do not have every metric.
func (a attack) unproven(counts map[string]uint64, before, after metrics, old bool) []string {
	var missing []string
	for _, what := range a.proof {
		if !strings.HasPrefix(what, metricPrefix) {
			if counts[what] == 0 {
				missing = append(missing, what)
			}
			continue
		}
		if after[what] <= before[what] && !old {
			missing = append(missing, what)
		}
	}
	return missing
}

// assault is an attack under way: where to, and what has come of it.
type assault struct {
	target target

	mu     sync.Mutex // guards counts
	counts map[string]uint64
}

// count enters that something has happened once more.
func (a *assault) count(what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.counts[what]++
}

// attackAt makes the attack until ctx ends and writes what came of it.
func attackAt(ctx context.Context, name, where string, out io.Writer) error {
	found, err := findAttack(name)
	if err != nil {
		return err
	}
	a := &assault{counts: map[string]uint64{}}
	if err := json.Unmarshal([]byte(where), &a.target); err != nil {
		return fmt.Errorf("--target: %w", err)
	}
	found.run(ctx, a)
	return json.NewEncoder(out).Encode(a.counts)
}
