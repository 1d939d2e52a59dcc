package monitor

import "strconv"

// counters tells note each count that an operator would ask about when it rises.
func counters(now *sample, note func(c counter, n uint64)) {
	stats, s := &now.stats, &now.status
	sum := stats.Sum()
	note(counter{EventSlowReaders, ""}, sum.SlowReaders)
	note(counter{EventRateClosed, ""}, sum.RateClosed)
	note(counter{EventIdleClosed, ""}, sum.IdleClosed)
	note(counter{EventPanics, ""}, sum.Panics)
	note(counter{EventMemoryClosed, ""}, stats.Memory.Closed)
	note(counter{EventCutSessions, ""}, stats.CutSessions)
	note(counter{EventAcceptErrors, ""}, stats.AcceptErrors)
	note(counter{EventOverloaded, ""}, stats.Overloaded)
	note(counter{EventOverloaded, "memory"}, stats.Memory.RefusedPublications)
	// By the names that the metrics have for the causes.
	note(counter{EventRefused, "connections"}, stats.RefusedConns)
	note(counter{EventRefused, "handshakes"}, stats.RefusedHandshakes)
	note(counter{EventRefused, "connections_per_ip"}, stats.RefusedPerIP)
	note(counter{EventRefused, "draining"}, stats.RefusedDraining)
	note(counter{EventRefused, "memory"}, stats.RefusedMemory)
	for code, n := range sum.Errors.All() {
		note(counter{EventCommandErrors, code}, n)
	}
	if s.Channel != nil {
		note(counter{EventChannelDropped, ""}, s.Channel.Dropped)
		note(counter{EventBadFrames, ""}, s.Channel.BadFrames)
	}
	if s.ChannelJoin != nil {
		note(counter{EventNotForwarded, ""}, s.ChannelJoin.NotForwarded)
	}
	if s.Cluster != nil {
		clusterCounters(s.Cluster, note)
	}
}

// states tells note what is not as it should be at the moment.
func states(s *Status, note func(c counter)) {
	for i := range s.Reactors {
		if s.Reactors[i].State == StateStalled {
			note(counter{EventStalled, strconv.Itoa(i)})
		}
	}
	if s.State == StateDraining {
		note(counter{EventDraining, ""})
	}
	if s.ChannelJoin != nil && !s.ChannelJoin.Connected {
		note(counter{EventJoinLost, ""})
	}
	if s.Cluster != nil {
		clusterStates(s, note)
	}
}
