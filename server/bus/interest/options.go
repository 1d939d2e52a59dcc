package interest

import (
	"fmt"
	"log/slog"
	"time"
)

// Defaults of Options, and what is fixed.
const (
	DefaultSubjects = 50_000
	DefaultLinger   = 10 * time.Second

	// MaxBatchGroups is how many SUBs, and as many UNSUBs, one batch has, so that publications
	// come between two batches.
	MaxBatchGroups = 4096
	// MaxCallGroups is how many groups the loops are told of by one call.
	MaxCallGroups = 1024
	// AskAgainWait is how long a group lingers at least that the loops use still, though no
	// member of it was told of.
	AskAgainWait = 10 * time.Millisecond
	// MarkerPause is how long nothing but a SUB brings another marker, after one that not all
	// nodes have answered; as long the interest waits where a call of the loops has failed.
	MarkerPause = 200 * time.Millisecond
	// UncoverWait is how long a busy loop may take to say whether groups are used.
	UncoverWait = 2 * time.Second
	// GapWait is how long the loops may take to have room for notices of gaps.
	GapWait = 2 * time.Second
	// NarrowAfter is how long there must be few groups (NarrowBelow) before the wildcard is
	// given up.
	NarrowAfter = time.Minute
	// MaxLosses is how many losses wait for the interest; more are a loss of all groups.
	MaxLosses = 1024
)

// Options of an Interest.
type Options struct {
	Reactors int           // event loops; at least 1
	Subjects int           // groups with a subscription each; above, one for all of them
	Linger   time.Duration // how long a group without members stays subscribed; 0: not at all
	// NarrowAfter is how long there must be few groups (NarrowBelow) before the wildcard is given
	// up; 0: the constant.
	NarrowAfter time.Duration
	// Pace is how long after a marker the next one is handed over at the earliest, since all nodes
	// answer each: SUBs go out meanwhile, and that one covers them. nil: at once.
	Pace func() time.Duration
	Log  *slog.Logger // nil: slog.Default()
}

// DefaultOptions are for that many event loops.
func DefaultOptions(reactors int) Options {
	return Options{Reactors: reactors, Subjects: DefaultSubjects, Linger: DefaultLinger}
}

// Validate returns an error that names what is wrong, and fills in what is nil.
func (o *Options) Validate() error {
	switch {
	case o.Reactors < 1:
		return fmt.Errorf("interest: Reactors must be at least 1, not %d", o.Reactors)
	case o.Subjects < 1:
		return fmt.Errorf("interest: Subjects must be at least 1, not %d", o.Subjects)
	case o.Linger < 0:
		return fmt.Errorf("interest: Linger must not be negative, not %s", o.Linger)
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return nil
}

// narrowBelow is the number of groups below which the wildcard is not worth it.
func (o *Options) narrowBelow() int { return max(1, o.Subjects*4/5) }
