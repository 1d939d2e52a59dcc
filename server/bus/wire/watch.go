package wire

import (
	"fmt"

	"groupcast/protocol/subject"
)

// MaxWatched is how many groups a node has others count, and how many it counts for others.
const MaxWatched = 1024

// Watch asks all nodes to announce how many members groups have on them, for Seconds.
type Watch struct {
	Groups  []string `json:"groups"`
	Seconds int      `json:"seconds"`
}

func (w *Watch) check() string {
	if len(w.Groups) > MaxWatched {
		return fmt.Sprintf("groups: want %d at most: got %d", MaxWatched, len(w.Groups))
	}
	if w.Seconds < 1 || w.Seconds > 3600 {
		return fmt.Sprintf("seconds: want 1 to 3600: got %d", w.Seconds)
	}
	for _, name := range w.Groups {
		if wrong := tooLong("groups", name, subject.MaxNameBytes); wrong != "" {
			return wrong
		}
	}
	return ""
}

// Counts are how many members watched groups have on a node: those that have changed.
type Counts struct {
	Counts map[string]int `json:"counts"`
}

func (c *Counts) check() string {
	if len(c.Counts) > MaxWatched {
		return fmt.Sprintf("counts: want %d groups at most: got %d", MaxWatched, len(c.Counts))
	}
	for name, n := range c.Counts {
		if wrong := tooLong("counts", name, subject.MaxNameBytes); wrong != "" {
			return wrong
		}
		if n < 0 {
			return fmt.Sprintf("counts: want 0 members or more: got %d", n)
		}
	}
	return ""
}
