package interest

// Stats are an Interest's figures.
type Stats struct {
	Groups     int    `metric:"bus_groups" help:"Groups that this node has members of, or had a moment ago."`
	Subjects   int    `metric:"bus_subjects" help:"Groups with a subscription of their own."`
	Wildcard   int    `metric:"bus_wildcard" help:"1 while the node is subscribed to all groups at once."`
	Waiting    int    `metric:"bus_interest_waiting" help:"Groups not known by all nodes to be subscribed to."`
	Lingering  int    `metric:"bus_interest_lingering" help:"Groups without members that are subscribed to still."`
	Unwritten  int    `metric:"bus_interest_unwritten" help:"Subscriptions, and ends of some, that wait for the connection."`
	Marks      uint64 `metric:"bus_markers_total{answered=by_all}" help:"Markers behind subscriptions, by whether all nodes have answered."`
	MarksFew   uint64 `metric:"bus_markers_total{answered=by_some}"`
	Switches   uint64 `metric:"bus_wildcard_switches_total" help:"Changes to the wildcard, and back."`
	Overflows  uint64 `metric:"limit_hits_total{limit=nats_subjects}"` // changes to the wildcard that began, or went on
	Reused     uint64 `metric:"bus_interest_reused_total" help:"Groups that had a member again when their subscription was to end."`
	CallErrors uint64 `metric:"bus_interest_errors_total" help:"Calls of the event loops about coverage or gaps that failed, and were made again."`
}

// Stats are the figures after the last event. Any goroutine.
func (i *Interest) Stats() Stats {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.stats
}

func (i *Interest) keepStats(t *table) {
	s := t.stats()
	s.CallErrors = i.failed
	i.mu.Lock()
	i.stats = s
	i.mu.Unlock()
}

func (t *table) stats() Stats {
	s := Stats{
		Groups:    len(t.index),
		Subjects:  t.singles,
		Waiting:   len(t.index) - t.covered - t.leaving,
		Lingering: t.lingering.n,
		Unwritten: t.subscribe.len() + t.unsubscribe.len(),
		Marks:     t.marks,
		MarksFew:  t.marksInVain,
		Switches:  t.switches,
		Overflows: t.overflows,
		Reused:    t.reused,
	}
	if t.wildcard {
		s.Wildcard = 1
	}
	return s
}
