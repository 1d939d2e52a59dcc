package order

import (
	"strings"
	"sync"
)

// MaxMissedGroups is how many groups a sink names of which it has dropped messages; more are
// all.
const MaxMissedGroups = 1024

// missed has the names of the groups of which a sink has dropped messages.
//
// The broker takes mu where it drops a message, and nowhere else. Who asks holds it for as
// long as it takes to put an empty map in the place of the full one, so that the broker
// does not wait for it (rule R6).
type missed struct {
	mu     sync.Mutex
	groups map[string]struct{} // nil: none
	all    bool                // there were more
}

// note is the broker's: m is dropped.
func (d *missed) note(m *Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if m.Kind != KindUsers {
		d.add(m.Group())
		return
	}
	for _, group := range m.Outside.Groups {
		d.add(group)
	}
}

func (d *missed) add(group string) {
	if d.all {
		return
	}
	if _, known := d.groups[group]; known {
		return
	}
	if len(d.groups) == MaxMissedGroups {
		d.groups, d.all = nil, true
		return
	}
	if d.groups == nil {
		d.groups = make(map[string]struct{})
	}
	d.groups[strings.Clone(group)] = struct{}{} // or it would keep the whole message
}

// take returns what was noted since the last time.
func (d *missed) take() (groups map[string]struct{}, all bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	groups, all = d.groups, d.all
	d.groups, d.all = nil, false
	return groups, all
}
