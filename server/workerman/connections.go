package workerman

import (
	"cmp"
	"slices"
	"time"
)

// Connection is a connection to a Server as an operator sees it.
type Connection struct {
	Peer        string
	Name        string // of a groupcast; PHP programs have none
	Channels    int    // that it subscribes to and watches
	QueuedBytes int    // that wait for it
	Idle        time.Duration
	Age         time.Duration
	Busy        bool // it holds a job
}

// Connections lists the connections, those first that have been there for longest.
func (s *Server) Connections() []Connection {
	s.mu.Lock()
	all := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		all = append(all, c)
	}
	s.mu.Unlock()
	now := time.Now()
	list := make([]Connection, len(all))
	s.hub.mu.Lock()
	for i, c := range all {
		list[i] = Connection{
			Peer: c.peer, Name: c.node, Channels: len(c.subs) + len(c.watches),
			Idle: now.Sub(time.Unix(0, c.heard.Load())), Age: now.Sub(c.since), Busy: now.Before(c.jobUntil()),
		}
	}
	s.hub.mu.Unlock()
	for i, c := range all {
		_, list[i].QueuedBytes = c.out.waiting()
	}
	slices.SortFunc(list, func(a, b Connection) int {
		return cmp.Or(cmp.Compare(b.Age, a.Age), cmp.Compare(a.Peer, b.Peer))
	})
	return list
}
