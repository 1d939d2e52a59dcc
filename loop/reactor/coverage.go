package reactor

import (
	"sync"
	"sync/atomic"
)

// Which groups the bus covers: those of which this node gets all that other nodes publish. The
// ack of a join waits for that; see joinack.go.

// Coverage is what is believed of the bus.
type Coverage uint32

const (
	// CoverageOff is no cluster: joins are acknowledged at once, and nothing is looked at.
	CoverageOff Coverage = iota
	// CoverageAway is a bus that is away: an ack of a join says at once that the group is not covered.
	CoverageAway
	// CoveragePending is a bus that is coming back: no group is believed to be covered, and acks wait.
	CoveragePending
	// CoverageOn is a bus that is there: the table of covered groups is believed, and the acks of
	// others wait.
	CoverageOn
)

// CoverageTable is the node's table of covered groups, and whether it is believed. The zero value is
// CoverageOff. It is read without a lock.
//
// Owner: Shared; it is for any goroutine.
type CoverageTable struct {
	state  atomic.Uint32 // a Coverage
	groups sync.Map      // names of covered groups, as keys
}

// Set says what is believed of the bus from now on. The table stays as it is.
func (t *CoverageTable) Set(c Coverage) { t.state.Store(uint32(c)) }

// State is what is believed of the bus.
func (t *CoverageTable) State() Coverage { return Coverage(t.state.Load()) }

// Cover notes the groups as covered.
func (t *CoverageTable) Cover(groups []string) {
	for _, group := range groups {
		t.groups.Store(group, nil)
	}
}

// Uncover takes the groups out of the table, and returns which of them were in it.
func (t *CoverageTable) Uncover(groups []string) (were []bool) {
	were = make([]bool, len(groups))
	for i, group := range groups {
		_, were[i] = t.groups.LoadAndDelete(group)
	}
	return were
}

// Covered reports whether the group is in the table, believed or not.
func (t *CoverageTable) Covered(group string) bool {
	_, covered := t.groups.Load(group)
	return covered
}

// Now is what an ack of a join of the group says: covered, or not, or neither yet, and
// then it waits.
func (t *CoverageTable) Now(group string) (covered, settled bool) {
	switch t.State() {
	case CoverageOff:
		return true, true
	case CoverageAway:
		return false, true
	case CoverageOn:
		covered = t.Covered(group)
		return covered, covered
	case CoveragePending:
	}
	return false, false
}
