package api

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Stats is a snapshot of what an API counts. Numbers that are not gauges are
// since the start.
type Stats struct {
	Requests []RequestCount // every operation and class, sorted; zeros too
	InFlight int            // gauge: requests being worked on, health left out
	Conns    int            // gauge: connections of listeners made by LimitConns

	PublishedItems uint64 // publications taken
	RefusedItems   uint64 // publications refused, each with a problem
	AuthFailures   uint64 // requests without the right token
	CrossSite      uint64 // requests refused for their Origin or Host
	Busy           uint64 // requests refused by MaxInFlight
	ListingsFull   uint64 // listings refused because MaxListings others took too long
	RefusedConns   uint64 // connections refused by LimitConns
	Panics         uint64
}

// RequestCount counts answers. Both names are from fixed sets: no client can
// make one.
type RequestCount struct {
	Operation string // an operation's id; "none" where no route leads, "page" for the page's files
	Class     string // "2xx" to "5xx"
	Count     uint64
}

// classNames are the classes of a status, by its first digit less two.
var classNames = [...]string{"2xx", "3xx", "4xx", "5xx"}

type classCounts [len(classNames)]atomic.Uint64

func (c *classCounts) count(status int) {
	class := status/100 - 2
	c[min(max(class, 0), len(c)-1)].Add(1)
}

type counters struct {
	publishedItems, refusedItems       atomic.Uint64
	authFailures, crossSite, busy      atomic.Uint64
	listingsFull, refusedConns, panics atomic.Uint64
	conns                              atomic.Int64
}

func (c *counters) snapshot() Stats {
	return Stats{
		Conns:          int(c.conns.Load()),
		PublishedItems: c.publishedItems.Load(),
		RefusedItems:   c.refusedItems.Load(),
		AuthFailures:   c.authFailures.Load(),
		CrossSite:      c.crossSite.Load(),
		Busy:           c.busy.Load(),
		ListingsFull:   c.listingsFull.Load(),
		RefusedConns:   c.refusedConns.Load(),
		Panics:         c.panics.Load(),
	}
}

func sortRequests(list []RequestCount) {
	slices.SortFunc(list, func(a, b RequestCount) int {
		return cmp.Or(cmp.Compare(a.Operation, b.Operation), cmp.Compare(a.Class, b.Class))
	})
}

// warningsPerSecond bounds what clients can make the log say.
const warningsPerSecond = 10

// warnings rations log lines, so that whoever knocks a thousand times a second
// does not fill a disk.
type warnings struct {
	mu         sync.Mutex // guards what follows
	second     int64
	given      int
	suppressed int
}

// allow says whether a line may be written now, and how many were left out since
// the last one.
func (w *warnings) allow(now time.Time) (ok bool, suppressed int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := now.Unix(); s != w.second {
		w.second, w.given = s, 0
	}
	if w.given >= warningsPerSecond {
		w.suppressed++
		return false, 0
	}
	w.given++
	suppressed, w.suppressed = w.suppressed, 0
	return true, suppressed
}
