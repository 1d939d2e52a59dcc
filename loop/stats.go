package loop

import "context"

// ReactorStats are one reactor's counters since its start, and gauges. They
// are plain fields that only the loop writes; whoever wants them asks the loop.
type ReactorStats struct {
	// Gauges.
	Sessions    int // upgraded or not
	Groups      int
	Memberships int
	IngressLen  int // ring items waiting for the broker
	EgressLen   int // ring items waiting for this reactor

	// Inbound.
	MessagesIn       uint64 // complete data messages
	BytesIn          uint64
	Upgrades         uint64
	HandshakeErrors  uint64 // heads answered with anything but 101
	HandshakeExpired uint64
	CommandErrors    uint64 // commands answered with an error, all codes
	RateLimited      uint64
	Panics           uint64

	// Broadcast.
	Published  uint64 // messages this reactor's sessions sent
	Messages   uint64 // messages taken from the egress ring
	Deliveries uint64 // references handed to members
	Batches    uint64
	Coalesced  uint64 // messages that went out inside a shared chunk
	Marks      uint64 // chunk references queued for members
	Wakeups    uint64 // times the broker had gnet wake this loop
	Yields     uint64 // times a fan-out let other events go first
	RingFull   uint64 // publishes that had to wait for room
	MaxMarks   int    // most marks of one batch
	MaxWrites  int    // most writes of one flush slice

	// Outbound.
	Writes      uint64
	BytesOut    uint64
	WriteErrors uint64
	Blocked     uint64 // times the kernel took less than all
	SlowReaders uint64 // sessions closed for their backlog
	Pings       uint64

	// Ends.
	Closed      uint64 // connections gone
	IdleClosed  uint64 // closed for silence
	Resets      uint64 // close handshakes that ran out of time
	RateClosed  uint64
	LimitGroups uint64 // joins refused by MaxGroupsPerSession
	LimitAll    uint64 // joins refused by MaxGroups or MaxMembers

	// Close frames sent, by code.
	CloseNormal    uint64 // 1000
	CloseGoingAway uint64 // 1001, 1012
	CloseProtocol  uint64 // 1002, 1007
	ClosePolicy    uint64 // 1008
	CloseTooBig    uint64 // 1009
	CloseInternal  uint64 // 1011
	CloseOther     uint64 // a peer's own code, echoed
}

// Stats is a snapshot of an Engine.
type Stats struct {
	Conns        int    // connections now, handshaking ones included
	Handshakes   int    // of them not upgraded yet
	Accepted     uint64 // connections handed to a reactor
	AcceptErrors uint64 // failed accepts and enrolments: descriptors or memory
	Refused      uint64 // answered 503
	Stalls       uint64 // times a loop did not answer for stallAfter
	Order        uint64 // last order the broker gave
	Draining     bool

	Reactors []ReactorStats // by index
}

// Sum adds up the reactors' stats; MaxMarks and MaxWrites are the largest.
func (s Stats) Sum() ReactorStats {
	var t ReactorStats
	for i := range s.Reactors {
		t.add(&s.Reactors[i])
	}
	return t
}

func (t *ReactorStats) add(r *ReactorStats) {
	t.Sessions += r.Sessions
	t.Groups += r.Groups
	t.Memberships += r.Memberships
	t.IngressLen += r.IngressLen
	t.EgressLen += r.EgressLen
	t.MaxMarks = max(t.MaxMarks, r.MaxMarks)
	t.MaxWrites = max(t.MaxWrites, r.MaxWrites)
	for _, c := range []struct {
		sum *uint64
		n   uint64
	}{
		{&t.MessagesIn, r.MessagesIn},
		{&t.BytesIn, r.BytesIn},
		{&t.Upgrades, r.Upgrades},
		{&t.HandshakeErrors, r.HandshakeErrors},
		{&t.HandshakeExpired, r.HandshakeExpired},
		{&t.CommandErrors, r.CommandErrors},
		{&t.RateLimited, r.RateLimited},
		{&t.Panics, r.Panics},
		{&t.Published, r.Published},
		{&t.Messages, r.Messages},
		{&t.Deliveries, r.Deliveries},
		{&t.Batches, r.Batches},
		{&t.Coalesced, r.Coalesced},
		{&t.Marks, r.Marks},
		{&t.Wakeups, r.Wakeups},
		{&t.Yields, r.Yields},
		{&t.RingFull, r.RingFull},
		{&t.Writes, r.Writes},
		{&t.BytesOut, r.BytesOut},
		{&t.WriteErrors, r.WriteErrors},
		{&t.Blocked, r.Blocked},
		{&t.SlowReaders, r.SlowReaders},
		{&t.Pings, r.Pings},
		{&t.Closed, r.Closed},
		{&t.IdleClosed, r.IdleClosed},
		{&t.Resets, r.Resets},
		{&t.RateClosed, r.RateClosed},
		{&t.LimitGroups, r.LimitGroups},
		{&t.LimitAll, r.LimitAll},
		{&t.CloseNormal, r.CloseNormal},
		{&t.CloseGoingAway, r.CloseGoingAway},
		{&t.CloseProtocol, r.CloseProtocol},
		{&t.ClosePolicy, r.ClosePolicy},
		{&t.CloseTooBig, r.CloseTooBig},
		{&t.CloseInternal, r.CloseInternal},
		{&t.CloseOther, r.CloseOther},
	} {
		*c.sum += c.n
	}
}

// Stats asks every reactor for its counters. A reactor that does not answer
// before ctx ends contributes zeros and makes the error non-nil.
func (e *Engine) Stats(ctx context.Context) (Stats, error) {
	s := Stats{
		Conns:        int(e.conns.Load()),
		Handshakes:   int(e.handshakes.Load()),
		Accepted:     e.accepted.Load(),
		AcceptErrors: e.acceptErrors.Load(),
		Refused:      e.refused.Load(),
		Stalls:       e.stalls.Load(),
		Order:        e.broker.published.Load(),
		Draining:     e.draining.Load(),
		Reactors:     make([]ReactorStats, len(e.reactors)),
	}
	err := ask(ctx, e, (*reactor).snapshot, s.Reactors)
	return s, err
}

func (r *reactor) snapshot() ReactorStats {
	s := r.stats
	s.Sessions = r.sessions.count
	s.Groups = len(r.groups.byName)
	s.Memberships = r.groups.memberships
	s.IngressLen = r.ingress.len()
	s.EgressLen = r.egress.len()
	s.Wakeups = r.wakeups.Load()
	return s
}
