package api

import (
	"cmp"
	"slices"
	"sync/atomic"
)

// Stats is what an API counts, since the start, and gauges. A field's tag is all there
// is to say about it; package server/metrics tells what the keys mean.
type Stats struct {
	*Counters

	Requests []RequestCount // every operation and class, sorted; zeros too
	InFlight int            `metric:"api_in_flight_requests" help:"Requests being worked on, health left out."`
	Conns    int            `metric:"api_connections" help:"Connections to the API."` // of listeners made by LimitConns
	// Connections without a token, closed to make room.
	EvictedConns uint64 `metric:"limit_hits_total{limit=api_conns_evicted}"`
}

// Counters are those that count on while they are read.
type Counters struct {
	PublishedItems atomic.Uint64 `metric:"api_items_total{result=published}" help:"Publications asked for: published, or refused."`
	RefusedItems   atomic.Uint64 `metric:"api_items_total{result=refused}"`
	AuthFailures   atomic.Uint64 `metric:"api_auth_failures_total" help:"Requests without the right token."`
	// Refused for their Origin or Host.
	CrossSite    atomic.Uint64 `metric:"api_cross_site_refusals_total" help:"Requests refused because they came from another site's page."`
	AcceptErrors atomic.Uint64 `metric:"api_accept_errors_total" help:"Times that no connection to the API could be accepted, for want of descriptors or memory."`
	// Refused by MaxInFlight.
	Busy atomic.Uint64 `metric:"limit_hits_total{limit=api_in_flight}"`
	// Listings refused because MaxListings others took too long.
	ListingsFull atomic.Uint64 `metric:"limit_hits_total{limit=api_listings}"`
	// Refused by LimitConns.
	RefusedConns atomic.Uint64 `metric:"limit_hits_total{limit=api_conns}"`
	Panics       atomic.Uint64 `metric:"panics_total{where=api}" help:"Mistakes in the server that cost one session (loop), request (api), connection (road), or token of a session or read of keys (token)."`
}

// RequestCount counts answers. Both names are from fixed sets: no client can
// make one.
type RequestCount struct {
	// Operation is an operation's id; "none" where no route leads, "page" for the page's files.
	Operation string `label:"operation"`
	Class     string `label:"class"` // "2xx" to "5xx"
	Count     uint64 `metric:"api_requests_total{operation,class}" help:"Requests answered, by operation and class of status."`
}

// classNames are the classes of a status, by its first digit less two.
var classNames = [...]string{"2xx", "3xx", "4xx", "5xx"}

type classCounts [len(classNames)]atomic.Uint64

func (c *classCounts) count(status int) {
	class := status/100 - 2
	c[min(max(class, 0), len(c)-1)].Add(1)
}

func sortRequests(list []RequestCount) {
	slices.SortFunc(list, func(a, b RequestCount) int {
		return cmp.Or(cmp.Compare(a.Operation, b.Operation), cmp.Compare(a.Class, b.Class))
	})
}
